/* SPDX-License-Identifier: Apache-2.0 */
/* ScatterND: input 0 with slices replaced by, or combined with, updates at given indices. */
#include "lib/ops/elementwise.h"
#include <string.h>

enum { REPLACE, ADD, MUL, MAX, MIN };

struct scatter_attrs {
    int64_t reduction;
};
static const struct nmi_attr scatter_attr[] = {{.name = "reduction",
                                                .kind = NMI_ATTR_ENUM,
                                                .since = 16,
                                                .offset = offsetof(struct scatter_attrs, reduction),
                                                .choices = "none|add|mul|max|min"},
                                               {.name = NULL}};

#define T_COMBINED (NMI_T_FLOATS | NMI_T_SHAPE)

/* Updates have the shape indices[:-1] + data[depth:]. */
static nm_status check_updates(const struct nmi_fact *x, const struct nmi_fact *at,
                               const struct nmi_fact *up, nm_error *err)
{
    if (x->rank < 1 || at->rank < 1 || !nmi_dim_known(at->dims[at->rank - 1]) || up->rank < 0) {
        return x->rank == 0 || at->rank == 0
                   ? nmi_fail(err, NM_ESHAPE, "data and indices must have rank 1 or more")
                   : NM_OK;
    }
    int64_t depth = at->dims[at->rank - 1], rank = at->rank - 1 + x->rank - depth;
    if (depth < 1 || depth > x->rank || up->rank != rank) {
        return nmi_fail(err, NM_ESHAPE,
                        "indices of %lld axes and updates of rank %d do not fit data of rank %d",
                        (long long)depth, up->rank, x->rank);
    }
    for (int32_t i = 0; i < up->rank; i++) {
        int64_t dim = i < at->rank - 1 ? at->dims[i] : x->dims[i - (at->rank - 1) + depth];
        if (nmi_dim_known(dim) && nmi_dim_known(up->dims[i]) && dim != up->dims[i]) {
            return nmi_fail(err, NM_ESHAPE,
                            "axis %d of the updates has %lld elements, expected %lld", i,
                            (long long)up->dims[i], (long long)dim);
        }
    }
    return NM_OK;
}

static nm_status infer_scatter(struct nmi_infer *in, nm_error *err)
{
    const struct scatter_attrs *a = in->attrs;
    NMI_TRY(nmi_fact_types(in, 1, NMI_T(NM_I64), err));
    if (a->reduction != REPLACE) {
        NMI_TRY(nmi_fact_types(in, 0, T_COMBINED, err));
    }
    if (in->in[2]->type != in->in[0]->type) {
        return nmi_fail(err, NM_ETYPE, "the updates have type %s, expected %s as input 0",
                        nm_type_name(in->in[2]->type), nm_type_name(in->in[0]->type));
    }
    NMI_TRY(check_updates(in->in[0], in->in[1], in->in[2], err));
    return nmi_infer_same(in, err);
}

#define EACH(expr)                                                                                 \
    for (int64_t i = 0; i < n; i++) {                                                              \
        y[i] = (T)(expr);                                                                          \
    }                                                                                              \
    break
#define COMBINE(name, type, wide)                                                                  \
    static void combine_##name(int64_t how, int64_t n, void *out, const void *in)                  \
    {                                                                                              \
        typedef type T;                                                                            \
        T *y = out;                                                                                \
        const T *x = in;                                                                           \
        switch (how) {                                                                             \
        case ADD:                                                                                  \
            EACH((wide)y[i] + (wide)x[i]);                                                         \
        case MUL:                                                                                  \
            EACH((wide)y[i] * (wide)x[i]);                                                         \
        case MAX:                                                                                  \
            EACH(y[i] > x[i] || y[i] != y[i] ? y[i] : x[i]);                                       \
        default:                                                                                   \
            EACH(y[i] < x[i] || y[i] != y[i] ? y[i] : x[i]);                                       \
        }                                                                                          \
    }
COMBINE(f32, float, float)
COMBINE(f64, double, double)
COMBINE(i32, int32_t, uint64_t)
COMBINE(i64, int64_t, uint64_t)

static void combine(nm_type type, int64_t how, int64_t n, void *out, const void *in)
{
    static void (*const table[NMI_TYPES])(int64_t, int64_t, void *,
                                          const void *) = {[NM_F32] = combine_f32,
                                                           [NM_F64] = combine_f64,
                                                           [NM_I32] = combine_i32,
                                                           [NM_I64] = combine_i64};
    if (how == REPLACE) {
        memcpy(out, in, (size_t)n * nm_type_size(type));
    } else {
        table[type](how, n, out, in);
    }
}

/* The element at which the slice that index[0..depth) names begins. */
static nm_status locate(const struct nmi_eval *e, const int64_t *index, int32_t depth,
                        int64_t *offset, nm_error *err)
{
    const struct nmi_tensor *x = e->in[0];
    *offset = 0;
    for (int32_t k = 0; k < depth; k++) {
        int64_t at = index[k] < 0 ? index[k] + x->dims[k] : index[k];
        if (at < 0 || at >= x->dims[k]) {
            return nmi_fail(err, NM_EINVAL,
                            "node %s (ScatterND): index %lld is outside axis %d of %lld elements",
                            e->name, (long long)index[k], k, (long long)x->dims[k]);
        }
        *offset = *offset * x->dims[k] + at;
    }
    *offset *= nmi_span_count(x->dims, depth, x->rank);
    return NM_OK;
}

static nm_status eval_scatter(const struct nmi_eval *e, nm_error *err)
{
    const struct scatter_attrs *a = e->attrs;
    const struct nmi_tensor *x = e->in[0], *at = e->in[1], *up = e->in[2];
    int32_t depth = (int32_t)at->dims[at->rank - 1];
    int64_t n = nmi_span_count(at->dims, 0, at->rank - 1);
    int64_t slice = nmi_span_count(x->dims, depth, x->rank);
    size_t size = nm_type_size(x->type);
    NMI_TRY(nmi_eval_copy(e, err));
    for (int64_t i = 0; slice > 0 && i < n; i++) {
        int64_t offset;
        NMI_TRY(locate(e, (const int64_t *)at->data + i * depth, depth, &offset, err));
        combine(x->type, a->reduction, slice, (char *)e->out[0].data + (size_t)offset * size,
                (const char *)up->data + (size_t)(i * slice) * size);
    }
    return NM_OK;
}

const struct nmi_op nmi_op_ScatterND = {.name = "ScatterND",
                                        .domain = "",
                                        .since = 11,
                                        .min_in = 3,
                                        .max_in = 3,
                                        .min_out = 1,
                                        .max_out = 1,
                                        .types = NMI_T_MOVE,
                                        .attr_bytes = sizeof(struct scatter_attrs),
                                        .attr = scatter_attr,
                                        .infer = infer_scatter,
                                        .eval = eval_scatter,
                                        .doc = "reduction: float32, float64, int32, int64"};
