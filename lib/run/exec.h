/* SPDX-License-Identifier: Apache-2.0 */
/* The loop that executes a plan; nothing is decided here. */
#ifndef NM_RUN_EXEC_H
#define NM_RUN_EXEC_H

#include "lib/plan/plan.h"

/* The caller's memory and the working space of one run. */
struct nmi_run {
    const struct nmi_plan *plan;
    const void *const *inputs;          /* by graph input */
    void *const *outputs;               /* by graph output */
    struct nmi_tensor *tensors;         /* threads x max_tensors */
    const struct nmi_tensor **pointers; /* the same */
    double *step_seconds;               /* plan->n_steps: time of each step, summed over passes */
};

/* Walks all segments. Allocates nothing. */
nm_status nmi_exec(const struct nmi_run *run, nm_error *err);

#endif
