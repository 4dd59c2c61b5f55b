/* SPDX-License-Identifier: Apache-2.0 */
/* Global max and average pooling. NaN: as the pooling beside this. */
#include "kernels/ref/ref.h"

#include <math.h>

static const char *refuse(const union nmi_desc *desc)
{
    return nmi_ref_plain(&desc->gpool.x) ? NULL : "plain layouts only";
}

static int parts_of(const union nmi_desc *desc, const void *packed, int threads)
{
    (void)packed;
    return nmi_ref_parts((int64_t)desc->gpool.x.n * desc->gpool.x.c, threads);
}

static float mean_of(const float *map, int64_t count)
{
    double sum = 0.0;
    for (int64_t i = 0; i < count; i++) {
        sum += (double)map[i];
    }
    return count > 0 ? (float)(sum / (double)count) : 0.0f;
}

static float max_of(const float *map, int64_t count)
{
    float max = -INFINITY;
    for (int64_t i = 0; i < count; i++) {
        max = map[i] > max ? map[i] : max;
    }
    return max;
}

static void run(const union nmi_desc *desc, const struct nmi_kargs *args, int part, int parts)
{
    const struct nmi_gpool_desc *d = &desc->gpool;
    int64_t count = (int64_t)d->x.h * d->x.w;
    struct nmi_ref_range range = nmi_ref_split((int64_t)d->x.n * d->x.c, part, parts);
    for (int64_t unit = range.begin; unit < range.end; unit++) {
        const float *map = args->x + unit * count;
        args->y[unit] = d->average ? mean_of(map, count) : max_of(map, count);
    }
}

const struct nmi_kernel nmi_k_f32_gpool_plain__ref = {
    .name = "f32_gpool_plain__ref",
    .isa = NM_ISA_REF,
    .kind = NMI_KIND_GPOOL,
    .refuse = refuse,
    .parts = parts_of,
    .run = run,
};
