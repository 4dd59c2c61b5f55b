/* SPDX-License-Identifier: Apache-2.0 */
/* Which blockings of a sparse convolution in LANES are worth trying: a model of the kernels' cost,
 * calibrated by tests/kernels/bench_kernels. */
#include "kernels/spconv.h"

/* Bytes that a kernel may assume of the caches; deliberately not the machine's own: the same
 * plan everywhere. */
enum { L2_BYTES = 1 << 20 };

/* A cycle here is a multiply-add of vectors. There are two of 8 lanes in a core's cycle: what is no
 * multiply-add costs more of them, and panels are felt sooner. */
struct rates {
    double l1;       /* bytes of a panel that cost nothing */
    double farthest; /* cycles of a multiply-add whose operand comes from L2 */
    double column;   /* cycles of a nonzero beside its multiply-adds */
};
static const struct rates of_8_lanes = {24 << 10, 2.0, 1.0}, of_16_lanes = {40 << 10, 1.5, 0.1};

static const struct rates *rates_of(const struct nmi_conv_desc *d)
{
    return d->y.layout.vl == 8 ? &of_8_lanes : &of_16_lanes;
}

/* A group's weights; what alike names, by the rows that can be done together. */
struct alike {
    double nnz[NMI_SP_ROWS + 1], rows[NMI_SP_ROWS + 1]; /* [1], [2] and [4] */
};
struct model {
    const struct nmi_conv_desc *d;
    double nnz, rows;
    int32_t icg;
    struct alike alike;
};

static struct alike alike_of(const struct nmi_csr *w, int32_t groups)
{
    const int32_t ocg = w->rows / groups;
    struct alike a = {{0}, {0}};
    for (int32_t r = 0, rows; r < w->rows; r += rows) {
        const int32_t left = ocg - r % ocg, most = left < NMI_SP_ROWS ? left : NMI_SP_ROWS;
        const int32_t n = nmi_csr_alike(w, r, most, 0, w->cols);
        rows = n == 3 ? 2 : n;
        a.nnz[rows] += (double)(w->row_start[r + rows] - w->row_start[r]) / groups;
        a.rows[rows] += (double)rows / groups;
    }
    return a;
}

/* What a tile's inputs in one channel occupy, in whole lines of a cache. */
static int64_t panel_bytes(const struct nmi_conv_desc *d, int32_t tr, int32_t tc)
{
    const int64_t vector = d->x.layout.vl * (int64_t)nmi_layout_element(&d->x.layout);
    const bool flat = nmi_sp_flat(d);
    const int64_t high = (int64_t)(tr - 1) * d->stride_h + (int64_t)(d->kh - 1) * d->dil_h + 1;
    const int64_t wide = (int64_t)(tc - 1) * d->stride_w + (int64_t)(d->kw - 1) * d->dil_w + 1;
    const int64_t row = flat ? tc * vector : wide * vector;
    return (flat ? 1 : high) * ((row + NMI_CACHE_LINE - 1) / NMI_CACHE_LINE * NMI_CACHE_LINE);
}

/* Cycles of a multiply-add whose operand comes from a panel of this size. */
static double fma_cycles(const struct rates *r, double panel)
{
    const double cycles = 1.0 + 0.25 * (panel - r->l1) / r->l1;
    return cycles <= 1.0 ? 1.0 : cycles >= r->farthest ? r->farthest : cycles;
}

