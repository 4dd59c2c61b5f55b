/* SPDX-License-Identifier: Apache-2.0 */
/* Candidates judged by running them on data that was held back. */
#ifndef NM_PRUNE_JUDGE_H
#define NM_PRUNE_JUDGE_H

#include "lib/prune/reconstruct.h"

struct nmi_judge; /* the data and what the dense network says about it */

struct nmi_verdict {
    double drop;   /* share of right answers lost against the dense network; without labels: share of
                      answers that differ */
    double apart;  /* squared difference of outputs, relative to those of the dense network */
    int64_t items;
};

nm_status nmi_judge_create(const struct nmi_graph *dense, const struct nmi_feed *feed,
                           int32_t threads, struct nmi_judge **judge, nm_error *err);
nm_status nmi_judge_run(struct nmi_judge *judge, const struct nmi_graph *candidate,
                        struct nmi_verdict *verdict, nm_error *err);
void nmi_judge_free(struct nmi_judge *judge);

#endif
