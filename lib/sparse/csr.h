/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Zeros measured, and CSR matrices (struct nmi_csr, kernels/kernel.h) built from dense weights and
 * verified once, so that packers and kernels may trust them.
 */
#ifndef NM_SPARSE_CSR_H
#define NM_SPARSE_CSR_H

#include "kernels/kernel.h"
#include "lib/ops/op.h"

/* How a dense weight becomes the rows of a CSR matrix. */
struct nmi_csr_source {
    const float *w;
    int32_t rows, cols;
    bool transposed;    /* w is [cols][rows] (Gemm with transB = 0, MatMul) */
    bool keep_zeros;    /* store every element: a dense layer through a sparse kernel */
    const float *scale; /* of each row (not when transposed), or NULL */
};

/* Builds *csr in one block (*memory, freed with nmi_free). NM_ELIMIT beyond 2^31 - 1 nonzeros. */
nm_status nmi_csr_build(const struct nmi_csr_source *source, struct nmi_csr *csr, void **memory,
                        nm_error *err);

/* Row starts monotone, columns ascending and in range, counts equal: all that a packer relies on.
 */
nm_status nmi_csr_verify(const struct nmi_csr *csr, nm_error *err);

/* Elements that are exactly zero (of either sign). */
int64_t nmi_zeros(const float *w, int64_t n);

/* What one weighted node (NMI_OP_WEIGHTED) holds. */
struct nmi_weight_info {
    int32_t node, value; /* ids; value is the weight */
    const struct nmi_constant *constant;
    int64_t elems, zeros;
};

/* The weighted nodes of a graph whose weight is a float32 constant, in order; at most max of them
 * in out (which may be NULL). Returns how many there are. */
int32_t nmi_weighted_nodes(const struct nmi_graph *g, struct nmi_weight_info *out, int32_t max);

#endif
