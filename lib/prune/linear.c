/* SPDX-License-Identifier: Apache-2.0 */
/* Panels are cut by size, never by the number of threads: so the sums are the same for any number. */
#include "lib/prune/linear.h"

#include "kernels/kernel.h"
#include "lib/base/mem.h"
#include "lib/base/parallel.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

enum {
    PANEL = 128,   /* rows of a result that one task makes */
    CHUNK = 1024,  /* samples whose products are summed in float32 */
    BLOCK = 64     /* columns of a Cholesky step */
};

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- tasks over panels ---------------------------------------------------------------------- */

struct panels {
    nm_status (*panel)(const struct panels *p, int64_t first, int64_t count, nm_error *err);
    const void *job;
    int64_t rows;
    atomic_int status; /* of the first that failed */
};

static void run_panel(void *context, int part, int parts)
{
    (void)parts;
    struct panels *p = context;
    const int64_t first = (int64_t)part * PANEL;
    const nm_status status = p->panel(p, first, least(PANEL, p->rows - first), NULL);
    if (status != NM_OK) {
        atomic_store(&p->status, (int)status);
    }
}

static nm_status run_panels(int threads, struct panels *p, nm_error *err)
{
    atomic_init(&p->status, NM_OK);
    nmi_parallel_for(threads, (int)((p->rows + PANEL - 1) / PANEL), run_panel, p);
    const nm_status status = (nm_status)atomic_load(&p->status);
    return status == NM_OK ? NM_OK : nmi_fail(err, status, "a matrix product failed");
}

/* ---- sums of products over samples ---------------------------------------------------------- */

struct sums {
    const float *t, *x;
    int64_t ldt, n, k;
    bool gram; /* t is x: only columns from the panel's first on */
    double *to;
};

static nm_status sum_panel(const struct panels *p, int64_t first, int64_t count, nm_error *err)
{
    const struct sums *s = p->job;
    const int64_t from = s->gram ? first : 0, width = s->k - from;
    float *part = nmi_alloc((size_t)(count * width) * sizeof *part);
    nm_status status = part != NULL ? NM_OK : nmi_fail_memory(err, (size_t)width, "a product");
    for (int64_t i = 0; i < s->n && status == NM_OK; i += CHUNK) {
        const struct nmi_sgemm g = {.trans_a = true,
                                    .m = count,
                                    .n = width,
                                    .k = least(CHUNK, s->n - i),
                                    .alpha = 1,
                                    .a = s->t + i * s->ldt + first,
                                    .lda = s->ldt,
                                    .b = s->x + i * s->k + from,
                                    .ldb = s->k,
                                    .c = part,
                                    .ldc = width};
        status = nmi_sgemm(&g, err);
        for (int64_t r = 0; r < count && status == NM_OK; r++) {
            double *to = s->to + (first + r) * s->k + from;
            for (int64_t c = 0; c < width; c++) {
                to[c] += (double)part[r * width + c];
            }
        }
    }
    nmi_free(part);
    return status;
}

nm_status nmi_cross_add(int threads, const float *t, int64_t ldt, const float *x, int64_t n,
                        const int64_t m_k[2], double *c, nm_error *err)
{
    const struct sums s = {.t = t, .x = x, .ldt = ldt, .n = n, .k = m_k[1], .to = c};
    struct panels p = {.panel = sum_panel, .job = &s, .rows = m_k[0]};
    return run_panels(threads, &p, err);
}

nm_status nmi_gram_add(int threads, const float *x, int64_t n, int64_t k, double *g, nm_error *err)
{
    const struct sums s = {.t = x, .x = x, .ldt = k, .n = n, .k = k, .gram = true, .to = g};
    struct panels p = {.panel = sum_panel, .job = &s, .rows = k};
    NMI_TRY(run_panels(threads, &p, err));
    for (int64_t i = 0; i < k; i++) { /* what the panels left out, and their own lower halves */
        for (int64_t j = 0; j < i; j++) {
            g[i * k + j] = g[j * k + i];
        }
    }
    return NM_OK;
}

/* ---- products ------------------------------------------------------------------------------- */

