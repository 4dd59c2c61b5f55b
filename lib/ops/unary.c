/* SPDX-License-Identifier: Apache-2.0 */
/* Elementwise operators of one input. tgmath picks the float or the double function of libm. */
#include "lib/ops/attrs.h"
#include "lib/ops/helpers.h"
#include <tgmath.h>

#define T_FLOATS (NMI_T_FLOAT | NMI_T(NM_F64))
#define T_SIGNED (NMI_T(NM_I8) | NMI_T(NM_I16) | NMI_T(NM_I32) | NMI_T(NM_I64))

typedef void (*unary_fn)(int64_t n, const void *in, void *out, const struct nmi_alpha_attrs *p);

/* name_type: out[i] = expr of x, with T the element type and p the attributes. */
#define LOOP(name, type, expr)                                                                     \
    static void name##_##type(int64_t n, const void *in, void *out,                                \
                              const struct nmi_alpha_attrs *p)                                     \
    {                                                                                              \
        typedef type T;                                                                            \
        const T *xs = in;                                                                          \
        T *ys = out;                                                                               \
        (void)p;                                                                                   \
        for (int64_t i = 0; i < n; i++) {                                                          \
            const T x = xs[i];                                                                     \
            ys[i] = (T)(expr);                                                                     \
        }                                                                                          \
    }

#define FLOAT_LOOPS(name, expr) LOOP(name, float, expr) LOOP(name, double, expr)
#define SIGNED_LOOPS(name, expr)                                                                   \
    LOOP(name, int8_t, expr)                                                                       \
    LOOP(name, int16_t, expr) LOOP(name, int32_t, expr) LOOP(name, int64_t, expr)

#define FLOAT_ROW(name) [NM_F32] = name##_float, [NM_F64] = name##_double
#define SIGNED_ROW(name)                                                                           \
    [NM_I8] = name##_int8_t, [NM_I16] = name##_int16_t, [NM_I32] = name##_int32_t,                 \
    [NM_I64] = name##_int64_t

/* Comparisons are written so that NaN stays NaN. */
FLOAT_LOOPS(relu, x < 0 ? 0 : x)
SIGNED_LOOPS(relu, x < 0 ? 0 : x)
FLOAT_LOOPS(leaky, x < 0 ? (T)p->alpha * x : x)
FLOAT_LOOPS(sigmoid, (T)1 / ((T)1 + exp(-x)))
FLOAT_LOOPS(elu, x < 0 ? (T)p->alpha * expm1(x) : x)
FLOAT_LOOPS(tanh, tanh(x))
FLOAT_LOOPS(softplus, (x > 0 ? x : 0) + log1p(exp(x > 0 ? -x : x)))
FLOAT_LOOPS(erf, erf(x))
FLOAT_LOOPS(exp, exp(x))
FLOAT_LOOPS(log, log(x))
FLOAT_LOOPS(sqrt, sqrt(x))
FLOAT_LOOPS(abs, fabs(x))
SIGNED_LOOPS(abs, x < 0 ? (T)(0 - (uint64_t)x) : x)
FLOAT_LOOPS(neg, -x)
SIGNED_LOOPS(neg, 0 - (uint64_t)x)
FLOAT_LOOPS(reciprocal, (T)1 / x)
FLOAT_LOOPS(floor, floor(x))
FLOAT_LOOPS(ceil, ceil(x))

#define CLAMP01(v) ((v) < 0 ? 0 : (v) > 1 ? 1 : (v))
FLOAT_LOOPS(hard_sigmoid, CLAMP01((T)p->alpha *x + (T)p->beta))
FLOAT_LOOPS(hard_swish, x *CLAMP01(x / (T)6 + (T)0.5))

static nm_status run(const struct nmi_eval *e, const unary_fn *table, nm_error *err)
{
    unary_fn fn = table[e->in[0]->type];
    if (fn == NULL) {
        return nmi_fail(err, NM_EUNSUPPORTED, "node %s: type %s", e->name,
                        nm_type_name(e->in[0]->type));
    }
    fn(nmi_count(e->in[0]), e->in[0]->data, e->out[0].data, e->attrs);
    return NM_OK;
}

#define UNARY_EVAL(id, ...)                                                                        \
    static nm_status id##_eval(const struct nmi_eval *e, nm_error *err)                            \
    {                                                                                              \
        static const unary_fn table[NM_BF16 + 1] = {__VA_ARGS__};                                  \
        return run(e, table, err);                                                                 \
    }

