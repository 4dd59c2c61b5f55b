/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Alternating directions (Boyd et al. 2011, section 9.1) for the weights that minimise the squared
 * error with so many nonzeros. Columns are scaled so that the Gram matrix has a unit diagonal: a
 * weight's size is then its effect. The penalty rises in steps, and for each one inverse serves some
 * iterations.
 */
#include "lib/base/mem.h"
#include "lib/prune/linear.h"
#include "lib/prune/covariance.h"

#include <math.h>
#include <string.h>

enum { STEPS = 8, ITERATIONS = 8 }; /* penalties, and iterations at each */
#define RHO_FIRST 0.03
#define RHO_LAST 1.0
#define RHO_START 1e-3 /* of the first weights, before there is a mask */
#define KEEP_BYTES ((size_t)256 << 20) /* of inverses that are kept for the next call */

struct nmi_admm {
    const struct nmi_covariance *s;
    double *scale; /* [k] */
    float *a;      /* [k][k] scaled, damped */
    float *work;   /* [k][k] */
    float *inverse[STEPS + 1];
    float *b, *w, *z, *u; /* [m][k] */
};

static double rho_at(int32_t step)
{
    return step == 0 ? RHO_START
                     : RHO_FIRST * pow(RHO_LAST / RHO_FIRST, (double)(step - 1) / (STEPS - 1));
}

/* Columns that never vary get a tiny scale: their weights count for nothing. */
static void scale_columns(struct nmi_admm *a)
{
    const struct nmi_covariance *s = a->s;
    const int64_t k = s->k;
    double most = 0;
    for (int64_t i = 0; i < k; i++) {
        most = fmax(most, s->g[i * k + i]);
    }
    for (int64_t i = 0; i < k; i++) {
        a->scale[i] = sqrt(fmax(s->g[i * k + i], 1e-12 * most));
    }
    for (int64_t i = 0; i < k; i++) {
        for (int64_t j = 0; j < k; j++) {
            const double g = s->g[i * k + j] + (i == j ? s->damping : 0);
            a->a[i * k + j] = (float)(g / (a->scale[i] * a->scale[j]));
        }
    }
}

nm_status nmi_admm_create(const struct nmi_covariance *s, struct nmi_admm **admm, nm_error *err)
{
    const size_t k = (size_t)s->k, square = k * k * sizeof(float);
    const size_t weights = (size_t)s->m * k * sizeof(float);
    struct nmi_admm *a = nmi_calloc(1, sizeof *a);
    if (a == NULL) {
        return nmi_fail_memory(err, sizeof *a, "pruning");
    }
    *admm = a;
    a->s = s;
    a->scale = nmi_alloc(k * sizeof *a->scale);
    a->a = nmi_alloc(square);
    a->work = nmi_alloc(square);
    float **const arrays[] = {&a->b, &a->w, &a->z, &a->u};
    bool good = a->scale != NULL && a->a != NULL && a->work != NULL;
    for (int i = 0; i < 4; i++) {
        *arrays[i] = nmi_alloc(weights);
        good &= *arrays[i] != NULL;
    }
    if (!good) {
        nmi_admm_free(a);
        *admm = NULL;
        return nmi_fail_memory(err, square, "pruning");
    }
    scale_columns(a);
    return NM_OK;
}

void nmi_admm_free(struct nmi_admm *a)
{
    if (a == NULL) {
        return;
    }
    for (int i = 0; i <= STEPS; i++) {
        nmi_free(a->inverse[i]);
    }
    nmi_free(a->scale);
    nmi_free(a->a);
    nmi_free(a->work);
    nmi_free(a->b);
    nmi_free(a->w);
    nmi_free(a->z);
    nmi_free(a->u);
    nmi_free(a);
}

/* (a + rho)^-1 of this step, from the last call or made now. */
static nm_status find_inverse(struct nmi_admm *a, int32_t step, nm_error *err)
{
    const int64_t k = a->s->k;
    bool positive = false;
    if (a->inverse[step] != NULL) {
        return NM_OK;
    }
    a->inverse[step] = nmi_alloc((size_t)(k * k) * sizeof(float));
    if (a->inverse[step] == NULL) {
        return nmi_fail_memory(err, (size_t)(k * k) * sizeof(float), "an inverse");
    }
    /* What rounding took away is given back on the diagonal until the matrix is positive. */
    for (double more = rho_at(step); !positive; more *= 4) {
        memcpy(a->work, a->a, (size_t)(k * k) * sizeof(float));
        for (int64_t i = 0; i < k; i++) {
            a->work[i * k + i] += (float)more;
        }
        NMI_TRY(nmi_inverse(a->s->threads, a->work, k, a->inverse[step], &positive, err));
        if (!positive && more > 1e9) {
            return nmi_fail(err, NM_EINVAL, "the data's second moments are not finite");
        }
    }
    return NM_OK;
}

