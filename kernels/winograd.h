/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Winograd convolution, what does not depend on the instruction set: which layers, how they are cut
 * into tiles, and the transformed weights U[oc block][points][C][oc of the block].
 */
#ifndef NM_KERNELS_WINOGRAD_H
#define NM_KERNELS_WINOGRAD_H

#include "kernels/kernel.h"

/* One tile: `out` outputs a side from `in` inputs a side; in * in points, one product each. */
struct nmi_wino {
    int32_t out, taps, in, points;
    int32_t h, w;          /* of the convolution's map, before any pool */
    int32_t rows, cols;    /* tiles of an image */
    int64_t tiles, blocks; /* block b: tiles b/blocks .. (b+1)/blocks of the batch (stem: a row) */
    int32_t vl, vectors;   /* of output channels */
    int32_t wide, groups;  /* vectors of a block of output channels; such blocks */
};

/* What follows from the tile and the output channels; the rest stays zero. */
struct nmi_wino nmi_wino_make(const struct nmi_conv_desc *d, int32_t out, int32_t taps);
/* Weights taps * taps of output channel oc and (transformed) input channel c. */
typedef void nmi_wino_taps(const struct nmi_conv_desc *d, const float *w, int32_t oc, int32_t c,
                           float *taps);
size_t nmi_wino_bytes(const struct nmi_wino *s, int32_t channels); /* 0: overflow */
void nmi_wino_pack(const struct nmi_wino *s, const struct nmi_conv_desc *d, int32_t channels,
                   nmi_wino_taps *taps_of, const float *w, const float *scale, float *u);

/* ---- 3 x 3 of stride 1: for desc->blocking; the layer must not be refused -------------------- */

struct nmi_wino nmi_wino_of(const struct nmi_conv_desc *d);
const char *nmi_wino_refuse(const struct nmi_conv_desc *d, int32_t vl);
int nmi_wino_candidates(const union nmi_desc *desc, const struct nmi_csr *w,
                        struct nmi_blocking *out, int max);
size_t nmi_wino_dense_bytes(const union nmi_desc *desc);
void nmi_wino_pack_dense(const union nmi_desc *desc, const float *w, const float *scale,
                         void *packed);
int nmi_wino_parts(const union nmi_desc *desc, const void *packed, int threads);

/* ---- first layers of stride 2: 2 x 2 pixels become channels, half the taps remain ------------- */

struct nmi_stem {
    struct nmi_wino s;
    int32_t channels, vectors; /* of the folded input: 4 C; whole vectors */
    int32_t width;             /* folded pixels of a row, what the last tile reads included */
    int32_t ring;              /* rows of the map that wait for the pool; 0: none */
    int64_t lines;             /* of an image: rows of the pooled map, or of tiles */
};
struct nmi_stem nmi_stem_of(const struct nmi_conv_desc *d);
const char *nmi_stem_refuse(const struct nmi_conv_desc *d, int32_t vl);
int nmi_stem_candidates(const union nmi_desc *desc, const struct nmi_csr *w,
                        struct nmi_blocking *out, int max);
size_t nmi_stem_dense_bytes(const union nmi_desc *desc);
void nmi_stem_pack_dense(const union nmi_desc *desc, const float *w, const float *scale,
                         void *packed);
int nmi_stem_parts(const union nmi_desc *desc, const void *packed, int threads);

#endif
