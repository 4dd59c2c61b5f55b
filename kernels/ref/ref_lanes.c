/* SPDX-License-Identifier: Apache-2.0 */
/* Walks LANES images cell by cell; see the drawing of the layout in kernel.h. */
#include "kernels/ref/ref_lanes.h"

int64_t nmi_ref_planes(const struct nmi_image *image)
{
    int32_t each = nmi_layout_ipv(&image->layout);
    return (int64_t)((image->n + each - 1) / each) * image->c;
}

static int32_t frame_width(const struct nmi_layout *l)
{
    return l->halo[1] + l->sub_w + l->halo[3];
}

int64_t nmi_ref_cells(const struct nmi_image *image)
{
    const struct nmi_layout *l = &image->layout;
    return (int64_t)(l->halo[0] + l->sub_h + l->halo[2]) * frame_width(l) * l->vl;
}

struct nmi_ref_cell nmi_ref_cell_at(const struct nmi_image *image, int64_t plane, int64_t i)
{
    const struct nmi_layout *l = &image->layout;
    int32_t lane = (int32_t)(i % l->vl), grid = l->gy * l->gx, width = frame_width(l);
    int32_t row = (int32_t)(i / l->vl / width), col = (int32_t)(i / l->vl % width);
    int32_t vy = row - l->halo[0], vx = col - l->halo[1];
    size_t vector = (size_t)plane * (size_t)l->plane + (size_t)row * (size_t)l->pitch + (size_t)col;

    struct nmi_ref_cell cell = {.at = vector * l->vl + (size_t)lane};
    cell.n = (int32_t)(plane / image->c) * nmi_layout_ipv(l) + lane / grid;
    cell.c = (int32_t)(plane % image->c);
    cell.y = lane % grid / l->gx * l->sub_h + vy;
    cell.x = lane % l->gx * l->sub_w + vx;
    cell.in_map =
        cell.n < image->n && cell.y >= 0 && cell.y < image->h && cell.x >= 0 && cell.x < image->w;
    cell.owned = vy >= 0 && vy < l->sub_h && vx >= 0 && vx < l->sub_w;
    return cell;
}
