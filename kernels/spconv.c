/* SPDX-License-Identifier: Apache-2.0 */
/* Refusal and packing of sparse convolutions in LANES. */
#include "kernels/spconv.h"

#include <string.h>

/* What a row of a block costs beside its nonzeros, in tenths of a nonzero: reading and writing a
 * partial sum that lives in L2. */
enum { NONZERO_COST = 10, ROW_COST = 36 };

/* ---- refusal ------------------------------------------------------------------------------ */

/* One axis: the frame must hold all that the windows of a lane's sub-image touch. */
static bool axis_fits(int64_t out_sub, int32_t in_sub, int32_t stride, int64_t reach,
                      const int32_t halo[2], int32_t pad)
{
    const int64_t last = stride * (out_sub - 1) - pad + reach;
    return in_sub == stride * out_sub && halo[0] >= pad &&
           last < (int64_t)in_sub + halo[1];
}

static bool frames_fit(const struct nmi_conv_desc *d)
{
    const struct nmi_layout *x = &d->x.layout, *y = &d->y.layout;
    const int32_t vertical[2] = {x->halo[0], x->halo[2]}, horizontal[2] = {x->halo[1], x->halo[3]};
    const int64_t high = (int64_t)y->sub_h * nmi_sp_pooled(d);
    const int64_t wide = (int64_t)y->sub_w * nmi_sp_pooled(d);
    return axis_fits(high, x->sub_h, d->stride_h, (int64_t)(d->kh - 1) * d->dil_h, vertical,
                     d->pad[0]) &&
           axis_fits(wide, x->sub_w, d->stride_w, (int64_t)(d->kw - 1) * d->dil_w, horizontal,
                     d->pad[1]);
}

/* Windows of 2 x 2 side by side that lie in the convolution's map. */
static bool pool_fits(const struct nmi_conv_desc *d)
{
    const struct nmi_conv_pool *p = &d->pool;
    const int64_t h = (int64_t)d->x.h + d->pad[0] + d->pad[2] - (int64_t)(d->kh - 1) * d->dil_h;
    const int64_t w = (int64_t)d->x.w + d->pad[1] + d->pad[3] - (int64_t)(d->kw - 1) * d->dil_w;
    return p->kh == 2 && p->kw == 2 && p->stride_h == 2 && p->stride_w == 2 && p->pad[0] == 0 &&
           p->pad[1] == 0 && p->pad[2] == 0 && p->pad[3] == 0 &&
           d->y.h == ((h - 1) / d->stride_h + 1) / 2 && d->y.w == ((w - 1) / d->stride_w + 1) / 2;
}

const char *nmi_spconv_refuse(const struct nmi_conv_desc *d, int32_t vl)
{
    const struct nmi_layout *x = &d->x.layout, *y = &d->y.layout;
    if (!nmi_in_lanes(x->kind) || !nmi_in_lanes(y->kind)) {
        return "input and output must be in lanes";
    }
    if (x->vl != vl || y->vl != vl || x->gy != y->gy || x->gx != y->gx) {
        return "input and output must have the same grid of lanes, of this vector length";
    }
    if (d->x.n != d->y.n || d->groups < 1 || d->x.c % d->groups || d->y.c % d->groups) {
        return "batch or channels do not agree";
    }
    if (d->pool.kh != 0 && (d->residual || !pool_fits(d))) {
        return "only a pool of 2 x 2 cells, side by side, without a residual is done behind it";
    }
    if (d->x.n < 1 || d->x.c < 1 || d->y.c < 1 || d->pad[0] < 0 || d->pad[1] < 0) {
        return "empty tensors and negative padding are not done";
    }
    if (!frames_fit(d)) {
        return "the input's sub-images and frame must cover the windows of the output's";
    }
    if (nmi_image_bytes(&d->x) == 0 || nmi_image_bytes(&d->y) == 0) {
        return "a tensor is too large, or larger than its sub-images";
    }
    if (!nmi_sp_by_channel(d) && nmi_sp_taps_span(d) > NMI_SP_U16) {
        return "one window spans more than 65536 vectors";
    }
    return NULL;
}

/* ---- tiles -------------------------------------------------------------------------------- */

