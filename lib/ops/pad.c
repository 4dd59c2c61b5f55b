/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pad: constant, reflect, edge. Each axis gets a map from output to input positions (-1: the
 * constant), so that negative pads (which crop) and all modes are one loop.
 */
#include "lib/base/checked.h"
#include "lib/ops/attrs.h"
#include "lib/ops/helpers.h"
#include <math.h>
#include <string.h>

#define MAX_PAD ((int64_t)1 << 48)

enum { MODE_CONSTANT, MODE_REFLECT, MODE_EDGE, MODE_WRAP };

static const struct nmi_attr pad_attr[] = {{.name = "mode",
                                            .kind = NMI_ATTR_ENUM,
                                            .since = 1,
                                            .offset = offsetof(struct nmi_pad_attrs, mode),
                                            .choices = "constant|reflect|edge|wrap"},
                                           {.name = "pads",
                                            .kind = NMI_ATTR_INTS,
                                            .since = 2,
                                            .until = 10,
                                            .offset = offsetof(struct nmi_pad_attrs, pads),
                                            .min = -1e18,
                                            .max = 1e18},
                                           {.name = "value",
                                            .kind = NMI_ATTR_FLOAT,
                                            .since = 2,
                                            .until = 10,
                                            .offset = offsetof(struct nmi_pad_attrs, value),
                                            .min = -(double)INFINITY,
                                            .max = (double)INFINITY},
                                           {.name = NULL}};

static nm_status finish_pad(void *attrs, int32_t opset, const char *node, nm_error *err)
{
    const struct nmi_pad_attrs *a = attrs;
    (void)opset;
    if (a->mode == MODE_WRAP) {
        return nmi_fail(err, NM_EUNSUPPORTED, "node %s (Pad): mode wrap is not done", node);
    }
    return NM_OK;
}

/* Pads per axis, from lists as they stand in the file. axes NULL: all axes. */
static nm_status spread(const struct nmi_ints *pads, const struct nmi_ints *axes, int32_t rank,
                        int64_t *begin, int64_t *end, nm_error *err)
{
    int32_t n = axes != NULL ? axes->n : rank;
    uint32_t mask;
    if (pads->n != 2 * n) {
        return nmi_fail(err, NM_ESHAPE, "%d pads for %d axes, expected two for each", pads->n, n);
    }
    if (axes != NULL) {
        NMI_TRY(nmi_axes(axes, rank, &mask, err));
    }
    for (int32_t i = 0; i < rank; i++) {
        begin[i] = end[i] = 0;
    }
    for (int32_t i = 0; i < n; i++) {
        int64_t axis = axes != NULL ? axes->v[i] : i;
        axis += axis < 0 ? rank : 0;
        begin[axis] = pads->v[i];
        end[axis] = pads->v[n + i];
    }
    return NM_OK;
}

static nm_status padded_dim(int64_t mode, int64_t dim, int64_t begin, int64_t end, int64_t *out,
                            nm_error *err)
{
    if (!nmi_dim_known(dim)) {
        *out = begin == 0 && end == 0 ? dim : NMI_DIM_UNKNOWN;
        return NM_OK;
    }
    int64_t half;
    bool sane = begin >= -MAX_PAD && begin <= MAX_PAD && end >= -MAX_PAD && end <= MAX_PAD;
    if (!sane || !nmi_add_i64(dim, begin, &half) || !nmi_add_i64(half, end, out) || *out < 0) {
        return nmi_fail(err, NM_ESHAPE, "pads of %lld and %lld do not fit an axis of %lld elements",
                        (long long)begin, (long long)end, (long long)dim);
    }
    if (dim == 0 && *out > 0 && mode != MODE_CONSTANT) {
        return nmi_fail(err, NM_ESHAPE, "an empty axis has nothing to pad with");
    }
    return NM_OK;
}

static nm_status check_value(const struct nmi_infer *in, nm_error *err)
{
    const struct nmi_pad_attrs *a = in->attrs;
    const struct nmi_fact *x = in->in[0], *value = nmi_infer_in(in, 2);
    if (in->opset < 11 && a->value != 0 && x->type != NM_F32 && x->type != NM_F64) {
        return nmi_fail(err, NM_EUNSUPPORTED, "a pad value for type %s is not done",
                        nm_type_name(x->type));
    }
    if (value != NULL && value->type != x->type) {
        return nmi_fail(err, NM_ETYPE, "the pad value has type %s, expected %s as input 0",
                        nm_type_name(value->type), nm_type_name(x->type));
    }
    if (value != NULL && value->rank >= 0) {
        int64_t n = nmi_dim_product(value->dims, 0, value->rank);
        if (nmi_dim_known(n) && n != 1) {
            return nmi_fail(err, NM_ESHAPE, "the pad value must be a scalar");
        }
    }
    return NM_OK;
}

