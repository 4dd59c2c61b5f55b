/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax and layer normalisation of lines of floats, sums in double; y may be x. */
#include "kernels/ref/ref.h"

#include <math.h>

static const char *refuse(const union nmi_desc *desc)
{
    return desc->norm.lines < 0 || desc->norm.count < 1 ? "empty lines" : NULL;
}

static int parts_of(const union nmi_desc *desc, const void *packed, int threads)
{
    (void)packed;
    return nmi_ref_parts(desc->norm.lines, threads);
}

static void softmax(const float *x, float *y, int64_t count)
{
    double max = -(double)INFINITY, sum = 0;
    for (int64_t i = 0; i < count; i++) {
        max = (double)x[i] > max ? (double)x[i] : max;
    }
    for (int64_t i = 0; i < count; i++) {
        sum += exp((double)x[i] - max);
    }
    for (int64_t i = 0; i < count; i++) {
        y[i] = (float)(exp((double)x[i] - max) / sum);
    }
}

static void layer(const struct nmi_norm_desc *d, const struct nmi_kargs *args, const float *x,
                  float *y)
{
    double mean = 0, variance = 0;
    for (int64_t i = 0; i < d->count; i++) {
        mean += (double)x[i] / (double)d->count;
    }
    for (int64_t i = 0; i < d->count; i++) {
        variance += ((double)x[i] - mean) * ((double)x[i] - mean) / (double)d->count;
    }
    for (int64_t i = 0; i < d->count; i++) {
        const double normal = ((double)x[i] - mean) / sqrt(variance + (double)d->epsilon);
        y[i] = (float)(normal * (double)args->w[i] + (d->bias ? (double)args->bias[i] : 0));
    }
}

static void run(const union nmi_desc *desc, const struct nmi_kargs *args, int part, int parts)
{
    const struct nmi_norm_desc *d = &desc->norm;
    struct nmi_ref_range range = nmi_ref_split(d->lines, part, parts);
    for (int64_t i = range.begin; i < range.end; i++) {
        if (d->op == NMI_NORM_SOFTMAX) {
            softmax(args->x + i * d->count, args->y + i * d->count, d->count);
        } else {
            layer(d, args, args->x + i * d->count, args->y + i * d->count);
        }
    }
}

const struct nmi_kernel nmi_k_f32_norm_plain__ref = {
    .name = "f32_norm_plain__ref",
    .isa = NM_ISA_REF,
    .kind = NMI_KIND_NORM,
    .refuse = refuse,
    .parts = parts_of,
    .run = run,
};
