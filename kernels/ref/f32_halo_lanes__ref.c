/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fills the frame and the surplus lanes of a LANES image in place: a cell of the frame that lies
 * inside the map is a copy of the neighbour's edge, all else gets the fill value. Only cells that
 * no lane owns are written and only cells that a lane owns are read, so parts may run in any order.
 */
#include "kernels/ref/ref_lanes.h"

static const char *refuse(const union nmi_desc *desc)
{
    const struct nmi_layout *l = &desc->halo.x.layout;
    return l->kind == NMI_LANES && l->vl != 32 ? NULL : "lanes of floats only";
}

static int parts_of(const union nmi_desc *desc, const void *packed, int threads)
{
    (void)packed;
    return nmi_ref_parts(nmi_ref_planes(&desc->halo.x), threads);
}

static void run(const union nmi_desc *desc, const struct nmi_kargs *args, int part, int parts)
{
    const struct nmi_image *x = &desc->halo.x;
    struct nmi_ref_range range = nmi_ref_split(nmi_ref_planes(x), part, parts);
    int64_t cells = nmi_ref_cells(x);
    for (int64_t i = range.begin * cells; i < range.end * cells; i++) {
        struct nmi_ref_cell cell = nmi_ref_cell_at(x, i / cells, i % cells);
        if (!cell.in_map) {
            args->y[cell.at] = desc->halo.fill;
        } else if (!cell.owned) {
            args->y[cell.at] = args->y[nmi_image_at(x, cell.n, cell.c, cell.y, cell.x)];
        }
    }
}

const struct nmi_kernel nmi_k_f32_halo_lanes__ref = {
    .name = "f32_halo_lanes__ref",
    .isa = NM_ISA_REF,
    .kind = NMI_KIND_HALO,
    .refuse = refuse,
    .parts = parts_of,
    .run = run,
};
