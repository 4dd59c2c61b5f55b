/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fills the frame and the surplus lanes of an image in lanes in place: a cell of the frame that lies
 * inside the map is a copy of the neighbour's edge, all else gets the fill value. Only cells that
 * no lane owns are written and only cells that a lane owns are read, so parts may run in any order.
 */
#include "kernels/ref/ref_lanes.h"

static const char *refuse(const union nmi_desc *desc)
{
    return nmi_in_lanes(desc->halo.x.layout.kind) ? NULL : "lanes only";
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
            nmi_ref_put(x, args->y, cell.at, desc->halo.fill);
        } else if (!cell.owned) {
            const size_t from = nmi_image_at(x, cell.n, cell.c, cell.y, cell.x);
            nmi_ref_put(x, args->y, cell.at, nmi_ref_get(x, args->y, from));
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
