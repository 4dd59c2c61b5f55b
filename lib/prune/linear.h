/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linear algebra for pruning, on oneDNN's sgemm: Gram matrices, Cholesky factors (Golub, Van Loan,
 * "Matrix Computations", 4.2), inverses and solutions. Matrices are row-major. Work is cut into the
 * same pieces and summed in the same order for any number of threads.
 */
#ifndef NM_PRUNE_LINEAR_H
#define NM_PRUNE_LINEAR_H

#include "lib/base/status.h"

#include <stdbool.h>
#include <stdint.h>

/* g[k][k] += x' x for x[n][k]; products in float32 over some rows at a time, their sums in double. */
nm_status nmi_gram_add(int threads, const float *x, int64_t n, int64_t k, double *g, nm_error *err);

/* c[m][k] += t' x for t[n][m] with rows ldt apart, x[n][k]. */
nm_status nmi_cross_add(int threads, const float *t, int64_t ldt, const float *x, int64_t n,
                        const int64_t m_k[2], double *c, nm_error *err);

/* c[m][n] = beta c + a[m][k] b, b[k][n], or [n][k] when trans_b. */
struct nmi_product {
    const float *a, *b;
    float *c;
    int64_t m, n, k;
    float beta;
    bool trans_b;
};
nm_status nmi_product(int threads, const struct nmi_product *product, nm_error *err);

/* Lower factor l of a = l l' in place; what lies above the diagonal is spoilt. *positive: false when
 * a is not positive definite to float precision. */
nm_status nmi_cholesky(int threads, float *a, int64_t n, bool *positive, nm_error *err);

/* p = inverse of a, symmetric positive definite; a is spoilt, p may not be a. */
nm_status nmi_inverse(int threads, float *a, int64_t n, float *p, bool *positive, nm_error *err);

/* Solves l l' x = b in place, b[n]. */
void nmi_cholesky_solve(const float *l, int64_t n, double *b);

#endif
