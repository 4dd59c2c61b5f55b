/* SPDX-License-Identifier: Apache-2.0 */
/* Gather: rows of input 0 by index. An index outside of the axis is refused: NM_EINVAL. */
#include "lib/ops/attrs.h"
#include "lib/ops/helpers.h"
#include <string.h>

static const struct nmi_attr gather_attr[] = {{.name = "axis",
                                               .kind = NMI_ATTR_INT,
                                               .since = 1,
                                               .offset = offsetof(struct nmi_axis_attrs, axis),
                                               .min = -NMI_MAX_DIMS,
                                               .max = NMI_MAX_DIMS - 1},
                                              {.name = NULL}};

/* Numbers and symbols picked from a shape. */
static nm_status pick_known(struct nmi_infer *in, nm_error *err)
{
    struct nmi_numbers all, at, picked;
    if (in->in[0]->known == NULL || !nmi_fact_numbers(in->in[0], &all) || in->in[0]->rank != 1 ||
        !nmi_fact_numbers(in->in[1], &at)) {
        return NM_OK;
    }
    picked.n = at.n;
    for (int32_t i = 0; i < at.n; i++) {
        int64_t index = at.v[i].v < 0 ? at.v[i].v + all.n : at.v[i].v;
        if (at.v[i].dim != 0) {
            return NM_OK;
        }
        if (index < 0 || index >= all.n) {
            return nmi_fail(err, NM_EINVAL, "index %lld is outside an axis of %d elements",
                            (long long)at.v[i].v, all.n);
        }
        picked.v[i] = all.v[index];
    }
    return nmi_infer_know(in, &picked, err);
}

static nm_status infer_gather(struct nmi_infer *in, nm_error *err)
{
    const struct nmi_axis_attrs *a = in->attrs;
    const struct nmi_fact *x = in->in[0], *at = in->in[1];
    NMI_TRY(nmi_fact_types(in, 1, NMI_T_SHAPE, err));
    if (x->rank < 0 || at->rank < 0) {
        nmi_fact_set(&in->out[0], x->type, -1, NULL);
        return NM_OK;
    }
    int32_t axis, rank = x->rank - 1 + at->rank, n = 0;
    NMI_TRY(nmi_axis(a->axis, x->rank, &axis, err));
    if (rank > NMI_MAX_DIMS) {
        return nmi_fail(err, NM_ESHAPE, "the result has rank %d, more than %d", rank, NMI_MAX_DIMS);
    }
    int64_t dims[NMI_MAX_DIMS];
    for (int32_t i = 0; i < axis; i++) {
        dims[n++] = x->dims[i];
    }
    for (int32_t i = 0; i < at->rank; i++) {
        dims[n++] = at->dims[i];
    }
    for (int32_t i = axis + 1; i < x->rank; i++) {
        dims[n++] = x->dims[i];
    }
    nmi_fact_set(&in->out[0], x->type, rank, dims);
    return rank <= 1 ? pick_known(in, err) : NM_OK;
}

static nm_status eval_gather(const struct nmi_eval *e, nm_error *err)
{
    const struct nmi_axis_attrs *a = e->attrs;
    const struct nmi_tensor *x = e->in[0], *at = e->in[1];
    int32_t axis;
    NMI_TRY(nmi_axis(a->axis, x->rank, &axis, err));
    int64_t outer = nmi_span_count(x->dims, 0, axis), dim = x->dims[axis], n = nmi_count(at);
    size_t row = (size_t)nmi_span_count(x->dims, axis + 1, x->rank) * nm_type_size(x->type);
    const char *from = x->data;
    char *to = e->out[0].data;
    for (int64_t i = 0; i < n; i++) {
        int64_t given =
            at->type == NM_I32 ? ((const int32_t *)at->data)[i] : ((const int64_t *)at->data)[i];
        int64_t index = given < 0 ? given + dim : given;
        if (index < 0 || index >= dim) {
            return nmi_fail(err, NM_EINVAL,
                            "node %s (Gather): index %lld is outside an axis of %lld elements",
                            e->name, (long long)given, (long long)dim);
        }
        for (int64_t k = 0; row > 0 && k < outer; k++) {
            memcpy(to + (size_t)(k * n + i) * row, from + (size_t)(k * dim + index) * row, row);
        }
    }
    return NM_OK;
}

const struct nmi_op nmi_op_Gather = {.name = "Gather",
                                     .domain = "",
                                     .since = 1,
                                     .min_in = 2,
                                     .max_in = 2,
                                     .min_out = 1,
                                     .max_out = 1,
                                     .types = NMI_T_MOVE,
                                     .attr_bytes = sizeof(struct nmi_axis_attrs),
                                     .attr = gather_attr,
                                     .infer = infer_gather,
                                     .eval = eval_gather,
                                     .doc = ""};
