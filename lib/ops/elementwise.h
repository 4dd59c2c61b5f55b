/* SPDX-License-Identifier: Apache-2.0 */
/* What elementwise operators of several inputs share: numpy broadcasting over typed inner loops. */
#ifndef NM_OPS_ELEMENTWISE_H
#define NM_OPS_ELEMENTWISE_H

#include "lib/ops/helpers.h"

#define NMI_T_FLOATS (NMI_T_FLOAT | NMI_T(NM_F64))
#define NMI_T_INTS                                                                                 \
    (NMI_T_SHAPE | NMI_T(NM_I8) | NMI_T(NM_I16) | NMI_T(NM_U8) | NMI_T(NM_U16) | NMI_T(NM_U32) |   \
     NMI_T(NM_U64))
#define NMI_TYPES (NM_BF16 + 1) /* tables of functions are indexed by nm_type */

/* n outputs from a and b, whose elements lie sa and sb apart (0, 1 or more). */
typedef void (*nmi_binary_fn)(int64_t n, void *out, const void *a, int64_t sa, const void *b,
                              int64_t sb);

/*
 * NMI_BINARY_LOOP defines name(): out (of type O) = expr of a and b (of type T). The fast form has
 * loops of their own for contiguous and repeated operands, so that the compiler makes vectors.
 */
#define NMI_BINARY_LOOP(name, type, otype, expr)                                                   \
    static void name(int64_t n, void *out, const void *pa, int64_t sa, const void *pb, int64_t sb) \
    {                                                                                              \
        typedef type T;                                                                            \
        typedef otype O;                                                                           \
        const T *xa = pa, *xb = pb;                                                                \
        O *o = out;                                                                                \
        for (int64_t i = 0; i < n; i++) {                                                          \
            const T a = xa[i * sa], b = xb[i * sb];                                                \
            o[i] = (O)(expr);                                                                      \
        }                                                                                          \
    }
#define NMI_BINARY_FAST_LOOP(name, type, otype, expr)                                              \
    NMI_BINARY_LOOP(name##_strided, type, otype, expr)                                             \
    static void name(int64_t n, void *out, const void *pa, int64_t sa, const void *pb, int64_t sb) \
    {                                                                                              \
        typedef type T;                                                                            \
        typedef otype O;                                                                           \
        const T *xa = pa, *xb = pb;                                                                \
        O *o = out;                                                                                \
        if (sa == 1 && sb == 1) {                                                                  \
            for (int64_t i = 0; i < n; i++) {                                                      \
                const T a = xa[i], b = xb[i];                                                      \
                o[i] = (O)(expr);                                                                  \
            }                                                                                      \
        } else if (sa == 1 && sb == 0) {                                                           \
            const T b = *xb;                                                                       \
            for (int64_t i = 0; i < n; i++) {                                                      \
                const T a = xa[i];                                                                 \
                o[i] = (O)(expr);                                                                  \
            }                                                                                      \
        } else if (sa == 0 && sb == 1) {                                                           \
            const T a = *xa;                                                                       \
            for (int64_t i = 0; i < n; i++) {                                                      \
                const T b = xb[i];                                                                 \
                o[i] = (O)(expr);                                                                  \
            }                                                                                      \
        } else {                                                                                   \
            name##_strided(n, out, pa, sa, pb, sb);                                                \
        }                                                                                          \
    }

/* The same expression for many types; float32 is fast. */
#define NMI_BINARY_FLOATS(name, expr)                                                              \
    NMI_BINARY_FAST_LOOP(name##_f32, float, float, expr)                                           \
    NMI_BINARY_LOOP(name##_f64, double, double, expr)
#define NMI_BINARY_SIGNED(name, expr)                                                              \
    NMI_BINARY_LOOP(name##_i8, int8_t, int8_t, expr)                                               \
    NMI_BINARY_LOOP(name##_i16, int16_t, int16_t, expr)                                            \
    NMI_BINARY_LOOP(name##_i32, int32_t, int32_t, expr)                                            \
    NMI_BINARY_LOOP(name##_i64, int64_t, int64_t, expr)
#define NMI_BINARY_UNSIGNED(name, expr)                                                            \
    NMI_BINARY_LOOP(name##_u8, uint8_t, uint8_t, expr)                                             \
    NMI_BINARY_LOOP(name##_u16, uint16_t, uint16_t, expr)                                          \
    NMI_BINARY_LOOP(name##_u32, uint32_t, uint32_t, expr)                                          \
    NMI_BINARY_LOOP(name##_u64, uint64_t, uint64_t, expr)
#define NMI_BINARY_INTS(name, expr) NMI_BINARY_SIGNED(name, expr) NMI_BINARY_UNSIGNED(name, expr)
#define NMI_FLOAT_ROW(name) [NM_F32] = name##_f32, [NM_F64] = name##_f64
#define NMI_INT_ROW(name)                                                                          \
    [NM_I8] = name##_i8, [NM_I16] = name##_i16, [NM_I32] = name##_i32, [NM_I64] = name##_i64,      \
    [NM_U8] = name##_u8, [NM_U16] = name##_u16, [NM_U32] = name##_u32, [NM_U64] = name##_u64

/* out = fn(a, b) with broadcasting; out may be a (of the same shape). */
void nmi_binary_walk(nmi_binary_fn fn, struct nmi_tensor *out, const struct nmi_tensor *a,
                     const struct nmi_tensor *b);

/* Runs the table's function for the type of input 0 on inputs 0 and 1. */
nm_status nmi_binary_eval(const struct nmi_eval *e, const nmi_binary_fn *table, nm_error *err);

/* All inputs of one type (NM_ETYPE), shapes broadcast; the output is of type `out`, or of the
 * inputs' when NM_TYPE_NONE. */
nm_status nmi_infer_broadcast(struct nmi_infer *in, nm_type out, nm_error *err);

#endif
