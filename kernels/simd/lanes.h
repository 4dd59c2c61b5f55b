/* SPDX-License-Identifier: Apache-2.0 */
/* LANES images as vector kernels see them: planes, lanes inside the map, the frame. */
#ifndef NM_KERNELS_SIMD_LANES_H
#define NM_KERNELS_SIMD_LANES_H

#include "kernels/simd/elements.h"

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
    return image->layout.kind == LANES_KIND && image->layout.vl == LANES &&
           nmi_image_bytes(image) != 0;
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
    return ((l->halo[0] + y) * l->pitch + l->halo[1] + x) * LANES;
}

/* Lane i of a group holds these rows and columns of its sub-image; none when its image is not in
 * the batch. Counts may exceed the sub-image or be negative. */
struct lane {
    int32_t image, y, x; /* its first element */
    int32_t rows, cols;
};
INLINE void lanes_make(const struct nmi_image *image, int64_t group, struct lane lane[LANES])
{
    const struct nmi_layout *l = &image->layout;
    for (int i = 0; i < LANES; i++) {
        const int cell = i % (l->gy * l->gx);
        const int32_t y = cell / l->gx * l->sub_h, x = cell % l->gx * l->sub_w;
        const int32_t n = (int32_t)group * nmi_layout_ipv(l) + i / (l->gy * l->gx);
        lane[i] = (struct lane){n, y, x, n < image->n ? image->h - y : 0, image->w - x};
    }
}

/* ---- the frame ---------------------------------------------------------------------------- */

/* A row or column of the frame or the sub-image: where its vectors come from, and the lanes that
 * their lanes come from, less (a column) their own number. Those of a row and a column add up; the
 * sum, of which only the low bits count as a number, is negative where that is inside the map. */
struct line {
    EI lane[LANES];
    int32_t from;
};
struct frame {
    const struct nmi_layout *layout;
    struct line *row, *col;
    int32_t full_rows, full_cols; /* of the sub-image: inside the map in every lane */
    EV fill;
};

INLINE size_t frame_bytes(const struct nmi_layout *l)
{
    const size_t rows = (size_t)l->halo[0] + (size_t)l->sub_h + (size_t)l->halo[2];
    const size_t cols = (size_t)l->halo[1] + (size_t)l->sub_w + (size_t)l->halo[3];
    return ((rows + cols) * sizeof(struct line) + 63) & ~(size_t)63;
}

INLINE int32_t at_most(int64_t value, int32_t most)
{
    return value < 0 ? 0 : value > most ? most : (int32_t)value;
}

/* A line of one axis that does not stay as it is; first: the map's line that lane i begins with. A
 * line outside in every lane comes from the nearest of the sub-image. */
INLINE void odd_line(struct line *line, const int64_t *first, const struct nmi_layout *l, int axis,
                     int32_t at, int32_t extent)
{
    const int32_t sub = axis ? l->sub_w : l->sub_h, step = axis ? 1 : l->gx;
    const int32_t move = at >= 0 ? at / sub : -((sub - 1 - at) / sub);
    bool any = false;
    for (int i = 0; i < LANES; i++) {
        const bool inside = first[i] + at >= 0 && first[i] + at < extent;
        line->lane[i] = (EI)(inside ? INSIDE + (axis ? 0 : i) + move * step : OUTSIDE);
        any |= inside;
    }
    line->from = l->halo[axis] + (any ? at - move * sub : at < 0 ? 0 : sub - 1);
}

/* One axis: before + sub + after lines of a map of `extent`. Returns how many lines of the sub-image
 * are inside the map in every lane. */
