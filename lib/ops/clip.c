/* SPDX-License-Identifier: Apache-2.0 */
/* Clip: bounds are attributes below opset 11, optional scalar inputs from there on. */
#include "lib/ops/attrs.h"
#include "lib/ops/elementwise.h"
#include <float.h>
#include <math.h>

static const struct nmi_attr clip_attr[] = {{.name = "min",
                                             .kind = NMI_ATTR_FLOAT,
                                             .since = 1,
                                             .until = 10,
                                             .offset = offsetof(struct nmi_clip_attrs, min),
                                             .def = -FLT_MAX,
                                             .min = -(double)INFINITY,
                                             .max = (double)INFINITY},
                                            {.name = "max",
                                             .kind = NMI_ATTR_FLOAT,
                                             .since = 1,
                                             .until = 10,
                                             .offset = offsetof(struct nmi_clip_attrs, max),
                                             .def = FLT_MAX,
                                             .min = -(double)INFINITY,
                                             .max = (double)INFINITY},
                                            {.name = NULL}};

static nm_status infer_clip(struct nmi_infer *in, nm_error *err)
{
    for (int32_t i = 1; i < in->n_in; i++) {
        const struct nmi_fact *bound = in->in[i];
        if (bound == NULL) {
            continue;
        }
        if (bound->type != in->in[0]->type) {
            return nmi_fail(err, NM_ETYPE, "input %d has type %s, expected %s as input 0", i,
                            nm_type_name(bound->type), nm_type_name(in->in[0]->type));
        }
        if (bound->rank > 1 ||
            (bound->rank == 1 && nmi_dim_known(bound->dims[0]) && bound->dims[0] != 1)) {
            return nmi_fail(err, NM_ESHAPE, "input %d must be a scalar", i);
        }
    }
    return nmi_infer_same(in, err);
}

/* Comparisons are written so that NaN stays NaN; min above max gives max. */
#define CLIP_LOOP(T)                                                                               \
    static void clip_##T(int64_t n, const void *in, void *out, const void *low, const void *high)  \
    {                                                                                              \
        const T *x = in;                                                                           \
        T *y = out;                                                                                \
        const bool has_low = low != NULL, has_high = high != NULL;                                 \
        const T lo = has_low ? *(const T *)low : 0, hi = has_high ? *(const T *)high : 0;          \
        for (int64_t i = 0; i < n; i++) {                                                          \
            const T v = has_low && x[i] < lo ? lo : x[i];                                          \
            y[i] = has_high && v > hi ? hi : v;                                                    \
        }                                                                                          \
    }
CLIP_LOOP(float)
CLIP_LOOP(double)
CLIP_LOOP(int8_t)
CLIP_LOOP(int16_t)
CLIP_LOOP(int32_t)
CLIP_LOOP(int64_t)
CLIP_LOOP(uint8_t)
CLIP_LOOP(uint16_t)
CLIP_LOOP(uint32_t)
CLIP_LOOP(uint64_t)

static nm_status Clip_eval(const struct nmi_eval *e, nm_error *err)
{
    static void (*const by_type[NMI_TYPES])(int64_t, const void *, void *, const void *,
                                            const void *) = {
        [NM_F32] = clip_float,   [NM_F64] = clip_double,   [NM_I8] = clip_int8_t,
        [NM_I16] = clip_int16_t, [NM_I32] = clip_int32_t,  [NM_I64] = clip_int64_t,
        [NM_U8] = clip_uint8_t,  [NM_U16] = clip_uint16_t, [NM_U32] = clip_uint32_t,
        [NM_U64] = clip_uint64_t};
    const struct nmi_clip_attrs *a = e->attrs;
    const struct nmi_tensor *x = e->in[0], *bound[2] = {nmi_eval_in(e, 1), nmi_eval_in(e, 2)};
    double wide[2] = {(double)a->min, (double)a->max};
    const void *limit[2];
    for (int i = 0; i < 2; i++) {
        limit[i] = bound[i] != NULL ? bound[i]->data : NULL;
        if (bound[i] != NULL && nmi_count(bound[i]) != 1) {
            return nmi_fail(err, NM_ESHAPE, "node %s: a bound of Clip is not a scalar", e->name);
        }
        if (e->opset < 11) {
            limit[i] = x->type == NM_F64 ? (const void *)&wide[i] : i == 0 ? &a->min : &a->max;
        }
    }
    by_type[x->type](nmi_count(x), x->data, e->out[0].data, limit[0], limit[1]);
    return NM_OK;
}

const struct nmi_op nmi_op_Clip = {.name = "Clip",
                                   .domain = "",
                                   .since = 6,
                                   .min_in = 1,
                                   .max_in = 3,
                                   .min_out = 1,
                                   .max_out = 1,
                                   .types = NMI_T_FLOATS | NMI_T_INTS,
                                   .flags = NMI_OP_ELEMENTWISE | NMI_OP_ZERO_SAFE | NMI_OP_BATCHED,
                                   .attr_bytes = sizeof(struct nmi_clip_attrs),
                                   .attr = clip_attr,
                                   .infer = infer_clip,
                                   .eval = Clip_eval,
                                   .doc = ""};
