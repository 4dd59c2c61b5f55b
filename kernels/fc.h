/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The packed form of fully connected sparse weights, for kernels/simd/fc.inc: blocks of columns, so
 * that a block's inputs stay in L1; CSR within a block, columns of 16 bits counted from its first.
 * Columns and values end in NMI_FC_SLACK readable entries.
 */
#ifndef NM_KERNELS_FC_H
#define NM_KERNELS_FC_H

#include "kernels/kernel.h"

enum { NMI_FC_SLACK = 16, NMI_FC_BLOCK = 4096 /* columns of a block, at most */ };

struct nmi_fc_packed {
    int32_t block, blocks;        /* columns of a block; how many blocks */
    uint64_t row_start, col, val; /* bytes from the blob's start; row_start: [blocks][m + 1] */
};

/* Vectors of vl images that stand side by side for a batch of n: 1, 2 or 4. */
int32_t nmi_fc_width(int32_t n, int32_t vl);

size_t nmi_fc_packed_bytes(const union nmi_desc *desc, const struct nmi_csr *w, int32_t vl);
void nmi_fc_pack(const union nmi_desc *desc, const struct nmi_csr *w, int32_t vl, void *packed);

#endif
