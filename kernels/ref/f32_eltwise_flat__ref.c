/* SPDX-License-Identifier: Apache-2.0 */
/* y = act(a op b) over flat floats; y may be a, or b where that is as long. Max and min give NaN
 * when a is NaN. */
#include "kernels/ref/ref.h"

static const char *refuse(const union nmi_desc *desc)
{
    (void)desc;
    return NULL;
}

static int parts_of(const union nmi_desc *desc, const void *packed, int threads)
{
    (void)packed;
    return nmi_ref_parts(desc->eltwise.count, threads);
}

static void combine(int32_t op, const float *a, const float *b, float *y, int64_t count)
{
    switch (op) {
    case NMI_ELT_ADD:
        for (int64_t i = 0; i < count; i++) {
            y[i] = a[i] + b[i];
        }
        break;
    case NMI_ELT_SUB:
        for (int64_t i = 0; i < count; i++) {
            y[i] = a[i] - b[i];
        }
        break;
    case NMI_ELT_MUL:
        for (int64_t i = 0; i < count; i++) {
            y[i] = a[i] * b[i];
        }
        break;
    case NMI_ELT_MAX:
        for (int64_t i = 0; i < count; i++) {
            y[i] = a[i] < b[i] ? b[i] : a[i];
        }
        break;
    case NMI_ELT_MIN:
        for (int64_t i = 0; i < count; i++) {
            y[i] = a[i] > b[i] ? b[i] : a[i];
        }
        break;
    default: /* NMI_ELT_COPY */
        for (int64_t i = 0; i < count; i++) {
            y[i] = a[i];
        }
        break;
    }
}

static void run(const union nmi_desc *desc, const struct nmi_kargs *args, int part, int parts)
{
    const struct nmi_eltwise_desc *d = &desc->eltwise;
    struct nmi_ref_range range = nmi_ref_split(d->count, part, parts);
    const float *b = d->op == NMI_ELT_COPY ? args->x : args->res;
    float *y = args->y + range.begin;
    if (d->op != NMI_ELT_COPY && d->period > 0) {
        for (int64_t i = range.begin; i < range.end; i++) {
            const float *repeated = b + i / (d->period * d->repeat) * d->period + i % d->period;
            combine(d->op, args->x + i, repeated, args->y + i, 1);
        }
    } else {
        combine(d->op, args->x + range.begin, b + range.begin, y, range.end - range.begin);
    }
    for (int64_t i = 0; d->act.kind != NMI_ACT_NONE && i < range.end - range.begin; i++) {
        y[i] = nmi_act_apply(d->act, y[i]);
    }
}

const struct nmi_kernel nmi_k_f32_eltwise_flat__ref = {
    .name = "f32_eltwise_flat__ref",
    .isa = NM_ISA_REF,
    .kind = NMI_KIND_ELTWISE,
    .refuse = refuse,
    .parts = parts_of,
    .run = run,
};
