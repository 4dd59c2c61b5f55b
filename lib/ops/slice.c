/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slice: starts, ends, axes are attributes below opset 10, inputs (with steps) from there on.
 * Bounds are clamped as ONNX says; no bound, however large, can lead outside of the tensor.
 */
#include "lib/ops/helpers.h"

struct slice_attrs {
    struct nmi_ints starts, ends, axes;
};
#define SLICE_ATTR(field)                                                                          \
    {                                                                                              \
        .name = #field, .kind = NMI_ATTR_INTS, .since = 1, .until = 9,                             \
        .offset = offsetof(struct slice_attrs, field), .min = -1e19, .max = 1e19                   \
    }
static const struct nmi_attr slice_attr[] = {
    SLICE_ATTR(starts), SLICE_ATTR(ends), SLICE_ATTR(axes), {.name = NULL}};

/* What is asked for, as it stands in the file. */
struct request {
    struct nmi_ints starts, ends, axes, steps; /* axes, steps: n = 0 when not given */
};

/* What it means for one axis: count elements from `start` in steps of `step`. */
struct range {
    int64_t start, step, count;
};

static struct range resolve(int64_t dim, int64_t start, int64_t end, int64_t step)
{
    struct range r = {.step = step};
    int64_t low = step < 0 ? -1 : 0, high = step < 0 ? dim - 1 : dim;
    start += start < 0 ? dim : 0;
    end += end < 0 ? dim : 0;
    int64_t first = dim > 0 ? 0 : low;
    r.start = start < first ? first : start > high ? high : start;
    end = end < low ? low : end > high ? high : end;
    uint64_t pace = step < 0 ? 0 - (uint64_t)step : (uint64_t)step;
    int64_t span = step < 0 ? r.start - end : end - r.start;
    r.count = span <= 0 ? 0 : (int64_t)(((uint64_t)span - 1) / pace) + 1;
    r.step = r.count > 1 ? step : 1; /* a step that is not taken may be huge */
    r.start = r.count > 0 ? r.start : 0;
    return r;
}

static nm_status check_request(const struct request *q, int32_t rank, nm_error *err)
{
    uint32_t mask;
    if (q->starts.n != q->ends.n || (q->axes.n > 0 && q->axes.n != q->starts.n) ||
        (q->steps.n > 0 && q->steps.n != q->starts.n) || q->starts.n > rank) {
        return nmi_fail(err, NM_ESHAPE, "%d starts, %d ends, %d axes, %d steps for rank %d",
                        q->starts.n, q->ends.n, q->axes.n, q->steps.n, rank);
    }
    for (int32_t i = 0; i < q->steps.n; i++) {
        if (q->steps.v[i] == 0) {
            return nmi_fail(err, NM_EINVAL, "step %d is 0", i);
        }
    }
    return nmi_axes(&q->axes, rank, &mask, err);
}

/* One range per axis of a tensor whose dims are numbers (others count as 0). */
static nm_status resolve_all(const struct request *q, int32_t rank, const int64_t *dims,
                             struct range *ranges, nm_error *err)
{
    NMI_TRY(check_request(q, rank, err));
    for (int32_t i = 0; i < rank; i++) {
        ranges[i] = (struct range){.step = 1, .count = dims[i]};
    }
    for (int32_t i = 0; i < q->starts.n; i++) {
        int64_t axis = q->axes.n > 0 ? q->axes.v[i] : i;
        axis += axis < 0 ? rank : 0;
        int64_t step = q->steps.n > 0 ? q->steps.v[i] : 1;
        if (nmi_dim_known(dims[axis])) {
            ranges[axis] = resolve(dims[axis], q->starts.v[i], q->ends.v[i], step);
        } else { /* from 0 to "the end" keeps a symbol */
            bool all = q->starts.v[i] == 0 && q->ends.v[i] >= INT32_MAX && step == 1;
            ranges[axis].count = all ? dims[axis] : NMI_DIM_UNKNOWN;
        }
    }
    return NM_OK;
}

/* False when an input's contents are not known. */
static bool request_of_facts(const struct nmi_infer *in, struct request *q)
{
    if (in->opset < 10) {
        const struct slice_attrs *a = in->attrs;
        *q = (struct request){.starts = a->starts, .ends = a->ends, .axes = a->axes};
        return true;
    }
    struct nmi_ints *to[] = {&q->starts, &q->ends, &q->axes, &q->steps};
    for (int32_t i = 0; i < 4; i++) {
        const struct nmi_fact *f = nmi_infer_in(in, i + 1);
        to[i]->n = 0;
        if (f != NULL && !nmi_fact_ints(f, to[i])) {
            return false;
        }
    }
    return true;
}

