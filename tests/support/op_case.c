/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/op_case.h"
#include "lib/ops/helpers.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state = 1;

void op_case_seed(void)
{
    const char *seed = getenv("NM_SEED");
    state = seed != NULL ? strtoull(seed, NULL, 10) : 1;
    printf("seed %llu\n", (unsigned long long)state);
    state = state * 2654435761u + 1;
}

static uint64_t next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state >> 11;
}

int64_t op_case_random(int64_t low, int64_t high)
{
    return low + (int64_t)(next() % (uint64_t)(high - low + 1));
}

float op_case_float(void)
{
    return (float)op_case_random(-1000, 1000) / 1001.0f;
}

void op_case_start(struct op_case *c, uint16_t op, int32_t opset)
{
    memset(c, 0, sizeof *c);
    c->op = op;
    c->opset = opset;
    c->attrs = nmi_ops[op]->attr_bytes > 0 ? nmi_op_defaults(op, &c->arena) : NULL;
}

void op_case_end(struct op_case *c)
{
    nmi_arena_free(&c->arena);
}

static void fill(struct nmi_tensor *t, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        ((float *)t->data)[i] = op_case_float();
    }
}

void op_case_in(struct op_case *c, nm_type type, int32_t rank, const int64_t *dims,
                const void *data)
{
    int32_t i = c->n_in++;
    struct nmi_tensor *t = &c->in[i];
    *t = (struct nmi_tensor){.type = type, .rank = rank};
    for (int32_t d = 0; d < rank; d++) {
        t->dims[d] = dims[d];
    }
    nmi_fact_set(&c->facts[i], type, rank, dims);
    c->given[i] = true;
    int64_t count = nmi_count(t);
    if (count < 0 || count > 1 << 24) { /* for inference only */
        return;
    }
    t->data = nmi_arena_alloc(&c->arena, (size_t)count * nm_type_size(type) + 1);
    if (data != NULL) {
        memcpy(t->data, data, (size_t)count * nm_type_size(type));
    } else if (type == NM_F32) {
        fill(t, count);
    }
    c->facts[i].data = t->data;
}

void op_case_skip(struct op_case *c)
{
    c->given[c->n_in++] = false;
}

nm_status op_case_infer(struct op_case *c, int32_t n_out)
{
    const struct nmi_op *op = nmi_ops[c->op];
    const struct nmi_fact *facts[OP_CASE_INPUTS];
    int32_t inputs[OP_CASE_INPUTS], outputs[OP_CASE_OUTPUTS];
    for (int32_t i = 0; i < c->n_in; i++) {
        facts[i] = c->given[i] ? &c->facts[i] : NULL;
        inputs[i] = c->given[i] ? i : NMI_NONE;
    }
    for (int32_t i = 0; i < n_out; i++) {
        outputs[i] = OP_CASE_INPUTS + i;
    }
    struct nmi_node node = {.op = c->op,
                            .opset = (uint16_t)c->opset,
                            .n_inputs = c->n_in,
                            .n_outputs = n_out,
                            .inputs = inputs,
                            .outputs = outputs,
                            .name = "n",
                            .attrs = c->attrs};
    c->n_out = n_out;
    if (op->finish != NULL) {
        NMI_TRY(op->finish(c->attrs, c->opset, "n", &c->err));
    }
    return nmi_op_infer(&node, facts, c->out_facts, &c->arena, &c->err);
}

enum { CANARY = 64 };

