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
    int32_t out, in, points;
    int32_t h, w;       /* of the convolution's map, before any pool */
    int32_t rows, cols; /* tiles of an image */
    int64_t tiles, blocks; /* of the batch: tile t of block b: tiles b/blocks .. (b+1)/blocks */
    int32_t vl, vectors;   /* of output channels */
    int32_t wide, groups;  /* vectors of a block of output channels; such blocks */
};

/* For desc->blocking; the layer must not be refused. */
struct nmi_wino nmi_wino_of(const struct nmi_conv_desc *d);

const char *nmi_wino_refuse(const struct nmi_conv_desc *d, int32_t vl);
int nmi_wino_candidates(const union nmi_desc *desc, const struct nmi_csr *w,
                        struct nmi_blocking *out, int max);
size_t nmi_wino_dense_bytes(const union nmi_desc *desc);
void nmi_wino_pack_dense(const union nmi_desc *desc, const float *w, const float *scale,
                         void *packed);
int nmi_wino_parts(const union nmi_desc *desc, const void *packed, int threads);

#endif
