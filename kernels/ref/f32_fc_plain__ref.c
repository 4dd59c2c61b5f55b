/* SPDX-License-Identifier: Apache-2.0 */
/* Fully connected layer with CSR weights. A unit of work is one output neuron for all images. */
#include "kernels/ref/ref.h"

static const char *refuse(const union nmi_desc *desc)
{
    (void)desc;
    return NULL;
}

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

static int parts_of(const union nmi_desc *desc, const void *packed, int threads)
{
    (void)packed;
    return nmi_ref_parts(desc->fc.m, threads);
}

static void run(const union nmi_desc *desc, const struct nmi_kargs *args, int part, int parts)
{
    const struct nmi_fc_desc *d = &desc->fc;
    struct nmi_csr w = nmi_ref_csr_view(args->packed);
    struct nmi_ref_range range = nmi_ref_split(d->m, part, parts);
    for (int64_t n = 0; n < d->n; n++) {
        const float *x = args->x + n * d->k;
        for (int64_t m = range.begin; m < range.end; m++) {
            double acc = d->bias ? (double)args->bias[m] : 0.0;
            for (int32_t i = w.row_start[m]; i < w.row_start[m + 1]; i++) {
                acc += (double)w.val[i] * (double)x[w.col[i]];
            }
            args->y[n * d->m + m] = nmi_act_apply(d->act, (float)acc);
        }
    }
}

const struct nmi_kernel nmi_k_f32_fc_plain__ref = {
    .name = "f32_fc_plain__ref",
    .isa = NM_ISA_REF,
    .kind = NMI_KIND_FC,
    .refuse = refuse,
    .packed_bytes = packed_bytes,
    .pack = pack,
    .parts = parts_of,
    .run = run,
};