bool nmi_sp_has_tile(const struct nmi_conv_desc *d, int32_t tr, int32_t tc)
{
    const int32_t window = nmi_sp_pooled(d);
    const int32_t most = d->stride_w > 2 && !nmi_sp_flat(d) ? 4 : NMI_SP_TILE;
    if (tr < 1 || tc < 1 || tr * tc > most || tr % window || tc % window) {
        return false;
    }
    return nmi_sp_flat(d) ? tr == 1 : tr <= 4 || (tr <= NMI_SP_TILE_ROWS && tc <= 2);
}

struct nmi_sp_grid nmi_sp_grid(const struct nmi_conv_desc *d)
{
    const struct nmi_layout *y = &d->y.layout;
    if (nmi_sp_flat(d)) {
        return (struct nmi_sp_grid){1, nmi_sp_ceil_div(y->sub_h * y->sub_w, d->blocking.tc)};
    }
    const int32_t window = nmi_sp_pooled(d);
    return (struct nmi_sp_grid){nmi_sp_ceil_div(y->sub_h, d->blocking.tr / window),
                                nmi_sp_ceil_div(y->sub_w, d->blocking.tc / window)};
}

/* ---- slices ------------------------------------------------------------------------------- */

struct slice {
    int32_t oc, rows, ic, icn;
};

struct slicing {
    const struct nmi_conv_desc *d;
    const struct nmi_csr *w;
    int32_t ocg, icg;  /* channels of a group */
    int32_t groups;    /* whole groups in a slice, or 1 */
    int32_t per_group; /* slices of a group, when it holds more than one */
    int32_t count, icb;
};

static struct slicing slicing_of(const struct nmi_conv_desc *d, const struct nmi_csr *w)
{
    struct slicing s = {.d = d, .w = w, .ocg = d->y.c / d->groups, .icg = d->x.c / d->groups};
    const int32_t wanted = d->blocking.slices < 1 ? 1 : d->blocking.slices;
    s.icb = d->blocking.icb < 1 ? 1 : d->blocking.icb;
    const int32_t share = nmi_sp_ceil_div(d->groups, wanted < d->groups ? wanted : d->groups);
    s.groups = s.icb / s.icg < share ? s.icb / s.icg : share;
    s.groups = s.groups < 1 ? 1 : s.groups;
    s.per_group = s.groups > 1 ? 1 : wanted / d->groups;
    s.per_group = s.per_group < 1 ? 1 : s.per_group > s.ocg ? s.ocg : s.per_group;
    s.count = s.groups > 1 ? nmi_sp_ceil_div(d->groups, s.groups) : d->groups * s.per_group;
    return s;
}

/* The first of rows [from, to) at or above a share of their cost; down to where rows with the same
 * columns are likely to begin. */
static int32_t row_at(const struct slicing *s, int32_t from, int32_t to, int32_t part)
{
    const int32_t *start = s->w->row_start;
    const int64_t row_cost = (int64_t)ROW_COST * nmi_sp_ceil_div(s->icg, s->icb);
    const int64_t total =
        (int64_t)NONZERO_COST * (start[to] - start[from]) + row_cost * (to - from);
    int32_t low = from, high = to;
    while (low < high) {
        const int32_t mid = low + (high - low) / 2;
        const int64_t cost =
            (int64_t)NONZERO_COST * (start[mid] - start[from]) + row_cost * (mid - from);
        if (cost * s->per_group >= total * part) {
            high = mid;
        } else {
            low = mid + 1;
        }
    }
    return from + (low - from) / NMI_SP_ROWS * NMI_SP_ROWS;
}

static struct slice slice_at(const struct slicing *s, int32_t i)
{
    if (s->groups > 1 || s->per_group == 1) {
        const int32_t first = i * s->groups;
        const int32_t left = s->d->groups - first;
        const int32_t groups = left < s->groups ? left : s->groups;
        return (struct slice){first * s->ocg, groups * s->ocg, first * s->icg, groups * s->icg};
    }
    const int32_t group = i / s->per_group, part = i % s->per_group;
    const int32_t from = group * s->ocg, to = from + s->ocg;
    const int32_t begin = row_at(s, from, to, part);
    const int32_t end = part + 1 == s->per_group ? to : row_at(s, from, to, part + 1);
    return (struct slice){begin, end - begin, group * s->icg, s->icg};
}