/* Cycles of the rows of a block of one tile. */
static double rows_cost(const struct model *m, int32_t most, double size, double panel,
                        double blocks)
{
    const struct rates *rates = rates_of(m->d);
    const double far = fma_cycles(rates, panel) - 1;
    double cycles = 0;
    for (int32_t k = 1; k <= NMI_SP_ROWS; k *= 2) {
        const int32_t together = k < most ? k : most;
        if (m->alike.rows[k] <= 0) {
            continue;
        }
        const double n = m->alike.nnz[k] / m->alike.rows[k];
        /* small tiles do not hide an index, a broadcast and the loop */
        const double column = together == 1 ? size * (1 + far) + (size < 4 ? 4 - size : 0) * 0.5
                                            : size * (0.9 * together + 0.2 * far);
        double row = n / blocks * (column + rates->column) + together * size + 10;
        if (blocks > 1 && row < 4.2 * size * together) {
            row = 4.2 * size * together; /* a partial sum's way to L2 and back */
        }
        cycles += m->alike.rows[k] / together * row;
    }
    return cycles;
}

/* What a blocking is expected to cost, in cycles of a group of images. */
static double cost_of(const struct model *m, const struct nmi_blocking *b)
{
    struct nmi_conv_desc d = *m->d;
    d.blocking = *b;
    const struct nmi_layout *y = &d.y.layout;
    const struct nmi_sp_grid grid = nmi_sp_grid(&d);
    const double tiles = (double)grid.rows * grid.cols;
    const double size = (double)y->sub_h * y->sub_w * nmi_sp_pooled(&d) * nmi_sp_pooled(&d) / tiles;
    const double blocks = nmi_sp_ceil_div(m->icg, b->icb);
    const double panel = (double)panel_bytes(&d, b->tr, b->tc) * m->icg / blocks;
    const int32_t most = nmi_sp_together(y->vl, b->tr * b->tc);
    double cycles = tiles * blocks * (rows_cost(m, most, size, panel, blocks) + panel / 32);
    const double weights = m->nnz * 6, outputs = m->rows * y->plane * y->vl * nmi_layout_element(y);
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
    const int64_t most = nmi_sp_by_channel(d)
                             ? NMI_SP_U16
                             : (NMI_SP_U16 - nmi_sp_taps_span(d)) / d->x.layout.plane + 1;
    const int64_t taps = (int64_t)d->kh * d->kw;
    return (int32_t)(most < NMI_SP_U16 / taps ? most : NMI_SP_U16 / taps);
}

/* Fewer tiles than this and rows are split as well, so that threads find work. */
enum { UNITS = 8, SLICE_ROWS = 16 };

static int32_t slices_for(const struct nmi_conv_desc *d)
{
    const struct nmi_sp_grid grid = nmi_sp_grid(d);
    const int64_t images = nmi_sp_ceil_div(d->x.n, nmi_layout_ipv(&d->x.layout));
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
    return nmi_sp_ceil_div(m->icg, nmi_sp_ceil_div(m->icg, (int32_t)icb)); /* equal blocks */
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
        for (b.order = 0; b.order < (b.icb < m->icg && d.pool.kh == 0 ? 2 : 1); b.order++) {
            rank(&tile, &b, cost_of(m, &b));
        }
    }
    for (int i = 0; i < tile.count; i++) {
        rank(r, &best[i], tile.cost[i]);
    }
}

/* Tiles of one size only: nothing smaller would cut the map into as many. */
static bool even(const struct nmi_conv_desc *d, int32_t extent, int32_t side)
{
    const int32_t tile = side / nmi_sp_pooled(d);
    return tile <= extent && nmi_sp_ceil_div(extent, nmi_sp_ceil_div(extent, tile)) == tile;
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
                            .icg = d->x.c / d->groups,
                            .alike = alike_of(w, d->groups)};
    struct ranking r = {.best = out, .max = max < 32 ? max : 32};
    for (int32_t tr = 1; tr <= NMI_SP_TILE_ROWS && r.max > 0; tr++) {
        for (int32_t tc = 1; tc <= NMI_SP_TILE; tc++) {
            if (nmi_sp_has_tile(d, tr, tc) && even(d, flat ? 1 : y->sub_h, tr) &&
                even(d, flat ? y->sub_h * y->sub_w : y->sub_w, tc)) {
                rank_tile(&m, tr, tc, &r);
            }
        }
    }
    return r.count;
}
