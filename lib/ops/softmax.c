/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Softmax and LogSoftmax. From opset 13 on along one axis; before, all axes from `axis` on are one.
 * The maximum is taken off first, so that exp cannot overflow. NaN in a line makes the line NaN.
 */
#include "lib/ops/attrs.h"
#include "lib/ops/helpers.h"

#include <math.h>
#include <stddef.h>

static const struct nmi_attr attrs_table[] = {{.name = "axis",
                                               .kind = NMI_ATTR_INT,
                                               .since = 1,
                                               .until = 12,
                                               .offset = offsetof(struct nmi_axis_attrs, axis),
                                               .def = 1,
                                               .min = -NMI_MAX_DIMS,
                                               .max = NMI_MAX_DIMS},
                                              {.name = "axis",
                                               .kind = NMI_ATTR_INT,
                                               .since = 13,
                                               .offset = offsetof(struct nmi_axis_attrs, axis),
                                               .def = -1,
                                               .min = -NMI_MAX_DIMS,
                                               .max = NMI_MAX_DIMS},
                                              {0}};

static nm_status finish(void *attrs, int32_t opset, const char *node, nm_error *err)
{
    (void)node;
    (void)err;
    ((struct nmi_axis_attrs *)attrs)->legacy = opset < 13;
    return NM_OK;
}

static nm_status axis_of(const struct nmi_axis_attrs *a, int32_t rank, int32_t *axis, nm_error *err)
{
    if (a->legacy != 0 && a->axis == rank) { /* a matrix with rows of one element */
        *axis = rank;
        return NM_OK;
    }
    return nmi_axis(a->axis, rank, axis, err);
}

static nm_status infer(struct nmi_infer *in, nm_error *err)
{
    int32_t axis;
    if (in->in[0]->rank >= 0) {
        NMI_TRY(axis_of(in->attrs, in->in[0]->rank, &axis, err));
    }
    return nmi_infer_same(in, err);
}

/* ---- lines of neighbouring elements ------------------------------------------------------------
 */

static void line(const float *x, float *y, int64_t count, bool log_of)
{
    float max = -INFINITY;
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        max = x[i] > max ? x[i] : max;
    }
    for (int64_t i = 0; i < count; i++) {
        y[i] = expf(x[i] - max);
        sum += (double)y[i];
    }
    if (log_of) {
        float log_sum = (float)log(sum);
        for (int64_t i = 0; i < count; i++) {
            y[i] = x[i] - max - log_sum;
        }
        return;
    }
    float scale = (float)(1 / sum);
    for (int64_t i = 0; i < count; i++) {
        y[i] *= scale;
    }
}

/* ---- lines with a stride: many side by side -----------------------------------------------------
 */

enum { CHUNK = 128 };

/* Lines that start at x[0 .. width), with `count` elements each, `step` apart. */
static void columns(const float *x, float *y, int64_t count, int64_t step, int64_t width,
                    bool log_of)
{
    float max[CHUNK], last[CHUNK];
    double sum[CHUNK] = {0};
    for (int64_t i = 0; i < width; i++) {
        max[i] = -INFINITY;
    }
    for (int64_t k = 0; k < count; k++) {
        for (int64_t i = 0; i < width; i++) {
            max[i] = x[k * step + i] > max[i] ? x[k * step + i] : max[i];
        }
    }
    for (int64_t k = 0; k < count; k++) {
        for (int64_t i = 0; i < width; i++) {
            y[k * step + i] = expf(x[k * step + i] - max[i]);
            sum[i] += (double)y[k * step + i];
        }
    }
    for (int64_t i = 0; i < width; i++) {
        last[i] = (float)(log_of ? log(sum[i]) : 1 / sum[i]);
    }
    for (int64_t k = 0; k < count; k++) {
        for (int64_t i = 0; i < width; i++) {
            float at = log_of ? x[k * step + i] - max[i] - last[i] : y[k * step + i] * last[i];
            y[k * step + i] = at;
        }
    }
}

static nm_status run(const struct nmi_eval *e, bool log_of, nm_error *err)
{
    const struct nmi_axis_attrs *a = e->attrs;
    const struct nmi_tensor *x = e->in[0];
    int32_t axis;
    NMI_TRY(axis_of(a, x->rank, &axis, err));
    int32_t end = a->legacy != 0 ? x->rank : axis + 1;
    int64_t outer = nmi_span_count(x->dims, 0, axis), count = nmi_span_count(x->dims, axis, end);
    int64_t inner = nmi_span_count(x->dims, end, x->rank);
    for (int64_t o = 0; o < outer; o++) {
        const float *from = (const float *)x->data + o * count * inner;
        float *to = (float *)e->out[0].data + o * count * inner;
        if (inner == 1) {
            line(from, to, count, log_of);
            continue;
        }
        for (int64_t i = 0; i < inner; i += CHUNK) {
            int64_t width = inner - i < CHUNK ? inner - i : CHUNK;
            columns(from + i, to + i, count, inner, width, log_of);
        }
    }
    return NM_OK;
}

static nm_status softmax_eval(const struct nmi_eval *e, nm_error *err)
{
    return run(e, false, err);
}

static nm_status log_softmax_eval(const struct nmi_eval *e, nm_error *err)
{
    return run(e, true, err);
}

#define SOFTMAX(label, evaluate)                                                                   \
    {                                                                                              \
        .name = label, .domain = "", .since = 1, .min_in = 1, .max_in = 1, .min_out = 1,           \
        .max_out = 1, .types = NMI_T_FLOAT, .attr_bytes = sizeof(struct nmi_axis_attrs),           \
        .attr = attrs_table, .finish = finish, .infer = infer, .eval = evaluate, .doc = ""         \
    }

const struct nmi_op nmi_op_Softmax = SOFTMAX("Softmax", softmax_eval);
const struct nmi_op nmi_op_LogSoftmax = SOFTMAX("LogSoftmax", log_softmax_eval);
