/* SPDX-License-Identifier: Apache-2.0 */
/* ArgMax: the index of the largest element along an axis; the first NaN counts as the largest. */
#include "lib/ops/elementwise.h"

struct argmax_attrs {
    int64_t axis, keepdims, select_last_index;
};
static const struct nmi_attr argmax_attr[] = {
    {.name = "axis",
     .kind = NMI_ATTR_INT,
     .since = 1,
     .offset = offsetof(struct argmax_attrs, axis),
     .min = -NMI_MAX_DIMS,
     .max = NMI_MAX_DIMS - 1},
    {.name = "keepdims",
     .kind = NMI_ATTR_INT,
     .since = 1,
     .offset = offsetof(struct argmax_attrs, keepdims),
     .def = 1,
     .max = 1},
    {.name = "select_last_index",
     .kind = NMI_ATTR_INT,
     .since = 12,
     .offset = offsetof(struct argmax_attrs, select_last_index),
     .max = 1},
    {.name = NULL}};

static nm_status infer_argmax(struct nmi_infer *in, nm_error *err)
{
    const struct argmax_attrs *a = in->attrs;
    const struct nmi_fact *x = in->in[0];
    int64_t dims[NMI_MAX_DIMS];
    int32_t axis, rank = 0;
    if (x->rank < 0) {
        nmi_fact_set(&in->out[0], NM_I64, -1, NULL);
        return NM_OK;
    }
    NMI_TRY(nmi_axis(a->axis, x->rank, &axis, err));
    if (x->dims[axis] == 0) {
        return nmi_fail(err, NM_ESHAPE, "axis %d is empty: there is no largest element", axis);
    }
    for (int32_t i = 0; i < x->rank; i++) {
        if (i != axis || a->keepdims != 0) {
            dims[rank++] = i == axis ? 1 : x->dims[i];
        }
    }
    nmi_fact_set(&in->out[0], NM_I64, rank, dims);
    return NM_OK;
}

/* Over n elements, `step` apart. */
#define SEARCH(T)                                                                                  \
    static int64_t search_##T(const void *in, int64_t n, int64_t step, bool last)                  \
    {                                                                                              \
        const T *x = in;                                                                           \
        int64_t best = 0;                                                                          \
        for (int64_t i = 1; i < n; i++) {                                                          \
            const T a = x[best * step], v = x[i * step];                                           \
            const bool more = v > a || (v != v && a == a);                                         \
            best = more || (last && v == a) ? i : best;                                            \
        }                                                                                          \
        return best;                                                                               \
    }
SEARCH(float)
SEARCH(double)
SEARCH(int8_t)
SEARCH(int16_t)
SEARCH(int32_t)
SEARCH(int64_t)
SEARCH(uint8_t)
SEARCH(uint16_t)
SEARCH(uint32_t)
SEARCH(uint64_t)

static nm_status eval_argmax(const struct nmi_eval *e, nm_error *err)
{
    static int64_t (*const by_type[NMI_TYPES])(const void *, int64_t, int64_t, bool) = {
        [NM_F32] = search_float,   [NM_F64] = search_double,   [NM_I8] = search_int8_t,
        [NM_I16] = search_int16_t, [NM_I32] = search_int32_t,  [NM_I64] = search_int64_t,
        [NM_U8] = search_uint8_t,  [NM_U16] = search_uint16_t, [NM_U32] = search_uint32_t,
        [NM_U64] = search_uint64_t};
    const struct argmax_attrs *a = e->attrs;
    const struct nmi_tensor *x = e->in[0];
    int64_t *y = e->out[0].data;
    int32_t axis;
    NMI_TRY(nmi_axis(a->axis, x->rank, &axis, err));
    int64_t outer = nmi_span_count(x->dims, 0, axis), n = x->dims[axis];
    int64_t inner = nmi_span_count(x->dims, axis + 1, x->rank);
    int64_t size = (int64_t)nm_type_size(x->type);
    for (int64_t i = 0; i < outer; i++) {
        for (int64_t k = 0; k < inner; k++) {
            const char *from = (const char *)x->data + (i * n * inner + k) * size;
            *y++ = by_type[x->type](from, n, inner, a->select_last_index != 0);
        }
    }
    return NM_OK;
}

const struct nmi_op nmi_op_ArgMax = {.name = "ArgMax",
                                     .domain = "",
                                     .since = 1,
                                     .min_in = 1,
                                     .max_in = 1,
                                     .min_out = 1,
                                     .max_out = 1,
                                     .types = NMI_T_FLOATS | NMI_T_INTS,
                                     .attr_bytes = sizeof(struct argmax_attrs),
                                     .attr = argmax_attr,
                                     .infer = infer_argmax,
                                     .eval = eval_argmax,
                                     .doc = ""};
