/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arithmetic with numpy broadcasting: Add, Sub, Mul, Div, Mod, PRelu, and Min, Max, Sum, Mean of
 * any number of inputs. Integers wrap; an integer division by zero is refused.
 */
#include "lib/base/checked.h"
#include "lib/ops/elementwise.h"
#include <math.h>
#include <string.h>

/* ---- loops ---------------------------------------------------------------------------------- */

NMI_BINARY_FLOATS(add, a + b)
NMI_BINARY_FLOATS(sub, a - b)
NMI_BINARY_FLOATS(mul, a *b)
NMI_BINARY_FLOATS(div, a / b)
NMI_BINARY_FLOATS(prelu, a < 0 ? a * b : a)

/* Signed overflow is undefined in C: wrap in uint64_t. */
NMI_BINARY_INTS(add, (uint64_t)a + (uint64_t)b)
NMI_BINARY_INTS(sub, (uint64_t)a - (uint64_t)b)
NMI_BINARY_INTS(mul, (uint64_t)a *(uint64_t)b)

/* The lowest number over -1 would trap. */
NMI_BINARY_SIGNED(div, b == -1 ? (T)(0 - (uint64_t)a) : (T)(a / b))
NMI_BINARY_UNSIGNED(div, a / b)
NMI_BINARY_SIGNED(rem, b == -1 ? 0 : a % b)
NMI_BINARY_UNSIGNED(rem, a % b)
NMI_BINARY_FLOATS(rem, (T)fmod((double)a, (double)b))

/* The remainder with the sign of the divisor. */
static int64_t floor_mod(int64_t a, int64_t b)
{
    int64_t r = b == -1 ? 0 : a % b;
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}
NMI_BINARY_SIGNED(mod, floor_mod(a, b))
NMI_BINARY_UNSIGNED(mod, a % b)

/* A NaN on either side stays. */
NMI_BINARY_FLOATS(max, a > b || a != a ? a : b)
NMI_BINARY_FLOATS(min, a < b || a != a ? a : b)
NMI_BINARY_INTS(max, a > b ? a : b)
NMI_BINARY_INTS(min, a < b ? a : b)

/* ---- two inputs ----------------------------------------------------------------------------- */

/* What one element of a symbolic sum, difference, product or quotient is. */
static struct nmi_known combine(int op, struct nmi_known a, struct nmi_known b)
{
    struct nmi_known unknown = {.dim = NMI_DIM_UNKNOWN}, r = {0};
    bool ok = true;
    if (a.dim != 0 || b.dim != 0) { /* neutral elements keep a symbol */
        bool right = b.dim == 0 && b.v == (op == NMI_OP_Mul || op == NMI_OP_Div ? 1 : 0);
        bool left =
            a.dim == 0 && ((op == NMI_OP_Mul && a.v == 1) || (op == NMI_OP_Add && a.v == 0));
        return right ? a : left ? b : unknown;
    }
    if (op == NMI_OP_Add) {
        ok = nmi_add_i64(a.v, b.v, &r.v);
    } else if (op == NMI_OP_Sub) {
        ok = !__builtin_sub_overflow(a.v, b.v, &r.v);
    } else if (op == NMI_OP_Mul) {
        ok = nmi_mul_i64(a.v, b.v, &r.v);
    } else {
        ok = b.v != 0 && b.v != -1;
        r.v = ok ? a.v / b.v : 0;
    }
    return ok ? r : unknown;
}

static nm_status infer_arithmetic(struct nmi_infer *in, nm_error *err)
{
    NMI_TRY(nmi_infer_broadcast(in, NM_TYPE_NONE, err));
    struct nmi_numbers a, b;
    if (!nmi_infer_symbolic(in) || !nmi_fact_numbers(in->in[0], &a) ||
        !nmi_fact_numbers(in->in[1], &b) || in->out[0].rank < 0) {
        return NM_OK;
    }
    struct nmi_numbers r = {.n = a.n == 1 ? b.n : a.n};
    for (int32_t i = 0; i < r.n; i++) {
        r.v[i] = combine(in->node->op, a.v[a.n == 1 ? 0 : i], b.v[b.n == 1 ? 0 : i]);
    }
    return nmi_infer_know(in, &r, err);
}