/* ---- packing ------------------------------------------------------------------------------ */

size_t nmi_spconv_packed_bytes(const union nmi_desc *desc, const struct nmi_csr *w)
{
    const struct nmi_conv_desc *d = &desc->conv;
    const struct slicing s = slicing_of(d, w);
    const int64_t taps = (int64_t)d->kh * d->kw;
    const int64_t row_bytes = (int64_t)sizeof(uint16_t);
    int64_t bytes = (int64_t)sizeof(struct nmi_sp_packed) + w->nnz * 6;
    int32_t most_rows = 0;
    if (!nmi_sp_has_tile(d, d->blocking.tr, d->blocking.tc) || (d->pool.kh && d->blocking.order)) {
        return 0; /* the scratch before a pool holds the sums of one tile */
    }
    for (int32_t i = 0; i < s.count; i++) {
        const struct slice slice = slice_at(&s, i);
        const int32_t blocks = nmi_sp_ceil_div(slice.icn, s.icb),
                      icn = nmi_sp_ceil_div(slice.icn, blocks);
        const int64_t reach = nmi_sp_by_channel(d)
                                  ? icn - 1
                                  : (icn - 1) * (int64_t)d->x.layout.plane + nmi_sp_taps_span(d);
        if (reach > NMI_SP_U16 || slice.rows > NMI_SP_U16 || icn * taps > NMI_SP_U16) {
            return 0;
        }
        /* different populations that a row can have, times 1, 2 or 4 rows together */
        const int64_t counts = (icn * taps + 1) * 3;
        const int64_t groups = slice.rows < counts ? slice.rows : counts;
        bytes += (int64_t)sizeof(struct nmi_sp_slice) +
                 blocks * ((int64_t)sizeof(struct nmi_sp_block) +
                           (slice.rows + NMI_SP_AHEAD) * row_bytes +
                           groups * (int64_t)sizeof(struct nmi_sp_group) + 16);
        most_rows = slice.rows > most_rows ? slice.rows : most_rows;
    }
    /* pack sorts the rows of a block in two lists behind the blob */
    return (size_t)(bytes + most_rows * 2 * (int64_t)sizeof(uint64_t) + 64);
}

struct packer {
    const struct nmi_conv_desc *d;
    const struct nmi_csr *w;
    struct slicing slicing;
    char *blob;
    uint64_t end;                 /* bytes used */
    uint64_t *order, *order_next; /* rows together << 48 | count << 32 | row */
};

static uint64_t take(struct packer *p, uint64_t bytes)
{
    const uint64_t at = p->end;
    p->end = (at + bytes + 3) & ~(uint64_t)3;
    return at;
}

/* Entries of a row of the slice that lie in channels [ic, ic + icn). */
static int32_t entries(const struct packer *p, int32_t row, int32_t ic, int32_t icn, int32_t *first)
{
    const int64_t taps = (int64_t)p->d->kh * p->d->kw;
    const int64_t base =
        (int64_t)(row / p->slicing.ocg) * p->slicing.icg; /* the group's channels */
    *first = nmi_csr_entry(p->w, row, (ic - base) * taps);
    return nmi_csr_entry(p->w, row, (ic + icn - base) * taps) - *first;
}

/* Rows of the slice from r on that a tile does together in channels [ic, ic + icn): 1, 2 or 4. */
static int32_t together(const struct packer *p, const struct slice *s, int32_t r, int32_t ic,
                        int32_t icn)
{
    const struct nmi_conv_desc *d = p->d;
    const int64_t taps = (int64_t)d->kh * d->kw;
    const int32_t group = (s->oc + r) / p->slicing.ocg, end = (group + 1) * p->slicing.ocg;
    const int64_t from = (ic - (int64_t)group * p->slicing.icg) * taps;
    const int32_t left = (end < s->oc + s->rows ? end : s->oc + s->rows) - (s->oc + r);
    const int32_t fit = nmi_sp_together(d->y.layout.vl, d->blocking.tr * d->blocking.tc);
    const int32_t most = left < fit ? left : fit;
    const int32_t alike = nmi_csr_alike(p->w, s->oc + r, most, from, from + icn * taps);
    return alike < 2 ? 1 : alike < 4 ? 2 : 4;
}

