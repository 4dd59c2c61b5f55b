/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The packed form of sparse convolution weights in LANES, and what its kernels share whatever the
 * vector length: it is built here, in plain C, and walked by kernels/simd/spconv.inc.
 *
 * The blob knows no addresses. Slices (runs of output channels that lie in one group, or runs of
 * whole groups) hold channel blocks; a block lists its rows by population, so that equal trip
 * counts follow each other; a nonzero is one constant offset from a tile's base in the block.
 * Adjacent rows that have the same columns in a block are one entry, as far as the accumulators of
 * a tile go: the inputs are loaded once for them.
 */
#ifndef NM_KERNELS_SPCONV_H
#define NM_KERNELS_SPCONV_H

#include "kernels/kernel.h"

struct nmi_sp_group { /* entries that follow each other: so many columns, rows together */
    uint16_t nonzeros, rows, entries;
};
struct nmi_sp_block {
    int32_t ic, icn;               /* first input channel, how many */
    int32_t groups;                /* entries at `group` */
    /* Bytes from the blob's start. row: u16, an entry's first, from the slice's oc, then
     * NMI_SP_AHEAD more that are 0; off: u16, by column; val: by column, then row. */
    uint64_t group, row, off, val;
};
struct nmi_sp_slice {
    int32_t oc, rows;
    int32_t block, blocks; /* blocks of the blob */
    int64_t weight;        /* cost of this and the slices before it */
};
struct nmi_sp_packed {
    int32_t slices, most_blocks; /* the most blocks of a slice */
    uint64_t slice, block;       /* bytes from the blob's start */
};

/* Rows that are done together at most; entries that a tile looks ahead. */
enum { NMI_SP_U16 = 65535, NMI_SP_ROWS = 4, NMI_SP_AHEAD = 2 };
static inline int32_t nmi_sp_ceil_div(int32_t a, int32_t b)
{
    return a / b + (a % b != 0);
}
/* Vectors from a window's first tap to its last. */
static inline int64_t nmi_sp_taps_span(const struct nmi_conv_desc *d)
{
    return (int64_t)(d->kh - 1) * d->dil_h * d->x.layout.pitch + (int64_t)(d->kw - 1) * d->dil_w;
}

/* The offsets of a kernel of one tap count channels, of more taps vectors; both fit 16 bits. */
static inline bool nmi_sp_by_channel(const struct nmi_conv_desc *d)
{
    return d->kh == 1 && d->kw == 1;
}
/* Outputs of the convolution a side that become one of y: 2 with a max-pool behind it. */
static inline int32_t nmi_sp_pooled(const struct nmi_conv_desc *d)
{
    return d->pool.kh ? 2 : 1;
}
/* Inputs of outputs that follow each other do so too: no frame on the input, nothing skipped. */
static inline bool nmi_sp_contiguous(const struct nmi_conv_desc *d)
{
    const struct nmi_layout *l = &d->x.layout;
    return d->stride_h == 1 && d->stride_w == 1 && d->pad[0] == 0 &&
           d->pad[1] == 0 && l->halo[0] == 0 && l->halo[1] == 0 && l->pitch == l->sub_w;
}

/* Tiles are positions in a row; where the inputs are not contiguous a tile's are copied first, which
 * pays when many rows read them. */
enum { NMI_SP_COPY_ROWS = 128 };
static inline bool nmi_sp_flat(const struct nmi_conv_desc *d)
{
    return nmi_sp_by_channel(d) && d->pool.kh == 0 &&
           (nmi_sp_contiguous(d) || d->y.c / d->groups >= NMI_SP_COPY_ROWS);
}

/* Rows with the same columns that a tile of so many vectors does together: what fits the vector
 * registers beside inputs and weights. */
static inline int32_t nmi_sp_together(int32_t vl, int32_t size)
{
    const int32_t sums = vl == 16 ? 28 : vl == 8 ? 12 : 0;
    return 4 * size <= sums ? 4 : 2 * size <= sums ? 2 : 1;
}

/* Tiles that the kernels have: of at most 14 vectors, at unusual strides 4; with a tile there is
 * every smaller one. Before a pool they consist of whole windows. */
enum { NMI_SP_TILE = 14, NMI_SP_TILE_ROWS = 7 };
bool nmi_sp_has_tile(const struct nmi_conv_desc *d, int32_t tr, int32_t tc);
/* Tiles of a map for this blocking: rows and columns of tiles (flat: one row). */
struct nmi_sp_grid {
    int32_t rows, cols;
};
struct nmi_sp_grid nmi_sp_grid(const struct nmi_conv_desc *d);

/* Shape and layouts are ones that the kernels of this vector length do. */
const char *nmi_spconv_refuse(const struct nmi_conv_desc *d, int32_t vl);
int nmi_spconv_candidates(const union nmi_desc *desc, const struct nmi_csr *w,
                          struct nmi_blocking *out, int max);
size_t nmi_spconv_packed_bytes(const union nmi_desc *desc, const struct nmi_csr *w);
void nmi_spconv_pack(const union nmi_desc *desc, const struct nmi_csr *w, void *packed);
size_t nmi_spconv_scratch_bytes(const union nmi_desc *desc, int parts);
int nmi_spconv_parts(const union nmi_desc *desc, const void *packed, int threads);

#endif
