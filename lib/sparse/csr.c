/* SPDX-License-Identifier: Apache-2.0 */
/* CSR from dense weights: a pass to count and a pass to fill. */
#include "lib/sparse/csr.h"

#include "lib/base/checked.h"
#include "lib/base/mem.h"

#include <string.h>

int64_t nmi_zeros(const float *w, int64_t n)
{
    int64_t zeros = 0;
    for (int64_t i = 0; i < n; i++) {
        zeros += w[i] == 0.0f;
    }
    return zeros;
}

/* The transposed weight, column by column. Without col: counts into at[row + 1]; else stores at
 * at[row]++. */
static void walk_columns(const struct nmi_csr_source *s, int32_t *at, int32_t *col, float *val)
{
    const float *w = s->w;
    for (int32_t i = 0; i < s->cols; i++) {
        for (int32_t r = 0; r < s->rows; r++) {
            const float v = *w++;
            if (v == 0.0f && !s->keep_zeros) {
                continue;
            }
            if (col == NULL) {
                at[r + 1]++;
            } else {
                col[at[r]] = i;
                val[at[r]++] = v;
            }
        }
    }
}

static void count_rows(const struct nmi_csr_source *s, int32_t *start)
{
    if (s->transposed) {
        walk_columns(s, start, NULL, NULL);
        return;
    }
    for (int32_t r = 0; r < s->rows; r++) {
        const int64_t zeros = nmi_zeros(s->w + (int64_t)r * s->cols, s->cols);
        start[r + 1] = s->keep_zeros ? s->cols : s->cols - (int32_t)zeros;
    }
}

/* Zeros are written too, and the next element over them: where they are cannot be foretold, so a
 * branch would cost more. One entry of room is needed behind the last. */
static void fill_rows(const struct nmi_csr_source *s, int32_t *col, float *val)
{
    const float *w = s->w;
    int64_t at = 0;
    for (int32_t r = 0; r < s->rows; r++, w += s->cols) {
        const float scale = s->scale != NULL ? s->scale[r] : 1.0f;
        for (int32_t i = 0; i < s->cols; i++) {
            col[at] = i;
            val[at] = scale * w[i];
            at += w[i] != 0.0f || s->keep_zeros;
        }
    }
}

nm_status nmi_csr_build(const struct nmi_csr_source *source, struct nmi_csr *csr, void **memory,
                        nm_error *err)
{
    const int64_t total = (int64_t)source->rows * source->cols;
    const int64_t nnz = source->keep_zeros ? total : total - nmi_zeros(source->w, total);
    size_t starts = ((size_t)source->rows + 1) * sizeof(int32_t), entries = 0, bytes = 0;
    *memory = NULL;
    if (nnz > INT32_MAX) {
        return nmi_fail(err, NM_ELIMIT, "a sparse weight has %lld nonzeros, at most 2147483647",
                        (long long)nnz);
    }
    const size_t room = (size_t)nnz + 1;
    if (!nmi_mul(room, sizeof(int32_t) + sizeof(float), &entries) ||
        !nmi_add(entries, 2 * starts, &bytes)) {
        return nmi_fail_memory(err, SIZE_MAX, "a sparse weight");
    }
    char *block = nmi_alloc(bytes);
    if (block == NULL) {
        return nmi_fail_memory(err, bytes, "a sparse weight");
    }
    float *val = (float *)(void *)block;
    int32_t *col = (int32_t *)(void *)(block + room * sizeof(float));
    int32_t *start = col + room, *next = start + source->rows + 1;
    memset(start, 0, starts);
    count_rows(source, start);
    for (int32_t r = 0; r < source->rows; r++) {
        start[r + 1] += start[r];
    }
    if (source->transposed) {
        memcpy(next, start, starts);
        walk_columns(source, next, col, val);
    } else {
        fill_rows(source, col, val);
    }
    *csr = (struct nmi_csr){source->rows, source->cols, nnz, start, col, val};
    *memory = block;
    return nmi_csr_verify(csr, err);
}

static nm_status verify_row(const struct nmi_csr *csr, int32_t row, nm_error *err)
{
    int32_t last = -1;
    for (int32_t k = csr->row_start[row]; k < csr->row_start[row + 1]; k++) {
        if (csr->col[k] <= last || csr->col[k] >= csr->cols) {
            return nmi_fail(err, NM_EFORMAT,
                            "sparse weight: row %d has column %d after %d, of %d columns", row,
                            csr->col[k], last, csr->cols);
        }
        last = csr->col[k];
    }
    return NM_OK;
}

nm_status nmi_csr_verify(const struct nmi_csr *csr, nm_error *err)
{
    if (csr->rows < 0 || csr->cols < 0 || csr->row_start[0] != 0 ||
        csr->row_start[csr->rows] != csr->nnz) {
        return nmi_fail(err, NM_EFORMAT, "sparse weight: row starts do not run from 0 to %lld",
                        (long long)csr->nnz);
    }
    for (int32_t r = 0; r < csr->rows; r++) {
        if (csr->row_start[r] > csr->row_start[r + 1] || csr->row_start[r + 1] > csr->nnz) {
            return nmi_fail(err, NM_EFORMAT, "sparse weight: row %d ends before it starts", r);
        }
    }
    for (int32_t r = 0; r < csr->rows; r++) {
        NMI_TRY(verify_row(csr, r, err));
    }
    return NM_OK;
}

int32_t nmi_weighted_nodes(const struct nmi_graph *g, struct nmi_weight_info *out, int32_t max)
{
    int32_t n = 0;
    for (int32_t i = 0; i < g->n_nodes; i++) {
        const struct nmi_node *node = &g->nodes[i];
        if (!(nmi_ops[node->op]->flags & NMI_OP_WEIGHTED) || node->n_inputs < 2) {
            continue;
        }
        const struct nmi_constant *c = nmi_graph_constant(g, node->inputs[1]);
        int64_t elems = 0;
        if (c == NULL || c->type != NM_F32 || c->rank < 2 || !nmi_elems(c->rank, c->dims, &elems)) {
            continue;
        }
        if (out != NULL && n < max) {
            out[n] =
                (struct nmi_weight_info){i, node->inputs[1], c, elems, nmi_zeros(c->data, elems)};
        }
        n++;
    }
    return n;
}
