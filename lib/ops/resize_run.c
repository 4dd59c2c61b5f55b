/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evaluates Resize and Upsample. For each line of the output the input lines that make it are
 * summed with their weights, then the line itself is resampled: no intermediate tensors, and loops
 * over neighbouring elements.
 */
#include "lib/ops/helpers.h"
#include "lib/ops/resize.h"

#include <string.h>

struct resize {
    const struct nmi_resize_attrs *attrs;
    struct nmi_resize_axis axis[NMI_MAX_DIMS];
    int64_t step[NMI_MAX_DIMS];  /* of the input, in elements */
    int64_t place[NMI_MAX_DIMS]; /* which output of each outer axis */
    int32_t outer;               /* axes that a line's place is made of */
    int64_t line;                /* elements of an input line */
    bool last;                   /* the line itself is resampled, by axis[outer] */
    float *sum;                  /* one input line */
};

static struct nmi_fact fact_of(const struct nmi_tensor *t)
{
    struct nmi_fact f = {.data = t->data};
    nmi_fact_set(&f, t->type, t->rank, t->dims);
    return f;
}

static const struct nmi_fact *tensor_at(const struct nmi_eval *e, int32_t i, struct nmi_fact *f)
{
    const struct nmi_tensor *t = i >= 0 ? nmi_eval_in(e, i) : NULL;
    if (t == NULL || (t->rank == 1 && t->dims[0] == 0)) {
        return NULL;
    }
    *f = fact_of(t);
    return f;
}

static size_t table_bytes(int64_t entries)
{
    return ((size_t)entries * sizeof(float) + 63) / 64 * 64;
}

/* For each axis an index and a weight table, then one line. */
size_t nmi_resize_scratch(const struct nmi_eval *e)
{
    const struct nmi_tensor *x = e->in[0];
    int64_t longest = 1, unchanged = 1;
    bool trailing = true;
    size_t bytes = 0;
    for (int32_t i = x->rank - 1; i >= 0; i--) {
        int64_t in = x->dims[i], out = e->out[0].dims[i];
        bytes += 2 * table_bytes(out * nmi_resize_most_taps(e->attrs, in, out));
        trailing = trailing && in == out;
        unchanged *= trailing ? in : 1;
        longest = in > longest ? in : longest;
    }
    return bytes + table_bytes(longest > unchanged ? longest : unchanged);
}

static void make_tables(struct resize *r, int32_t rank, char *scratch_bytes)
{
    for (int32_t i = 0; i < rank; i++) {
        struct nmi_resize_axis *a = &r->axis[i];
        if (a->same) {
            continue;
        }
        size_t bytes = table_bytes(a->out * a->taps);
        a->index = (int32_t *)scratch_bytes;
        a->weight = (float *)(scratch_bytes + bytes);
        scratch_bytes += 2 * bytes;
        nmi_resize_table(r->attrs, a);
    }
    r->sum = (float *)scratch_bytes;
}

/* Axes behind the last that changes are one line; if there are none, that axis is the line. */
static void choose_line(struct resize *r, int32_t rank)
{
    int32_t end = rank;
    r->line = 1;
    while (end > 0 && r->axis[end - 1].same) {
        r->line *= r->axis[--end].in;
    }
    r->last = end > 0 && r->line == 1;
    r->outer = r->last ? end - 1 : end;
    r->line = r->last ? r->axis[end - 1].in : r->line;
}

static nm_status prepare(const struct nmi_eval *e, bool upsample, struct resize *r, nm_error *err)
{
    const struct nmi_tensor *x = e->in[0];
    struct nmi_resize_roles roles = nmi_resize_roles(upsample, e->opset);
    struct nmi_fact roi, scales, sizes;
    struct nmi_resize_request request;
    bool known;
    *r = (struct resize){.attrs = e->attrs};
    NMI_TRY(nmi_resize_read(e->attrs, tensor_at(e, roles.roi, &roi),
                            tensor_at(e, roles.scales, &scales), tensor_at(e, roles.sizes, &sizes),
                            &request, &known, err));
    NMI_TRY(nmi_resize_axes(e->attrs, x->rank, x->dims, &request, r->axis, err));
    for (int32_t i = 0; i < x->rank; i++) {
        if (r->axis[i].out != e->out[0].dims[i]) {
            return nmi_fail(err, NM_ESHAPE, "node %s: axis %d becomes %lld, not %lld", e->name, i,
                            (long long)r->axis[i].out, (long long)e->out[0].dims[i]);
        }
    }
    nmi_strides(x->rank, x->dims, r->step);
    make_tables(r, x->rank, e->scratch);
    choose_line(r, x->rank);
    return NM_OK;
}

/* Goes to the next output line; false after the last. */
static bool next_place(struct resize *r)
{
    for (int32_t i = r->outer - 1; i >= 0; i--) {
        if (++r->place[i] < r->axis[i].out) {
            return true;
        }
        r->place[i] = 0;
    }
    return false;
}

/* The offset of the input line that tap[i] of each outer axis names, and its weight. False: outside
 * the region of interest. */
static bool source_line(const struct resize *r, const int64_t *tap, int64_t *offset, float *weight)
{
    *offset = 0;
    *weight = 1;
    for (int32_t i = 0; i < r->outer; i++) {
        const struct nmi_resize_axis *a = &r->axis[i];
        int64_t at = r->place[i];
        if (!a->same && a->index[at * a->taps] < 0) {
            return false;
        }
        if (!a->same && r->attrs->mode != NMI_RESIZE_NEAREST) {
            *weight *= a->weight[at * a->taps + tap[i]];
        }
        *offset += (a->same ? at : a->index[at * a->taps + tap[i]]) * r->step[i];
    }
    return true;
}