static nm_status Add_eval(const struct nmi_eval *e, nm_error *err)
{
    static const nmi_binary_fn table[NMI_TYPES] = {NMI_FLOAT_ROW(add), NMI_INT_ROW(add)};
    return nmi_binary_eval(e, table, err);
}

static nm_status Sub_eval(const struct nmi_eval *e, nm_error *err)
{
    static const nmi_binary_fn table[NMI_TYPES] = {NMI_FLOAT_ROW(sub), NMI_INT_ROW(sub)};
    return nmi_binary_eval(e, table, err);
}

static nm_status Mul_eval(const struct nmi_eval *e, nm_error *err)
{
    static const nmi_binary_fn table[NMI_TYPES] = {NMI_FLOAT_ROW(mul), NMI_INT_ROW(mul)};
    return nmi_binary_eval(e, table, err);
}

/* NM_EINVAL when an integer tensor holds a zero. */
static nm_status refuse_zero(const struct nmi_eval *e, nm_error *err)
{
    const struct nmi_tensor *b = e->in[1];
    if (b->type == NM_F32 || b->type == NM_F64) {
        return NM_OK;
    }
    size_t size = nm_type_size(b->type), bytes = (size_t)nmi_count(b) * size;
    const uint64_t zero = 0;
    for (size_t i = 0; i < bytes; i += size) {
        if (memcmp((const char *)b->data + i, &zero, size) == 0) {
            return nmi_fail(err, NM_EINVAL, "node %s: integer division by zero", e->name);
        }
    }
    return NM_OK;
}

static nm_status Div_eval(const struct nmi_eval *e, nm_error *err)
{
    static const nmi_binary_fn table[NMI_TYPES] = {NMI_FLOAT_ROW(div), NMI_INT_ROW(div)};
    NMI_TRY(refuse_zero(e, err));
    return nmi_binary_eval(e, table, err);
}

static nm_status PRelu_eval(const struct nmi_eval *e, nm_error *err)
{
    static const nmi_binary_fn table[NMI_TYPES] = {NMI_FLOAT_ROW(prelu)};
    return nmi_binary_eval(e, table, err);
}

static nm_status infer_prelu(struct nmi_infer *in, nm_error *err)
{
    NMI_TRY(nmi_infer_broadcast(in, NM_TYPE_NONE, err));
    const struct nmi_fact *x = in->in[0];
    for (int32_t i = 0; x->rank >= 0 && i < in->out[0].rank; i++) { /* the slope must not widen x */
        if (in->out[0].rank != x->rank ||
            (nmi_dim_known(x->dims[i]) && x->dims[i] != in->out[0].dims[i])) {
            return nmi_fail(err, NM_ESHAPE, "the slope's shape does not broadcast to the input's");
        }
    }
    return nmi_infer_same(in, err);
}

struct mod_attrs {
    int64_t fmod;
};
static const struct nmi_attr mod_attr[] = {{.name = "fmod",
                                            .kind = NMI_ATTR_INT,
                                            .since = 10,
                                            .offset = offsetof(struct mod_attrs, fmod),
                                            .max = 1},
                                           {.name = NULL}};

static nm_status infer_mod(struct nmi_infer *in, nm_error *err)
{
    const struct mod_attrs *a = in->attrs;
    if (a->fmod == 0 && (NMI_T(in->in[0]->type) & NMI_T_FLOATS) != 0) {
        return nmi_fail(err, NM_EFORMAT, "attribute fmod must be 1 for type %s",
                        nm_type_name(in->in[0]->type));
    }
    return nmi_infer_broadcast(in, NM_TYPE_NONE, err);
}

static nm_status Mod_eval(const struct nmi_eval *e, nm_error *err)
{
    static const nmi_binary_fn c_sign[NMI_TYPES] = {NMI_FLOAT_ROW(rem), NMI_INT_ROW(rem)};
    static const nmi_binary_fn divisor_sign[NMI_TYPES] = {NMI_INT_ROW(mod)};
    const struct mod_attrs *a = e->attrs;
    NMI_TRY(refuse_zero(e, err));
    return nmi_binary_eval(e, a->fmod != 0 ? c_sign : divisor_sign, err);
}

/* ---- any number of inputs ------------------------------------------------------------------- */

static nm_status infer_variadic(struct nmi_infer *in, nm_error *err)
{
    return nmi_infer_broadcast(in, NM_TYPE_NONE, err);
}