static nm_status product_panel(const struct panels *p, int64_t first, int64_t count, nm_error *err)
{
    const struct nmi_product *q = p->job;
    const struct nmi_sgemm g = {.trans_b = q->trans_b,
                                .m = count,
                                .n = q->n,
                                .k = q->k,
                                .alpha = 1,
                                .beta = q->beta,
                                .a = q->a + first * q->k,
                                .lda = q->k,
                                .b = q->b,
                                .ldb = q->trans_b ? q->k : q->n,
                                .c = q->c + first * q->n,
                                .ldc = q->n};
    return nmi_sgemm(&g, err);
}

nm_status nmi_product(int threads, const struct nmi_product *product, nm_error *err)
{
    struct panels p = {.panel = product_panel, .job = product, .rows = product->m};
    return run_panels(threads, &p, err);
}

/* ---- Cholesky ------------------------------------------------------------------------------- */

/* In place; false: not positive definite. */
static bool factor_block(float *a, int64_t lda, int64_t n)
{
    for (int64_t j = 0; j < n; j++) {
        double sum = (double)a[j * lda + j];
        for (int64_t k = 0; k < j; k++) {
            sum -= (double)a[j * lda + k] * (double)a[j * lda + k];
        }
        if (!(sum > 1e-12)) {
            return false;
        }
        const double pivot = sqrt(sum);
        a[j * lda + j] = (float)pivot;
        for (int64_t i = j + 1; i < n; i++) {
            double dot = (double)a[i * lda + j];
            for (int64_t k = 0; k < j; k++) {
                dot -= (double)a[i * lda + k] * (double)a[j * lda + k];
            }
            a[i * lda + j] = (float)(dot / pivot);
        }
    }
    return true;
}

/* inverse[n][n] of a lower block. */
static void invert_block(const float *l, int64_t lda, int64_t n, float *inverse)
{
    memset(inverse, 0, (size_t)(n * n) * sizeof *inverse);
    for (int64_t j = 0; j < n; j++) {
        inverse[j * n + j] = 1.0f / l[j * lda + j];
        for (int64_t i = j + 1; i < n; i++) {
            double dot = 0;
            for (int64_t k = j; k < i; k++) {
                dot -= (double)l[i * lda + k] * (double)inverse[k * n + j];
            }
            inverse[i * n + j] = (float)(dot / (double)l[i * lda + i]);
        }
    }
}

/* The rows below a factored block: l = a inverse', then the update of what lies right of it. */
struct step {
    float *a;
    int64_t lda, n;        /* of the whole matrix */
    int64_t at, width;     /* the block's columns */
    const float *inverse;  /* of the block's factor */
    bool update;
};

/* Rows are counted from below the block. */
static nm_status step_panel(const struct panels *p, int64_t first, int64_t count, nm_error *err)
{
    const struct step *s = p->job;
    const int64_t below = s->at + s->width;
    float *rows = s->a + (below + first) * s->lda + s->at;
    float part[PANEL * BLOCK];
    struct nmi_sgemm g = {.trans_b = true,
                          .m = count,
                          .n = s->width,
                          .k = s->width,
                          .alpha = 1,
                          .a = rows,
                          .lda = s->lda,
                          .b = s->inverse,
                          .ldb = s->width,
                          .c = part,
                          .ldc = s->width};
    if (!s->update) {
        NMI_TRY(nmi_sgemm(&g, err));
        for (int64_t r = 0; r < count; r++) {
            memcpy(rows + r * s->lda, part + r * s->width, (size_t)s->width * sizeof *part);
        }
        return NM_OK;
    }
    g.n = first + count;
    g.alpha = -1;
    g.beta = 1;
    g.b = s->a + below * s->lda + s->at;
    g.ldb = s->lda;
    g.c = rows + s->width;
    g.ldc = s->lda;
    return nmi_sgemm(&g, err);
}

nm_status nmi_cholesky(int threads, float *a, int64_t n, bool *positive, nm_error *err)
{
    float inverse[BLOCK * BLOCK];
    *positive = true;
    for (int64_t at = 0; at < n; at += BLOCK) {
        struct step s = {
            .a = a, .lda = n, .n = n, .at = at, .width = least(BLOCK, n - at), .inverse = inverse};
        if (!factor_block(a + at * n + at, n, s.width)) {
            *positive = false;
            return NM_OK;
        }
        invert_block(a + at * n + at, n, s.width, inverse);
        struct panels p = {.panel = step_panel, .job = &s, .rows = n - at - s.width};
        NMI_TRY(run_panels(threads, &p, err));
        s.update = true;
        NMI_TRY(run_panels(threads, &p, err));
    }
    return NM_OK;
}