INLINE int32_t lines_make(struct line *line, const struct nmi_layout *l, int axis, int32_t extent)
{
    const int32_t sub = axis ? l->sub_w : l->sub_h, grid = axis ? l->gx : l->gy;
    const int32_t before = l->halo[axis], after = l->halo[axis + 2];
    const int32_t full = at_most(extent - (grid - (int64_t)1) * sub, sub);
    struct line even;
    int64_t first[LANES];
    for (int i = 0, y = 0, x = 0; i < LANES; i++) {
        first[i] = (int64_t)(axis ? x : y) * sub;
        even.lane[i] = (EI)(INSIDE + (axis ? 0 : i));
        x = x + 1 < l->gx ? x + 1 : 0;
        y = x > 0 ? y : y + 1 < l->gy ? y + 1 : 0;
    }
    for (int32_t at = -before; at < sub + after; at++) {
        if (at >= 0 && at < full) {
            even.from = before + at;
            line[before + at] = even;
        } else {
            odd_line(line + before + at, first, l, axis, at, extent);
        }
    }
    return full;
}

/* scratch: frame_bytes(). */
INLINE struct frame frame_make(const struct nmi_image *image, float fill, void *scratch)
{
    const struct nmi_layout *l = &image->layout;
    struct frame f = {.layout = l, .row = scratch, .fill = E_SET1(fill)};
    f.col = f.row + l->halo[0] + l->sub_h + l->halo[2];
    f.full_rows = lines_make(f.row, l, 0, image->h);
    f.full_cols = lines_make(f.col, l, 1, image->w);
    return f;
}

INLINE EV moved(const E *from, EVI lanes, EV fill)
{
    return E_BLEND(E_NEGATIVE(lanes), fill, E_PERMUTE(E_LD(from), lanes));
}

/* A cell in planes `stride` elements apart: what it is made of is the same in all. */
INLINE void frame_cell(const E *from, E *to, EVI lanes, EV fill, int planes, int64_t stride)
{
    for (int k = 0; k < planes; k++) {
        E_ST(to + k * stride, moved(from + k * stride, lanes, fill));
    }
}

/* What is not full of row r of sub-image and frame in some planes, from the interior of the row that
 * it comes from. */
INLINE void frame_row(const struct frame *f, int32_t r, const E *in, E *out, int planes,
                      int64_t stride)
{
    const struct nmi_layout *l = f->layout;
    const int64_t left = l->halo[1], right = left + f->full_cols;
    const int64_t cols = left + l->sub_w + l->halo[3];
    const EVI row = LDI(f->row[r].lane);
    const EV fill = f->fill; /* local copies: stores can't alias them */
    const struct line *col = f->col;
    for (int64_t c = 0; c < left; c++) {
        frame_cell(in + (col[c].from - left) * LANES, out + c * LANES,
                   E_ADDI(row, LDI(col[c].lane)), fill, planes, stride);
    }
    if (r < l->halo[0] || r >= l->halo[0] + f->full_rows) {
        for (int64_t c = left; c < right; c++) {
            frame_cell(in + (c - left) * LANES, out + c * LANES, row, fill, planes, stride);
        }
    }
    for (int64_t c = right; c < cols; c++) {
        frame_cell(in + (col[c].from - left) * LANES, out + c * LANES,
                   E_ADDI(row, LDI(col[c].lane)), fill, planes, stride);
    }
}

/* Frame and surplus lanes of some planes. */
INLINE void frame_fill_some(const struct frame *f, E *plane, int planes, int64_t stride)
{
    const struct nmi_layout *l = f->layout;
    const int32_t rows = l->halo[0] + l->sub_h + l->halo[2];
    for (int32_t r = 0; r < rows; r++) {
        const E *in = plane + ((int64_t)f->row[r].from * l->pitch + l->halo[1]) * LANES;
        frame_row(f, r, in, plane + (int64_t)r * l->pitch * LANES, planes, stride);
    }
}

enum { FRAME_PLANES = 4 };

INLINE void frame_fill(const struct frame *f, E *plane, int64_t planes)
{
    const int64_t stride = (int64_t)f->layout->plane * LANES;
    for (; planes >= FRAME_PLANES; planes -= FRAME_PLANES, plane += FRAME_PLANES * stride) {
        frame_fill_some(f, plane, FRAME_PLANES, stride);
    }
    for (; planes > 0; planes--, plane += stride) {
        frame_fill_some(f, plane, 1, stride);
    }
}

#endif
