/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From one grid of lanes to another. A vector is put together (a mosaic) from lanes of a few vectors
 * of the source; the frame is filled behind it, or is a mosaic too where its elements are not of
 * this kind. Where images part all is gathered. Lanes of float16 are done VL at a time, and one of
 * the two sides may be LANES of floats.
 */
#ifndef NM_KERNELS_SIMD_MOSAIC_H
#define NM_KERNELS_SIMD_MOSAIC_H

#include "kernels/simd/lanes.h"

/* A line of the target's frame: where its elements lie in the source, lane by lane; and the lines of
 * the source that they come from, with the lanes (bits) that each gives. */
struct source {
    int32_t at[VL], lane[VL];
    int32_t n, from[VL], bits[VL];
};

static bool both_lanes(const struct nmi_convert_desc *d)
{
    return nmi_in_lanes(d->from.layout.kind) && nmi_in_lanes(d->to.layout.kind);
}

static bool other_grid(const struct nmi_convert_desc *d)
{
    return both_lanes(d) && !nmi_layout_same_lanes(&d->from.layout, &d->to.layout);
}

static int32_t frame_rows(const struct nmi_layout *l)
{
    return l->halo[0] + l->sub_h + l->halo[2];
}
static int32_t frame_cols(const struct nmi_layout *l)
{
    return l->halo[1] + l->sub_w + l->halo[3];
}

/* The lines of both axes, for each VL lanes of the target. */
static size_t sources_bytes(const struct nmi_convert_desc *d)
{
    const struct nmi_layout *l = &d->to.layout;
    const size_t lines = (size_t)frame_rows(l) + (size_t)frame_cols(l);
    return (lines * (l->vl / VL) * sizeof(struct source) + 63) & ~(size_t)63;
}

/* Both have as many images a vector: a plane's elements lie in one plane of the source. */
static bool permutes(const struct nmi_convert_desc *d)
{
    return nmi_layout_ipv(&d->from.layout) == nmi_layout_ipv(&d->to.layout);
}

/* Lane i comes from the source's line `from`. */
static void source_add(struct source *s, int i, int32_t from)
{
    int32_t k = 0;
    while (k < s->n && s->from[k] != from) {
        k++;
    }
    if (k == s->n) {
        s->from[s->n++] = from;
        s->bits[k] = 0;
    }
    s->bits[k] |= 1 << i;
}

/* Where the lines of the frame of one axis lie in the other grid, for the VL lanes from `first`. */
static void sources_make(const struct nmi_convert_desc *d, int axis, int32_t first,
                         struct source *source)
{
    const struct nmi_layout *to = &d->to.layout, *from = &d->from.layout;
    const int32_t sub = axis ? to->sub_w : to->sub_h,
                  count = to->halo[axis] + sub + to->halo[axis + 2];
    const int32_t extent = axis ? d->to.w : d->to.h, part = axis ? from->sub_w : from->sub_h;
    const int32_t step = axis ? 1 : from->pitch, lanes = axis ? 1 : from->gx;
    for (int32_t j = 0; j < count; j++) {
        source[j].n = 0;
        for (int i = 0; i < VL; i++) {
            const int32_t cell = (first + i) % (to->gy * to->gx);
            const int64_t place =
                (int64_t)(axis ? cell % to->gx : cell / to->gx) * sub + j - to->halo[axis];
            const int32_t at = at_most(place, extent - 1); /* outside: masked */
            const int32_t line = (from->halo[axis] + at % part) * step * from->vl;
            source[j].lane[i] = at / part * lanes;
            source[j].at[i] = line + source[j].lane[i];
            if (place == at) {
                source_add(&source[j], i, line);
            }
        }
    }
}

/* ---- as many images ------------------------------------------------------------------------- */

/* What a vector of the target is made of: lanes (mask) of vectors `from`, permuted by index. */
struct mosaic {
    VI index;
    VM mask[VL];
    int64_t from[VL];
    int32_t n;
};

/* Lanes that come from the second VL of the source's. */
INLINE uint32_t second_half(VI index)
{
#ifdef HALF
    return _mm512_test_epi32_mask(index, SET1I(VL));
#else
    (void)index;
    return 0;
#endif
}

static void mosaic_make(struct mosaic *m, const struct source *row, const struct source *col,
                        uint32_t images, VI image)
{
    m->n = 0;
    m->index = ADDI(image, ADDI(LDI(row->lane), LDI(col->lane)));
    const uint32_t second = second_half(m->index);
    for (int32_t i = 0; i < row->n; i++) {
        for (int32_t k = 0; k < col->n; k++) {
            const uint32_t both = (uint32_t)(row->bits[i] & col->bits[k]) & images;
            for (int32_t half = 0; half < LANES; half += VL) {
                const uint32_t bits = both & (half ? second : ~second);
                if (bits != 0) {
                    m->mask[m->n] = LANES_OF(bits);
                    m->from[m->n++] = row->from[i] + col->from[k] + half;
                }
            }
        }
    }
}