/* out = in0 op in1 op in2 ..., from left to right. */
static nm_status fold_inputs(const struct nmi_eval *e, const nmi_binary_fn *table, nm_error *err)
{
    nmi_binary_fn fn = table[e->in[0]->type];
    if (fn == NULL) {
        return nmi_fail(err, NM_EUNSUPPORTED, "node %s: type %s", e->name,
                        nm_type_name(e->in[0]->type));
    }
    if (e->n_in == 1) {
        size_t bytes = (size_t)nmi_count(e->in[0]) * nm_type_size(e->in[0]->type);
        memmove(e->out[0].data, e->in[0]->data, bytes);
        return NM_OK;
    }
    nmi_binary_walk(fn, &e->out[0], e->in[0], e->in[1]);
    for (int32_t i = 2; i < e->n_in; i++) {
        nmi_binary_walk(fn, &e->out[0], &e->out[0], e->in[i]);
    }
    return NM_OK;
}

static nm_status Min_eval(const struct nmi_eval *e, nm_error *err)
{
    static const nmi_binary_fn table[NMI_TYPES] = {NMI_FLOAT_ROW(min), NMI_INT_ROW(min)};
    return fold_inputs(e, table, err);
}

static nm_status Max_eval(const struct nmi_eval *e, nm_error *err)
{
    static const nmi_binary_fn table[NMI_TYPES] = {NMI_FLOAT_ROW(max), NMI_INT_ROW(max)};
    return fold_inputs(e, table, err);
}

static nm_status Sum_eval(const struct nmi_eval *e, nm_error *err)
{
    static const nmi_binary_fn table[NMI_TYPES] = {NMI_FLOAT_ROW(add)};
    return fold_inputs(e, table, err);
}

static nm_status Mean_eval(const struct nmi_eval *e, nm_error *err)
{
    static const nmi_binary_fn table[NMI_TYPES] = {NMI_FLOAT_ROW(div)};
    NMI_TRY(Sum_eval(e, err));
    float n32 = (float)e->n_in;
    double n64 = e->n_in;
    struct nmi_tensor n = {.type = e->out[0].type, .data = &n32};
    n.data = n.type == NM_F64 ? (void *)&n64 : (void *)&n32;
    nmi_binary_walk(table[n.type], &e->out[0], &e->out[0], &n);
    return NM_OK;
}

/* ---- descriptors ---------------------------------------------------------------------------- */

#define ARITHMETIC(id, first, accepted, least, most, infer_fn, ...)                                \
    const struct nmi_op nmi_op_##id = {.name = #id,                                                \
                                       .domain = "",                                               \
                                       .since = first,                                             \
                                       .min_in = least,                                            \
                                       .max_in = most,                                             \
                                       .min_out = 1,                                               \
                                       .max_out = 1,                                               \
                                       .types = accepted,                                          \
                                       .flags = NMI_OP_BROADCAST,                                  \
                                       .infer = infer_fn,                                          \
                                       .eval = id##_eval,                                          \
                                       __VA_ARGS__}
#define T_ALL (NMI_T_FLOATS | NMI_T_INTS)
#define NO_LIMITS .doc = ""

ARITHMETIC(Add, 7, T_ALL, 2, 2, infer_arithmetic, NO_LIMITS);
ARITHMETIC(Sub, 7, T_ALL, 2, 2, infer_arithmetic, NO_LIMITS);
ARITHMETIC(Mul, 7, T_ALL, 2, 2, infer_arithmetic, NO_LIMITS);
ARITHMETIC(Div, 7, T_ALL, 2, 2, infer_arithmetic, NO_LIMITS);
ARITHMETIC(PRelu, 7, NMI_T_FLOATS, 2, 2, infer_prelu, NO_LIMITS);
ARITHMETIC(Mod, 10, T_ALL, 2, 2, infer_mod, .attr_bytes = sizeof(struct mod_attrs),
           .attr = mod_attr, NO_LIMITS);
ARITHMETIC(Min, 6, T_ALL, 1, -1, infer_variadic, NO_LIMITS);
ARITHMETIC(Max, 6, T_ALL, 1, -1, infer_variadic, NO_LIMITS);
ARITHMETIC(Sum, 6, NMI_T_FLOATS, 1, -1, infer_variadic, NO_LIMITS);
ARITHMETIC(Mean, 6, NMI_T_FLOATS, 1, -1, infer_variadic, NO_LIMITS);
