/* SPDX-License-Identifier: Apache-2.0 */
/* BatchNormalization (inference only) and InstanceNormalization: one scale and shift a channel. */
#include "lib/ops/attrs.h"
#include "lib/ops/helpers.h"
#include "lib/ops/moments.h"

#include <float.h>
#include <math.h>
#include <stddef.h>

#define ATTR(field, ...)                                                                           \
    {                                                                                              \
        .name = #field, .offset = offsetof(struct nmi_bn_attrs, field), __VA_ARGS__                \
    }
#define EPSILON                                                                                    \
    ATTR(epsilon, .since = 1, .kind = NMI_ATTR_FLOAT, .def = 1e-5, .min = 0, .max = FLT_MAX)

static const struct nmi_attr batch_attrs[] = {
    EPSILON,
    ATTR(momentum, .since = 1, .kind = NMI_ATTR_FLOAT, .def = 0.9, .min = -FLT_MAX, .max = FLT_MAX),
    ATTR(spatial, .since = 1, .until = 8, .kind = NMI_ATTR_INT, .def = 1, .min = 0, .max = 1),
    ATTR(training_mode, .since = 14, .kind = NMI_ATTR_INT, .min = 0, .max = 1),
    {0}};
static const struct nmi_attr instance_attrs[] = {EPSILON, {0}};

static nm_status finish(void *attrs, int32_t opset, const char *node, nm_error *err)
{
    const struct nmi_bn_attrs *a = attrs;
    if (a->training_mode != 0) {
        return nmi_fail(err, NM_EUNSUPPORTED, "node %s: training mode is not supported", node);
    }
    if (opset < 9 && a->spatial == 0) {
        return nmi_fail(err, NM_EUNSUPPORTED, "node %s: spatial = 0 is not supported", node);
    }
    return NM_OK;
}

/* Inputs from 1 on are vectors of one element a channel. */
static nm_status check_vectors(const struct nmi_infer *in, int64_t channels, nm_error *err)
{
    for (int32_t i = 1; i < in->n_in; i++) {
        const struct nmi_fact *f = in->in[i];
        NMI_TRY(nmi_fact_types(in, i, NMI_T_FLOAT, err));
        if (f == NULL || f->rank < 0) {
            continue;
        }
        bool fits = f->rank == 1 && (f->dims[0] == channels || !nmi_dim_known(f->dims[0]) ||
                                     !nmi_dim_known(channels));
        if (!fits) {
            return nmi_fail(err, NM_ESHAPE, "input %d has rank %d, expected %lld elements", i,
                            f->rank, (long long)channels);
        }
    }
    return NM_OK;
}

static nm_status infer_channels(struct nmi_infer *in, int32_t least, nm_error *err)
{
    const struct nmi_fact *x = in->in[0];
    if (x->rank >= 0 && x->rank < least) {
        return nmi_fail(err, NM_ESHAPE, "input has rank %d, expected %d or more", x->rank, least);
    }
    NMI_TRY(check_vectors(in, x->rank >= 2 ? x->dims[1] : NMI_DIM_UNKNOWN, err));
    return nmi_infer_same(in, err);
}

static nm_status batch_infer(struct nmi_infer *in, nm_error *err)
{
    for (int32_t i = 1; i < in->n_out; i++) {
        if (in->node->outputs[i] != NMI_NONE) {
            return nmi_fail(err, NM_EUNSUPPORTED,
                            "output %d exists in training mode only, which is not supported", i);
        }
        nmi_fact_set(&in->out[i], NM_F32, -1, NULL);
    }
    return infer_channels(in, 2, err);
}

static void scale_and_shift(const float *x, float *y, int64_t count, float mean, float scale,
                            float shift)
{
    for (int64_t i = 0; i < count; i++) {
        y[i] = (x[i] - mean) * scale + shift;
    }
}

static nm_status batch_eval(const struct nmi_eval *e, nm_error *err)
{
    (void)err;
    const struct nmi_bn_attrs *a = e->attrs;
    const struct nmi_tensor *x = e->in[0];
    const float *scale = e->in[1]->data, *shift = e->in[2]->data;
    const float *mean = e->in[3]->data, *variance = e->in[4]->data;
    int64_t channels = x->dims[1], map = nmi_span_count(x->dims, 2, x->rank);
    for (int64_t plane = 0; plane < x->dims[0] * channels; plane++) {
        int64_t c = plane % channels;
        double factor = (double)scale[c] / sqrt((double)variance[c] + (double)a->epsilon);
        scale_and_shift((const float *)x->data + plane * map, (float *)e->out[0].data + plane * map,
                        map, mean[c], (float)factor, shift[c]);
    }
    return NM_OK;
}

static nm_status instance_infer(struct nmi_infer *in, nm_error *err)
{
    return infer_channels(in, 3, err);
}

static nm_status instance_eval(const struct nmi_eval *e, nm_error *err)
{
    (void)err;
    const struct nmi_bn_attrs *a = e->attrs;
    const struct nmi_tensor *x = e->in[0];
    const float *scale = e->in[1]->data, *shift = e->in[2]->data;
    int64_t channels = x->dims[1], map = nmi_span_count(x->dims, 2, x->rank);
    for (int64_t plane = 0; plane < x->dims[0] * channels; plane++) {
        const float *from = (const float *)x->data + plane * map;
        struct nmi_moments m = nmi_moments_of(from, map, (double)a->epsilon);
        double factor = (double)scale[plane % channels] * m.inverse;
        scale_and_shift(from, (float *)e->out[0].data + plane * map, map, (float)m.mean,
                        (float)factor, shift[plane % channels]);
    }
    return NM_OK;
}

const struct nmi_op nmi_op_BatchNormalization = {
    .name = "BatchNormalization",
    .domain = "",
    .since = 7,
    .min_in = 5,
    .max_in = 5,
    .min_out = 1,
    .max_out = 5,
    .types = NMI_T_FLOAT,
    .flags = NMI_OP_BATCHED,
    .attr_bytes = sizeof(struct nmi_bn_attrs),
    .attr = batch_attrs,
    .finish = finish,
    .infer = batch_infer,
    .eval = batch_eval,
    .doc = "no training mode, no outputs but the first, no spatial = 0",
};

const struct nmi_op nmi_op_InstanceNormalization = {
    .name = "InstanceNormalization",
    .domain = "",
    .since = 6,
    .min_in = 3,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .types = NMI_T_FLOAT,
    .flags = NMI_OP_BATCHED,
    .attr_bytes = sizeof(struct nmi_bn_attrs),
    .attr = instance_attrs,
    .infer = instance_infer,
    .eval = instance_eval,
    .doc = "",
};
