/* SPDX-License-Identifier: Apache-2.0 */
/* Small questions and rewrites that several passes need. */
#include "lib/opt/pass.h"

#include <string.h>

nm_status nmi_users_find(const struct nmi_graph *g, struct nmi_opt *o, struct nmi_users *u,
                         nm_error *err)
{
    size_t n = (size_t)g->n_values + 1; /* never empty */
    u->count = nmi_arena_array(&o->arena, n, sizeof *u->count);
    u->node = nmi_arena_array(&o->arena, n, sizeof *u->node);
    u->is_output = nmi_arena_array(&o->arena, n, sizeof *u->is_output);
    if (u->count == NULL || u->node == NULL || u->is_output == NULL) {
        return nmi_fail_memory(err, n * 9, "uses of values");
    }
    nmi_graph_count_uses(g, u->count);
    memset(u->node, 0xff, n * sizeof *u->node); /* NMI_NONE */
    for (int32_t i = 0; i < g->n_nodes; i++) {
        for (int32_t k = 0; k < g->nodes[i].n_inputs; k++) {
            if (g->nodes[i].inputs[k] != NMI_NONE) {
                u->node[g->nodes[i].inputs[k]] = i;
            }
        }
    }
    for (int32_t i = 0; i < g->n_outputs; i++) {
        u->is_output[g->outputs[i]] = true;
    }
    return NM_OK;
}

nm_status nmi_readers_find(const struct nmi_graph *g, struct nmi_opt *o, struct nmi_readers *r,
                           nm_error *err)
{
    size_t values = (size_t)g->n_values + 1, reads = 1;
    for (int32_t i = 0; i < g->n_nodes; i++) {
        reads += (size_t)g->nodes[i].n_inputs;
    }
    r->first = nmi_arena_array(&o->arena, values, sizeof *r->first);
    r->node = nmi_arena_array(&o->arena, reads, sizeof *r->node);
    if (r->first == NULL || r->node == NULL) {
        return nmi_fail_memory(err, (values + reads) * 4, "readers of values");
    }
    for (int32_t fill = 0; fill < 2; fill++) { /* count, then fill from the back */
        for (int32_t i = g->n_nodes - 1; i >= 0; i--) {
            for (int32_t k = 0; k < g->nodes[i].n_inputs; k++) {
                int32_t v = g->nodes[i].inputs[k];
                if (v != NMI_NONE && fill == 0) {
                    r->first[v]++;
                } else if (v != NMI_NONE) {
                    r->node[--r->first[v]] = i;
                }
            }
        }
        for (int32_t v = 0; fill == 0 && v < g->n_values; v++) {
            r->first[v + 1] += r->first[v];
        }
    }
    return NM_OK;
}

int32_t nmi_opt_only_maker(const struct nmi_graph *g, const struct nmi_users *u, int32_t v)
{
    if (v == NMI_NONE || u->count[v] != 1 || u->is_output[v]) {
        return NMI_NONE;
    }
    int32_t maker = g->values[v].producer;
    if (maker == NMI_NONE || g->nodes[maker].outputs[0] != v) {
        return NMI_NONE;
    }
    return maker;
}

void nmi_opt_absorb(struct nmi_graph *g, int32_t into, int32_t gone)
{
    int32_t out = g->nodes[gone].outputs[0];
    int32_t own = g->nodes[into].outputs[0];
    nmi_graph_remove_node(g, gone);
    g->values[own].producer = NMI_NONE;
    g->nodes[into].outputs[0] = out;
    g->values[out].producer = into;
}

bool nmi_opt_unpadded(const struct nmi_conv_attrs *conv)
{
    if (conv->auto_pad == NMI_PAD_SAME_UPPER || conv->auto_pad == NMI_PAD_SAME_LOWER) {
        return false;
    }
    for (int32_t i = 0; i < conv->pads.n && conv->auto_pad != NMI_PAD_VALID; i++) {
        if (conv->pads.v[i] != 0) {
            return false;
        }
    }
    return true;
}

