/* SPDX-License-Identifier: Apache-2.0 */
/* Sparse convolution: the sums of CONV without the terms whose weight is not stored, in the same
 * order, and so the same bits for finite inputs. */
#include "kernels/ref/ref.h"

static size_t packed_bytes(const union nmi_desc *desc, const struct nmi_csr *w)
{
    (void)desc;
    return nmi_ref_csr_bytes(w);
}

static void pack(const union nmi_desc *desc, const struct nmi_csr *w, void *packed)
{
    (void)desc;
    nmi_ref_csr_pack(w, packed);
}

static void row(const struct nmi_conv_desc *d, const void *weights, int32_t oc, const double *tile,
                double *acc)
{
    (void)d;
    const struct nmi_csr *w = weights;
    for (int32_t i = w->row_start[oc]; i < w->row_start[oc + 1]; i++) {
        nmi_ref_dot(w->val + i, 1, tile + (int64_t)w->col[i] * NMI_REF_TILE, 1, acc);
    }
}

static void run(const union nmi_desc *desc, const struct nmi_kargs *args, int part, int parts)
{
    static const struct nmi_ref_conv op = {nmi_ref_conv_source, row};
    struct nmi_csr w = nmi_ref_csr_view(args->packed);
    nmi_ref_conv_run(&op, &desc->conv, args, &w, part, parts);
}

const struct nmi_kernel nmi_k_f32_spconv_plain__ref = {
    .name = "f32_spconv_plain__ref",
    .isa = NM_ISA_REF,
    .kind = NMI_KIND_SPCONV,
    .refuse = nmi_ref_conv_refuse,
    .packed_bytes = packed_bytes,
    .pack = pack,
    .scratch_bytes = nmi_ref_conv_scratch,
    .parts = nmi_ref_conv_parts,
    .run = run,
};