void nmi_cholesky_solve(const float *l, int64_t n, double *b)
{
    for (int64_t i = 0; i < n; i++) {
        const float *row = l + i * n;
        double sum = b[i];
        for (int64_t k = 0; k < i; k++) {
            sum -= (double)row[k] * b[k];
        }
        b[i] = sum / (double)row[i];
    }
    for (int64_t i = n; i-- > 0;) {
        const float *row = l + i * n;
        b[i] /= (double)row[i];
        const double x = b[i];
        for (int64_t k = 0; k < i; k++) {
            b[k] -= (double)row[k] * x;
        }
    }
}

/* ---- inverse -------------------------------------------------------------------------------- */

/* y = inverse of l, block of rows by block of rows: y[i] = inverse(l[i][i]) (e[i] - l[i][<i] y[<i]).
 */
static nm_status invert_factor(const float *l, int64_t n, float *y, nm_error *err)
{
    float inverse[BLOCK * BLOCK];
    float *rest = nmi_calloc((size_t)(BLOCK * n), sizeof *rest);
    nm_status status =
        rest != NULL ? NM_OK : nmi_fail_memory(err, (size_t)(BLOCK * n) * 4, "an inverse");
    memset(y, 0, (size_t)(n * n) * sizeof *y);
    for (int64_t at = 0; at < n && status == NM_OK; at += BLOCK) {
        const int64_t rows = least(BLOCK, n - at), width = at + rows;
        struct nmi_sgemm g = {.m = rows, .n = at, .k = at, .alpha = -1, .a = l + at * n, .lda = n,
                              .b = y, .ldb = n, .c = rest, .ldc = width};
        status = nmi_sgemm(&g, err);
        for (int64_t r = 0; r < rows; r++) {
            memset(rest + r * width + at, 0, (size_t)rows * sizeof *rest);
            rest[r * width + at + r] = 1;
        }
        invert_block(l + at * n + at, n, rows, inverse);
        const struct nmi_sgemm h = {.m = rows, .n = width, .k = rows, .alpha = 1, .a = inverse,
                                    .lda = rows, .b = rest, .ldb = width, .c = y + at * n,
                                    .ldc = n};
        status = status == NM_OK ? nmi_sgemm(&h, err) : status;
    }
    nmi_free(rest);
    return status;
}

struct square {
    const float *y;
    float *p;
    int64_t n;
};

/* Rows of y' y: y is lower, so rows of it above the panel do not count. */
static nm_status square_panel(const struct panels *p, int64_t first, int64_t count, nm_error *err)
{
    const struct square *s = p->job;
    const struct nmi_sgemm g = {.trans_a = true,
                                .m = count,
                                .n = s->n,
                                .k = s->n - first,
                                .alpha = 1,
                                .a = s->y + first * s->n + first,
                                .lda = s->n,
                                .b = s->y + first * s->n,
                                .ldb = s->n,
                                .c = s->p + first * s->n,
                                .ldc = s->n};
    return nmi_sgemm(&g, err);
}

nm_status nmi_inverse(int threads, float *a, int64_t n, float *p, bool *positive, nm_error *err)
{
    NMI_TRY(nmi_cholesky(threads, a, n, positive, err));
    if (!*positive) {
        return NM_OK;
    }
    float *y = nmi_alloc((size_t)(n * n) * sizeof *y);
    nm_status status = y != NULL ? NM_OK : nmi_fail_memory(err, (size_t)(n * n) * 4, "an inverse");
    if (status == NM_OK) {
        status = invert_factor(a, n, y, err);
    }
    if (status == NM_OK) {
        const struct square s = {y, p, n};
        struct panels panels = {.panel = square_panel, .job = &s, .rows = n};
        status = run_panels(threads, &panels, err);
    }
    nmi_free(y);
    return status;
}