bool nmi_opt_same_shape(const struct nmi_value *a, const struct nmi_value *b)
{
    if (a->rank < 0 || a->rank != b->rank) {
        return false;
    }
    for (int32_t d = 0; d < a->rank; d++) {
        if (a->dims[d] == NMI_DIM_UNKNOWN || a->dims[d] != b->dims[d]) {
            return false;
        }
    }
    return true;
}

const void *nmi_opt_attr(const struct nmi_node *node, const char *name)
{
    const struct nmi_attr *attr = nmi_ops[node->op]->attr;
    for (; attr != NULL && attr->name != NULL; attr++) {
        if (strcmp(attr->name, name) == 0 && node->attrs != NULL) {
            return (const char *)node->attrs + attr->offset;
        }
    }
    return NULL;
}

float nmi_opt_float(const void *data, int64_t i)
{
    float f;
    memcpy(&f, (const char *)data + (size_t)i * sizeof f, sizeof f);
    return f;
}

const struct nmi_constant *nmi_opt_f32(const struct nmi_graph *g, int32_t v)
{
    const struct nmi_constant *c = nmi_graph_constant(g, v);
    return c != NULL && c->type == NM_F32 ? c : NULL;
}

bool nmi_opt_scalar(const struct nmi_graph *g, int32_t v, float *out)
{
    const struct nmi_constant *c = nmi_opt_f32(g, v);
    if (c == NULL || c->bytes != sizeof *out) {
        return false;
    }
    *out = nmi_opt_float(c->data, 0);
    return true;
}

bool nmi_opt_ints(const struct nmi_graph *g, int32_t v, struct nmi_ints *out)
{
    const struct nmi_constant *c = nmi_graph_constant(g, v);
    if (c == NULL || c->rank > 1 || (c->type != NM_I64 && c->type != NM_I32)) {
        return false;
    }
    size_t size = nm_type_size(c->type), n = c->bytes / size;
    if (n > NMI_MAX_INTS) {
        return false;
    }
    out->n = (int32_t)n;
    for (size_t i = 0; i < n; i++) {
        int32_t narrow;
        if (c->type == NM_I64) {
            memcpy(&out->v[i], (const char *)c->data + i * size, size);
        } else {
            memcpy(&narrow, (const char *)c->data + i * size, size);
            out->v[i] = narrow;
        }
    }
    return true;
}

bool nmi_opt_clip_bounds(const struct nmi_graph *g, const struct nmi_node *node, float *min,
                         float *max)
{
    const struct nmi_clip_attrs *attrs = node->attrs;
    *min = attrs->min;
    *max = attrs->max;
    bool has_min = node->n_inputs > 1 && node->inputs[1] != NMI_NONE;
    bool has_max = node->n_inputs > 2 && node->inputs[2] != NMI_NONE;
    return (!has_min || nmi_opt_scalar(g, node->inputs[1], min)) &&
           (!has_max || nmi_opt_scalar(g, node->inputs[2], max));
}

bool nmi_opt_never_negative(const struct nmi_graph *g, int32_t v)
{
    int32_t maker = g->values[v].producer;
    if (maker == NMI_NONE) {
        return false;
    }
    const struct nmi_node *node = &g->nodes[maker];
    float min, max;
    if (node->op == NMI_OP_Clip) {
        return nmi_opt_clip_bounds(g, node, &min, &max) && min >= 0 && max >= 0;
    }
    return node->op == NMI_OP_Relu || node->op == NMI_OP_Sigmoid;
}

bool nmi_opt_afford(struct nmi_opt *o, size_t bytes)
{
    if (bytes > o->copies) {
        return false;
    }
    o->copies -= bytes;
    return true;
}

nm_status nmi_opt_add_constant(struct nmi_graph *g, const char *name, const struct nmi_constant *c,
                               int32_t *value, nm_error *err)
{
    int32_t id = nmi_graph_add_constant(g, name, c->type, c->rank, c->dims, c->data, c->bytes);
    if (id == NMI_NONE) {
        return nmi_fail_memory(err, c->bytes, "a constant");
    }
    struct nmi_constant *made = &g->constants[g->values[id].constant];
    made->source = c->source;
    made->sparse = c->sparse;
    *value = id;
    return NM_OK;
}