nm_status op_case_run(struct op_case *c, int32_t n_out)
{
    const struct nmi_op *op = nmi_ops[c->op];
    const struct nmi_tensor *in[OP_CASE_INPUTS];
    size_t bytes[OP_CASE_OUTPUTS];
    NMI_TRY(op_case_infer(c, n_out));
    for (int32_t i = 0; i < c->n_in; i++) {
        in[i] = c->given[i] ? &c->in[i] : NULL;
    }
    for (int32_t i = 0; i < n_out; i++) {
        struct nmi_fact *f = &c->out_facts[i];
        ck_assert(nmi_fact_concrete(f));
        c->out[i] = (struct nmi_tensor){.type = f->type, .rank = f->rank};
        memcpy(c->out[i].dims, f->dims, sizeof f->dims);
        bytes[i] = (size_t)nmi_count(&c->out[i]) * nm_type_size(f->type);
        c->out[i].data = nmi_arena_alloc(&c->arena, bytes[i] + CANARY);
        memset(c->out[i].data, 0xA5, bytes[i] + CANARY);
    }
    struct nmi_eval e = {.attrs = c->attrs,
                         .opset = c->opset,
                         .in = in,
                         .n_in = c->n_in,
                         .out = c->out,
                         .n_out = n_out,
                         .name = "n"};
    size_t scratch = op->scratch != NULL ? op->scratch(&e) : 0;
    unsigned char *memory = nmi_alloc(scratch);
    ck_assert_ptr_nonnull(memory);
    e.scratch = memory;
    nm_status status = op->eval(&e, &c->err);
    nmi_free(memory);
    for (int32_t i = 0; i < n_out; i++) {
        const unsigned char *end = (const unsigned char *)c->out[i].data + bytes[i];
        for (int k = 0; k < CANARY; k++) {
            ck_assert_msg(end[k] == 0xA5, "output %d is written beyond its end", i);
        }
    }
    if (op->work != NULL) {
        ck_assert(op->work(&e) >= 0);
    }
    return status;
}

const float *op_case_floats(const struct op_case *c, int32_t output)
{
    return c->out[output].data;
}

void op_case_dims(const struct op_case *c, int32_t rank, const int64_t *dims)
{
    ck_assert_int_eq(c->out_facts[0].rank, rank);
    for (int32_t i = 0; i < rank; i++) {
        ck_assert_msg(c->out_facts[0].dims[i] == dims[i], "dim %d is %lld, expected %lld", i,
                      (long long)c->out_facts[0].dims[i], (long long)dims[i]);
    }
}

void op_case_values(const struct op_case *c, const float *expected, int64_t n)
{
    const float *y = op_case_floats(c, 0);
    float largest = 0;
    ck_assert_int_eq(nmi_count(&c->out[0]), n);
    for (int64_t i = 0; i < n; i++) {
        float size = fabsf(expected[i]);
        largest = isfinite(size) && size > largest ? size : largest;
    }
    for (int64_t i = 0; i < n; i++) {
        bool same = y[i] == expected[i] || (isnan(y[i]) && isnan(expected[i]));
        ck_assert_msg(same || fabsf(y[i] - expected[i]) <= 1e-5f * largest,
                      "element %lld is %g, expected %g", (long long)i, (double)y[i],
                      (double)expected[i]);
    }
}

static int64_t long_at(const struct nmi_tensor *t, int64_t i)
{
    switch (t->type) {
    case NM_I8:
        return ((const int8_t *)t->data)[i];
    case NM_I16:
        return ((const int16_t *)t->data)[i];
    case NM_I32:
        return ((const int32_t *)t->data)[i];
    case NM_U16:
        return ((const uint16_t *)t->data)[i];
    case NM_U32:
        return ((const uint32_t *)t->data)[i];
    case NM_I64:
    case NM_U64:
        return ((const int64_t *)t->data)[i];
    default:
        return ((const uint8_t *)t->data)[i];
    }
}

void op_case_longs(const struct op_case *c, const int64_t *expected, int64_t n)
{
    ck_assert_int_eq(nmi_count(&c->out[0]), n);
    for (int64_t i = 0; i < n; i++) {
        int64_t y = long_at(&c->out[0], i);
        ck_assert_msg(y == expected[i], "element %lld is %lld, expected %lld", (long long)i,
                      (long long)y, (long long)expected[i]);
    }
}