static nm_status infer_slice(struct nmi_infer *in, nm_error *err)
{
    const struct nmi_fact *x = in->in[0];
    struct request q;
    struct range ranges[NMI_MAX_DIMS];
    int64_t dims[NMI_MAX_DIMS];
    for (int32_t i = 1; i < in->n_in; i++) {
        NMI_TRY(nmi_fact_types(in, i, NMI_T_SHAPE, err));
    }
    if (in->opset >= 10 && (nmi_infer_in(in, 1) == NULL || nmi_infer_in(in, 2) == NULL)) {
        return nmi_fail(err, NM_EFORMAT, "starts or ends are missing");
    }
    bool known = request_of_facts(in, &q);
    if (known && x->rank >= 0) {
        NMI_TRY(resolve_all(&q, x->rank, x->dims, ranges, err));
    }
    for (int32_t i = 0; i < x->rank; i++) {
        dims[i] = known ? ranges[i].count : NMI_DIM_UNKNOWN;
    }
    nmi_fact_set(&in->out[0], x->type, x->rank, dims);
    struct nmi_numbers all, part;
    if (!known || x->known == NULL || x->rank != 1 || !nmi_fact_numbers(x, &all)) {
        return NM_OK;
    }
    part.n = (int32_t)ranges[0].count;
    for (int32_t i = 0; i < part.n; i++) {
        part.v[i] = all.v[ranges[0].start + i * ranges[0].step];
    }
    return nmi_infer_know(in, &part, err);
}

static nm_status request_of_tensors(const struct nmi_eval *e, struct request *q, nm_error *err)
{
    if (e->opset < 10) {
        const struct slice_attrs *a = e->attrs;
        *q = (struct request){.starts = a->starts, .ends = a->ends, .axes = a->axes};
        return NM_OK;
    }
    struct nmi_ints *to[] = {&q->starts, &q->ends, &q->axes, &q->steps};
    for (int32_t i = 0; i < 4; i++) {
        const struct nmi_tensor *t = nmi_eval_in(e, i + 1);
        to[i]->n = 0;
        if (t != NULL && !nmi_tensor_ints(t, to[i])) {
            return nmi_fail(err, NM_EINVAL, "input %d is not a list of integers", i + 1);
        }
    }
    return NM_OK;
}

static nm_status copy_slice(const struct nmi_eval *e, nm_error *err)
{
    const struct nmi_tensor *x = e->in[0], *y = &e->out[0];
    struct request q;
    struct range ranges[NMI_MAX_DIMS];
    int64_t from[NMI_MAX_DIMS], offset = 0;
    NMI_TRY(request_of_tensors(e, &q, err));
    NMI_TRY(resolve_all(&q, x->rank, x->dims, ranges, err));
    nmi_strides(x->rank, x->dims, from);
    for (int32_t i = 0; i < x->rank; i++) {
        if (ranges[i].count != y->dims[i]) {
            return nmi_fail(err, NM_EINVAL, "its bounds are not those that it was planned for");
        }
        offset += ranges[i].start * from[i];
        from[i] *= ranges[i].step;
    }
    struct nmi_walk w;
    size_t size = nm_type_size(x->type);
    nmi_walk_start(&w, y->rank, y->dims);
    nmi_walk_broadcast(&w, y->rank, y->dims);
    nmi_walk_add(&w, from);
    nmi_walk_copy(&w, y->data, (const char *)x->data + offset * (int64_t)size, size);
    return NM_OK;
}

static nm_status eval_slice(const struct nmi_eval *e, nm_error *err)
{
    nm_status status = copy_slice(e, err);
    return status == NM_OK ? NM_OK : nmi_fail_in(err, status, "node %s", e->name);
}

const struct nmi_op nmi_op_Slice = {.name = "Slice",
                                    .domain = "",
                                    .since = 1,
                                    .min_in = 1,
                                    .max_in = 5,
                                    .min_out = 1,
                                    .max_out = 1,
                                    .types = NMI_T_MOVE,
                                    .shape_inputs = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4,
                                    .attr_bytes = sizeof(struct slice_attrs),
                                    .attr = slice_attr,
                                    .infer = infer_slice,
                                    .eval = eval_slice,
                                    .doc = ""};
