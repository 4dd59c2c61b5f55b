/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/builder.h"

#include "lib/base/checked.h"
#include "lib/opt/opt.h"
#include "lib/opt/pass.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

void build_begin(struct builder *b, uint64_t seed)
{
    *b = (struct builder){.random = seed * 2654435769u + 88172645463325252u, .opset = 13};
    ck_assert_int_eq(nmi_graph_create(0, &b->g, NULL), NM_OK);
    b->g->opset = b->opset;
    b->g->inputs = nmi_arena_array(&b->g->arena, 8, sizeof(int32_t));
    b->g->outputs = nmi_arena_array(&b->g->arena, 8, sizeof(int32_t));
}

void build_end(struct builder *b)
{
    nmi_graph_free(b->g);
    b->g = NULL;
}

float build_uniform(struct builder *b)
{
    b->random ^= b->random << 13;
    b->random ^= b->random >> 7;
    b->random ^= b->random << 17;
    return (float)(b->random >> 40) / 16777216.0f;
}

int32_t build_input(struct builder *b, const char *name, int32_t rank, const int64_t *dims)
{
    int32_t id = nmi_graph_add_value(b->g, name);
    struct nmi_value *v = &b->g->values[id];
    v->type = NM_F32;
    v->rank = rank;
    for (int32_t d = 0; d < rank; d++) {
        v->dims[d] = dims[d] == -2 ? NMI_DIM_UNKNOWN : dims[d];
        if (dims[d] == -1) {
            v->dims[d] = nmi_dim_symbol(nmi_graph_add_symbol(b->g, "N"));
        }
    }
    ck_assert_int_lt(b->g->n_inputs, 8);
    b->g->inputs[b->g->n_inputs++] = id;
    return id;
}

static int32_t add_constant(struct builder *b, const char *name, nm_type type, int32_t rank,
                            const int64_t *dims, const void *data)
{
    size_t bytes;
    ck_assert(nmi_tensor_bytes((int32_t)type, rank, dims, &bytes));
    void *copy = nmi_arena_copy(&b->g->arena, data, bytes);
    int32_t id = nmi_graph_add_constant(b->g, name, type, rank, dims, copy, bytes);
    ck_assert_int_ne(id, NMI_NONE);
    return id;
}

int32_t build_floats(struct builder *b, const char *name, int32_t rank, const int64_t *dims,
                     const float *values)
{
    return add_constant(b, name, NM_F32, rank, dims, values);
}

int32_t build_scalar(struct builder *b, float value)
{
    return build_floats(b, "scalar", 0, NULL, &value);
}

int32_t build_ints(struct builder *b, int32_t n, const int64_t *values)
{
    int64_t dims[1] = {n};
    return add_constant(b, "ints", NM_I64, 1, dims, values);
}

static int32_t random_floats(struct builder *b, const char *name, int32_t rank, const int64_t *dims,
                             const float range[2])
{
    int64_t n;
    ck_assert(nmi_elems(rank, dims, &n));
    float *values = nmi_arena_array(&b->g->arena, (size_t)n, sizeof *values);
    for (int64_t i = 0; i < n; i++) {
        values[i] = range[0] + (range[1] - range[0]) * build_uniform(b);
    }
    return build_floats(b, name, rank, dims, values);
}

int32_t build_random(struct builder *b, const char *name, int32_t rank, const int64_t *dims)
{
    return random_floats(b, name, rank, dims, (const float[]){-1, 1});
}

int32_t build_positive(struct builder *b, const char *name, int32_t rank, const int64_t *dims)
{
    return random_floats(b, name, rank, dims, (const float[]){0.5f, 1.5f});
}