static nm_status infer_pad(struct nmi_infer *in, nm_error *err)
{
    const struct nmi_pad_attrs *a = in->attrs;
    const struct nmi_fact *x = in->in[0], *axes_fact = nmi_infer_in(in, 3);
    struct nmi_ints pads = a->pads, axes;
    int64_t begin[NMI_MAX_DIMS], end[NMI_MAX_DIMS], dims[NMI_MAX_DIMS];
    NMI_TRY(nmi_fact_types(in, 1, NMI_T(NM_I64), err));
    NMI_TRY(nmi_fact_types(in, 3, NMI_T_SHAPE, err));
    NMI_TRY(check_value(in, err));
    if (in->opset >= 11 && nmi_infer_in(in, 1) == NULL) {
        return nmi_fail(err, NM_EFORMAT, "pads are missing");
    }
    bool known = in->opset < 11 || nmi_fact_ints(in->in[1], &pads);
    known = known && (axes_fact == NULL || nmi_fact_ints(axes_fact, &axes));
    if (known && x->rank >= 0) {
        NMI_TRY(spread(&pads, axes_fact != NULL ? &axes : NULL, x->rank, begin, end, err));
    }
    for (int32_t i = 0; i < x->rank; i++) {
        dims[i] = NMI_DIM_UNKNOWN;
        if (known) {
            NMI_TRY(padded_dim(a->mode, x->dims[i], begin[i], end[i], &dims[i], err));
        }
    }
    nmi_fact_set(&in->out[0], x->type, x->rank, dims);
    return NM_OK;
}

/* ---- evaluation ----------------------------------------------------------------------------- */

/* Where position i of a padded axis comes from; i counts from the axis' own first element. */
static int64_t source(int64_t mode, int64_t dim, int64_t i)
{
    if (i >= 0 && i < dim) {
        return i;
    }
    if (mode == MODE_CONSTANT) {
        return -1;
    }
    if (mode == MODE_EDGE) {
        return i < 0 ? 0 : dim - 1;
    }
    int64_t period = 2 * (dim - 1);
    if (period == 0) {
        return 0;
    }
    i %= period;
    i += i < 0 ? period : 0;
    return i < dim ? i : period - i;
}

static size_t pad_scratch(const struct nmi_eval *e)
{
    size_t n = 0;
    for (int32_t i = 0; i < e->out[0].rank; i++) {
        n += (size_t)e->out[0].dims[i];
    }
    return n * sizeof(int64_t);
}

struct padding {
    const struct nmi_tensor *x, *y;
    const int64_t *map[NMI_MAX_DIMS];
    int64_t stride[NMI_MAX_DIMS];
    uint64_t value; /* the constant's bytes */
    size_t size;
};

/* value: 8 bytes, of which size count. */
static void fill(char *to, int64_t n, const void *value, size_t size)
{
    uint32_t word;
    memcpy(&word, value, sizeof word);
    for (int64_t i = 0; i < n && size != sizeof word; i++) {
        memcpy(to + (size_t)i * size, value, size);
    }
    for (int64_t i = 0; i < n && size == sizeof word; i++) {
        memcpy(to + (size_t)i * sizeof word, &word, sizeof word); /* as vectors */
    }
}

/* The row at `to`, from the input's row at `from` (NULL: it lies in the padding). */
static void pad_row(const struct padding *p, char *to, const char *from)
{
    int32_t last = p->y->rank - 1;
    int64_t n = p->y->dims[last], dim = p->x->dims[last];
    const int64_t *map = p->map[last];
    if (from == NULL) {
        fill(to, n, &p->value, p->size);
        return;
    }
    for (int64_t i = 0; i < n;) {
        int64_t run = 1;
        if (map[i] < 0) {
            memcpy(to + (size_t)i * p->size, &p->value, p->size);
        } else {
            while (i + run < n && map[i] + run < dim && map[i + run] == map[i] + run) {
                run++;
            }
            memcpy(to + (size_t)i * p->size, from + (size_t)map[i] * p->size,
                   (size_t)run * p->size);
        }
        i += run;
    }
}

