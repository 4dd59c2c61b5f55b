/* SPDX-License-Identifier: Apache-2.0 */
/* LANES images as vector kernels see them: planes, lanes inside the map, the frame. */
#ifndef NM_KERNELS_SIMD_LANES_H
#define NM_KERNELS_SIMD_LANES_H

#include "kernels/simd/vec.h"

/* Units [begin, end) of a part. */
struct range {
    int64_t begin, end;
};
INLINE struct range split(int64_t units, int part, int parts)
{
    return (struct range){units * part / parts, units * (part + 1) / parts};
}
INLINE int fewer(int64_t units, int threads)
{
    return units < 1 ? 1 : units < threads ? (int)units : threads;
}

INLINE bool is_lanes(const struct nmi_image *image)
{
    return image->layout.kind == NMI_LANES && image->layout.vl == VL && nmi_image_bytes(image) != 0;
}
INLINE int64_t image_groups(const struct nmi_image *image)
{
    const int32_t ipv = nmi_layout_ipv(&image->layout);
    return image->n / ipv + (image->n % ipv != 0);
}
INLINE int64_t plane_count(const struct nmi_image *image)
{
    return image_groups(image) * image->c;
}
INLINE int64_t interior(const struct nmi_layout *l, int64_t y, int64_t x)
{
    return ((l->halo[0] + y) * l->pitch + l->halo[1] + x) * VL;
}

/* Lane i of a group holds these rows and columns of its sub-image; none when its image is not in
 * the batch. Counts may exceed the sub-image or be negative. */
struct lane {
    int32_t image, y, x; /* its first element */
    int32_t rows, cols;
};
INLINE void lanes_make(const struct nmi_image *image, int64_t group, struct lane lane[VL])
{
    const struct nmi_layout *l = &image->layout;
    for (int i = 0; i < VL; i++) {
        const int cell = i % (l->gy * l->gx);
        const int32_t y = cell / l->gx * l->sub_h, x = cell % l->gx * l->sub_w;
        const int32_t n = (int32_t)group * nmi_layout_ipv(l) + i / (l->gy * l->gx);
        lane[i] = (struct lane){n, y, x, n < image->n ? image->h - y : 0, image->w - x};
    }
}

/* ---- the frame ---------------------------------------------------------------------------- */

/* A row or column of the frame or the sub-image: where its vectors come from, by how many lanes
 * they move, and which lanes (-1) then lie inside the map. */
struct line {
    int32_t lanes[VL];
    int32_t from, shift;
};
struct frame {
    const struct nmi_layout *layout;
    struct line *row, *col;
    int32_t full_rows, full_cols; /* of the sub-image: inside the map in every lane */
    V fill;
};

INLINE size_t frame_bytes(const struct nmi_layout *l)
{
    const size_t rows = (size_t)l->halo[0] + (size_t)l->sub_h + (size_t)l->halo[2];
    const size_t cols = (size_t)l->halo[1] + (size_t)l->sub_w + (size_t)l->halo[3];
    return ((rows + cols) * sizeof(struct line) + 63) & ~(size_t)63;
}

/* One axis: before + sub + after lines of a map of `extent`; lanes differ by `step` along it. */
INLINE void lines_make(struct line *line, const struct nmi_layout *l, int axis, int32_t extent)
{
    const int32_t sub = axis ? l->sub_w : l->sub_h, before = l->halo[axis];
    const int32_t step = axis ? 1 : l->gx, count = before + sub + l->halo[axis + 2];
    for (int32_t j = 0; j < count; j++) {
        const int32_t at = j - before;
        const int32_t move = at >= 0 ? at / sub : -((sub - 1 - at) / sub);
        line[j].from = before + at - move * sub;
        line[j].shift = move * step;
        for (int i = 0; i < VL; i++) {
            const int32_t cell = i % (l->gy * l->gx);
            const int64_t place = (int64_t)(axis ? cell % l->gx : cell / l->gx) * sub + at;
            line[j].lanes[i] = place >= 0 && place < extent ? -1 : 0;
        }
    }
}

INLINE int32_t at_most(int64_t value, int32_t most)
{
    return value < 0 ? 0 : value > most ? most : (int32_t)value;
}

/* scratch: frame_bytes(). */
INLINE struct frame frame_make(const struct nmi_image *image, float fill, void *scratch)
{
    const struct nmi_layout *l = &image->layout;
    struct frame f = {.layout = l, .row = scratch, .fill = SET1(fill)};
    f.col = f.row + l->halo[0] + l->sub_h + l->halo[2];
    f.full_rows = at_most(image->h - (int64_t)(l->gy - 1) * l->sub_h, l->sub_h);
    f.full_cols = at_most(image->w - (int64_t)(l->gx - 1) * l->sub_w, l->sub_w);
    lines_make(f.row, l, 0, image->h);
    lines_make(f.col, l, 1, image->w);
    return f;
}

/* Cells of a row, in planes `stride` floats apart: what a cell is made of is the same in all. */
INLINE void frame_cells(const struct frame *f, float *plane, int planes, int64_t stride, int32_t row,
                        int32_t from, int32_t to)
{
    static const int32_t iota[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const struct nmi_layout *l = f->layout;
    const struct line *line = f->row + row;
    float *out = plane + (int64_t)row * l->pitch * VL;
    const float *in = plane + (int64_t)line->from * l->pitch * VL;
    const bool alone = l->gy * l->gx == 1; /* lanes are images: nothing comes from a neighbour */
    const VI lanes = LDI(line->lanes), index = ADDI(LDI(iota), SET1I(line->shift));
    for (int32_t c = from; c < to; c++) {
        const struct line *col = f->col + c;
        const VM inside = NEGATIVE(ANDI(lanes, LDI(col->lanes)));
        const VI source = ADDI(index, SET1I(col->shift)); /* wraps: such lanes are outside */
        const float *cell = in + (int64_t)col->from * VL;
        for (int k = 0; k < planes; k++) {
            const V v = alone ? f->fill : PERMUTE(LD(cell + k * stride), source);
            ST(out + (int64_t)c * VL + k * stride, BLEND(inside, f->fill, v));
        }
    }
}

/* Frame and surplus lanes of some planes. */
INLINE void frame_fill_some(const struct frame *f, float *plane, int planes, int64_t stride)
{
    const struct nmi_layout *l = f->layout;
    const int32_t rows = l->halo[0] + l->sub_h + l->halo[2];
    const int32_t cols = l->halo[1] + l->sub_w + l->halo[3];
    for (int32_t r = 0; r < rows; r++) {
        const int32_t y = r - l->halo[0];
        if (y < 0 || y >= f->full_rows) {
            frame_cells(f, plane, planes, stride, r, 0, cols);
        } else {
            frame_cells(f, plane, planes, stride, r, 0, l->halo[1]);
            frame_cells(f, plane, planes, stride, r, l->halo[1] + f->full_cols, cols);
        }
    }
}

enum { FRAME_PLANES = 4 };

INLINE void frame_fill(const struct frame *f, float *plane, int64_t planes)
{
    const int64_t stride = (int64_t)f->layout->plane * VL;
    for (; planes >= FRAME_PLANES; planes -= FRAME_PLANES, plane += FRAME_PLANES * stride) {
        frame_fill_some(f, plane, FRAME_PLANES, stride);
    }
    for (; planes > 0; planes--, plane += stride) {
        frame_fill_some(f, plane, 1, stride);
    }
}

#endif
