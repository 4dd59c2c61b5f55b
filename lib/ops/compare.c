/* SPDX-License-Identifier: Apache-2.0 */
/* Comparison and logic with numpy broadcasting: the result is bool, one byte, 0 or 1. */
#include "lib/ops/elementwise.h"

#define COMPARE_LOOPS(name, expr)                                                                  \
    NMI_BINARY_FAST_LOOP(name##_f32, float, uint8_t, expr)                                         \
    NMI_BINARY_LOOP(name##_f64, double, uint8_t, expr)                                             \
    NMI_BINARY_LOOP(name##_i8, int8_t, uint8_t, expr)                                              \
    NMI_BINARY_LOOP(name##_i16, int16_t, uint8_t, expr)                                            \
    NMI_BINARY_LOOP(name##_i32, int32_t, uint8_t, expr)                                            \
    NMI_BINARY_LOOP(name##_i64, int64_t, uint8_t, expr)                                            \
    NMI_BINARY_LOOP(name##_u8, uint8_t, uint8_t, expr)                                             \
    NMI_BINARY_LOOP(name##_u16, uint16_t, uint8_t, expr)                                           \
    NMI_BINARY_LOOP(name##_u32, uint32_t, uint8_t, expr)                                           \
    NMI_BINARY_LOOP(name##_u64, uint64_t, uint8_t, expr)

COMPARE_LOOPS(equal, a == b)
COMPARE_LOOPS(less, a < b)
COMPARE_LOOPS(greater, a > b)
NMI_BINARY_LOOP(equal_bool, uint8_t, uint8_t, (a != 0) == (b != 0))
NMI_BINARY_LOOP(and_bool, uint8_t, uint8_t, a != 0 && b != 0)
NMI_BINARY_LOOP(or_bool, uint8_t, uint8_t, a != 0 || b != 0)

static nm_status infer_bool(struct nmi_infer *in, nm_error *err)
{
    NMI_TRY(nmi_fact_types(in, 1, nmi_ops[in->node->op]->types, err));
    return nmi_infer_broadcast(in, NM_BOOL, err);
}

static nm_status Equal_eval(const struct nmi_eval *e, nm_error *err)
{
    static const nmi_binary_fn table[NMI_TYPES] = {NMI_FLOAT_ROW(equal),
                                                   NMI_INT_ROW(equal), [NM_BOOL] = equal_bool};
    return nmi_binary_eval(e, table, err);
}

static nm_status Less_eval(const struct nmi_eval *e, nm_error *err)
{
    static const nmi_binary_fn table[NMI_TYPES] = {NMI_FLOAT_ROW(less), NMI_INT_ROW(less)};
    return nmi_binary_eval(e, table, err);
}

static nm_status Greater_eval(const struct nmi_eval *e, nm_error *err)
{
    static const nmi_binary_fn table[NMI_TYPES] = {NMI_FLOAT_ROW(greater), NMI_INT_ROW(greater)};
    return nmi_binary_eval(e, table, err);
}

static nm_status And_eval(const struct nmi_eval *e, nm_error *err)
{
    static const nmi_binary_fn table[NMI_TYPES] = {[NM_BOOL] = and_bool};
    return nmi_binary_eval(e, table, err);
}

static nm_status Or_eval(const struct nmi_eval *e, nm_error *err)
{
    static const nmi_binary_fn table[NMI_TYPES] = {[NM_BOOL] = or_bool};
    return nmi_binary_eval(e, table, err);
}

static nm_status Not_eval(const struct nmi_eval *e, nm_error *err)
{
    (void)err;
    const uint8_t *x = e->in[0]->data;
    uint8_t *y = e->out[0].data;
    int64_t n = nmi_count(e->in[0]);
    for (int64_t i = 0; i < n; i++) {
        y[i] = x[i] == 0;
    }
    return NM_OK;
}

/* ---- Where ---------------------------------------------------------------------------------- */

static nm_status infer_where(struct nmi_infer *in, nm_error *err)
{
    const struct nmi_fact *x = in->in[1], *y = in->in[2];
    NMI_TRY(nmi_fact_types(in, 1, NMI_T_MOVE, err));
    if (x->type != y->type) {
        return nmi_fail(err, NM_ETYPE, "input 2 has type %s, expected %s as input 1",
                        nm_type_name(y->type), nm_type_name(x->type));
    }
    int32_t rank = 0;
    int64_t dims[NMI_MAX_DIMS];
    for (int32_t i = 0; i < 3; i++) {
        NMI_TRY(nmi_broadcast(in->in[i], &rank, dims, err));
    }
    nmi_fact_set(&in->out[0], x->type, rank, dims);
    return NM_OK;
}

#define WHERE_LOOP(T)                                                                              \
    static void where_##T(const struct nmi_walk *w, void *out, const uint8_t *c, const void *px,   \
                          const void *py)                                                          \
    {                                                                                              \
        const T *x = px, *y = py;                                                                  \
        T *o = out;                                                                                \
        int64_t sc = nmi_walk_step(w, 1), sx = nmi_walk_step(w, 2), sy = nmi_walk_step(w, 3);      \
        for (int64_t i = 0; i < w->inner; i++) {                                                   \
            o[i] = c[i * sc] != 0 ? x[i * sx] : y[i * sy];                                         \
        }                                                                                          \
    }
WHERE_LOOP(uint8_t)
WHERE_LOOP(uint16_t)
WHERE_LOOP(uint32_t)
WHERE_LOOP(uint64_t)

static nm_status Where_eval(const struct nmi_eval *e, nm_error *err)
{
    (void)err;
    static void (*const by_size[])(const struct nmi_walk *, void *, const uint8_t *, const void *,
                                   const void *) = {
        [1] = where_uint8_t, [2] = where_uint16_t, [4] = where_uint32_t, [8] = where_uint64_t};
    const struct nmi_tensor *out = &e->out[0];
    int64_t size = (int64_t)nm_type_size(out->type);
    struct nmi_walk w;
    struct nmi_walk_at at;
    nmi_walk_start(&w, out->rank, out->dims);
    nmi_walk_broadcast(&w, out->rank, out->dims);
    for (int32_t i = 0; i < 3; i++) {
        nmi_walk_broadcast(&w, e->in[i]->rank, e->in[i]->dims);
    }
    for (bool go = nmi_walk_begin(&w, &at); go; go = nmi_walk_next(&w, &at)) {
        by_size[size](&w, (char *)out->data + at.offset[0] * size,
                      (const uint8_t *)e->in[0]->data + at.offset[1],
                      (const char *)e->in[1]->data + at.offset[2] * size,
                      (const char *)e->in[2]->data + at.offset[3] * size);
    }
    return NM_OK;
}

/* ---- descriptors ---------------------------------------------------------------------------- */

#define COMPARE(id, first, inputs, accepted, infer_fn, text)                                       \
    const struct nmi_op nmi_op_##id = {.name = #id,                                                \
                                       .domain = "",                                               \
                                       .since = first,                                             \
                                       .min_in = inputs,                                           \
                                       .max_in = inputs,                                           \
                                       .min_out = 1,                                               \
                                       .max_out = 1,                                               \
                                       .types = accepted,                                          \
                                       .infer = infer_fn,                                          \
                                       .eval = id##_eval,                                          \
                                       .doc = text}
#define T_ORDERED (NMI_T_FLOATS | NMI_T_INTS)

COMPARE(Equal, 7, 2, T_ORDERED | NMI_T(NM_BOOL), infer_bool, "");
COMPARE(Less, 7, 2, T_ORDERED, infer_bool, "");
COMPARE(Greater, 7, 2, T_ORDERED, infer_bool, "");
COMPARE(And, 7, 2, NMI_T(NM_BOOL), infer_bool, "");
COMPARE(Or, 7, 2, NMI_T(NM_BOOL), infer_bool, "");
COMPARE(Not, 1, 1, NMI_T(NM_BOOL), nmi_infer_same, "");
COMPARE(Where, 9, 3, NMI_T(NM_BOOL), infer_where, "inputs 1 and 2: all types");
