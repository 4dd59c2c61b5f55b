/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/prune/solve.h"

#include "lib/base/mem.h"
#include "lib/prune/linear.h"
#include "lib/prune/covariance.h"

#include <math.h>
#include <string.h>

/* What the activation cuts off: values at or beyond these are all as good. */
struct range {
    float low, high;
};

static struct range range_of(struct nmi_act act)
{
    struct range r = {-INFINITY, INFINITY};
    if (act.kind == NMI_ACT_RELU) {
        r.low = 0;
    } else if (act.kind == NMI_ACT_CLIP) {
        r = (struct range){act.alpha, act.beta};
    }
    return r;
}

struct solving {
    const struct nmi_problem *p;
    int32_t k;
    struct nmi_covariance s;
    struct nmi_admm *admm;
    float *target; /* [n][m]: of the layer's own output */
    float *own;    /* the same: what it gives now, without bias */
    uint8_t *mask;
    struct nmi_solution *to;
};

static void first_target(const struct solving *v)
{
    const struct nmi_problem *p = v->p;
    for (int64_t i = 0; i < p->n; i++) {
        for (int32_t m = 0; m < p->rows; m++) {
            const float skip = p->skip != NULL ? p->skip[i * p->ld + m] : 0;
            v->target[i * p->rows + m] = p->full[i * p->ld + m] - skip;
        }
    }
}

/* Where the activation cuts the dense value off, the layer may give anything that it cuts off too:
 * the target is what it gives now, or the edge. */
static nm_status relaxed_target(const struct solving *v, nm_error *err)
{
    const struct nmi_problem *p = v->p;
    const struct range range = range_of(p->act);
    const struct nmi_product own = {.a = p->x, .b = v->to->w, .c = v->own, .m = p->n, .n = p->rows,
                                    .k = v->k, .trans_b = true};
    NMI_TRY(nmi_product(p->threads, &own, err));
    for (int64_t i = 0; i < p->n; i++) {
        for (int32_t m = 0; m < p->rows; m++) {
            const float skip = p->skip != NULL ? p->skip[i * p->ld + m] : 0;
            const float now = v->own[i * p->rows + m] + v->to->b[m] + skip;
            float full = p->full[i * p->ld + m];
            if (full <= range.low) {
                full = fminf(now, range.low);
            } else if (full >= range.high) {
                full = fmaxf(now, range.high);
            }
            v->target[i * p->rows + m] = full - skip;
        }
    }
    return NM_OK;
}

static void fit_bias(const struct solving *v)
{
    for (int32_t m = 0; m < v->p->rows; m++) {
        double b = v->s.my[m];
        for (int32_t k = 0; k < v->k && !v->p->fixed_bias; k++) {
            b -= (double)v->to->w[(int64_t)m * v->k + k] * v->s.mx[k];
        }
        v->to->b[m] = (float)b;
    }
}

/* Whether there is a mask to be searched. */
static bool thins(const struct nmi_problem *p, double sparsity)
{
    return sparsity > 0 || p->pattern.kind == NMI_PATTERN_N_M;
}

/* Inputs that never vary leave the choice to the weights' sizes. */
static nm_status find_mask(const struct solving *v, double sparsity, nm_error *err)
{
    if (!thins(v->p, sparsity)) {
        memset(v->mask, 1, (size_t)v->p->rows * (size_t)v->k);
        return NM_OK;
    }
    return v->s.damping > 0 ? nmi_admm_mask(v->admm, v->p, sparsity, v->mask, err)
                            : nmi_pattern_select(&v->p->pattern, &v->p->shape, v->p->w0, sparsity,
                                                 v->mask, err);
}

static nm_status solve_once(const struct solving *v, double sparsity, nm_error *err)
{
    NMI_TRY(find_mask(v, sparsity, err));
    NMI_TRY(nmi_refit(&v->s, v->p->w0, v->mask, v->to->w, err));
    fit_bias(v);
    return NM_OK;
}

static nm_status begin(struct solving *v, double most, nm_error *err)
{
    const struct nmi_problem *p = v->p;
    const size_t outputs = (size_t)p->n * (size_t)p->rows * sizeof(float);
    v->k = p->shape.channels * p->shape.taps;
    v->target = nmi_alloc(outputs);
    v->own = p->rounds > 0 ? nmi_alloc(outputs) : NULL;
    v->mask = nmi_alloc((size_t)p->rows * (size_t)v->k);
    if (v->target == NULL || v->mask == NULL || (p->rounds > 0 && v->own == NULL)) {
        return nmi_fail_memory(err, outputs, "a layer's targets");
    }
    NMI_TRY(nmi_covariance_begin(&v->s, p, err));
    if (thins(p, most)) {
        NMI_TRY(nmi_admm_create(&v->s, &v->admm, err));
    }
    first_target(v);
    return nmi_covariance_target(&v->s, p, v->target, err);
}

static void end(struct solving *v)
{
    nmi_admm_free(v->admm);
    nmi_covariance_free(&v->s);
    nmi_free(v->target);
    nmi_free(v->own);
    nmi_free(v->mask);
}

static nm_status solve(struct solving *v, nm_error *err)
{
    const struct nmi_problem *p = v->p;
    const struct range range = range_of(p->act);
    NMI_TRY(begin(v, p->sparsity, err));
    NMI_TRY(solve_once(v, p->sparsity, err));
    v->to->error = nmi_covariance_error(&v->s, v->to->w);
    const bool cut = isfinite(range.low) || isfinite(range.high);
    for (int32_t i = 0; i < p->rounds && cut; i++) {
        NMI_TRY(relaxed_target(v, err));
        NMI_TRY(nmi_covariance_target(&v->s, p, v->target, err));
        NMI_TRY(solve_once(v, p->sparsity, err));
    }
    return NM_OK;
}

nm_status nmi_solve(const struct nmi_problem *problem, struct nmi_solution *solution, nm_error *err)
{
    struct solving v = {.p = problem, .to = solution};
    const nm_status status = solve(&v, err);
    end(&v);
    return status;
}

nm_status nmi_solve_curve(const struct nmi_problem *problem, const double *sparsities, int32_t n,
                          struct nmi_solution *solutions, nm_error *err)
{
    struct solving v = {.p = problem};
    nm_status status = begin(&v, 1, err);
    for (int32_t i = 0; i < n && status == NM_OK; i++) {
        v.to = &solutions[i];
        status = solve_once(&v, sparsities[i], err);
        v.to->error = nmi_covariance_error(&v.s, v.to->w);
    }
    end(&v);
    return status;
}
