/* SPDX-License-Identifier: Apache-2.0 */
/* LayerNormalization: each line of the axes from `axis` on gets mean 0 and variance 1, then scale
 * and bias, which broadcast to it. Sums are made in double, whatever stash_type says. */
#include "lib/ops/attrs.h"
#include "lib/ops/helpers.h"
#include "lib/ops/moments.h"

#include <float.h>
#include <math.h>
#include <stddef.h>

static const struct nmi_attr attrs_table[] = {
    {.name = "axis",
     .kind = NMI_ATTR_INT,
     .since = 17,
     .offset = offsetof(struct nmi_layer_norm_attrs, axis),
     .def = -1,
     .min = -NMI_MAX_DIMS,
     .max = NMI_MAX_DIMS},
    {.name = "epsilon",
     .kind = NMI_ATTR_FLOAT,
     .since = 17,
     .offset = offsetof(struct nmi_layer_norm_attrs, epsilon),
     .def = 1e-5,
     .min = 0,
     .max = FLT_MAX},
    {.name = "stash_type", .kind = NMI_ATTR_IGNORED, .since = 17},
    {0}};

/* scale and bias must broadcast to the line, and not make it larger. */
static nm_status check_line(const struct nmi_infer *in, int32_t i, int32_t axis, nm_error *err)
{
    const struct nmi_fact *x = in->in[0], *f = nmi_infer_in(in, i);
    NMI_TRY(nmi_fact_types(in, i, NMI_T_FLOAT, err));
    if (f == NULL || f->rank < 0) {
        return NM_OK;
    }
    for (int32_t d = 0; d < f->rank; d++) { /* from the end */
        int64_t dim = f->dims[f->rank - 1 - d];
        int64_t line = d < x->rank - axis ? x->dims[x->rank - 1 - d] : 1;
        if (nmi_dim_known(dim) && dim != 1 && nmi_dim_known(line) && dim != line) {
            return nmi_fail(err, NM_ESHAPE, "input %d has %lld elements along an axis of %lld", i,
                            (long long)dim, (long long)line);
        }
    }
    return NM_OK;
}

static nm_status infer(struct nmi_infer *in, nm_error *err)
{
    const struct nmi_layer_norm_attrs *a = in->attrs;
    const struct nmi_fact *x = in->in[0];
    int32_t axis = 0;
    int64_t dims[NMI_MAX_DIMS];
    if (x->rank >= 0) {
        NMI_TRY(nmi_axis(a->axis, x->rank, &axis, err));
        NMI_TRY(check_line(in, 1, axis, err));
        NMI_TRY(check_line(in, 2, axis, err));
    }
    for (int32_t i = 0; i < x->rank; i++) {
        dims[i] = i < axis ? x->dims[i] : 1;
    }
    for (int32_t i = 1; i < in->n_out; i++) {
        nmi_fact_set(&in->out[i], NM_F32, x->rank, dims);
    }
    return nmi_infer_same(in, err);
}

enum { LANES = 4 }; /* sums side by side, so that one addition need not wait for the last */

static double sum_of_squares(const float *x, int64_t count, double mean)
{
    double sum[LANES] = {0}, rest = 0;
    int64_t whole = count - count % LANES;
    for (int64_t i = 0; i < whole; i += LANES) {
        for (int64_t k = 0; k < LANES; k++) {
            double d = (double)x[i + k] - mean;
            sum[k] += d * d;
        }
    }
    for (int64_t i = whole; i < count; i++) {
        rest += ((double)x[i] - mean) * ((double)x[i] - mean);
    }
    return (sum[0] + sum[1]) + (sum[2] + sum[3]) + rest;
}

static double sum_of(const float *x, int64_t count)
{
    double sum[LANES] = {0}, rest = 0;
    int64_t whole = count - count % LANES;
    for (int64_t i = 0; i < whole; i += LANES) {
        for (int64_t k = 0; k < LANES; k++) {
            sum[k] += (double)x[i + k];
        }
    }
    for (int64_t i = whole; i < count; i++) {
        rest += (double)x[i];
    }
    return (sum[0] + sum[1]) + (sum[2] + sum[3]) + rest;
}

struct nmi_moments nmi_moments_of(const float *x, int64_t count, double epsilon)
{
    double divisor = count > 0 ? (double)count : 1;
    double mean = sum_of(x, count) / divisor;
    double variance = sum_of_squares(x, count, mean) / divisor;
    return (struct nmi_moments){mean, 1 / sqrt(variance + epsilon)};
}

