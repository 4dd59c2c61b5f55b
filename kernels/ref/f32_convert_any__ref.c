/* SPDX-License-Identifier: Apache-2.0 */
/* From any layout, but those of bfloat16, to any. Lanes: frame and surplus lanes as after a halo pass. Blocked:
 * channels beyond C become zero. */
#include "kernels/ref/ref_lanes.h"

static const char *refuse(const union nmi_desc *desc)
{
    const struct nmi_image *from = &desc->convert.from, *to = &desc->convert.to;
    bool same = from->n == to->n && from->c == to->c && from->h == to->h && from->w == to->w;
    if (nmi_layout_bf16(from->layout.kind) || nmi_layout_bf16(to->layout.kind)) {
        return "images of bfloat16 are not done";
    }
    return same ? NULL : "images of the same shape only";
}

static int64_t stored_channels(const struct nmi_image *image)
{
    int32_t block = nmi_layout_block(image->layout.kind);
    return ((int64_t)image->c + block - 1) / block * block;
}

/* Units of work: planes of the target. */
static int64_t units_of(const struct nmi_image *to)
{
    return nmi_in_lanes(to->layout.kind) ? nmi_ref_planes(to) : to->n * stored_channels(to);
}

static int parts_of(const union nmi_desc *desc, const void *packed, int threads)
{
    (void)packed;
    return nmi_ref_parts(units_of(&desc->convert.to), threads);
}

static void to_lanes(const struct nmi_convert_desc *d, const struct nmi_kargs *args, int64_t plane)
{
    int64_t cells = nmi_ref_cells(&d->to);
    for (int64_t i = 0; i < cells; i++) {
        struct nmi_ref_cell cell = nmi_ref_cell_at(&d->to, plane, i);
        float v = d->fill;
        if (cell.in_map) {
            v = nmi_ref_get(&d->from, args->x,
                            nmi_image_at(&d->from, cell.n, cell.c, cell.y, cell.x));
        }
        nmi_ref_put(&d->to, args->y, cell.at, v);
    }
}

static void to_other(const struct nmi_convert_desc *d, const struct nmi_kargs *args, int64_t unit)
{
    int32_t n = (int32_t)(unit / stored_channels(&d->to));
    int32_t c = (int32_t)(unit % stored_channels(&d->to));
    int32_t lane = c % nmi_layout_block(d->to.layout.kind); /* index arithmetic stays within the image's channels */
    int64_t map = (int64_t)d->to.h * d->to.w;
    for (int64_t i = 0; i < map; i++) {
        int32_t y = (int32_t)(i / d->to.w), x = (int32_t)(i % d->to.w);
        size_t at = nmi_image_at(&d->to, n, c - lane, y, x) + (size_t)lane;
        args->y[at] =
            c < d->to.c ? nmi_ref_get(&d->from, args->x, nmi_image_at(&d->from, n, c, y, x)) : 0.0f;
    }
}

static void run(const union nmi_desc *desc, const struct nmi_kargs *args, int part, int parts)
{
    const struct nmi_convert_desc *d = &desc->convert;
    struct nmi_ref_range range = nmi_ref_split(units_of(&d->to), part, parts);
    for (int64_t unit = range.begin; unit < range.end; unit++) {
        if (nmi_in_lanes(d->to.layout.kind)) {
            to_lanes(d, args, unit);
        } else {
            to_other(d, args, unit);
        }
    }
}

const struct nmi_kernel nmi_k_f32_convert_any__ref = {
    .name = "f32_convert_any__ref",
    .isa = NM_ISA_REF,
    .kind = NMI_KIND_CONVERT,
    .refuse = refuse,
    .parts = parts_of,
    .run = run,
};