/* Planes that are put together: in and out, floats or not, elements from plane to plane. */
struct planes {
    const void *in;
    void *out;
    int64_t in_plane, out_plane;
};

INLINE V planes_get(const void *p, int64_t at, const bool floats)
{
    return floats ? LD((const float *)p + at) : elements_get((const E *)p + at);
}

INLINE void planes_put(void *p, int64_t at, V v, const bool floats)
{
    if (floats) {
        ST((float *)p + at, v);
    } else {
        elements_put((E *)p + at, v);
    }
}

/* Planes [first, first + count) of a vector that lies at `at`. */
INLINE void mosaic_put(const struct mosaic *m, V fill, const struct planes *p, int64_t at,
                       int64_t first, const int count, const bool from_floats, const bool to_floats)
{
    V v[FRAME_PLANES];
    for (int k = 0; k < count; k++) {
        v[k] = fill;
    }
    for (int32_t i = 0; i < m->n; i++) {
        for (int k = 0; k < count; k++) {
            const V part = planes_get(p->in, (first + k) * p->in_plane + m->from[i], from_floats);
            v[k] = PERMUTE_MASK(v[k], m->mask[i], part, m->index);
        }
    }
    for (int k = 0; k < count; k++) {
        planes_put(p->out, (first + k) * p->out_plane + at, v[k], to_floats);
    }
}

struct grids {
    const struct nmi_convert_desc *d;
    const void *x;
    void *y;
    const struct source *row, *col; /* row: of all VL lanes, one after the other; so col */
    const struct frame *frame;      /* of this kind's target */
    bool frame_apart;               /* else it is a mosaic too */
    V fill;
};

/* VL lanes, from lane `first` on, of some planes of one group. */
INLINE void run_mosaics(const struct grids *g, int64_t unit, int64_t count, int32_t first,
                        const bool from_floats, const bool to_floats)
{
    const struct nmi_image *to = &g->d->to;
    const struct nmi_layout *l = &to->layout, *from = &g->d->from.layout;
    const int32_t rows = frame_rows(l), cols = frame_cols(l), ipv = nmi_layout_ipv(l);
    const struct source *row = g->row + (int64_t)first / VL * rows;
    const struct source *col = g->col + (int64_t)first / VL * cols;
    struct planes p = {.in_plane = (int64_t)from->plane * from->vl,
                       .out_plane = (int64_t)l->plane * l->vl};
    int32_t image[VL];
    uint32_t images = 0;
    for (int i = 0; i < VL; i++) {
        const int32_t n = (first + i) / (l->gy * l->gx);
        image[i] = n * from->gy * from->gx;
        images |= (uint32_t)(unit / to->c * ipv + n < to->n) << i;
    }
    p.in = from_floats ? (const void *)((const float *)g->x + unit * p.in_plane)
                       : (const void *)((const E *)g->x + unit * p.in_plane);
    p.out = to_floats ? (void *)((float *)g->y + unit * p.out_plane)
                      : (void *)((E *)g->y + unit * p.out_plane);
    const bool all = !g->frame_apart;
    const int32_t top = all ? 0 : l->halo[0], bottom = all ? rows : top + l->sub_h;
    const int32_t left = all ? 0 : l->halo[1], right = all ? cols : left + l->sub_w;
    for (int32_t r = top; r < bottom; r++) {
        for (int32_t c = left; c < right; c++) {
            const int64_t at = ((int64_t)r * l->pitch + c) * l->vl + first;
            struct mosaic m;
            int64_t k = 0;
            mosaic_make(&m, &row[r], &col[c], images, LDI(image));
            for (; k + FRAME_PLANES <= count; k += FRAME_PLANES) {
                mosaic_put(&m, g->fill, &p, at, k, FRAME_PLANES, from_floats, to_floats);
            }
            for (; k < count; k++) {
                mosaic_put(&m, g->fill, &p, at, k, 1, from_floats, to_floats);
            }
        }
    }
}

#ifdef HALF
static void run_some(const struct grids *g, int64_t unit, int64_t count)
{
    if (g->d->to.layout.kind == NMI_LANES) {
        run_mosaics(g, unit, count, 0, false, true);
        return;
    }
    for (int32_t first = 0; first < LANES; first += VL) {
        if (g->d->from.layout.kind == NMI_LANES) {
            run_mosaics(g, unit, count, first, true, false);
        } else {
            run_mosaics(g, unit, count, first, false, false);
        }
    }
}
#else
static void run_some(const struct grids *g, int64_t unit, int64_t count)
{
    run_mosaics(g, unit, count, 0, true, true);
}
#endif

