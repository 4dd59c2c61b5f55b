/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dense matrix product: c = act(alpha op(a) op(b) + beta bias). A unit of work is 16 columns of one
 * batch: those columns of b become a tile of doubles, which every row of a is multiplied with.
 */
#include "kernels/ref/ref.h"

static const char *refuse(const union nmi_desc *desc)
{
    (void)desc;
    return NULL;
}

static int64_t tiles_of(const struct nmi_gemm_desc *d)
{
    return (d->n + NMI_REF_TILE - 1) / NMI_REF_TILE;
}

static size_t tile_bytes(const struct nmi_gemm_desc *d)
{
    return (size_t)d->k * NMI_REF_TILE * sizeof(double);
}

static size_t scratch_bytes(const union nmi_desc *desc, int parts)
{
    return tile_bytes(&desc->gemm) * (size_t)parts;
}

static int parts_of(const union nmi_desc *desc, const void *packed, int threads)
{
    (void)packed;
    return nmi_ref_parts(tiles_of(&desc->gemm) * desc->gemm.batch, threads);
}

static void gather(const struct nmi_gemm_desc *d, const float *b, int64_t column, int64_t live,
                   double *tile)
{
    int64_t down = d->trans_b ? 1 : d->n, right = d->trans_b ? d->k : 1;
    for (int64_t k = 0; k < d->k; k++) {
        for (int64_t t = 0; t < NMI_REF_TILE; t++) {
            tile[k * NMI_REF_TILE + t] =
                t < live ? (double)b[k * down + (column + t) * right] : 0.0;
        }
    }
}

static double bias_at(const struct nmi_gemm_desc *d, const float *bias, int64_t m, int64_t n)
{
    switch (d->bias_rank) {
    case 1:
        return (double)bias[n];
    case 2:
        return (double)bias[m * d->n + n];
    case -1:
        return (double)bias[0];
    case -2:
        return (double)bias[m];
    default:
        return 0.0;
    }
}

static void multiply(const struct nmi_gemm_desc *d, const struct nmi_kargs *args, int64_t unit,
                     double *tile)
{
    int64_t batch = unit / tiles_of(d), column = unit % tiles_of(d) * NMI_REF_TILE;
    int64_t live = d->n - column < NMI_REF_TILE ? d->n - column : NMI_REF_TILE;
    const float *a = args->x + batch * d->stride_a;
    float *c = args->y + batch * d->stride_c;
    int64_t down = d->trans_a ? 1 : d->k, right = d->trans_a ? d->m : 1;

    gather(d, args->w + batch * d->stride_b, column, live, tile);
    for (int64_t m = 0; m < d->m; m++) {
        double acc[NMI_REF_TILE] = {0};
        nmi_ref_dot(a + m * down, right, tile, d->k, acc);
        for (int64_t t = 0; t < live; t++) {
            double value = (double)d->alpha * acc[t];
            value += (double)d->beta * bias_at(d, args->bias, m, column + t);
            c[m * d->n + column + t] = nmi_act_apply(d->act, (float)value);
        }
    }
}

static void run(const union nmi_desc *desc, const struct nmi_kargs *args, int part, int parts)
{
    const struct nmi_gemm_desc *d = &desc->gemm;
    double *tile = (double *)((char *)args->scratch + tile_bytes(d) * (size_t)part);
    struct nmi_ref_range range = nmi_ref_split(tiles_of(d) * d->batch, part, parts);
    for (int64_t unit = range.begin; unit < range.end; unit++) {
        multiply(d, args, unit, tile);
    }
}

const struct nmi_kernel nmi_k_f32_gemm_plain__ref = {
    .name = "f32_gemm_plain__ref",
    .isa = NM_ISA_REF,
    .kind = NMI_KIND_GEMM,
    .refuse = refuse,
    .scratch_bytes = scratch_bytes,
    .parts = parts_of,
    .run = run,
};
