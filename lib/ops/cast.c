/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cast between all element types, in blocks through the widest type of a kind: int64, uint64 or
 * float64. Integers wrap; a float beyond an integer type's range becomes its nearest end, NaN 0.
 */
#include "lib/ops/elementwise.h"
#include "lib/base/half.h"

#define BLOCK 256

enum wide_kind { WIDE_INT, WIDE_UINT, WIDE_REAL };
union wide {
    int64_t i[BLOCK];
    uint64_t u[BLOCK];
    double r[BLOCK];
};

static enum wide_kind kind_of(nm_type type)
{
    switch (type) {
    case NM_I8:
    case NM_I16:
    case NM_I32:
    case NM_I64:
        return WIDE_INT;
    case NM_BOOL:
    case NM_U8:
    case NM_U16:
    case NM_U32:
    case NM_U64:
        return WIDE_UINT;
    default:
        return WIDE_REAL;
    }
}

/* ---- loads ---------------------------------------------------------------------------------- */

#define LOAD(name, T, field, expr)                                                                 \
    static void load_##name(const void *in, int64_t at, int64_t n, union wide *w)                  \
    {                                                                                              \
        const T *xs = (const T *)in + at;                                                          \
        for (int64_t i = 0; i < n; i++) {                                                          \
            const T x = xs[i];                                                                     \
            w->field[i] = (expr);                                                                  \
        }                                                                                          \
    }
LOAD(i8, int8_t, i, x)
LOAD(i16, int16_t, i, x)
LOAD(i32, int32_t, i, x)
LOAD(i64, int64_t, i, x)
LOAD(flag, uint8_t, u, x != 0)
LOAD(u8, uint8_t, u, x)
LOAD(u16, uint16_t, u, x)
LOAD(u32, uint32_t, u, x)
LOAD(u64, uint64_t, u, x)
LOAD(f16, uint16_t, r, (double)nmi_f16_to_f32(x))
LOAD(bf16, uint16_t, r, (double)nmi_bf16_to_f32(x))
LOAD(f32, float, r, (double)x)
LOAD(f64, double, r, x)

static void (*const loads[NMI_TYPES])(const void *, int64_t, int64_t, union wide *) = {
    [NM_I8] = load_i8,     [NM_I16] = load_i16, [NM_I32] = load_i32,   [NM_I64] = load_i64,
    [NM_BOOL] = load_flag, [NM_U8] = load_u8,   [NM_U16] = load_u16,   [NM_U32] = load_u32,
    [NM_U64] = load_u64,   [NM_F16] = load_f16, [NM_BF16] = load_bf16, [NM_F32] = load_f32,
    [NM_F64] = load_f64};

/* ---- stores --------------------------------------------------------------------------------- */

/* v in [low, end) as T, cut towards zero; else the nearest end of T. end is a power of two: exact.
 */
#define SATURATE(T, v, low, end, high)                                                             \
    ((v) != (v) ? 0 : (v) < (double)(low) ? (T)(low) : (v) >= (end) ? (T)(high) : (T)(v))

#define STORE_FROM(name, T, field, expr)                                                           \
    static void store_##name##_##field(void *out, int64_t at, int64_t n, const union wide *w)      \
    {                                                                                              \
        T *ys = (T *)out + at;                                                                     \
        for (int64_t i = 0; i < n; i++) {                                                          \
            ys[i] = (T)(expr);                                                                     \
        }                                                                                          \
    }
#define STORE_INT(name, T, low, end, high)                                                         \
    STORE_FROM(name, T, i, w->i[i])                                                                \
    STORE_FROM(name, T, u, w->u[i])                                                                \
    STORE_FROM(name, T, r, SATURATE(T, w->r[i], low, end, high))
#define STORE_REAL(name, T, f)                                                                     \
    STORE_FROM(name, T, i, f(w->i[i]))                                                             \
    STORE_FROM(name, T, u, f(w->u[i]))                                                             \
    STORE_FROM(name, T, r, f(w->r[i]))

#define TO_BOOL(v) ((v) != 0)
#define TO_F32(v) ((float)(v))
#define TO_F64(v) ((double)(v))
#define TO_F16(v) nmi_f64_to_f16((double)(v))
#define TO_BF16(v) nmi_f32_to_bf16((float)(v))

