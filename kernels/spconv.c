/* SPDX-License-Identifier: Apache-2.0 */
/* Refusal, packing and the first guess at a blocking for sparse convolutions in LANES. */
#include "kernels/spconv.h"

#include <string.h>

enum { U16 = 65535 };
/* What a row of a block costs beside its nonzeros, in tenths of a nonzero: reading and writing a
 * partial sum that lives in L2. */
enum { NONZERO_COST = 10, ROW_COST = 36 };

/* ---- refusal ------------------------------------------------------------------------------------
 */

/* One axis: the frame must hold all that the windows of a lane's sub-image touch. */
static bool axis_fits(int32_t out_sub, int32_t in_sub, int32_t stride, int64_t reach,
                      const int32_t halo[2], int32_t pad)
{
    const int64_t last = (int64_t)stride * (out_sub - 1) - pad + reach;
    return in_sub == (int64_t)stride * out_sub && halo[0] >= pad &&
           last < (int64_t)in_sub + halo[1];
}

static bool frames_fit(const struct nmi_conv_desc *d)
{
    const struct nmi_layout *x = &d->x.layout, *y = &d->y.layout;
    const int32_t vertical[2] = {x->halo[0], x->halo[2]}, horizontal[2] = {x->halo[1], x->halo[3]};
    return axis_fits(y->sub_h, x->sub_h, d->stride_h, (int64_t)(d->kh - 1) * d->dil_h, vertical,
                     d->pad[0]) &&
           axis_fits(y->sub_w, x->sub_w, d->stride_w, (int64_t)(d->kw - 1) * d->dil_w, horizontal,
                     d->pad[1]);
}

static int64_t taps_span(const struct nmi_conv_desc *d)
{
    return (int64_t)(d->kh - 1) * d->dil_h * d->x.layout.pitch + (int64_t)(d->kw - 1) * d->dil_w;
}

const char *nmi_spconv_refuse(const struct nmi_conv_desc *d, int32_t vl)
{
    const struct nmi_layout *x = &d->x.layout, *y = &d->y.layout;
    if (x->kind != NMI_LANES || y->kind != NMI_LANES) {
        return "input and output must be in lanes";
    }
    if (x->vl != vl || y->vl != vl || x->gy != y->gy || x->gx != y->gx) {
        return "input and output must have the same grid of lanes, of this vector length";
    }
    if (d->x.n != d->y.n || d->groups < 1 || d->x.c % d->groups || d->y.c % d->groups) {
        return "batch or channels do not agree";
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
    if (!nmi_sp_by_channel(d) && taps_span(d) > U16) {
        return "one window spans more than 65536 vectors";
    }
    return NULL;
}

/* ---- tiles --------------------------------------------------------------------------------------
 */

static int32_t ceil_div(int32_t a, int32_t b)
{
    return a / b + (a % b != 0);
}

bool nmi_sp_has_tile(const struct nmi_conv_desc *d, int32_t tr, int32_t tc)
{
    if (tr < 1 || tc < 1 || tr * tc > (d->stride_w > 2 ? 4 : NMI_SP_TILE)) {
        return false;
    }
    return nmi_sp_flat(d) ? tr == 1 : tr <= 4 || (tr <= NMI_SP_TILE_ROWS && tc <= 2);
}

struct nmi_sp_grid nmi_sp_grid(const struct nmi_conv_desc *d)
{
    const struct nmi_layout *y = &d->y.layout;
    if (nmi_sp_flat(d)) {
        return (struct nmi_sp_grid){1, ceil_div(y->sub_h * y->sub_w, d->blocking.tc)};
    }
    return (struct nmi_sp_grid){ceil_div(y->sub_h, d->blocking.tr),
                                ceil_div(y->sub_w, d->blocking.tc)};
}

/* ---- slices -------------------------------------------------------------------------------------
 */

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
    const int32_t share = ceil_div(d->groups, wanted < d->groups ? wanted : d->groups);
    s.groups = s.icb / s.icg < share ? s.icb / s.icg : share;
    s.groups = s.groups < 1 ? 1 : s.groups;
    s.per_group = s.groups > 1 ? 1 : wanted / d->groups;
    s.per_group = s.per_group < 1 ? 1 : s.per_group > s.ocg ? s.ocg : s.per_group;
    s.count = s.groups > 1 ? ceil_div(d->groups, s.groups) : d->groups * s.per_group;
    return s;
}

