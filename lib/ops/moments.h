/* SPDX-License-Identifier: Apache-2.0 */
/* Mean and variance of a line of floats, for the normalisations. */
#ifndef NM_OPS_MOMENTS_H
#define NM_OPS_MOMENTS_H

#include <stdint.h>

struct nmi_moments {
    double mean, inverse; /* inverse: 1 / sqrt(variance + epsilon) */
};
/* Two passes in double. An empty line has mean and variance 0. */
struct nmi_moments nmi_moments_of(const float *x, int64_t count, double epsilon);

#endif