STORE_INT(i8, int8_t, INT8_MIN, 0x1p7, INT8_MAX)
STORE_INT(i16, int16_t, INT16_MIN, 0x1p15, INT16_MAX)
STORE_INT(i32, int32_t, INT32_MIN, 0x1p31, INT32_MAX)
STORE_INT(i64, int64_t, INT64_MIN, 0x1p63, INT64_MAX)
STORE_INT(u8, uint8_t, 0, 0x1p8, UINT8_MAX)
STORE_INT(u16, uint16_t, 0, 0x1p16, UINT16_MAX)
STORE_INT(u32, uint32_t, 0, 0x1p32, UINT32_MAX)
STORE_INT(u64, uint64_t, 0, 0x1p64, UINT64_MAX)
STORE_REAL(flag, uint8_t, TO_BOOL)
STORE_REAL(f32, float, TO_F32)
STORE_REAL(f64, double, TO_F64)
STORE_REAL(f16, uint16_t, TO_F16)
STORE_REAL(bf16, uint16_t, TO_BF16)

#define STORE_ROW(name)                                                                            \
    {                                                                                              \
        [WIDE_INT] = store_##name##_i, [WIDE_UINT] = store_##name##_u,                             \
        [WIDE_REAL] = store_##name##_r                                                             \
    }
static void (*const stores[NMI_TYPES][3])(void *, int64_t, int64_t, const union wide *) = {
    [NM_I8] = STORE_ROW(i8),    [NM_I16] = STORE_ROW(i16), [NM_I32] = STORE_ROW(i32),
    [NM_I64] = STORE_ROW(i64),  [NM_U8] = STORE_ROW(u8),   [NM_U16] = STORE_ROW(u16),
    [NM_U32] = STORE_ROW(u32),  [NM_U64] = STORE_ROW(u64), [NM_BOOL] = STORE_ROW(flag),
    [NM_F32] = STORE_ROW(f32),  [NM_F64] = STORE_ROW(f64), [NM_F16] = STORE_ROW(f16),
    [NM_BF16] = STORE_ROW(bf16)};

/* ---- operator ------------------------------------------------------------------------------- */

struct cast_attrs {
    int64_t to;
};
static const struct nmi_attr cast_attr[] = {{.name = "to",
                                             .kind = NMI_ATTR_INT,
                                             .since = 6,
                                             .offset = offsetof(struct cast_attrs, to),
                                             .max = 64,
                                             .required = true},
                                            {.name = "saturate", /* of 8-bit floats */
                                             .kind = NMI_ATTR_IGNORED,
                                             .since = 19},
                                            {.name = NULL}};

static nm_status infer_cast(struct nmi_infer *in, nm_error *err)
{
    const struct cast_attrs *a = in->attrs;
    if (a->to < 0 || a->to >= NMI_TYPES || (NMI_T(a->to) & NMI_T_MOVE) == 0) {
        return nmi_fail(err, NM_EUNSUPPORTED, "a cast to type %lld is not done", (long long)a->to);
    }
    nmi_fact_set(&in->out[0], (nm_type)a->to, in->in[0]->rank, in->in[0]->dims);
    struct nmi_numbers n;
    if (!nmi_infer_symbolic(in) || (a->to != NM_I64 && a->to != NM_I32) ||
        !nmi_fact_numbers(in->in[0], &n)) {
        return NM_OK;
    }
    return nmi_infer_know(in, &n, err);
}

static nm_status Cast_eval(const struct nmi_eval *e, nm_error *err)
{
    (void)err;
    const struct nmi_tensor *x = e->in[0], *y = &e->out[0];
    int64_t count = nmi_count(x);
    union wide block;
    for (int64_t at = 0; at < count; at += BLOCK) {
        int64_t n = count - at < BLOCK ? count - at : BLOCK;
        loads[x->type](x->data, at, n, &block);
        stores[y->type][kind_of(x->type)](y->data, at, n, &block);
    }
    return NM_OK;
}

const struct nmi_op nmi_op_Cast = {.name = "Cast",
                                   .domain = "",
                                   .since = 6,
                                   .min_in = 1,
                                   .max_in = 1,
                                   .min_out = 1,
                                   .max_out = 1,
                                   .types = NMI_T_MOVE,
                                   .attr_bytes = sizeof(struct cast_attrs),
                                   .attr = cast_attr,
                                   .infer = infer_cast,
                                   .eval = Cast_eval,
                                   .doc = "not from or to strings or 8-bit floats"};
