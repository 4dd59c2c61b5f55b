/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/prune/write_back.h"

#include "lib/ops/attrs.h"

#include <string.h>

static int32_t rows_of(const struct nmi_target *t)
{
    return t->groups * t->rows;
}

/* The source's node that uses this weight, when it is the only one; NULL: it is not. */
static struct nmi_node *source_node(const struct nmi_graph *g, const struct nmi_target *t)
{
    const int32_t value = t->info.constant->source;
    struct nmi_node *found = NULL;
    int32_t uses = 0;
    for (int32_t i = 0; i < g->n_nodes; i++) {
        for (int32_t k = 0; k < g->nodes[i].n_inputs; k++) {
            if (g->nodes[i].inputs[k] == value) {
                uses++;
                found = k == 1 ? &g->nodes[i] : NULL;
            }
        }
    }
    return uses == 1 ? found : NULL;
}

static const struct nmi_constant *bias_of(const struct nmi_graph *g, const struct nmi_node *node)
{
    return node->n_inputs > 2 ? nmi_graph_constant(g, node->inputs[2]) : NULL;
}

/* What a Gemm adds: nothing, or a constant that is the same for all items. */
static bool gemm_adds_a_row(const struct nmi_graph *g, const struct nmi_node *node, int32_t rows)
{
    const struct nmi_constant *c = bias_of(g, node);
    if (node->n_inputs < 3 || node->inputs[2] == NMI_NONE) {
        return true;
    }
    return c != NULL && c->type == NM_F32 &&
           (c->bytes == sizeof(float) ||
            (c->bytes == (size_t)rows * sizeof(float) && (c->rank == 1 || c->dims[0] == 1)));
}

/* Whether that can be changed: a value for each output, or nothing yet. */
static bool gemm_bias_free(const struct nmi_graph *g, const struct nmi_node *node, int32_t rows)
{
    const struct nmi_constant *c = bias_of(g, node);
    return c == NULL || (c->bytes == (size_t)rows * sizeof(float) &&
                         ((const struct nmi_gemm_attrs *)node->attrs)->beta == 1.0f);
}

const char *nmi_write_back_refuse(const struct nmi_write_back *to, const struct nmi_target *t,
                                  bool *fixed_bias)
{
    const struct nmi_node *node = source_node(to->source, t);
    const struct nmi_node *own = &to->targets->graph->nodes[t->info.node];
    const struct nmi_constant *from = nmi_graph_constant(to->source, t->info.constant->source);
    if (node == NULL) {
        return "its weight is used more than once";
    }
    if (from == NULL || from->bytes != t->info.constant->bytes ||
        memcmp(from->data, t->info.constant->data, from->bytes) != 0) {
        return "its weight is not applied as it stands in the file";
    }
    if (node->op == NMI_OP_Gemm) {
        const struct nmi_gemm_attrs *attrs = node->attrs;
        *fixed_bias = !gemm_bias_free(to->source, node, rows_of(t));
        return attrs->alpha != 1.0f || attrs->trans_a ? "it is a Gemm with alpha or transA"
               : !gemm_adds_a_row(to->source, node, rows_of(t)) ? "what it adds is no constant row"
                                                                : NULL;
    }
    *fixed_bias = node->op != NMI_OP_Conv;
    return own->op == NMI_OP_ConvTranspose || t->info.constant->rank > 4 ||
                   (node->op != NMI_OP_Conv && t->info.constant->rank != 2)
               ? "its kind is pruned by magnitude only"
               : NULL;
}

void nmi_target_bias(const struct nmi_targets *targets, const struct nmi_target *t, float *b)
{
    const struct nmi_graph *g = targets->graph;
    const struct nmi_node *node = &g->nodes[t->info.node];
    const struct nmi_constant *c = bias_of(g, node);
    const float beta =
        node->op == NMI_OP_Gemm ? ((const struct nmi_gemm_attrs *)node->attrs)->beta : 1.0f;
    const int64_t n = c != NULL ? (int64_t)(c->bytes / sizeof(float)) : 0;
    for (int32_t m = 0; m < rows_of(t); m++) {
        b[m] = n > 0 ? beta * ((const float *)c->data)[n == 1 ? 0 : m] : 0;
    }
}

/* A channel whose scale is zero gives its bias, whatever its weights are. */
static void write_weights(const struct nmi_target *t, const float *w, float *data)
{
    for (int64_t m = 0; m < rows_of(t); m++) {
        const float scale = nmi_target_scale(t, m);
        for (int64_t k = 0; k < t->cols; k++) {
            const float v = w[m * t->cols + k];
            float *at = &data[nmi_target_place(t, m, k)];
            *at = v == 0 ? 0 : scale != 0 ? v / scale : *at;
        }
    }
}