static bool next_tap(const struct resize *r, int64_t *tap)
{
    for (int32_t i = r->outer - 1; i >= 0; i--) {
        if (++tap[i] < r->axis[i].taps) {
            return true;
        }
        tap[i] = 0;
    }
    return false;
}

/* The weighted sum of all input lines that make this output line; NULL: extrapolate. */
static const float *sum_lines(const struct resize *r, const float *x)
{
    int64_t tap[NMI_MAX_DIMS] = {0}, offset;
    float weight;
    bool first = true;
    do {
        if (!source_line(r, tap, &offset, &weight)) {
            return NULL;
        }
        const float *from = x + offset;
        for (int64_t i = 0; first && i < r->line; i++) {
            r->sum[i] = weight * from[i];
        }
        for (int64_t i = 0; !first && i < r->line; i++) {
            r->sum[i] += weight * from[i];
        }
        first = false;
    } while (next_tap(r, tap));
    return r->sum;
}

/* Linear without a region of interest: what networks use. */
static void resample_pairs(const struct nmi_resize_axis *a, const float *line, float *y)
{
    for (int64_t i = 0; i < a->out; i++) {
        const int32_t *index = a->index + 2 * i;
        const float *weight = a->weight + 2 * i;
        y[i] = weight[0] * line[index[0]] + weight[1] * line[index[1]];
    }
}

static void resample(const struct nmi_resize_axis *a, const float *line, float outside, float *y)
{
    for (int64_t i = 0; i < a->out; i++) {
        const int32_t *index = a->index + i * a->taps;
        const float *weight = a->weight + i * a->taps;
        float sum = 0;
        for (int64_t t = 0; index[0] >= 0 && t < a->taps; t++) {
            sum += weight[t] * line[index[t]];
        }
        y[i] = index[0] >= 0 ? sum : outside;
    }
}

static void interpolate(struct resize *r, const float *x, float *y)
{
    float outside = r->attrs->extrapolation;
    const struct nmi_resize_axis *last = &r->axis[r->outer];
    int64_t width = r->last ? last->out : r->line;
    bool pairs = last->taps == 2 && r->attrs->coordinate != NMI_TF_CROP_AND_RESIZE;
    do {
        const float *line = sum_lines(r, x);
        if (line == NULL) {
            for (int64_t i = 0; i < width; i++) {
                y[i] = outside;
            }
        } else if (r->last && pairs) {
            resample_pairs(last, line, y);
        } else if (r->last) {
            resample(last, line, outside, y);
        } else {
            memcpy(y, line, (size_t)width * sizeof *y);
        }
        y += width;
    } while (next_place(r));
}

/* ---- nearest: elements of any type are copied
 * ---------------------------------------------------- */

#define PICK(type)                                                                                 \
    for (int64_t i = 0; i < n; i++) {                                                              \
        ((type *)y)[i] = ((const type *)x)[index[i]];                                              \
    }

static void pick(const void *x, const int32_t *index, int64_t n, size_t size, void *y)
{
    switch (size) {
    case 1:
        PICK(uint8_t)
        break;
    case 2:
        PICK(uint16_t)
        break;
    case 4:
        PICK(uint32_t)
        break;
    default:
        PICK(uint64_t)
        break;
    }
}

/* float32 only: a line with places outside the region of interest. */
static void pick_inside(const float *x, bool inside, const int32_t *index, int64_t n, float outside,
                        float *y)
{
    for (int64_t i = 0; i < n; i++) {
        int64_t at = index != NULL ? index[i] : i;
        y[i] = inside && at >= 0 ? x[at] : outside;
    }
}

static void copy_nearest(struct resize *r, const char *x, size_t size, char *y)
{
    static const int64_t no_taps[NMI_MAX_DIMS] = {0};
    const struct nmi_resize_axis *last = &r->axis[r->outer];
    bool crop = r->attrs->coordinate == NMI_TF_CROP_AND_RESIZE;
    int64_t width = r->last ? last->out : r->line;
    do {
        int64_t offset;
        float weight;
        bool inside = source_line(r, no_taps, &offset, &weight);
        const char *line = x + offset * (int64_t)size;
        if (crop) {
            pick_inside((const float *)line, inside, r->last ? last->index : NULL, width,
                        r->attrs->extrapolation, (float *)y);
        } else if (r->last) {
            pick(line, last->index, width, size, y);
        } else {
            memcpy(y, line, (size_t)width * size);
        }
        y += (size_t)width * size;
    } while (next_place(r));
}

static nm_status run(const struct nmi_eval *e, bool upsample, nm_error *err)
{
    struct resize r;
    NMI_TRY(prepare(e, upsample, &r, err));
    if (nmi_count(&e->out[0]) == 0) {
        return NM_OK;
    }
    if (r.attrs->mode == NMI_RESIZE_NEAREST) {
        copy_nearest(&r, e->in[0]->data, nm_type_size(e->in[0]->type), e->out[0].data);
    } else {
        interpolate(&r, e->in[0]->data, e->out[0].data);
    }
    return NM_OK;
}

nm_status nmi_resize_eval(const struct nmi_eval *e, nm_error *err)
{
    return run(e, false, err);
}

nm_status nmi_upsample_eval(const struct nmi_eval *e, nm_error *err)
{
    return run(e, true, err);
}

double nmi_resize_work(const struct nmi_eval *e)
{
    double taps = 1;
    for (int32_t i = 0; i < e->in[0]->rank; i++) {
        int64_t in = e->in[0]->dims[i], out = e->out[0].dims[i];
        taps *= in == out ? 1 : (double)nmi_resize_most_taps(e->attrs, in, out);
    }
    return (double)nmi_count(&e->out[0]) * (taps + 1);
}
