/* SPDX-License-Identifier: Apache-2.0 */
/* A run as nm_profile: copied from a plan, so that it outlives it. */
#ifndef NM_RUN_PROFILE_H
#define NM_RUN_PROFILE_H

#include "lib/plan/plan.h"

nm_status nmi_profile_make(const struct nmi_plan *plan, const struct nmi_profile *times,
                           nm_profile **profile, nm_error *err);
void nmi_profile_free(nm_profile *profile);

#endif
