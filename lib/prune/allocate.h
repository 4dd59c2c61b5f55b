/* SPDX-License-Identifier: Apache-2.0 */
/* One sparsity a layer: least error within a time (Frantar and Alistarh 2022, "SPDY"). */
#ifndef NM_PRUNE_ALLOCATE_H
#define NM_PRUNE_ALLOCATE_H

#include "lib/base/status.h"

#include <stdint.h>

/* pick[n]: which of the m choices of each of n layers, so that the sum of error[layer][choice] is
 * least and that of time[layer][choice] at most `budget`, times rounded up to a thousandth of it.
 * *reached: the sum of times; more than budget when no choice fits: then each layer gets its fastest.
 */
nm_status nmi_allocate(int32_t n, int32_t m, const double *error, const double *time, double budget,
                       int32_t *pick, double *reached, nm_error *err);

#endif