/* One line when scale and bias (or NULL) have all its elements. */
static void write_line(const float *x, float *y, int64_t count, struct nmi_moments m,
                       const float *scale, const float *bias)
{
    float mean = (float)m.mean, inverse = (float)m.inverse;
    if (bias != NULL) {
        for (int64_t i = 0; i < count; i++) {
            y[i] = (x[i] - mean) * inverse * scale[i] + bias[i];
        }
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        y[i] = (x[i] - mean) * inverse * scale[i];
    }
}

/* One line when they do not: walk their shapes along. */
static void write_broadcast(const struct nmi_eval *e, int32_t axis, const float *x, float *y,
                            struct nmi_moments m)
{
    const struct nmi_tensor *t = e->in[0], *scale = e->in[1], *bias = nmi_eval_in(e, 2);
    struct nmi_walk walk;
    struct nmi_walk_at at;
    int32_t skip; /* leading ones that reach beyond the line */
    nmi_walk_start(&walk, t->rank - axis, t->dims + axis);
    nmi_walk_broadcast(&walk, t->rank - axis, t->dims + axis);
    skip = scale->rank > walk.rank ? scale->rank - walk.rank : 0;
    nmi_walk_broadcast(&walk, scale->rank - skip, scale->dims + skip);
    const struct nmi_tensor *second = bias != NULL ? bias : scale;
    skip = second->rank > t->rank - axis ? second->rank - (t->rank - axis) : 0;
    nmi_walk_broadcast(&walk, second->rank - skip, second->dims + skip);
    for (bool more = nmi_walk_begin(&walk, &at); more; more = nmi_walk_next(&walk, &at)) {
        for (int64_t i = 0; i < walk.inner; i++) {
            int64_t at_x = at.offset[0] + i * nmi_walk_step(&walk, 0);
            int64_t at_scale = at.offset[1] + i * nmi_walk_step(&walk, 1);
            int64_t at_bias = at.offset[2] + i * nmi_walk_step(&walk, 2);
            double v = ((double)x[at_x] - m.mean) * m.inverse;
            v *= (double)((const float *)scale->data)[at_scale];
            v += bias != NULL ? (double)((const float *)bias->data)[at_bias] : 0;
            y[at_x] = (float)v;
        }
    }
}

static nm_status eval(const struct nmi_eval *e, nm_error *err)
{
    const struct nmi_layer_norm_attrs *a = e->attrs;
    const struct nmi_tensor *x = e->in[0], *scale = e->in[1], *bias = nmi_eval_in(e, 2);
    int32_t axis;
    NMI_TRY(nmi_axis(a->axis, x->rank, &axis, err));
    int64_t lines = nmi_span_count(x->dims, 0, axis);
    int64_t count = nmi_span_count(x->dims, axis, x->rank);
    bool whole = nmi_count(scale) == count && (bias == NULL || nmi_count(bias) == count);
    float *mean = e->n_out > 1 ? e->out[1].data : NULL;
    float *inverse = e->n_out > 2 ? e->out[2].data : NULL;
    for (int64_t i = 0; i < lines; i++) {
        const float *from = (const float *)x->data + i * count;
        float *to = (float *)e->out[0].data + i * count;
        struct nmi_moments m = nmi_moments_of(from, count, (double)a->epsilon);
        if (mean != NULL) {
            mean[i] = (float)m.mean;
        }
        if (inverse != NULL) {
            inverse[i] = (float)m.inverse;
        }
        if (e->out[0].data != NULL && whole) {
            write_line(from, to, count, m, scale->data, bias != NULL ? bias->data : NULL);
        } else if (e->out[0].data != NULL) {
            write_broadcast(e, axis, from, to, m);
        }
    }
    return NM_OK;
}

const struct nmi_op nmi_op_LayerNormalization = {
    .name = "LayerNormalization",
    .domain = "",
    .since = 17,
    .min_in = 2,
    .max_in = 3,
    .min_out = 1,
    .max_out = 3,
    .types = NMI_T_FLOAT,
    .attr_bytes = sizeof(struct nmi_layer_norm_attrs),
    .attr = attrs_table,
    .infer = infer,
    .eval = eval,
    .doc = "",
};
