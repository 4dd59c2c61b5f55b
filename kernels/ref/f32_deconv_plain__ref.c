/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transposed convolution, weights [ic][oc / groups][kh][kw]. Seen from the output: pixel oy takes
 * x[iy] w[ky] for every ky with iy stride = oy + pad - ky dilation.
 */
#include "kernels/ref/ref.h"

/* The input index along one axis, -1 when no input meets this output. */
static int64_t meet(int64_t reach, int32_t stride, int32_t size)
{
    if (reach < 0 || reach % stride != 0 || reach / stride >= size) {
        return -1;
    }
    return reach / stride;
}

static int64_t source(const struct nmi_conv_desc *d, int32_t oy, int32_t ox, int32_t ky, int32_t kx)
{
    int64_t y = meet((int64_t)oy + d->pad[0] - (int64_t)ky * d->dil_h, d->stride_h, d->x.h);
    int64_t x = meet((int64_t)ox + d->pad[1] - (int64_t)kx * d->dil_w, d->stride_w, d->x.w);
    return y < 0 || x < 0 ? -1 : y * d->x.w + x;
}

static void row(const struct nmi_conv_desc *d, const void *weights, int32_t oc, const double *tile,
                double *acc)
{
    int64_t window = (int64_t)d->kh * d->kw, each = d->y.c / d->groups;
    int32_t channels = d->x.c / d->groups, first = oc / (int32_t)each * channels;
    for (int32_t c = 0; c < channels; c++) {
        const float *w = (const float *)weights + ((first + c) * each + oc % each) * window;
        nmi_ref_dot(w, 1, tile + c * window * NMI_REF_TILE, window, acc);
    }
}

static void run(const union nmi_desc *desc, const struct nmi_kargs *args, int part, int parts)
{
    static const struct nmi_ref_conv op = {source, row};
    nmi_ref_conv_run(&op, &desc->conv, args, args->w, part, parts);
}

const struct nmi_kernel nmi_k_f32_deconv_plain__ref = {
    .name = "f32_deconv_plain__ref",
    .isa = NM_ISA_REF,
    .kind = NMI_KIND_DECONV,
    .refuse = nmi_ref_conv_refuse,
    .scratch_bytes = nmi_ref_conv_scratch,
    .parts = nmi_ref_conv_parts,
    .run = run,
};