static void pad_all(const struct padding *p)
{
    int32_t last = p->y->rank - 1;
    int64_t rows = nmi_span_count(p->y->dims, 0, last);
    size_t pitch = (size_t)p->y->dims[last] * p->size;
    int64_t index[NMI_MAX_DIMS] = {0};
    for (int64_t r = 0; r < rows; r++) {
        int64_t offset = 0;
        bool inside = true;
        for (int32_t i = 0; i < last; i++) {
            int64_t at = p->map[i][index[i]];
            inside = inside && at >= 0;
            offset += inside ? at * p->stride[i] : 0;
        }
        const char *from = (const char *)p->x->data + offset * (int64_t)p->size;
        pad_row(p, (char *)p->y->data + (size_t)r * pitch, inside ? from : NULL);
        for (int32_t i = last - 1; i >= 0 && ++index[i] == p->y->dims[i]; i--) {
            index[i] = 0;
        }
    }
}

static nm_status read_pads(const struct nmi_eval *e, int64_t *begin, int64_t *end, nm_error *err)
{
    const struct nmi_pad_attrs *a = e->attrs;
    const struct nmi_tensor *axes_in = nmi_eval_in(e, 3);
    struct nmi_ints pads = a->pads, axes;
    if ((e->opset >= 11 && !nmi_tensor_ints(nmi_eval_in(e, 1), &pads)) ||
        (axes_in != NULL && !nmi_tensor_ints(axes_in, &axes))) {
        return nmi_fail(err, NM_EINVAL, "pads or axes are not lists of integers");
    }
    const struct nmi_tensor *x = e->in[0];
    NMI_TRY(spread(&pads, axes_in != NULL ? &axes : NULL, x->rank, begin, end, err));
    for (int32_t i = 0; i < x->rank; i++) {
        int64_t out = 0;
        NMI_TRY(padded_dim(a->mode, x->dims[i], begin[i], end[i], &out, err));
        if (out != e->out[0].dims[i]) {
            return nmi_fail(err, NM_EINVAL, "its pads are not those that it was planned for");
        }
    }
    return NM_OK;
}

static uint64_t pad_value(const struct nmi_eval *e)
{
    const struct nmi_pad_attrs *a = e->attrs;
    const struct nmi_tensor *value = nmi_eval_in(e, 2);
    uint64_t bytes = 0;
    double wide = (double)a->value;
    if (value != NULL) {
        memcpy(&bytes, value->data, nm_type_size(value->type));
    } else if (e->in[0]->type == NM_F64) {
        memcpy(&bytes, &wide, sizeof wide);
    } else if (e->in[0]->type == NM_F32) {
        memcpy(&bytes, &a->value, sizeof a->value);
    }
    return bytes;
}

static nm_status eval_pad(const struct nmi_eval *e, nm_error *err)
{
    const struct nmi_pad_attrs *a = e->attrs;
    const struct nmi_tensor *x = e->in[0], *y = &e->out[0];
    int64_t begin[NMI_MAX_DIMS], end[NMI_MAX_DIMS], *map = e->scratch;
    nm_status status = read_pads(e, begin, end, err);
    if (status != NM_OK) {
        return nmi_fail_in(err, status, "node %s", e->name);
    }
    if (x->rank == 0 || nmi_count(y) == 0) {
        return x->rank == 0 ? nmi_eval_copy(e, err) : NM_OK;
    }
    struct padding p = {.x = x, .y = y, .value = pad_value(e), .size = nm_type_size(x->type)};
    nmi_strides(x->rank, x->dims, p.stride);
    for (int32_t i = 0; i < y->rank; i++) {
        p.map[i] = map;
        for (int64_t k = 0; k < y->dims[i]; k++) {
            *map++ = source(a->mode, x->dims[i], k - begin[i]);
        }
    }
    pad_all(&p);
    return NM_OK;
}

const struct nmi_op nmi_op_Pad = {.name = "Pad",
                                  .domain = "",
                                  .since = 2,
                                  .min_in = 1,
                                  .max_in = 4,
                                  .min_out = 1,
                                  .max_out = 1,
                                  .types = NMI_T_MOVE,
                                  .shape_inputs = 1 << 1 | 1 << 3,
                                  .attr_bytes = sizeof(struct nmi_pad_attrs),
                                  .attr = pad_attr,
                                  .finish = finish_pad,
                                  .infer = infer_pad,
                                  .eval = eval_pad,
                                  .scratch = pad_scratch,
                                  .doc = "modes constant, reflect, edge"};
