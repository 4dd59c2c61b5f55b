/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the reference kernels share. All sums of products are made in double over tiles of 16
 * outputs: the products of floats are exact, so the result is the true sum rounded once, and the
 * order of summation (always ascending) hardly matters. 16 doubles are 8 SSE2 registers.
 * For kernels/ref only.
 */
#ifndef NM_KERNELS_REF_REF_H
#define NM_KERNELS_REF_REF_H

#include "kernels/kernel.h"

#define NMI_REF_TILE 16

/* The units [begin, end) of one part; parts differ by one unit at most. */
struct nmi_ref_range {
    int64_t begin, end;
};
struct nmi_ref_range nmi_ref_split(int64_t units, int part, int parts);

/* As many parts as threads, but no more than units; at least 1. */
int nmi_ref_parts(int64_t units, int threads);

/* acc[t] += sum over i < k of w[i * stride] * tile[i][t]. */
void nmi_ref_dot(const float *w, int64_t stride, const double *tile, int64_t k, double *acc);

/* Terms of one output: (ic / groups) kh kw. */
int64_t nmi_ref_conv_terms(const struct nmi_conv_desc *d);

/* Where the term (ky, kx) of output (oy, ox) reads in a plane of x; -1: outside, reads zero. */
typedef int64_t (*nmi_ref_source)(const struct nmi_conv_desc *d, int32_t oy, int32_t ox, int32_t ky,
                                  int32_t kx);
int64_t nmi_ref_conv_source(const struct nmi_conv_desc *d, int32_t oy, int32_t ox, int32_t ky,
                            int32_t kx);

/* Adds the products of output channel oc with a tile [terms][16] to acc[16]. */
typedef void (*nmi_ref_row)(const struct nmi_conv_desc *d, const void *weights, int32_t oc,
                            const double *tile, double *acc);

/* A window operation as a product of weights with tiles of gathered inputs: CONV, SPCONV and DECONV
 * differ by where a term reads and how a row of weights is walked. */
struct nmi_ref_conv {
    nmi_ref_source source;
    nmi_ref_row row;
};
void nmi_ref_conv_run(const struct nmi_ref_conv *op, const struct nmi_conv_desc *d,
                      const struct nmi_kargs *args, const void *weights, int part, int parts);
size_t nmi_ref_conv_scratch(const union nmi_desc *desc, int parts);
int nmi_ref_conv_parts(const union nmi_desc *desc, const void *packed, int threads);
const char *nmi_ref_conv_refuse(const union nmi_desc *desc);

/* CSR as packed by the reference kernels: this header, then row_start, col, val. */
struct nmi_ref_csr {
    int32_t rows, cols;
    int64_t nnz;
};
size_t nmi_ref_csr_bytes(const struct nmi_csr *w);
void nmi_ref_csr_pack(const struct nmi_csr *w, void *packed);
struct nmi_csr nmi_ref_csr_view(const void *packed);

static inline bool nmi_ref_plain(const struct nmi_image *image)
{
    return image->layout.kind == NMI_PLAIN;
}

#endif
