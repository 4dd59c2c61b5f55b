/* SPDX-License-Identifier: Apache-2.0 */
/* Conv and ConvTranspose, 1-D and 2-D: described for kernels, evaluated by the reference kernel. */
#include "lib/base/checked.h"
#include "lib/ops/helpers.h"
#include "lib/ops/window.h"

#include <stddef.h>

#define ATTR(field, attr_kind, ...)                                                                \
    {                                                                                              \
        .name = #field, .kind = attr_kind, .since = 1,                                             \
        .offset = offsetof(struct nmi_conv_attrs, field), __VA_ARGS__                              \
    }
#define COMMON_ATTRS                                                                               \
    ATTR(auto_pad, NMI_ATTR_ENUM, .choices = "NOTSET|SAME_UPPER|SAME_LOWER|VALID"),                \
        ATTR(dilations, NMI_ATTR_INTS, .min = 1, .max = INT32_MAX),                                \
        ATTR(group, NMI_ATTR_INT, .def = 1, .min = 1, .max = INT32_MAX),                           \
        ATTR(kernel_shape, NMI_ATTR_INTS, .min = 1, .max = INT32_MAX),                             \
        ATTR(pads, NMI_ATTR_INTS, .min = 0, .max = INT32_MAX),                                     \
        ATTR(strides, NMI_ATTR_INTS, .min = 1, .max = INT32_MAX)

static const struct nmi_attr conv_attrs[] = {COMMON_ATTRS, {0}};
static const struct nmi_attr deconv_attrs[] = {
    COMMON_ATTRS,
    ATTR(output_padding, NMI_ATTR_INTS, .min = 0, .max = INT32_MAX),
    ATTR(output_shape, NMI_ATTR_INTS, .min = 1, .max = INT32_MAX),
    {0}};

static nm_status finish(void *attrs, int32_t opset, const char *node, nm_error *err)
{
    (void)opset;
    const struct nmi_conv_attrs *a = attrs;
    return nmi_window_spatial(a->kernel_shape.n, node, err);
}

/* ---- inference --------------------------------------------------------------------------------
 */

static bool differ(int64_t a, int64_t b)
{
    return nmi_dim_known(a) && nmi_dim_known(b) && a != b;
}

static nm_status check_bias(const struct nmi_infer *in, int64_t channels, nm_error *err)
{
    const struct nmi_fact *bias = nmi_infer_in(in, 2);
    if (bias == NULL || bias->rank < 0) {
        return NM_OK;
    }
    if (bias->rank != 1 || differ(bias->dims[0], channels)) {
        return nmi_fail(err, NM_ESHAPE, "bias has rank %d and %lld elements, expected %lld",
                        bias->rank, bias->rank == 1 ? (long long)bias->dims[0] : 0,
                        (long long)channels);
    }
    return NM_OK;
}

static nm_status check_residual(const struct nmi_infer *in, const struct nmi_fact *out,
                                nm_error *err)
{
    const struct nmi_fact *residual = nmi_infer_in(in, 3);
    bool same = residual == NULL || residual->rank < 0 || residual->rank == out->rank;
    for (int32_t i = 0; same && residual != NULL && i < residual->rank; i++) {
        same = !differ(residual->dims[i], out->dims[i]);
    }
    return same ? NM_OK : nmi_fail(err, NM_ESHAPE, "the residual does not have the output's shape");
}

/* Types and ranks; *known is false when ranks are missing, and then the output's is, too. */
static nm_status check_inputs(struct nmi_infer *in, bool *known, nm_error *err)
{
    const struct nmi_fact *x = in->in[0], *w = in->in[1];
    const struct nmi_conv_attrs *a = in->attrs;
    for (int32_t i = 1; i < in->n_in; i++) {
        NMI_TRY(nmi_fact_types(in, i, NMI_T_FLOAT, err));
    }
    if ((a->residual != 0) != (nmi_infer_in(in, 3) != NULL)) {
        return nmi_fail(err, NM_EFORMAT, "a fourth input without a residual, or none with one");
    }
    nmi_fact_set(&in->out[0], NM_F32, -1, NULL);
    if (x->rank >= 0) {
        NMI_TRY(nmi_window_rank(x->rank, NULL, err));
    }
    *known = x->rank >= 0 && w->rank >= 0;
    if (*known && w->rank != x->rank) {
        return nmi_fail(err, NM_ESHAPE, "weight has rank %d, expected %d as the input", w->rank,
                        x->rank);
    }
    return NM_OK;
}

