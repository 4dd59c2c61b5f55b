/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Row by row: (g[s][s] + d) w = c[s] + d w0[s] over the survivors s, by a float32 Cholesky factor of
 * the matrix scaled to a unit diagonal and refinement in double.
 */
#include "lib/base/mem.h"
#include "lib/base/parallel.h"
#include "lib/prune/linear.h"
#include "lib/prune/covariance.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

enum { ROWS = 4, REFINEMENTS = 2 };

struct refit {
    const struct nmi_covariance *s;
    const float *w0;
    const uint8_t *mask;
    float *w;
    atomic_int status;
};

/* What a task works with: survivors and their factor, which the next row may share. */
struct row_room {
    int32_t *at;           /* survivors' columns */
    int64_t n;
    float *factor;
    double *scale, *solution, *rest;
};

static int64_t survivors(const uint8_t *mask, int32_t k, int32_t *at)
{
    int64_t n = 0;
    for (int32_t i = 0; i < k; i++) {
        if (mask[i]) {
            at[n++] = i;
        }
    }
    return n;
}

static nm_status factor(const struct nmi_covariance *s, struct row_room *r, nm_error *err)
{
    bool positive = false;
    for (double more = 1; !positive; more *= 10) {
        const double d = s->damping * more;
        for (int64_t i = 0; i < r->n; i++) {
            r->scale[i] = 1 / sqrt(s->g[(int64_t)r->at[i] * s->k + r->at[i]] + d);
        }
        for (int64_t i = 0; i < r->n; i++) {
            const double *g = s->g + (int64_t)r->at[i] * s->k;
            for (int64_t j = 0; j < i; j++) {
                r->factor[i * r->n + j] = (float)(g[r->at[j]] * r->scale[i] * r->scale[j]);
            }
            r->factor[i * r->n + i] = 1;
        }
        NMI_TRY(nmi_cholesky(1, r->factor, r->n, &positive, err));
        if (!positive && more > 1e12) {
            return nmi_fail(err, NM_EINVAL, "the data's second moments are not finite");
        }
    }
    return NM_OK;
}

/* rest = right side - (g + d) solution */
static void residual(const struct nmi_covariance *s, const struct row_room *r, const double *c,
                     const float *w0, bool first)
{
    for (int64_t i = 0; i < r->n; i++) {
        const int32_t at = r->at[i];
        const double *g = s->g + (int64_t)at * s->k;
        double sum = c[at] + s->damping * (double)w0[at];
        for (int64_t j = 0; j < r->n && !first; j++) {
            sum -= g[r->at[j]] * r->solution[j];
        }
        r->rest[i] = first ? sum : sum - s->damping * r->solution[i];
    }
}

static void solve_row(const struct refit *f, struct row_room *r, int64_t row)
{
    const struct nmi_covariance *s = f->s;
    const double *c = s->c + row * s->k;
    const float *w0 = f->w0 + row * s->k;
    float *w = f->w + row * s->k;
    memset(r->solution, 0, (size_t)r->n * sizeof *r->solution);
    for (int i = 0; i <= REFINEMENTS; i++) {
        residual(s, r, c, w0, i == 0);
        for (int64_t j = 0; j < r->n; j++) {
            r->rest[j] *= r->scale[j];
        }
        nmi_cholesky_solve(r->factor, r->n, r->rest);
        for (int64_t j = 0; j < r->n; j++) {
            r->solution[j] += r->rest[j] * r->scale[j];
        }
    }
    memset(w, 0, (size_t)s->k * sizeof *w);
    for (int64_t j = 0; j < r->n; j++) {
        w[r->at[j]] = (float)r->solution[j];
    }
}

static nm_status solve_rows(const struct refit *f, struct row_room *r, int64_t first)
{
    const struct nmi_covariance *s = f->s;
    for (int64_t row = first; row < first + ROWS && row < s->m; row++) {
        const uint8_t *mask = f->mask + row * s->k;
        if (row == first || memcmp(mask, mask - s->k, (size_t)s->k) != 0) {
            r->n = survivors(mask, s->k, r->at);
            nmi_free(r->factor);
            r->factor = nmi_alloc((size_t)(r->n * r->n) * sizeof *r->factor);
            if (r->factor == NULL) {
                return NM_ENOMEM;
            }
            NMI_TRY(factor(s, r, NULL));
        }
        solve_row(f, r, row);
    }
    return NM_OK;
}

static void refit_part(void *context, int part, int parts)
{
    (void)parts;
    struct refit *f = context;
    const size_t k = (size_t)f->s->k;
    double *numbers = nmi_alloc(3 * k * sizeof *numbers);
    int32_t *at = nmi_alloc(k * sizeof *at);
    struct row_room r = {.at = at,
                         .scale = numbers,
                         .solution = numbers != NULL ? numbers + k : NULL,
                         .rest = numbers != NULL ? numbers + 2 * k : NULL};
    nm_status status = NM_ENOMEM;
    if (numbers != NULL && at != NULL) {
        status = solve_rows(f, &r, (int64_t)part * ROWS);
    }
    if (status != NM_OK) {
        atomic_store(&f->status, (int)status);
    }
    nmi_free(r.factor);
    nmi_free(at);
    nmi_free(numbers);
}

/* Inputs that never vary: nothing can be learnt, the weights stay as they are. */
static void keep_weights(const struct refit *f)
{
    for (int64_t i = 0; i < (int64_t)f->s->m * f->s->k; i++) {
        f->w[i] = f->mask[i] ? f->w0[i] : 0;
    }
}

nm_status nmi_refit(const struct nmi_covariance *s, const float *w0, const uint8_t *mask, float *w,
                    nm_error *err)
{
    struct refit f = {.s = s, .w0 = w0, .mask = mask, .w = w};
    if (!(s->damping > 0)) {
        keep_weights(&f);
        return NM_OK;
    }
    atomic_init(&f.status, NM_OK);
    nmi_parallel_for(s->threads, (s->m + ROWS - 1) / ROWS, refit_part, &f);
    const nm_status status = (nm_status)atomic_load(&f.status);
    return status == NM_OK         ? NM_OK
           : status == NM_ENOMEM   ? nmi_fail_memory(err, (size_t)s->k * sizeof(double), "a refit")
                                   : nmi_fail(err, status, "the weights could not be refitted");
}