static bool name_taken(const struct nmi_graph *g, const char *name)
{
    bool taken = false;
    for (int32_t v = 0; v < g->n_values; v++) {
        taken |= strcmp(g->values[v].name, name) == 0;
    }
    return taken;
}

/* A constant of its own as the node's third input. */
static nm_status add_bias(struct nmi_graph *g, struct nmi_node *node, int32_t rows,
                          const float *data, nm_error *err)
{
    const int64_t dims[1] = {rows};
    const char *weight = g->values[node->inputs[1]].name;
    int32_t *inputs = nmi_arena_array(&g->arena, (size_t)node->n_inputs + 1, sizeof *inputs);
    char *name = nmi_arena_printf(&g->arena, "%s_bias", weight);
    for (int i = 2; name != NULL && name_taken(g, name); i++) {
        name = nmi_arena_printf(&g->arena, "%s_bias_%d", weight, i);
    }
    const int32_t value = inputs == NULL || name == NULL
                              ? NMI_NONE
                              : nmi_graph_add_constant(g, name, NM_F32, 1, dims, data,
                                                       (size_t)rows * sizeof *data);
    if (value == NMI_NONE) {
        return nmi_fail_memory(err, (size_t)rows * sizeof *data, "a bias");
    }
    memcpy(inputs, node->inputs, (size_t)node->n_inputs * sizeof *inputs);
    inputs[2] = value;
    node->inputs = inputs;
    node->n_inputs = node->n_inputs > 3 ? node->n_inputs : 3;
    return NM_OK;
}

/* A bias that may be changed: *data is a copy of what it is now, or zeros. */
static nm_status open_bias(struct nmi_graph *g, struct nmi_node *node, int32_t rows, float **data,
                           nm_error *err)
{
    const size_t bytes = (size_t)rows * sizeof **data;
    const struct nmi_constant *c = bias_of(g, node);
    int32_t uses = 0;
    *data = nmi_arena_alloc(&g->arena, bytes + 1);
    if (*data == NULL) {
        return nmi_fail_memory(err, bytes, "a bias");
    }
    if (c == NULL || c->bytes != bytes) {
        return add_bias(g, node, rows, *data, err);
    }
    memcpy(*data, c->data, bytes);
    for (int32_t i = 0; i < g->n_nodes; i++) {
        for (int32_t k = 0; k < g->nodes[i].n_inputs; k++) {
            uses += g->nodes[i].inputs[k] == node->inputs[2];
        }
    }
    if (uses > 1) {
        return add_bias(g, node, rows, *data, err);
    }
    g->constants[g->values[node->inputs[2]].constant].data = *data;
    return NM_OK;
}

static nm_status shift_bias(const struct nmi_write_back *to, const struct nmi_target *t,
                            const float *b, nm_error *err)
{
    const int32_t rows = rows_of(t);
    float *running, *source, *before = nmi_alloc((size_t)rows * sizeof *before);
    struct nmi_node *node = source_node(to->source, t);
    if (before == NULL) {
        return nmi_fail_memory(err, (size_t)rows * sizeof *before, "a bias");
    }
    nmi_target_bias(to->targets, t, before);
    nm_status status = open_bias(to->source, node, rows, &source, err);
    if (status == NM_OK) {
        status = open_bias(to->running, &to->running->nodes[t->info.node], rows, &running, err);
    }
    for (int32_t m = 0; m < rows && status == NM_OK; m++) {
        const float scale = nmi_target_scale(t, m), shift = scale != 0 ? b[m] - before[m] : 0;
        running[m] = before[m] + shift;
        source[m] += scale != 0 ? shift / scale : 0;
    }
    nmi_free(before);
    return status;
}

nm_status nmi_write_back(const struct nmi_write_back *to, const struct nmi_target *t, const float *w,
                         const float *b, nm_error *err)
{
    float *source;
    bool fixed_bias = false;
    nmi_write_back_refuse(to, t, &fixed_bias);
    NMI_TRY(nmi_target_write(t, to->source, &source, err));
    write_weights(t, w, source);
    struct nmi_constant *c =
        &to->running->constants[to->running->values[t->info.value].constant];
    c->data = source; /* the source's copy lives at least as long */
    return fixed_bias ? NM_OK : shift_bias(to, t, b, err);
}