/* The first of rows [from, to) at or above a share of their cost. */
static int32_t row_at(const struct slicing *s, int32_t from, int32_t to, int32_t part)
{
    const int32_t *start = s->w->row_start;
    const int64_t row_cost = (int64_t)ROW_COST * ceil_div(s->icg, s->icb);
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
    return low;
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

/* ---- packing ------------------------------------------------------------------------------------
 */

size_t nmi_spconv_packed_bytes(const union nmi_desc *desc, const struct nmi_csr *w)
{
    const struct nmi_conv_desc *d = &desc->conv;
    const struct slicing s = slicing_of(d, w);
    const int64_t taps = (int64_t)d->kh * d->kw;
    const int64_t row_bytes = (int64_t)sizeof(uint16_t);
    int64_t bytes = (int64_t)sizeof(struct nmi_sp_packed) + w->nnz * 6;
    int32_t most_rows = 0;
    if (!nmi_sp_has_tile(d, d->blocking.tr, d->blocking.tc)) {
        return 0;
    }
    for (int32_t i = 0; i < s.count; i++) {
        const struct slice slice = slice_at(&s, i);
        const int32_t blocks = ceil_div(slice.icn, s.icb), icn = ceil_div(slice.icn, blocks);
        const int64_t reach =
            nmi_sp_by_channel(d) ? icn - 1 : (icn - 1) * (int64_t)d->x.layout.plane + taps_span(d);
        if (reach > U16 || slice.rows > U16 || icn * taps > U16) {
            return 0;
        }
        const int64_t counts = icn * taps + 1; /* different populations that a row can have */
        const int64_t groups = slice.rows < counts ? slice.rows : counts;
        bytes += (int64_t)sizeof(struct nmi_sp_slice) +
                 blocks * ((int64_t)sizeof(struct nmi_sp_block) + slice.rows * row_bytes +
                           groups * (int64_t)sizeof(struct nmi_sp_group) + 16);
        most_rows = slice.rows > most_rows ? slice.rows : most_rows;
    }
    /* pack sorts the rows of a block in two lists behind the blob */
    return (size_t)(bytes + most_rows * 2 * (int64_t)sizeof(uint64_t) + 64);
}

/* The entry of a row's first column at or beyond col. */
static int32_t entry_at(const struct nmi_csr *w, int32_t row, int64_t col)
{
    int32_t low = w->row_start[row], high = w->row_start[row + 1];
    while (low < high) {
        const int32_t mid = low + (high - low) / 2;
        if (w->col[mid] < col) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

struct packer {
    const struct nmi_conv_desc *d;
    const struct nmi_csr *w;
    struct slicing slicing;
    char *blob;
    uint64_t end;                 /* bytes used */
    uint64_t *order, *order_next; /* count << 32 | row */
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
    *first = entry_at(p->w, row, (ic - base) * taps);
    return entry_at(p->w, row, (ic + icn - base) * taps) - *first;
}

/* Stable, by the low 16 bits of the count. */
static void sort_by_count(struct packer *p, int32_t n)
{
    for (int shift = 32; shift < 48; shift += 8) {
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

static void pack_entries(struct packer *p, const struct nmi_sp_block *block, const struct slice *s,
                         int32_t icn, int32_t rows)
{
    const struct nmi_conv_desc *d = p->d;
    const int32_t taps = d->kh * d->kw;
    uint16_t *row = (uint16_t *)(void *)(p->blob + block->row);
    uint16_t *off = (uint16_t *)(void *)(p->blob + block->off);
    float *val = (float *)(void *)(p->blob + block->val);
    for (int32_t i = 0; i < rows; i++) {
        const int32_t r = (int32_t)(p->order[i] & UINT32_MAX);
        const int32_t oc = s->oc + r, base = oc / p->slicing.ocg * p->slicing.icg;
        int32_t first;
        const int32_t n = entries(p, oc, block->ic, icn, &first);
        row[i] = (uint16_t)r;
        for (int32_t k = first; k < first + n; k++) {
            const int32_t tap = p->w->col[k] % taps;
            const int32_t ic = base + p->w->col[k] / taps - block->ic;
            const int32_t vector = ic * d->x.layout.plane +
                                   tap / d->kw * d->dil_h * d->x.layout.pitch +
                                   tap % d->kw * d->dil_w;
            *off++ = (uint16_t)(nmi_sp_by_channel(d) ? ic : vector);
            *val++ = p->w->val[k];
        }
    }
}

/* One block: its rows by population, then their nonzeros. Middle blocks drop empty rows; the first
 * and the last keep them for bias, residual and activation. */
static void pack_block(struct packer *p, const struct slice *s, int32_t icn, bool edge,
                       struct nmi_sp_block *block)
{
    int32_t rows = 0, first;
    uint64_t nnz = 0;
    for (int32_t r = 0; r < s->rows; r++) {
        const int32_t n = entries(p, s->oc + r, block->ic, icn, &first);
        if (n > 0 || edge) {
            p->order[rows++] = (uint64_t)n << 32 | (uint32_t)r;
            nnz += (uint64_t)n;
        }
    }
    sort_by_count(p, rows);
    block->group = p->end;
    struct nmi_sp_group *group = (struct nmi_sp_group *)(void *)(p->blob + p->end);
    block->groups = 0;
    for (int32_t i = 0; i < rows; i++) {
        const uint16_t n = (uint16_t)(p->order[i] >> 32);
        if (i == 0 || group[block->groups - 1].nonzeros != n) {
            group[block->groups++] = (struct nmi_sp_group){n, 0};
        }
        group[block->groups - 1].rows++;
    }
    take(p, (uint64_t)block->groups * sizeof *group);
    block->row = take(p, (uint64_t)rows * sizeof(uint16_t));
    block->off = take(p, nnz * sizeof(uint16_t));
    block->val = take(p, nnz * sizeof(float));
    pack_entries(p, block, s, icn, rows);
}

static int64_t slice_cost(const struct slicing *s, const struct slice *slice)
{
    const int32_t *start = s->w->row_start;
    const int64_t blocks = ceil_div(slice->icn, s->icb);
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
        const int32_t n = ceil_div(s.icn, p.slicing.icb);
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
        const int32_t n = ceil_div(s.icn, p.slicing.icb);
        weight += slice_cost(&p.slicing, &s);
        slice[i] = (struct nmi_sp_slice){s.oc, s.rows, next, n, weight};
        for (int32_t b = 0; b < n; b++, next++) {
            const int32_t from = (int32_t)((int64_t)s.icn * b / n);
            const int32_t to = (int32_t)((int64_t)s.icn * (b + 1) / n);
            block[next].ic = s.ic + from;
            pack_block(&p, &s, to - from, b == 0 || b == n - 1, &block[next]);
        }
    }
    memset(p.order < p.order_next ? p.order : p.order_next, 0, (size_t)most_rows * 16);
}

/* ---- splitting ----------------------------------------------------------------------------------
 */

int nmi_spconv_parts(const union nmi_desc *desc, const void *packed, int threads)
{
    const struct nmi_conv_desc *d = &desc->conv;
    const struct nmi_sp_packed *head = packed;
    const struct nmi_sp_grid grid = nmi_sp_grid(d);
    const int64_t images = ceil_div(d->x.n, nmi_layout_ipv(&d->x.layout));
    const int64_t units = images * head->slices * grid.rows * grid.cols;
    return units < threads ? (int)units : threads;
}

/* ---- first guess --------------------------------------------------------------------------------
 */

/* Bytes that a kernel may assume of the caches; deliberately not the machine's own: the same plan
 * everywhere. */
enum { L1_BYTES = 40 << 10, L2_BYTES = 1 << 20 };

/* A group's weights. */
struct model {
    const struct nmi_conv_desc *d;
    double nnz, rows;
    int32_t icg;
};

static int64_t panel_bytes(const struct nmi_conv_desc *d, int32_t tr, int32_t tc)
{
    const int64_t high = (int64_t)(tr - 1) * d->stride_h + (int64_t)(d->kh - 1) * d->dil_h + 1;
    const int64_t wide = (int64_t)(tc - 1) * d->stride_w + (int64_t)(d->kw - 1) * d->dil_w + 1;
    return high * wide * d->x.layout.vl * (int64_t)sizeof(float);
}

/* Cycles of a multiply-add whose operand comes from a panel of this size. */
static double fma_cycles(double panel)
{
    const double over = (panel - L1_BYTES) / L1_BYTES;
    return over <= 0 ? 1.0 : over >= 2.0 ? 1.5 : 1.0 + 0.25 * over;
}

/* What a blocking is expected to cost, in cycles of a group of images. */
static double cost_of(const struct model *m, const struct nmi_blocking *b)
{
    struct nmi_conv_desc d = *m->d;
    d.blocking = *b;
    const struct nmi_layout *y = &d.y.layout;
    const struct nmi_sp_grid grid = nmi_sp_grid(&d);
    const double tiles = (double)grid.rows * grid.cols;
    const double size = (double)y->sub_h * y->sub_w / tiles;
    const double blocks = ceil_div(m->icg, b->icb);
    const double panel = (double)panel_bytes(&d, b->tr, b->tc) * m->icg / blocks;
    /* small tiles do not hide an index, a broadcast and the loop */
    const double nonzero = size * fma_cycles(panel) + (size < 4 ? 4 - size : 0) * 0.5 + 0.3;
    double row = m->nnz / m->rows / blocks * nonzero + size + 10;
    if (blocks > 1 && row < 4.2 * size) {
        row = 4.2 * size; /* a partial sum's way to L2 and back */
    }
    double cycles = tiles * blocks * (m->rows * row + panel / 32);
    const double weights = m->nnz * 6, outputs = m->rows * y->plane * y->vl * 4;
    if (b->order == 0 && weights > L2_BYTES / 2) {
        cycles += (tiles - 1) * weights / 12;
    }
    if (b->order != 0 && outputs > L2_BYTES / 2) {
        cycles += (blocks - 1) * 2 * outputs / 12;
    }
    /* measured: beyond 8 vectors each costs 2 % more, and tall tiles cost a little */
    return cycles * (1 + (size > 8 ? size - 8 : 0) * 0.02 + (b->tr - 1) * 0.004);
}

/* The widest block whose offsets fit 16 bits. */
static int32_t widest_block(const struct nmi_conv_desc *d)
{
    const int64_t most = nmi_sp_by_channel(d) ? U16 : (U16 - taps_span(d)) / d->x.layout.plane + 1;
    const int64_t taps = (int64_t)d->kh * d->kw;
    return (int32_t)(most < U16 / taps ? most : U16 / taps);
}

/* Fewer tiles than this and rows are split as well, so that threads find work. */
enum { UNITS = 16, SLICE_ROWS = 16 };

static int32_t slices_for(const struct nmi_conv_desc *d)
{
    const struct nmi_sp_grid grid = nmi_sp_grid(d);
    const int64_t images = ceil_div(d->x.n, nmi_layout_ipv(&d->x.layout));
    const int64_t units = images * grid.rows * grid.cols;
    const int64_t wanted = units >= UNITS ? 1 : (UNITS + units - 1) / units;
    const int64_t most = d->y.c / SLICE_ROWS;
    return (int32_t)(wanted < most ? wanted : most < 1 ? 1 : most);
}

/* Channel blocks for a panel of so many bytes; 0: all channels. */
static int32_t block_for(const struct model *m, const struct nmi_blocking *b, int32_t bytes)
{
    const int32_t widest = widest_block(m->d);
    if (m->d->groups > 1) {
        const int32_t some = m->icg * (64 / m->icg + (m->icg > 64)); /* whole groups in a slice */
        return some < widest ? some : widest;
    }
    int64_t icb = bytes ? bytes / panel_bytes(m->d, b->tr, b->tc) : m->icg;
    const double least = 4 * m->rows * m->icg / (m->nnz < 1 ? 1 : m->nnz); /* 4 nonzeros a row */
    icb = (double)icb < least && least < m->icg ? (int64_t)least : icb;
    icb = icb < 1 ? 1 : icb > m->icg ? m->icg : icb;
    icb = icb > widest ? widest : icb;
    return ceil_div(m->icg, ceil_div(m->icg, (int32_t)icb)); /* equal blocks */
}

struct ranking {
    struct nmi_blocking *best;
    double cost[32];
    int count, max;
};

static void rank(struct ranking *r, const struct nmi_blocking *b, double cost)
{
    if (r->count == r->max && r->cost[r->max - 1] <= cost) {
        return;
    }
    int i = r->count < r->max ? r->count++ : r->max - 1;
    for (; i > 0 && r->cost[i - 1] > cost; i--) {
        r->best[i] = r->best[i - 1];
        r->cost[i] = r->cost[i - 1];
    }
    r->best[i] = *b;
    r->cost[i] = cost;
}

/* The best two of one tile shape. */
static void rank_tile(const struct model *m, int32_t tr, int32_t tc, struct ranking *r)
{
    static const int32_t panels[] = {24 << 10, 32 << 10, 44 << 10, 64 << 10, 96 << 10, 0};
    struct nmi_blocking best[2];
    struct ranking tile = {.best = best, .max = 2};
    int32_t last = 0;
    for (size_t i = 0; i < NMI_COUNT(panels); i++) {
        struct nmi_blocking b = {.tr = (int16_t)tr, .tc = (int16_t)tc};
        struct nmi_conv_desc d = *m->d;
        d.blocking = b;
        b.slices = (int16_t)slices_for(&d);
        b.icb = block_for(m, &b, panels[i]);
        if (b.icb == last) {
            continue;
        }
        last = b.icb;
        for (b.order = 0; b.order < (b.icb < m->icg ? 2 : 1); b.order++) {
            rank(&tile, &b, cost_of(m, &b));
        }
    }
    for (int i = 0; i < tile.count; i++) {
        rank(r, &best[i], tile.cost[i]);
    }
}

/* Tiles of one size only: nothing smaller would cut the map into as many. */
static bool even(int32_t extent, int32_t tile)
{
    return tile <= extent && ceil_div(extent, ceil_div(extent, tile)) == tile;
}

int nmi_spconv_candidates(const union nmi_desc *desc, const struct nmi_csr *w,
                          struct nmi_blocking *out, int max)
{
    const struct nmi_conv_desc *d = &desc->conv;
    const struct nmi_layout *y = &d->y.layout;
    const bool flat = nmi_sp_flat(d);
    const struct model m = {.d = d,
                            .nnz = (double)w->nnz / d->groups,
                            .rows = (double)w->rows / d->groups,
                            .icg = d->x.c / d->groups};
    struct ranking r = {.best = out, .max = max < 32 ? max : 32};
    for (int32_t tr = 1; tr <= NMI_SP_TILE_ROWS && r.max > 0; tr++) {
        for (int32_t tc = 1; tc <= NMI_SP_TILE; tc++) {
            if (nmi_sp_has_tile(d, tr, tc) && even(flat ? 1 : y->sub_h, tr) &&
                even(flat ? y->sub_h * y->sub_w : y->sub_w, tc)) {
                rank_tile(&m, tr, tc, &r);
            }
        }
    }
    return r.count;
}