static nm_status check_scale(const struct nmi_infer *in, int64_t channels, nm_error *err)
{
    const struct nmi_fact *scale = nmi_infer_in(in, NMI_CONV_SCALE);
    const bool fits = scale == NULL || (scale->rank == 1 && scale->dims[0] == channels);
    return fits ? NM_OK : nmi_fail(err, NM_ESHAPE, "the scale does not have one value a channel");
}

static nm_status set_output(struct nmi_infer *in, int64_t channels, const struct nmi_window *window,
                            nm_error *err)
{
    int32_t rank = in->in[0]->rank;
    int64_t dims[4] = {in->in[0]->dims[0], channels, window->out[rank == 3], window->out[1]};
    nmi_fact_set(&in->out[0], NM_F32, rank, dims);
    NMI_TRY(check_bias(in, channels, err));
    NMI_TRY(check_scale(in, channels, err));
    return check_residual(in, &in->out[0], err);
}

static nm_status conv_infer(struct nmi_infer *in, nm_error *err)
{
    const struct nmi_fact *x = in->in[0], *w = in->in[1];
    struct nmi_window window;
    bool known;
    NMI_TRY(check_inputs(in, &known, err));
    if (!known) {
        return NM_OK;
    }
    NMI_TRY(nmi_conv_window(in->attrs, x->rank, x->dims, w->dims, &window, NULL, err));
    return set_output(in, w->dims[0], &window, err);
}

nm_status nmi_deconv_channels(const struct nmi_conv_attrs *attrs, int64_t per_group, int64_t *out,
                              nm_error *err)
{
    *out = NMI_DIM_UNKNOWN;
    if (nmi_dim_known(per_group) && !nmi_mul_i64(per_group, attrs->group, out)) {
        return nmi_fail(err, NM_ELIMIT, "%lld groups of %lld channels: more than 2^63",
                        (long long)attrs->group, (long long)per_group);
    }
    return NM_OK;
}

static nm_status deconv_infer(struct nmi_infer *in, nm_error *err)
{
    const struct nmi_fact *x = in->in[0], *w = in->in[1];
    struct nmi_window window;
    int64_t channels;
    bool known;
    NMI_TRY(check_inputs(in, &known, err));
    if (!known) {
        return NM_OK;
    }
    NMI_TRY(nmi_deconv_window(in->attrs, x->rank, x->dims, w->dims, &window, NULL, err));
    NMI_TRY(nmi_deconv_channels(in->attrs, w->dims[1], &channels, err));
    return set_output(in, channels, &window, err);
}

/* ---- evaluation -------------------------------------------------------------------------------
 */

static nm_status describe(const struct nmi_eval *e, int32_t kind, union nmi_desc *desc,
                          nm_error *err)
{
    bool bias = nmi_eval_in(e, 2) != NULL;
    if (kind == NMI_KIND_DECONV) {
        return nmi_deconv_describe(e->attrs, e->in[0], e->in[1], &e->out[0], bias, e->name,
                                   &desc->conv, err);
    }
    return nmi_conv_describe(e->attrs, e->in[0], e->in[1], &e->out[0], bias, e->name, &desc->conv,
                             err);
}

void nmi_conv_scale_weights(const float *w, const float *scale, int64_t rows, int64_t cols,
                            float *to)
{
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t c = 0; c < cols; c++) {
            to[r * cols + c] = scale[r] * w[r * cols + c];
        }
    }
}