/* Stable, by rows together, then by count. */
static void sort_entries(struct packer *p, int32_t n)
{
    for (int shift = 32; shift < 56; shift += 8) {
        int32_t start[257] = {0};
        for (int32_t i = 0; i < n; i++) {
            start[(p->order[i] >> shift & 255) + 1]++;
        }
        for (int i = 0; i < 256; i++) {
            start[i + 1] += start[i];
        }
        for (int32_t i = 0; i < n; i++) {
            p->order_next[start[p->order[i] >> shift & 255]++] = p->order[i];
        }
        uint64_t *swap = p->order;
        p->order = p->order_next;
        p->order_next = swap;
    }
}

/* The columns of the rows together, and their values. */
static void pack_row(const struct packer *p, const struct nmi_sp_block *block, int32_t oc,
                     int32_t rows, uint16_t **off, float **val)
{
    const struct nmi_conv_desc *d = p->d;
    const int32_t taps = d->kh * d->kw, base = oc / p->slicing.ocg * p->slicing.icg;
    int32_t first[NMI_SP_ROWS], n = 0;
    for (int32_t r = 0; r < rows; r++) {
        n = entries(p, oc + r, block->ic, block->icn, &first[r]);
    }
    for (int32_t k = 0; k < n; k++) {
        const int32_t col = p->w->col[first[0] + k], tap = col % taps;
        const int32_t ic = base + col / taps - block->ic;
        const int32_t vector = ic * d->x.layout.plane +
                               tap / d->kw * d->dil_h * d->x.layout.pitch + tap % d->kw * d->dil_w;
        *(*off)++ = (uint16_t)(nmi_sp_by_channel(d) ? ic : vector);
        for (int32_t r = 0; r < rows; r++) {
            *(*val)++ = p->w->val[first[r] + k];
        }
    }
}

/* Entries in their order, in groups. */
static void pack_entries(struct packer *p, struct nmi_sp_block *block, const struct slice *s,
                         int32_t count, uint64_t columns)
{
    struct nmi_sp_group *group = (struct nmi_sp_group *)(void *)(p->blob + p->end), *last = group;
    block->group = p->end;
    for (int32_t i = 0; i < count; i++) {
        const uint16_t nonzeros = p->order[i] >> 32 & NMI_SP_U16, rows = p->order[i] >> 48 & 7;
        last += i > 0 && (last->nonzeros != nonzeros || last->rows != rows);
        *last = (struct nmi_sp_group){nonzeros, rows, (uint16_t)(last->entries + 1)};
    }
    block->groups = count > 0 ? (int32_t)(last - group) + 1 : 0;
    take(p, (uint64_t)block->groups * sizeof *group);
    block->row = take(p, (uint64_t)(count + NMI_SP_AHEAD) * sizeof(uint16_t));
    block->off = take(p, columns * sizeof(uint16_t));
    block->val = p->end;
    uint16_t *row = (uint16_t *)(void *)(p->blob + block->row);
    uint16_t *off = (uint16_t *)(void *)(p->blob + block->off);
    float *val = (float *)(void *)(p->blob + block->val);
    for (int32_t i = 0; i < count; i++) {
        const int32_t r = (int32_t)(p->order[i] & UINT32_MAX);
        row[i] = (uint16_t)r;
        pack_row(p, block, s->oc + r, (int32_t)(p->order[i] >> 48), &off, &val);
    }
    p->end = (uint64_t)((char *)val - p->blob);
}

/* One block: its rows by population, then their nonzeros. Middle blocks drop empty rows; the first
 * and the last keep them for bias, residual and activation. */
static void pack_block(struct packer *p, const struct slice *s, bool edge,
                       struct nmi_sp_block *block)
{
    int32_t count = 0, first;
    uint64_t columns = 0;
    for (int32_t r = 0, rows; r < s->rows; r += rows) {
        const int32_t n = entries(p, s->oc + r, block->ic, block->icn, &first);
        rows = together(p, s, r, block->ic, block->icn);
        if (n > 0 || edge) {
            p->order[count++] = (uint64_t)rows << 48 | (uint64_t)n << 32 | (uint32_t)r;
            columns += (uint64_t)n;
        }
    }
    sort_entries(p, count);
    pack_entries(p, block, s, count, columns);
}

