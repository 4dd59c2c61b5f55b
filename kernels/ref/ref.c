/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the reference kernels: splitting, dot products over tiles, packed CSR. */
#include "kernels/ref/ref.h"

#include <string.h>

struct nmi_ref_range nmi_ref_split(int64_t units, int part, int parts)
{
    int64_t each = units / parts, rest = units % parts;
    int64_t begin = each * part + (part < rest ? part : rest);
    return (struct nmi_ref_range){begin, begin + each + (part < rest)};
}

int nmi_ref_parts(int64_t units, int threads)
{
    if (units < 1) {
        return 1;
    }
    return units < threads ? (int)units : threads;
}

void nmi_ref_dot(const float *w, int64_t stride, const double *tile, int64_t k, double *acc)
{
    double sum[NMI_REF_TILE]; /* a copy that no pointer aliases stays in registers */
    memcpy(sum, acc, sizeof sum);
    for (int64_t i = 0; i < k; i++) {
        double weight = (double)w[i * stride];
        for (int t = 0; t < NMI_REF_TILE; t++) {
            sum[t] += weight * tile[i * NMI_REF_TILE + t];
        }
    }
    memcpy(acc, sum, sizeof sum);
}

static size_t row_bytes(const struct nmi_csr *w)
{
    return ((size_t)w->rows + 1) * sizeof *w->row_start;
}

size_t nmi_ref_csr_bytes(const struct nmi_csr *w)
{
    size_t each = sizeof *w->col + sizeof *w->val;
    return sizeof(struct nmi_ref_csr) + row_bytes(w) + (size_t)w->nnz * each;
}

void nmi_ref_csr_pack(const struct nmi_csr *w, void *packed)
{
    struct nmi_ref_csr head = {w->rows, w->cols, w->nnz};
    char *out = packed;
    memcpy(out, &head, sizeof head);
    memcpy(out + sizeof head, w->row_start, row_bytes(w));
    if (w->nnz > 0) {
        char *col = out + sizeof head + row_bytes(w);
        memcpy(col, w->col, (size_t)w->nnz * sizeof *w->col);
        memcpy(col + (size_t)w->nnz * sizeof *w->col, w->val, (size_t)w->nnz * sizeof *w->val);
    }
}

struct nmi_csr nmi_ref_csr_view(const void *packed)
{
    const struct nmi_ref_csr *head = packed;
    struct nmi_csr w = {.rows = head->rows, .cols = head->cols, .nnz = head->nnz};
    w.row_start = (const int32_t *)(head + 1);
    w.col = w.row_start + w.rows + 1;
    w.val = (const float *)(w.col + w.nnz);
    return w;
}