/* Planes at a time, so that what is read again is still in the L2 cache. */
enum { MOSAIC_PLANES = 4 * FRAME_PLANES };

static void run_all_mosaics(const struct grids *g, struct range units)
{
    const int64_t c = g->d->to.c;
    for (int64_t unit = units.begin, next; unit < units.end; unit = next) {
        const int64_t group = (unit / c + 1) * c, some = unit + MOSAIC_PLANES;
        next = some < group ? some : group;
        next = next < units.end ? next : units.end;
        run_some(g, unit, next - unit);
        if (g->frame_apart) {
            frame_fill(g->frame, (E *)g->y + unit * g->d->to.layout.plane * LANES, next - unit);
        }
    }
}

/* ---- more or fewer images ------------------------------------------------------------------- */

#ifdef HALF
static const char *grids_refuse(const struct nmi_convert_desc *d)
{
    return permutes(d) ? NULL : "float16 images stay with as many in a vector";
}
#else
/* Indices of a gather have 32 bits: those of the images that share a target's group. */
static const char *grids_refuse(const struct nmi_convert_desc *d)
{
    const int64_t planes = (int64_t)nmi_layout_ipv(&d->to.layout) * d->from.c;
    return permutes(d) || planes < INT32_MAX / VL / d->from.layout.plane
               ? NULL
               : "the images of a group lie too far apart for 32-bit indices";
}

/* Every vector of the frame is gathered. Indices of rows and columns add up. */
static void run_gather(const struct grids *g, int64_t unit)
{
    const struct nmi_image *from = &g->d->from, *to = &g->d->to;
    const struct nmi_layout *l = &to->layout;
    const int32_t rows = frame_rows(l), cols = frame_cols(l);
    const int64_t plane = from->layout.plane * (int64_t)VL, ipv = nmi_layout_ipv(&from->layout);
    struct lane lane[VL];
    int32_t image[VL], absent[VL];
    lanes_make(to, unit / to->c, lane);
    const int64_t group = lane->image / ipv;
    for (int i = 0; i < VL; i++) {
        const int64_t n = lane[i].image;
        const int64_t cell = n % ipv * from->layout.gy * from->layout.gx;
        image[i] = (int32_t)((n / ipv - group) * from->c * plane + cell);
        absent[i] = n < to->n ? 0 : OUTSIDE;
    }
    const float *in = (const float *)g->x + (group * from->c + unit % to->c) * plane;
    float *out = (float *)g->y + unit * l->plane * VL;
    for (int32_t r = 0; r < rows; r++) {
        const VI row = ADDI(LDI(image), LDI(g->row[r].at));
        const VI lanes = ADDI(LDI(absent), LDI(g->frame->row[r].lane));
        for (int32_t c = 0; c < cols; c++) {
            const VM inside = NEGATIVE(ADDI(lanes, LDI(g->frame->col[c].lane)));
            const VI index = ADDI(row, LDI(g->col[c].at));
            ST(out + ((int64_t)r * l->pitch + c) * VL, GATHER_MASK(g->fill, in, index, inside));
        }
    }
}
#endif

/* ---- all -------------------------------------------------------------------------------------- */

/* scratch: sources_bytes(), then the frame's. */
static void run_grids(const struct nmi_convert_desc *d, const struct nmi_kargs *args,
                      struct range units, char *scratch)
{
    const int32_t rows = frame_rows(&d->to.layout), cols = frame_cols(&d->to.layout);
    const int32_t parts = d->to.layout.vl / VL;
    struct source *row = (struct source *)(void *)scratch, *col = row + (int64_t)parts * rows;
    struct grids g = {
        .d = d, .x = args->x, .y = args->y, .row = row, .col = col, .fill = SET1(d->fill)};
    struct frame frame;
    if (is_lanes(&d->to)) {
        frame = frame_make(&d->to, d->fill, scratch + sources_bytes(d));
        g.frame = &frame;
        g.frame_apart = rows > d->to.layout.sub_h || cols > d->to.layout.sub_w;
    }
    for (int32_t k = 0; k < parts; k++) {
        sources_make(d, 0, k * VL, row + (int64_t)k * rows);
        sources_make(d, 1, k * VL, col + (int64_t)k * cols);
    }
    if (permutes(d)) {
        run_all_mosaics(&g, units);
        return;
    }
#ifndef HALF
    for (int64_t unit = units.begin; unit < units.end; unit++) {
        run_gather(&g, unit);
    }
#endif
}

#endif