static int64_t slice_cost(const struct slicing *s, const struct slice *slice)
{
    const int32_t *start = s->w->row_start;
    const int64_t blocks = nmi_sp_ceil_div(slice->icn, s->icb);
    return (int64_t)NONZERO_COST * (start[slice->oc + slice->rows] - start[slice->oc]) +
           ROW_COST * blocks * slice->rows;
}

void nmi_spconv_pack(const union nmi_desc *desc, const struct nmi_csr *w, void *packed)
{
    struct packer p = {
        .d = &desc->conv, .w = w, .slicing = slicing_of(&desc->conv, w), .blob = packed};
    struct nmi_sp_packed *head = packed;
    const size_t total = nmi_spconv_packed_bytes(desc, w);
    int32_t blocks = 0, most_rows = 0, most_blocks = 0;
    int64_t weight = 0;
    memset(packed, 0, total);
    for (int32_t i = 0; i < p.slicing.count; i++) {
        const struct slice s = slice_at(&p.slicing, i);
        const int32_t n = nmi_sp_ceil_div(s.icn, p.slicing.icb);
        blocks += n;
        most_blocks = n > most_blocks ? n : most_blocks;
        most_rows = s.rows > most_rows ? s.rows : most_rows;
    }
    p.order = (uint64_t *)(void *)(p.blob + ((total - (size_t)most_rows * 16) & ~(size_t)7));
    p.order_next = p.order + most_rows;
    p.end = sizeof *head;
    *head = (struct nmi_sp_packed){.slices = p.slicing.count, .most_blocks = most_blocks};
    head->slice = take(&p, (uint64_t)head->slices * sizeof(struct nmi_sp_slice));
    head->block = take(&p, (uint64_t)blocks * sizeof(struct nmi_sp_block));
    struct nmi_sp_slice *slice = (struct nmi_sp_slice *)(void *)(p.blob + head->slice);
    struct nmi_sp_block *block = (struct nmi_sp_block *)(void *)(p.blob + head->block);
    for (int32_t i = 0, next = 0; i < head->slices; i++) {
        const struct slice s = slice_at(&p.slicing, i);
        const int32_t n = nmi_sp_ceil_div(s.icn, p.slicing.icb);
        weight += slice_cost(&p.slicing, &s);
        slice[i] = (struct nmi_sp_slice){s.oc, s.rows, next, n, weight};
        for (int32_t b = 0; b < n; b++, next++) {
            const int32_t from = (int32_t)((int64_t)s.icn * b / n);
            const int32_t to = (int32_t)((int64_t)s.icn * (b + 1) / n);
            block[next] = (struct nmi_sp_block){.ic = s.ic + from, .icn = to - from};
            pack_block(&p, &s, b == 0 || b == n - 1, &block[next]);
        }
    }
    memset(p.order < p.order_next ? p.order : p.order_next, 0, (size_t)most_rows * 16);
}

/* ---- running ------------------------------------------------------------------------------ */

/* For each part one tile: before a pool of every output channel, or the inputs of a block that are
 * not contiguous. */
size_t nmi_spconv_scratch_bytes(const union nmi_desc *desc, int parts)
{
    const struct nmi_conv_desc *d = &desc->conv;
    const bool copied = nmi_sp_flat(d) && !nmi_sp_contiguous(d);
    const int32_t block = d->blocking.icb < d->x.c ? d->blocking.icb : d->x.c;
    const int32_t channels = d->pool.kh ? d->y.c : copied ? block : 0;
    const size_t vectors = (size_t)d->blocking.tr * (size_t)d->blocking.tc * (size_t)channels;
    return vectors * d->y.layout.vl * sizeof(float) * (size_t)parts;
}

int nmi_spconv_parts(const union nmi_desc *desc, const void *packed, int threads)
{
    const struct nmi_conv_desc *d = &desc->conv;
    const struct nmi_sp_packed *head = packed;
    const struct nmi_sp_grid grid = nmi_sp_grid(d);
    const int64_t images = nmi_sp_ceil_div(d->x.n, nmi_layout_ipv(&d->x.layout));
    const int64_t units = images * head->slices * grid.rows * grid.cols;
    return units < threads ? (int)units : threads;
}
