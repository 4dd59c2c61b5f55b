/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a node whose shapes are known to the descriptor that kernels understand, and from there to
 * the reference kernel. Kernels count in 32 bits: what does not fit is NM_ELIMIT here.
 */
#include "lib/base/checked.h"
#include "lib/ops/helpers.h"
#include "lib/ops/window.h"

static nm_status image_of(const struct nmi_tensor *t, const char *node, struct nmi_image *image,
                          nm_error *err)
{
    for (int32_t i = 0; i < t->rank; i++) {
        if (t->dims[i] < 0 || t->dims[i] > INT32_MAX) {
            return nmi_fail(err, NM_ELIMIT, "node %s: a dimension of %lld is beyond 2^31 - 1", node,
                            (long long)t->dims[i]);
        }
    }
    bool flat = t->rank == 3;
    *image = (struct nmi_image){.n = (int32_t)t->dims[0],
                                .c = (int32_t)t->dims[1],
                                .h = flat ? 1 : (int32_t)t->dims[2],
                                .w = (int32_t)t->dims[flat ? 2 : 3]};
    return NM_OK;
}

/* w may be NULL. */
static nm_status images_of(const struct nmi_tensor *x, const struct nmi_tensor *w,
                           const struct nmi_tensor *y, const char *node, struct nmi_image *x_image,
                           struct nmi_image *y_image, nm_error *err)
{
    NMI_TRY(nmi_window_rank(x->rank, node, err));
    if (y->rank != x->rank || (w != NULL && w->rank != x->rank)) {
        return nmi_fail(err, NM_ESHAPE, "node %s: output or weight has rank %d, expected %d", node,
                        y->rank != x->rank ? y->rank : w->rank, x->rank);
    }
    NMI_TRY(image_of(x, node, x_image, err));
    return image_of(y, node, y_image, err);
}

/* Pads that SAME makes may be as large as the window, whose size is below 2^31. */
static void pads_of(const struct nmi_window *window, int32_t pad[4])
{
    pad[0] = (int32_t)window->pad_begin[0];
    pad[1] = (int32_t)window->pad_begin[1];
    pad[2] = (int32_t)window->pad_end[0];
    pad[3] = (int32_t)window->pad_end[1];
}

static nm_status check_out(const struct nmi_window *window, const struct nmi_image *y,
                           const char *node, nm_error *err)
{
    if (y->h == window->out[0] && y->w == window->out[1]) {
        return NM_OK;
    }
    return nmi_fail(err, NM_ESHAPE, "node %s: output map is %d x %d, expected %lld x %lld", node,
                    y->h, y->w, (long long)window->out[0], (long long)window->out[1]);
}

/* ---- convolution ------------------------------------------------------------------------------
 */

static nm_status conv_common(const struct nmi_conv_attrs *attrs, const struct nmi_window *window,
                             bool bias, const char *node, struct nmi_conv_desc *d, nm_error *err)
{
    NMI_TRY(check_out(window, &d->y, node, err));
    d->groups = (int32_t)attrs->group;
    d->kh = (int32_t)window->kernel[0];
    d->kw = (int32_t)window->kernel[1];
    d->stride_h = (int32_t)window->stride[0];
    d->stride_w = (int32_t)window->stride[1];
    d->dil_h = (int32_t)window->dilation[0];
    d->dil_w = (int32_t)window->dilation[1];
    pads_of(window, d->pad);
    d->act = attrs->act;
    d->bias = bias;
    d->residual = attrs->residual != 0;
    int64_t cells = (int64_t)d->kh * d->kw, terms;
    if (cells > INT32_MAX || !nmi_mul_i64(cells, d->x.c / d->groups, &terms) || terms > INT32_MAX) {
        return nmi_fail(err, NM_ELIMIT, "node %s: one output has more than 2^31 - 1 terms", node);
    }
    return NM_OK;
}

static nm_status check_channels(int64_t made, int64_t expected, const char *node, nm_error *err)
{
    if (made != expected) {
        return nmi_fail(err, NM_ESHAPE, "node %s: output has %lld channels, expected %lld", node,
                        (long long)made, (long long)expected);
    }
    return NM_OK;
}

