/* SPDX-License-Identifier: Apache-2.0 */
/* One sparsity a layer: least error within a time (Frantar and Alistarh 2022, "SPDY"). */
#ifndef NM_PRUNE_ALLOCATE_H
#define NM_PRUNE_ALLOCATE_H

#include "lib/base/status.h"

#include <stdint.h>

enum { NMI_MODES = 2 };

/* n layers in the order in which they run, each with m choices. A choice has a mode: layers one
 * behind the other with different ones (layouts, that is) cost `change` of the latter. */
struct nmi_costs {
    int32_t n, m;
    const double *error, *time; /* [n][m] */
    const uint8_t *mode;        /* [n][m], below NMI_MODES */
    const double *change;       /* [n] */
};

/* What a profile takes. */
double nmi_costs_time(const struct nmi_costs *costs, const int32_t *pick);

/* pick[n]: which choices, so that the sum of errors is least and the time at most `budget`, times
 * rounded up to a thousandth of it. *reached: the time; more than budget when no choice fits: then
 * it is the least there is. */
nm_status nmi_allocate(const struct nmi_costs *costs, double budget, int32_t *pick, double *reached,
                       nm_error *err);

#endif