int32_t build_node(struct builder *b, uint16_t op, const char *name, int32_t n, const int32_t *in)
{
    char out_name[64];
    snprintf(out_name, sizeof out_name, "%s:out", name);
    int32_t out = nmi_graph_add_value(b->g, out_name);
    void *attrs = nmi_ops[op]->attr_bytes == 0 ? NULL : nmi_op_defaults(op, &b->g->arena);
    ck_assert_int_ne(nmi_graph_add_node(b->g, op, b->opset, name, in, n, &out, 1, attrs), NMI_NONE);
    return out;
}

void *build_attrs(struct builder *b)
{
    return b->g->nodes[b->g->n_nodes - 1].attrs;
}

int32_t build_conv(struct builder *b, const char *name, int32_t x, const int64_t ocick[3],
                   int64_t pad)
{
    char weight[64];
    snprintf(weight, sizeof weight, "%s.weight", name);
    int32_t w = build_random(b, weight, DIMS(ocick[0], ocick[1], ocick[2], ocick[2]));
    int32_t y = build_node(b, NMI_OP_Conv, name, IDS(x, w));
    struct nmi_conv_attrs *conv = build_attrs(b);
    conv->pads = (struct nmi_ints){4, {pad, pad, pad, pad}};
    return y;
}

int32_t build_pad(struct builder *b, int32_t x, const int64_t pads[8], float value)
{
    const int32_t p = build_ints(b, 8, pads), v = build_scalar(b, value);
    return build_node(b, NMI_OP_Pad, "pad", IDS(x, p, v));
}

int32_t build_bn(struct builder *b, const char *name, int32_t x, int64_t channels)
{
    int32_t scale = build_random(b, "bn.scale", DIMS(channels));
    int32_t shift = build_random(b, "bn.shift", DIMS(channels));
    int32_t mean = build_random(b, "bn.mean", DIMS(channels));
    int32_t var = build_positive(b, "bn.var", DIMS(channels));
    return build_node(b, NMI_OP_BatchNormalization, name, IDS(x, scale, shift, mean, var));
}

void build_output(struct builder *b, int32_t value)
{
    ck_assert_int_lt(b->g->n_outputs, 8);
    b->g->outputs[b->g->n_outputs++] = value;
}

int32_t count_nodes(const struct nmi_graph *g, uint16_t op)
{
    int32_t n = 0;
    for (int32_t i = 0; i < g->n_nodes; i++) {
        n += g->nodes[i].op == op;
    }
    return n;
}

const struct nmi_node *find_node(const struct nmi_graph *g, uint16_t op)
{
    for (int32_t i = 0; i < g->n_nodes; i++) {
        if (g->nodes[i].op == op) {
            return &g->nodes[i];
        }
    }
    ck_abort_msg("no %s is left", nmi_ops[op]->name);
    return NULL;
}

/* ---- optimising ----------------------------------------------------------------------------- */

static void run_pass(struct nmi_graph *g, const char *name, struct nmi_opt *o)
{
    const struct nmi_pass *pass = nmi_passes;
    while (pass->run != NULL && strcmp(pass->name, name) != 0) {
        pass++;
    }
    nm_error err = {0};
    ck_assert_msg(pass->run != NULL, "no pass is called %s", name);
    ck_assert_msg(nmi_optimize_step(g, pass, o, &err) == NM_OK, "%s: %s", name, err.message);
}

struct nmi_graph *optimised(const struct nmi_graph *g, const char *passes)
{
    struct nmi_graph *copy;
    nm_limits limits = {.load_work = 1000000, .folded_bytes = 1 << 20};
    struct nmi_opt o;
    nm_error err = {0};
    ck_assert_int_eq(nmi_graph_copy(g, nmi_op_attr_bytes, &copy, NULL), NM_OK);
    if (passes == NULL) {
        ck_assert_msg(nmi_optimize(copy, &limits, NULL, &err) == NM_OK, "%s", err.message);
        return copy;
    }
    char list[128], *rest = NULL;
    snprintf(list, sizeof list, "%s", passes);
    nmi_opt_begin(&o, copy, &limits, NULL);
    o.verify = true;
    for (char *name = strtok_r(list, " ", &rest); name != NULL; name = strtok_r(NULL, " ", &rest)) {
        run_pass(copy, name, &o);
    }
    nmi_opt_end(&o);
    return copy;
}

