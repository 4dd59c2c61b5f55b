/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/prune/covariance.h"

#include "lib/base/checked.h"
#include "lib/base/mem.h"
#include "lib/prune/linear.h"

#include <math.h>
#include <string.h>

/* Variance over squared mean below which the rounding of float32 sums hides what varies. */
#define STILL 1e-5
#define DAMPING 0.005 /* of the mean variance of inputs: 0.003 to 0.03 differ by less than the noise */
#define PLENTY 16     /* samples for each input, below which damping rises: few fit anything */

static double *zeros(int64_t n)
{
    return nmi_calloc((size_t)n + 1, sizeof(double));
}

/* Means over samples of [n][count], rows ld apart. */
static void means(const float *v, int64_t n, int64_t ld, int32_t count, double *mean)
{
    memset(mean, 0, (size_t)count * sizeof *mean);
    for (int64_t i = 0; i < n; i++) {
        for (int32_t c = 0; c < count; c++) {
            mean[c] += (double)v[i * ld + c];
        }
    }
    for (int32_t c = 0; c < count; c++) {
        mean[c] /= (double)n;
    }
}

/* An input that hardly varies beside its mean: its weights say nothing that the bias can't. */
static bool still(const struct nmi_covariance *s, int32_t i)
{
    return s->g[(int64_t)i * s->k + i] <= 0;
}

/* g of sums becomes that of deviations; returns its trace. */
static double centre(struct nmi_covariance *s, const struct nmi_problem *p)
{
    const int32_t k = s->k;
    double trace = 0;
    for (int32_t i = 0; i < k; i++) {
        for (int32_t j = 0; j < k; j++) {
            double *g = &s->g[(int64_t)i * k + j];
            *g = *g / (double)p->n - (p->fixed_bias ? 0 : s->mx[i] * s->mx[j]);
        }
        double *own = &s->g[(int64_t)i * k + i];
        *own = *own <= STILL * s->mx[i] * s->mx[i] ? 0 : *own;
        trace += *own;
    }
    for (int64_t i = 0; i < (int64_t)k * k; i++) {
        s->g[i] = still(s, (int32_t)(i / k)) || still(s, (int32_t)(i % k)) ? 0 : s->g[i];
    }
    return trace;
}

nm_status nmi_covariance_begin(struct nmi_covariance *s, const struct nmi_problem *p, nm_error *err)
{
    const int32_t k = p->shape.channels * p->shape.taps, m = p->rows;
    *s = (struct nmi_covariance){.m = m, .k = k, .threads = p->threads};
    s->g = zeros((int64_t)k * k);
    s->c = zeros((int64_t)m * k);
    s->mx = zeros(k);
    s->my = zeros(m);
    s->yy = zeros(m);
    if (s->g == NULL || s->c == NULL || s->mx == NULL || s->my == NULL || s->yy == NULL) {
        return nmi_fail_memory(err, (size_t)k * (size_t)k * sizeof *s->g, "a Gram matrix");
    }
    NMI_TRY(nmi_gram_add(p->threads, p->x, p->n, k, s->g, err));
    means(p->x, p->n, k, k, s->mx);
    const double trace = centre(s, p);
    const double scarce = PLENTY * (double)k / (double)p->n;
    s->damping = trace > 0 ? DAMPING * (scarce > 1 ? scarce : 1) * trace / k : 0;
    return isfinite(trace) ? NM_OK : nmi_fail(err, NM_EINVAL, "its inputs are not finite");
}

nm_status nmi_covariance_target(struct nmi_covariance *s, const struct nmi_problem *p, const float *target,
                             nm_error *err)
{
    const int64_t m_k[2] = {s->m, s->k};
    memset(s->c, 0, (size_t)s->m * (size_t)s->k * sizeof *s->c);
    memset(s->yy, 0, (size_t)s->m * sizeof *s->yy);
    NMI_TRY(nmi_cross_add(p->threads, target, s->m, p->x, p->n, m_k, s->c, err));
    means(target, p->n, s->m, s->m, s->my);
    for (int64_t i = 0; i < p->n; i++) {
        for (int32_t m = 0; m < s->m; m++) {
            const double off = (double)target[i * s->m + m] - s->my[m];
            s->yy[m] += off * off;
        }
    }
    double sum = 0;
    for (int32_t m = 0; m < s->m; m++) {
        s->yy[m] /= (double)p->n;
        if (p->fixed_bias) { /* it is no part of what x explains */
            const double off = s->my[m] - (double)p->b0[m];
            s->yy[m] += off * off;
            s->my[m] = (double)p->b0[m];
        }
        double *c = s->c + (int64_t)m * s->k;
        for (int32_t k = 0; k < s->k; k++) {
            c[k] = still(s, k) ? 0 : c[k] / (double)p->n - s->my[m] * s->mx[k];
            sum += fabs(c[k]);
        }
        sum += s->yy[m];
    }
    return isfinite(sum) ? NM_OK : nmi_fail(err, NM_EINVAL, "its outputs are not finite");
}

void nmi_covariance_free(struct nmi_covariance *s)
{
    nmi_free(s->g);
    nmi_free(s->c);
    nmi_free(s->mx);
    nmi_free(s->my);
    nmi_free(s->yy);
}

double nmi_covariance_error(const struct nmi_covariance *s, const float *w)
{
    double missed = 0, all = 0;
    for (int32_t m = 0; m < s->m; m++) {
        const float *row = w + (int64_t)m * s->k;
        const double *c = s->c + (int64_t)m * s->k;
        double sum = s->yy[m];
        for (int32_t i = 0; i < s->k; i++) {
            double dot = 0;
            for (int32_t j = 0; j < s->k && row[i] != 0; j++) {
                dot += (double)row[j] * s->g[(int64_t)i * s->k + j];
            }
            sum += (double)row[i] * (dot - 2 * c[i]);
        }
        missed += sum > 0 ? sum : 0;
        all += s->yy[m];
    }
    return all > 0 ? missed / all : 0;
}
