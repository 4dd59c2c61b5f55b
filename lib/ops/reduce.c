/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ReduceMean, Sum, Max, Min, Prod, L2. Axes are an attribute, or input 1 (ReduceSum from opset 13,
 * the others from 18). Floats are summed in float64: the result does not depend on the order by
 * more than its last bit. Over no elements: sum 0, product 1, mean NaN, max and min the far ends.
 */
#include "lib/ops/elementwise.h"
#include <float.h>
#include <math.h>

struct reduce_attrs {
    int64_t keepdims, noop_with_empty_axes;
    struct nmi_ints axes;
};
#define KEEPDIMS                                                                                   \
    {                                                                                              \
        .name = "keepdims", .kind = NMI_ATTR_INT, .since = 1,                                      \
        .offset = offsetof(struct reduce_attrs, keepdims), .def = 1, .max = 1                      \
    }
#define AXES(last)                                                                                 \
    {                                                                                              \
        .name = "axes", .kind = NMI_ATTR_INTS, .since = 1, .until = last,                          \
        .offset = offsetof(struct reduce_attrs, axes), .min = -NMI_MAX_DIMS,                       \
        .max = NMI_MAX_DIMS - 1                                                                    \
    }
#define NOOP(first)                                                                                \
    {                                                                                              \
        .name = "noop_with_empty_axes", .kind = NMI_ATTR_INT, .since = first,                      \
        .offset = offsetof(struct reduce_attrs, noop_with_empty_axes), .max = 1                    \
    }
static const struct nmi_attr sum_attr[] = {KEEPDIMS, AXES(12), NOOP(13), {.name = NULL}};
static const struct nmi_attr reduce_attr[] = {KEEPDIMS, AXES(17), NOOP(18), {.name = NULL}};

/* ---- axes ----------------------------------------------------------------------------------- */

/* Bit i: axis i is reduced. */
static nm_status axes_mask(const struct reduce_attrs *a, const struct nmi_ints *axes, int32_t rank,
                           uint32_t *mask, nm_error *err)
{
    NMI_TRY(nmi_axes(axes, rank, mask, err));
    if (axes->n == 0 && a->noop_with_empty_axes == 0) {
        *mask = (1u << rank) - 1;
    }
    return NM_OK;
}

static nm_status infer_reduce(struct nmi_infer *in, nm_error *err)
{
    const struct reduce_attrs *a = in->attrs;
    const struct nmi_fact *x = in->in[0], *input = nmi_infer_in(in, 1);
    struct nmi_ints axes = a->axes;
    int64_t dims[NMI_MAX_DIMS];
    uint32_t mask = 0;
    int32_t rank = 0;
    NMI_TRY(nmi_fact_types(in, 1, NMI_T(NM_I64), err));
    bool known = input == NULL || nmi_fact_ints(input, &axes);
    if (x->rank < 0 || (!known && a->keepdims == 0)) {
        nmi_fact_set(&in->out[0], x->type, -1, NULL);
        return NM_OK;
    }
    if (known) {
        NMI_TRY(axes_mask(a, &axes, x->rank, &mask, err));
    }
    for (int32_t i = 0; i < x->rank; i++) {
        bool reduced = (mask >> i & 1) != 0;
        if (!reduced || a->keepdims != 0) {
            dims[rank++] = !known ? NMI_DIM_UNKNOWN : reduced ? 1 : x->dims[i];
        }
    }
    nmi_fact_set(&in->out[0], x->type, rank, dims);
    return NM_OK;
}

/* ---- loops ---------------------------------------------------------------------------------- */

#define BLOCK 128 /* outputs that are summed side by side */

/*
 * One reduction of one type: from accumulators of its own kind (A) to elements. `lanes` adds a
 * contiguous run into 8 accumulators, so that the compiler can make vectors; `rows` adds one row
 * of the block into its accumulators.
 */
struct reducer {
    void (*start)(void *acc, int64_t n);
    void (*run)(void *acc, const void *x, int64_t n, int64_t step); /* into acc[0] */
    void (*rows)(void *acc, const void *x, int64_t n);              /* into acc[0..n) */
    void (*finish)(const void *acc, void *y, int64_t n, int64_t count);
};