/* ---- comparing ------------------------------------------------------------------------------ */

static void give_inputs(const struct nmi_graph *g, struct nmi_fact *facts, int64_t batch,
                        struct nmi_arena *arena)
{
    struct builder noise = {.random = 88172645463325252u};
    for (int32_t i = 0; i < g->n_inputs; i++) {
        const struct nmi_value *v = &g->values[g->inputs[i]];
        struct nmi_fact *f = &facts[g->inputs[i]];
        int64_t n = 1;
        f->type = v->type;
        f->rank = v->rank;
        for (int32_t d = 0; d < v->rank; d++) {
            f->dims[d] = v->dims[d] < 0 ? batch : v->dims[d];
            n *= f->dims[d];
        }
        float *data = nmi_arena_array(arena, (size_t)n, sizeof *data);
        for (int64_t k = 0; k < n; k++) {
            data[k] = 2 * build_uniform(&noise) - 1;
        }
        f->data = data;
    }
}

static struct nmi_fact *evaluate(const struct nmi_graph *g, int64_t batch, struct nmi_arena *arena)
{
    struct nmi_fact *facts = nmi_arena_array(arena, (size_t)g->n_values, sizeof *facts);
    for (int32_t v = 0; v < g->n_values; v++) {
        facts[v].rank = -1;
    }
    give_inputs(g, facts, batch, arena);
    struct nmi_budget budget = {.work = 1e12, .bytes = (size_t)1 << 30};
    nm_error err = {0};
    ck_assert_msg(nmi_propagate(g, facts, &budget, arena, &err) == NM_OK, "%s", err.message);
    return facts;
}

static void compare(const struct nmi_fact *want, const struct nmi_fact *got, const char *name)
{
    ck_assert_ptr_nonnull(want->data);
    ck_assert_msg(got->data != NULL, "output %s was not computed", name);
    ck_assert_int_eq(want->type, got->type);
    ck_assert_int_eq(want->rank, got->rank);
    size_t bytes;
    ck_assert(nmi_tensor_bytes((int32_t)want->type, want->rank, want->dims, &bytes));
    for (int32_t d = 0; d < want->rank; d++) {
        ck_assert_int_eq(want->dims[d], got->dims[d]);
    }
    if (want->type != NM_F32) {
        ck_assert_mem_eq(want->data, got->data, bytes);
        return;
    }
    const float *a = want->data, *b = got->data;
    float most = 0;
    for (size_t i = 0; i < bytes / sizeof *a; i++) {
        most = fmaxf(most, fabsf(a[i]));
    }
    for (size_t i = 0; i < bytes / sizeof *a; i++) {
        bool same = fabsf(a[i] - b[i]) <= 1e-5f * fmaxf(most, 1) || (isnan(a[i]) && isnan(b[i])) ||
                    a[i] == b[i];
        ck_assert_msg(same, "output %s, element %zu: %g, expected %g", name, i, (double)b[i],
                      (double)a[i]);
    }
}

void check_same(const struct nmi_graph *before, struct nmi_graph *after, int64_t batch)
{
    struct nmi_arena arena = {0};
    const struct nmi_fact *want = evaluate(before, batch, &arena);
    const struct nmi_fact *got = evaluate(after, batch, &arena);
    ck_assert_int_eq(before->n_outputs, after->n_outputs);
    for (int32_t i = 0; i < before->n_outputs; i++) {
        const char *name = before->values[before->outputs[i]].name;
        ck_assert_str_eq(name, after->values[after->outputs[i]].name);
        compare(&want[before->outputs[i]], &got[after->outputs[i]], name);
    }
    nmi_arena_free(&arena);
    nmi_graph_free(after);
}