/* The weights with their scales in them: behind what the kernel needs of the scratch. */
static const float *scaled_weights(const struct nmi_eval *e, size_t at)
{
    const struct nmi_tensor *w = e->in[1], *scale = nmi_eval_in(e, NMI_CONV_SCALE);
    if (scale == NULL) {
        return w->data;
    }
    float *to = (float *)(void *)((char *)e->scratch + at);
    nmi_conv_scale_weights(w->data, scale->data, w->dims[0], nmi_span_count(w->dims, 1, w->rank),
                           to);
    return to;
}

static size_t kernel_scratch(int32_t kind, const union nmi_desc *desc)
{
    return (nmi_reference_scratch(kind, desc) + NMI_CACHE_LINE - 1) / NMI_CACHE_LINE *
           NMI_CACHE_LINE;
}

static nm_status eval(const struct nmi_eval *e, int32_t kind, nm_error *err)
{
    union nmi_desc desc;
    NMI_TRY(describe(e, kind, &desc, err));
    const struct nmi_tensor *bias = nmi_eval_in(e, 2), *residual = nmi_eval_in(e, 3);
    struct nmi_kargs args = {.x = e->in[0]->data,
                             .w = scaled_weights(e, kernel_scratch(kind, &desc)),
                             .bias = bias != NULL ? bias->data : NULL,
                             .res = residual != NULL ? residual->data : NULL,
                             .y = e->out[0].data,
                             .scratch = e->scratch};
    return nmi_reference_run(kind, &desc, &args, err);
}

static nm_status conv_eval(const struct nmi_eval *e, nm_error *err)
{
    return eval(e, NMI_KIND_CONV, err);
}

static nm_status deconv_eval(const struct nmi_eval *e, nm_error *err)
{
    return eval(e, NMI_KIND_DECONV, err);
}

static size_t scratch(const struct nmi_eval *e, int32_t kind)
{
    union nmi_desc desc;
    if (describe(e, kind, &desc, NULL) != NM_OK) {
        return 0;
    }
    const bool scaled = nmi_eval_in(e, NMI_CONV_SCALE) != NULL;
    return kernel_scratch(kind, &desc) + (scaled ? (size_t)nmi_count(e->in[1]) * sizeof(float) : 0);
}

static size_t conv_scratch(const struct nmi_eval *e)
{
    return scratch(e, NMI_KIND_CONV);
}

static size_t deconv_scratch(const struct nmi_eval *e)
{
    return scratch(e, NMI_KIND_DECONV);
}

/* Multiplications: each output (Conv) or input (ConvTranspose) meets one slice of the weight. */
static double conv_work(const struct nmi_eval *e)
{
    double slice = (double)nmi_span_count(e->in[1]->dims, 1, e->in[1]->rank);
    return (double)nmi_count(&e->out[0]) * (slice + 1);
}

static double deconv_work(const struct nmi_eval *e)
{
    double slice = (double)nmi_span_count(e->in[1]->dims, 1, e->in[1]->rank);
    return (double)nmi_count(e->in[0]) * (slice + 1) + (double)nmi_count(&e->out[0]);
}

const struct nmi_op nmi_op_Conv = {
    .name = "Conv",
    .domain = "",
    .since = 1,
    .min_in = 2,
    .max_in = 5, /* passes add a residual and a scale */
    .min_out = 1,
    .max_out = 1,
    .types = NMI_T_FLOAT,
    .flags = NMI_OP_BATCHED | NMI_OP_WEIGHTED,
    .attr_bytes = sizeof(struct nmi_conv_attrs),
    .attr = conv_attrs,
    .finish = finish,
    .infer = conv_infer,
    .eval = conv_eval,
    .scratch = conv_scratch,
    .work = conv_work,
    .doc = "1-D and 2-D",
};

const struct nmi_op nmi_op_ConvTranspose = {
    .name = "ConvTranspose",
    .domain = "",
    .since = 1,
    .min_in = 2,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .types = NMI_T_FLOAT,
    .flags = NMI_OP_BATCHED,
    .attr_bytes = sizeof(struct nmi_conv_attrs),
    .attr = deconv_attrs,
    .finish = finish,
    .infer = deconv_infer,
    .eval = deconv_eval,
    .scratch = deconv_scratch,
    .work = deconv_work,
    .doc = "1-D and 2-D",
};