static void drop_inverse(struct nmi_admm *a, int32_t step)
{
    const size_t k = (size_t)a->s->k;
    if (k * k * sizeof(float) * STEPS > KEEP_BYTES) {
        nmi_free(a->inverse[step]);
        a->inverse[step] = NULL;
    }
}

/* w = (b + rho (z - u)) inverse; u holds the right side meanwhile and is restored. */
static nm_status minimise(struct nmi_admm *a, int32_t step, bool first, float *right, nm_error *err)
{
    const int64_t n = (int64_t)a->s->m * a->s->k;
    const float rho = first ? 0 : (float)rho_at(step);
    for (int64_t i = 0; i < n; i++) {
        right[i] = first ? a->b[i] : a->b[i] + rho * (a->z[i] - a->u[i]);
    }
    const struct nmi_product p = {
        .a = right, .b = a->inverse[step], .c = a->w, .m = a->s->m, .n = a->s->k, .k = a->s->k};
    return nmi_product(a->s->threads, &p, err);
}

/* v = w + u; z = v where the mask is; u = v - z. */
static nm_status project(struct nmi_admm *a, const struct nmi_problem *p, double sparsity,
                         uint8_t *mask, nm_error *err)
{
    const int64_t n = (int64_t)a->s->m * a->s->k;
    for (int64_t i = 0; i < n; i++) {
        a->w[i] += a->u[i];
    }
    NMI_TRY(nmi_pattern_select(&p->pattern, &p->shape, a->w, sparsity, mask, err));
    for (int64_t i = 0; i < n; i++) {
        a->z[i] = mask[i] ? a->w[i] : 0;
        a->u[i] = a->w[i] - a->z[i];
    }
    return NM_OK;
}

static nm_status iterate(struct nmi_admm *a, const struct nmi_problem *p, double sparsity,
                         uint8_t *mask, float *right, nm_error *err)
{
    const int64_t n = (int64_t)a->s->m * a->s->k;
    memset(a->u, 0, (size_t)n * sizeof *a->u);
    NMI_TRY(find_inverse(a, 0, err));
    NMI_TRY(minimise(a, 0, true, right, err));
    NMI_TRY(project(a, p, sparsity, mask, err));
    memset(a->u, 0, (size_t)n * sizeof *a->u);
    drop_inverse(a, 0);
    for (int32_t step = 1; step <= STEPS; step++) {
        NMI_TRY(find_inverse(a, step, err));
        for (int32_t i = 0; i < ITERATIONS; i++) {
            NMI_TRY(minimise(a, step, false, right, err));
            NMI_TRY(project(a, p, sparsity, mask, err));
        }
        drop_inverse(a, step);
        /* The dual variable is u times the penalty: it must not jump with it. */
        const float ratio = (float)(rho_at(step) / rho_at(step + 1));
        for (int64_t i = 0; i < n; i++) {
            a->u[i] *= ratio;
        }
    }
    return NM_OK;
}

nm_status nmi_admm_mask(struct nmi_admm *a, const struct nmi_problem *p, double sparsity,
                        uint8_t *mask, nm_error *err)
{
    const struct nmi_covariance *s = a->s;
    float *right = nmi_alloc((size_t)s->m * (size_t)s->k * sizeof *right);
    if (right == NULL) {
        return nmi_fail_memory(err, (size_t)s->m * (size_t)s->k * sizeof *right, "pruning");
    }
    for (int64_t m = 0; m < s->m; m++) {
        for (int64_t k = 0; k < s->k; k++) {
            const int64_t i = m * s->k + k;
            a->b[i] = (float)((s->c[i] + s->damping * (double)p->w0[i]) / a->scale[k]);
        }
    }
    nm_status status = iterate(a, p, sparsity, mask, right, err);
    nmi_free(right);
    return status;
}