nm_status nmi_conv_describe(const struct nmi_conv_attrs *attrs, const struct nmi_tensor *x,
                            const struct nmi_tensor *w, const struct nmi_tensor *y, bool bias,
                            const char *node, struct nmi_conv_desc *desc, nm_error *err)
{
    struct nmi_window window;
    *desc = (struct nmi_conv_desc){0};
    NMI_TRY(images_of(x, w, y, node, &desc->x, &desc->y, err));
    NMI_TRY(check_channels(y->dims[1], w->dims[0], node, err));
    NMI_TRY(nmi_conv_window(attrs, x->rank, x->dims, w->dims, &window, node, err));
    return conv_common(attrs, &window, bias, node, desc, err);
}

nm_status nmi_deconv_describe(const struct nmi_conv_attrs *attrs, const struct nmi_tensor *x,
                              const struct nmi_tensor *w, const struct nmi_tensor *y, bool bias,
                              const char *node, struct nmi_conv_desc *desc, nm_error *err)
{
    struct nmi_window window;
    int64_t channels;
    *desc = (struct nmi_conv_desc){0};
    NMI_TRY(images_of(x, w, y, node, &desc->x, &desc->y, err));
    NMI_TRY(nmi_deconv_window(attrs, x->rank, x->dims, w->dims, &window, node, err));
    NMI_TRY(nmi_deconv_channels(attrs, w->dims[1], &channels, err));
    NMI_TRY(check_channels(y->dims[1], channels, node, err));
    return conv_common(attrs, &window, bias, node, desc, err);
}

/* ---- pooling ----------------------------------------------------------------------------------
 */

nm_status nmi_pool_describe(uint16_t op, const struct nmi_pool_attrs *attrs,
                            const struct nmi_tensor *x, const struct nmi_tensor *y,
                            const char *node, struct nmi_pool_desc *desc, nm_error *err)
{
    struct nmi_window window;
    *desc = (struct nmi_pool_desc){.average = op == NMI_OP_AveragePool,
                                   .include_pad = attrs->count_include_pad != 0};
    NMI_TRY(images_of(x, NULL, y, node, &desc->x, &desc->y, err));
    NMI_TRY(nmi_window_resolve(&attrs->kernel_shape, &attrs->strides, &attrs->dilations,
                               &attrs->pads, attrs->auto_pad, attrs->ceil_mode, x->rank - 2,
                               x->dims + 2, &window, node, err));
    NMI_TRY(check_out(&window, &desc->y, node, err));
    desc->kh = (int32_t)window.kernel[0];
    desc->kw = (int32_t)window.kernel[1];
    desc->stride_h = (int32_t)window.stride[0];
    desc->stride_w = (int32_t)window.stride[1];
    desc->dil_h = (int32_t)window.dilation[0];
    desc->dil_w = (int32_t)window.dilation[1];
    pads_of(&window, desc->pad);
    return NM_OK;
}

/* ---- reference --------------------------------------------------------------------------------
 */

nm_status nmi_reference_run(int32_t kind, const union nmi_desc *desc, const struct nmi_kargs *args,
                            nm_error *err)
{
    const char *reason = NULL;
    const struct nmi_kernel *kernel = nmi_kernel_find(kind, NM_ISA_REF, desc, &reason);
    if (kernel == NULL) {
        return nmi_fail(err, NM_EINTERNAL, "no reference kernel of kind %d: %s", kind,
                        reason != NULL ? reason : "none is listed");
    }
    kernel->run(desc, args, 0, 1);
    return NM_OK;
}

size_t nmi_reference_scratch(int32_t kind, const union nmi_desc *desc)
{
    const struct nmi_kernel *kernel = nmi_kernel_find(kind, NM_ISA_REF, desc, NULL);
    return kernel != NULL && kernel->scratch_bytes != NULL ? kernel->scratch_bytes(desc, 1) : 0;
}