UNARY_EVAL(Relu, FLOAT_ROW(relu), SIGNED_ROW(relu))
UNARY_EVAL(LeakyRelu, FLOAT_ROW(leaky))
UNARY_EVAL(Sigmoid, FLOAT_ROW(sigmoid))
UNARY_EVAL(HardSigmoid, FLOAT_ROW(hard_sigmoid))
UNARY_EVAL(HardSwish, FLOAT_ROW(hard_swish))
UNARY_EVAL(Elu, FLOAT_ROW(elu))
UNARY_EVAL(Tanh, FLOAT_ROW(tanh))
UNARY_EVAL(Softplus, FLOAT_ROW(softplus))
UNARY_EVAL(Erf, FLOAT_ROW(erf))
UNARY_EVAL(Exp, FLOAT_ROW(exp))
UNARY_EVAL(Log, FLOAT_ROW(log))
UNARY_EVAL(Sqrt, FLOAT_ROW(sqrt))
UNARY_EVAL(Abs, FLOAT_ROW(abs), SIGNED_ROW(abs))
UNARY_EVAL(Neg, FLOAT_ROW(neg), SIGNED_ROW(neg))
UNARY_EVAL(Reciprocal, FLOAT_ROW(reciprocal))
UNARY_EVAL(Floor, FLOAT_ROW(floor))
UNARY_EVAL(Ceil, FLOAT_ROW(ceil))

#define FLOAT_ATTR(field, value)                                                                   \
    {                                                                                              \
        .name = #field, .kind = NMI_ATTR_FLOAT, .since = 1,                                        \
        .offset = offsetof(struct nmi_alpha_attrs, field), .def = value, .min = -INFINITY,         \
        .max = INFINITY                                                                            \
    }

static const struct nmi_attr leaky_attrs[] = {FLOAT_ATTR(alpha, 0.01), {.name = NULL}};
static const struct nmi_attr elu_attrs[] = {FLOAT_ATTR(alpha, 1.0), {.name = NULL}};
static const struct nmi_attr hard_sigmoid_attrs[] = {
    FLOAT_ATTR(alpha, 0.2), FLOAT_ATTR(beta, 0.5), {.name = NULL}};

#define UNARY(id, first, accepted, more_flags, ...)                                                \
    const struct nmi_op nmi_op_##id = {.name = #id,                                                \
                                       .domain = "",                                               \
                                       .since = first,                                             \
                                       .min_in = 1,                                                \
                                       .max_in = 1,                                                \
                                       .min_out = 1,                                               \
                                       .max_out = 1,                                               \
                                       .types = accepted,                                          \
                                       .flags =                                                    \
                                           NMI_OP_ELEMENTWISE | NMI_OP_BATCHED | (more_flags),     \
                                       .infer = nmi_infer_same,                                    \
                                       .eval = id##_eval,                                          \
                                       __VA_ARGS__}
#define ALPHA_ATTRS(table) .attr_bytes = sizeof(struct nmi_alpha_attrs), .attr = table
#define NO_LIMITS .doc = ""

UNARY(Relu, 1, T_FLOATS | T_SIGNED, NMI_OP_ZERO_SAFE, NO_LIMITS);
UNARY(LeakyRelu, 1, T_FLOATS, NMI_OP_ZERO_SAFE, ALPHA_ATTRS(leaky_attrs), NO_LIMITS);
UNARY(Sigmoid, 1, T_FLOATS, NMI_OP_ZERO_SAFE, NO_LIMITS);
UNARY(HardSigmoid, 1, T_FLOATS, NMI_OP_ZERO_SAFE, ALPHA_ATTRS(hard_sigmoid_attrs), NO_LIMITS);
UNARY(HardSwish, 14, T_FLOATS, NMI_OP_ZERO_SAFE, NO_LIMITS);
UNARY(Elu, 1, T_FLOATS, NMI_OP_ZERO_SAFE, ALPHA_ATTRS(elu_attrs), NO_LIMITS);
UNARY(Tanh, 1, T_FLOATS, NMI_OP_ZERO_SAFE, NO_LIMITS);
UNARY(Softplus, 1, T_FLOATS, NMI_OP_ZERO_SAFE, NO_LIMITS);
UNARY(Erf, 9, T_FLOATS, NMI_OP_ZERO_SAFE, NO_LIMITS);
UNARY(Exp, 1, T_FLOATS, NMI_OP_ZERO_SAFE, NO_LIMITS);
UNARY(Log, 1, T_FLOATS, 0, NO_LIMITS);
UNARY(Sqrt, 1, T_FLOATS, NMI_OP_ZERO_SAFE, NO_LIMITS);
UNARY(Abs, 1, T_FLOATS | T_SIGNED, NMI_OP_ZERO_SAFE, NO_LIMITS);
UNARY(Neg, 1, T_FLOATS | T_SIGNED, NMI_OP_ZERO_SAFE, NO_LIMITS);
UNARY(Reciprocal, 1, T_FLOATS, 0, NO_LIMITS);
UNARY(Floor, 1, T_FLOATS, NMI_OP_ZERO_SAFE, NO_LIMITS);
UNARY(Ceil, 1, T_FLOATS, NMI_OP_ZERO_SAFE, NO_LIMITS);
