/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pow with numpy broadcasting. The result has the base's type; from opset 12 on the exponent may be
 * of another type, and is then cast to float64 first (integers above 2^53 lose digits).
 */
#include "lib/ops/elementwise.h"
#include <math.h>

/* Integers by squaring, wrapping; a negative exponent leaves 1 / a, cut to an integer. */
static int64_t pow_int(int64_t a, int64_t b)
{
    if (b < 0) {
        return a == 1 ? 1 : a == -1 ? (b % 2 == 0 ? 1 : -1) : 0;
    }
    uint64_t result = 1, square = (uint64_t)a;
    for (int64_t left = b; left > 0; left /= 2) {
        result = left % 2 != 0 ? result * square : result;
        square *= square;
    }
    return (int64_t)result;
}

/* A double to an integer type's range; NaN is 0. */
static int64_t to_int(double v, int64_t low, int64_t high)
{
    return v != v ? 0 : v <= (double)low ? low : v >= (double)high ? high : (int64_t)v;
}

/* base_exponent: out = expr of a (the base, type B) and b (the exponent). */
#define POW_LOOP(base, exponent, expr)                                                             \
    static void base##_##exponent(int64_t n, void *out, const void *pa, int64_t sa,                \
                                  const void *pb, int64_t sb)                                      \
    {                                                                                              \
        const base *xa = pa;                                                                       \
        const exponent *xb = pb;                                                                   \
        base *o = out;                                                                             \
        for (int64_t i = 0; i < n; i++) {                                                          \
            const base a = xa[i * sa];                                                             \
            const exponent b = xb[i * sb];                                                         \
            o[i] = (base)(expr);                                                                   \
        }                                                                                          \
    }
#define POW_ROW(base)                                                                              \
    {                                                                                              \
        [NM_F32] = base##_float, [NM_F64] = base##_double, [NM_I32] = base##_int32_t,              \
        [NM_I64] = base##_int64_t, [NM_U32] = base##_uint32_t, [NM_U64] = base##_uint64_t          \
    }

/* An unsigned exponent beyond int64_t keeps its lowest bits: the powers of 2^64 wrap alike. */
#define INT_POW_LOOPS(base, low, high)                                                             \
    POW_LOOP(base, float, to_int(pow((double)a, (double)b), low, high))                            \
    POW_LOOP(base, double, to_int(pow((double)a, b), low, high))                                   \
    POW_LOOP(base, int32_t, pow_int(a, b))                                                         \
    POW_LOOP(base, int64_t, pow_int(a, b))                                                         \
    POW_LOOP(base, uint32_t, pow_int(a, b))                                                        \
    POW_LOOP(base, uint64_t, pow_int(a, (int64_t)(b & INT64_MAX)))
#define FLOAT_POW_LOOPS(base)                                                                      \
    POW_LOOP(base, double, pow((double)a, b))                                                      \
    POW_LOOP(base, int32_t, pow((double)a, b))                                                     \
    POW_LOOP(base, int64_t, pow((double)a, (double)b))                                             \
    POW_LOOP(base, uint32_t, pow((double)a, b))                                                    \
    POW_LOOP(base, uint64_t, pow((double)a, (double)b))

POW_LOOP(float, float, powf(a, b))
POW_LOOP(double, float, pow(a, (double)b))
FLOAT_POW_LOOPS(float)
FLOAT_POW_LOOPS(double)
INT_POW_LOOPS(int32_t, INT32_MIN, INT32_MAX)
INT_POW_LOOPS(int64_t, INT64_MIN, INT64_MAX)
NMI_BINARY_FAST_LOOP(square, float, float, ((void)b, a *a))

static const nmi_binary_fn tables[NMI_TYPES][NMI_TYPES] = {[NM_F32] = POW_ROW(float),
                                                           [NM_F64] = POW_ROW(double),
                                                           [NM_I32] = POW_ROW(int32_t),
                                                           [NM_I64] = POW_ROW(int64_t)};
#define T_EXPONENT (NMI_T_FLOATS | NMI_T_SHAPE | NMI_T(NM_U32) | NMI_T(NM_U64))

static nm_status infer_pow(struct nmi_infer *in, nm_error *err)
{
    NMI_TRY(nmi_fact_types(in, 1, T_EXPONENT, err));
    int32_t rank = 0;
    int64_t dims[NMI_MAX_DIMS];
    NMI_TRY(nmi_broadcast(in->in[0], &rank, dims, err));
    NMI_TRY(nmi_broadcast(in->in[1], &rank, dims, err));
    nmi_fact_set(&in->out[0], in->in[0]->type, rank, dims);
    return NM_OK;
}

static nm_status Pow_eval(const struct nmi_eval *e, nm_error *err)
{
    (void)err;
    const struct nmi_tensor *a = e->in[0], *b = e->in[1];
    nmi_binary_fn fn = tables[a->type][b->type];
    bool two_floats = a->type == NM_F32 && b->type == NM_F32;
    if (two_floats && nmi_count(b) == 1 && *(const float *)b->data == 2.0f) {
        fn = square; /* the exponent of nearly all networks */
    }
    nmi_binary_walk(fn, &e->out[0], a, b);
    return NM_OK;
}

const struct nmi_op nmi_op_Pow = {.name = "Pow",
                                  .domain = "",
                                  .since = 7,
                                  .min_in = 2,
                                  .max_in = 2,
                                  .min_out = 1,
                                  .max_out = 1,
                                  .types = NMI_T_FLOATS | NMI_T_SHAPE,
                                  .infer = infer_pow,
                                  .eval = Pow_eval,
                                  .doc = "exponent: these types, uint32, uint64"};
