/* SPDX-License-Identifier: Apache-2.0 */
/* Centred second moments of a layer's samples: all that mask and weights are made from. */
#ifndef NM_PRUNE_COVARIANCE_H
#define NM_PRUNE_COVARIANCE_H

#include "lib/prune/solve.h"

struct nmi_covariance {
    int32_t m, k, threads;
    double *g;  /* [k][k] of x */
    double *c;  /* [m][k] of target and x */
    double *mx; /* [k] means */
    double *my; /* [m]; the bias when it is fixed: then moments are about it, and g about zero */
    double *yy; /* [m] variance of the target */
    double damping;
};

/* g and mx. Free with nmi_covariance_free, after failures too. NM_EINVAL: sums are not finite. */
nm_status nmi_covariance_begin(struct nmi_covariance *s, const struct nmi_problem *p, nm_error *err);
/* c, my and yy of target[n][m]. */
nm_status nmi_covariance_target(struct nmi_covariance *s, const struct nmi_problem *p, const float *target,
                             nm_error *err);
void nmi_covariance_free(struct nmi_covariance *s);

/* Share of the target's variance that w[m][k] misses. */
double nmi_covariance_error(const struct nmi_covariance *s, const float *w);

/* The mask that ADMM finds: mask[m][k]. Inverses that serve later calls are kept in *store, freed
 * with nmi_admm_free. */
struct nmi_admm;
nm_status nmi_admm_create(const struct nmi_covariance *s, struct nmi_admm **admm, nm_error *err);
nm_status nmi_admm_mask(struct nmi_admm *admm, const struct nmi_problem *p, double sparsity,
                        uint8_t *mask, nm_error *err);
void nmi_admm_free(struct nmi_admm *admm);

/* Least squares on the mask: w[m][k], zero where the mask is. */
nm_status nmi_refit(const struct nmi_covariance *s, const float *w0, const uint8_t *mask, float *w,
                    nm_error *err);

#endif