/* first: the neutral element; step: of accumulator a and element v; last: of a and the count. */
#define REDUCER(name, type, acc_type, first, step_expr, join_expr, last)                           \
    static void name##_start(void *acc, int64_t n)                                                 \
    {                                                                                              \
        for (int64_t i = 0; i < n; i++) {                                                          \
            ((acc_type *)acc)[i] = (first);                                                        \
        }                                                                                          \
    }                                                                                              \
    static void name##_rows(void *acc, const void *in, int64_t n)                                  \
    {                                                                                              \
        acc_type *accs = acc;                                                                      \
        const type *x = in;                                                                        \
        for (int64_t i = 0; i < n; i++) {                                                          \
            const acc_type a = accs[i], v = (acc_type)x[i];                                        \
            accs[i] = (step_expr);                                                                 \
        }                                                                                          \
    }                                                                                              \
    static void name##_run(void *acc, const void *in, int64_t n, int64_t step)                     \
    {                                                                                              \
        acc_type lanes[8];                                                                         \
        const type *x = in;                                                                        \
        int64_t i = 0;                                                                             \
        name##_start(lanes, 8);                                                                    \
        for (; step == 1 && i + 8 <= n; i += 8) {                                                  \
            for (int k = 0; k < 8; k++) {                                                          \
                const acc_type a = lanes[k], v = (acc_type)x[i + k];                               \
                lanes[k] = (step_expr);                                                            \
            }                                                                                      \
        }                                                                                          \
        for (; i < n; i++) {                                                                       \
            const acc_type a = lanes[0], v = (acc_type)x[i * step];                                \
            lanes[0] = (step_expr);                                                                \
        }                                                                                          \
        for (int k = 0; k < 8; k++) {                                                              \
            const acc_type a = *(acc_type *)acc, v = lanes[k];                                     \
            *(acc_type *)acc = (join_expr);                                                        \
        }                                                                                          \
    }                                                                                              \
    static void name##_finish(const void *acc, void *out, int64_t n, int64_t count)                \
    {                                                                                              \
        type *y = out;                                                                             \
        (void)count;                                                                               \
        for (int64_t i = 0; i < n; i++) {                                                          \
            const acc_type a = ((const acc_type *)acc)[i];                                         \
            y[i] = (type)(last);                                                                   \
        }                                                                                          \
    }                                                                                              \
    static const struct reducer name = {name##_start, name##_run, name##_rows, name##_finish};

/* Integers are summed in uint64_t, which wraps; comparisons happen in the signed or unsigned type.
 */
#define ALL_TYPES(X)                                                                               \
    X(f32, float, double, (double)INFINITY, -(double)INFINITY, double)                             \
    X(f64, double, double, (double)INFINITY, -(double)INFINITY, double)                            \
    X(i8, int8_t, int64_t, INT8_MAX, INT8_MIN, uint64_t)                                           \
    X(i32, int32_t, int64_t, INT32_MAX, INT32_MIN, uint64_t)                                       \
    X(i64, int64_t, int64_t, INT64_MAX, INT64_MIN, uint64_t)                                       \
    X(u8, uint8_t, uint64_t, UINT8_MAX, 0, uint64_t)                                               \
    X(u32, uint32_t, uint64_t, UINT32_MAX, 0, uint64_t)                                            \
    X(u64, uint64_t, uint64_t, UINT64_MAX, 0, uint64_t)

#define DEFINE(n, T, A, high, low, W)                                                              \
    REDUCER(sum_##n, T, A, 0, (A)((W)a + (W)v), (A)((W)a + (W)v), a)                               \
    REDUCER(prod_##n, T, A, 1, (A)((W)a * (W)v), (A)((W)a * (W)v), a)                              \
    REDUCER(max_##n, T, A, low, a > v || a != a ? a : v, a > v || a != a ? a : v, a)               \
    REDUCER(min_##n, T, A, high, a < v || a != a ? a : v, a < v || a != a ? a : v, a)              \
    REDUCER(mean_##n, T, A, 0, (A)((W)a + (W)v), (A)((W)a + (W)v), MEAN_##n(a, count))             \
    REDUCER(l2_##n, T, A, 0, (A)((W)a + (W)v * (W)v), (A)((W)a + (W)v), sqrt((double)a))

#define MEAN_f32(a, n) ((a) / (double)(n))
#define MEAN_f64(a, n) ((a) / (double)(n))
#define MEAN_INT(a, n) ((n) == 0 ? 0 : (a) / (n))
#define MEAN_UINT(a, n) ((n) == 0 ? 0 : (a) / (uint64_t)(n))
#define MEAN_i8 MEAN_INT
#define MEAN_i32 MEAN_INT
#define MEAN_i64 MEAN_INT
#define MEAN_u8 MEAN_UINT
#define MEAN_u32 MEAN_UINT
#define MEAN_u64 MEAN_UINT
ALL_TYPES(DEFINE)

#define ROW(name)                                                                                  \
    {                                                                                              \
        [NM_F32] = &name##_f32, [NM_F64] = &name##_f64, [NM_I8] = &name##_i8,                      \
        [NM_I32] = &name##_i32, [NM_I64] = &name##_i64, [NM_U8] = &name##_u8,                      \
        [NM_U32] = &name##_u32, [NM_U64] = &name##_u64                                             \
    }
#define T_REDUCED                                                                                  \
    (NMI_T_FLOATS | NMI_T_SHAPE | NMI_T(NM_I8) | NMI_T(NM_U8) | NMI_T(NM_U32) | NMI_T(NM_U64))

/* ---- evaluation ----------------------------------------------------------------------------- */

/* Kept axes and reduced axes as two walks over x. */
static void split_axes(const struct nmi_tensor *x, uint32_t mask, struct nmi_walk *kept,
                       struct nmi_walk *reduced)
{
    int64_t strides[NMI_MAX_DIMS], dims[2][NMI_MAX_DIMS], steps[2][NMI_MAX_DIMS];
    int32_t n[2] = {0, 0};
    nmi_strides(x->rank, x->dims, strides);
    for (int32_t i = 0; i < x->rank; i++) {
        int which = (int)(mask >> i & 1);
        dims[which][n[which]] = x->dims[i];
        steps[which][n[which]++] = strides[i];
    }
    nmi_walk_start(kept, n[0], dims[0]);
    nmi_walk_add(kept, steps[0]);
    nmi_walk_start(reduced, n[1], dims[1]);
    nmi_walk_add(reduced, steps[1]);
}

/* One block of n outputs, whose inputs begin at x, `step` elements apart. */
static void reduce_block(const struct reducer *r, const struct nmi_walk *over, const char *x,
                         int64_t n, int64_t step, size_t size, void *acc)
{
    struct nmi_walk w = *over;
    struct nmi_walk_at at;
    r->start(acc, n);
    for (bool go = nmi_walk_begin(&w, &at); go; go = nmi_walk_next(&w, &at)) {
        const char *from = x + at.offset[0] * (int64_t)size;
        int64_t pace = nmi_walk_step(&w, 0);
        if (step == 1 && n > 1) {
            for (int64_t i = 0; i < w.inner; i++) {
                r->rows(acc, from + i * pace * (int64_t)size, n);
            }
        } else { /* n is 1: see reduce_all */
            r->run(acc, from, w.inner, pace);
        }
    }
}

static void reduce_all(const struct reducer *r, const struct nmi_tensor *x, uint32_t mask,
                       struct nmi_tensor *y)
{
    struct nmi_walk kept, reduced;
    struct nmi_walk_at at;
    uint64_t acc[BLOCK]; /* int64_t, uint64_t or double */
    size_t size = nm_type_size(x->type);
    char *to = y->data;
    split_axes(x, mask, &kept, &reduced);
    int64_t count = nmi_span_count(reduced.dims, 0, reduced.rank);
    for (bool go = nmi_walk_begin(&kept, &at); go; go = nmi_walk_next(&kept, &at)) {
        int64_t step = nmi_walk_step(&kept, 0), most = step == 1 ? BLOCK : 1;
        for (int64_t i = 0, n; i < kept.inner; i += n) {
            n = kept.inner - i < most ? kept.inner - i : most;
            const char *from = (const char *)x->data + (at.offset[0] + i * step) * (int64_t)size;
            reduce_block(r, &reduced, from, n, step, size, acc);
            r->finish(acc, to, n, count);
            to += (size_t)n * size;
        }
    }
}

static nm_status eval_reduce(const struct nmi_eval *e, const struct reducer *const *table,
                             nm_error *err)
{
    const struct reduce_attrs *a = e->attrs;
    const struct nmi_tensor *x = e->in[0], *input = nmi_eval_in(e, 1);
    struct nmi_ints axes = a->axes;
    uint32_t mask;
    if (input != NULL && !nmi_tensor_ints(input, &axes)) {
        return nmi_fail(err, NM_EINVAL, "node %s: axes are not a list of integers", e->name);
    }
    NMI_TRY(axes_mask(a, &axes, x->rank, &mask, err));
    int64_t kept = 1;
    for (int32_t i = 0; i < x->rank; i++) {
        kept *= (mask >> i & 1) != 0 ? 1 : x->dims[i];
    }
    if (kept != nmi_count(&e->out[0])) {
        return nmi_fail(err, NM_EINVAL, "node %s: its axes are not those that it was planned for",
                        e->name);
    }
    reduce_all(table[x->type], x, mask, &e->out[0]);
    return NM_OK;
}

#define REDUCE_OP(id, family, table)                                                               \
    static nm_status id##_eval(const struct nmi_eval *e, nm_error *err)                            \
    {                                                                                              \
        static const struct reducer *const by_type[NMI_TYPES] = ROW(family);                       \
        return eval_reduce(e, by_type, err);                                                       \
    }                                                                                              \
    const struct nmi_op nmi_op_##id = {.name = #id,                                                \
                                       .domain = "",                                               \
                                       .since = 1,                                                 \
                                       .min_in = 1,                                                \
                                       .max_in = 2,                                                \
                                       .min_out = 1,                                               \
                                       .max_out = 1,                                               \
                                       .types = T_REDUCED,                                         \
                                       .shape_inputs = 1 << 1,                                     \
                                       .attr_bytes = sizeof(struct reduce_attrs),                  \
                                       .attr = table,                                              \
                                       .infer = infer_reduce,                                      \
                                       .eval = id##_eval,                                          \
                                       .doc = ""}
REDUCE_OP(ReduceMean, mean, reduce_attr);
REDUCE_OP(ReduceSum, sum, sum_attr);
REDUCE_OP(ReduceMax, max, reduce_attr);
REDUCE_OP(ReduceMin, min, reduce_attr);
REDUCE_OP(ReduceProd, prod, reduce_attr);
REDUCE_OP(ReduceL2, l2, reduce_attr);
