/* SPDX-License-Identifier: Apache-2.0 */
/* Dense convolution, any groups, strides, dilations and pads: the meaning of CONV. */
#include "kernels/ref/ref.h"

static void row(const struct nmi_conv_desc *d, const void *weights, int32_t oc, const double *tile,
                double *acc)
{
    int64_t terms = nmi_ref_conv_terms(d);
    nmi_ref_dot((const float *)weights + oc * terms, 1, tile, terms, acc);
}

static void run(const union nmi_desc *desc, const struct nmi_kargs *args, int part, int parts)
{
    static const struct nmi_ref_conv op = {nmi_ref_conv_source, row};
    nmi_ref_conv_run(&op, &desc->conv, args, args->w, part, parts);
}

const struct nmi_kernel nmi_k_f32_conv_plain__ref = {
    .name = "f32_conv_plain__ref",
    .isa = NM_ISA_REF,
    .kind = NMI_KIND_CONV,
    .refuse = nmi_ref_conv_refuse,
    .scratch_bytes = nmi_ref_conv_scratch,
    .parts = nmi_ref_conv_parts,
    .run = run,
};
