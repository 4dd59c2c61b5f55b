/* SPDX-License-Identifier: Apache-2.0 */
/* A search for a profile, and the candidates that it tries. For search.c and candidate.c only. */
#ifndef NM_PRUNE_CANDIDATE_H
#define NM_PRUNE_CANDIDATE_H

#include "lib/prune/allocate.h"
#include "lib/prune/judge.h"
#include "lib/prune/search.h"

struct nmi_searching {
    const struct nmi_search *s;
    struct nmi_targets *targets;
    struct nmi_arena arena;
    struct nmi_target *base; /* targets before any candidate */
    struct nmi_layer_result *told; /* who can't be changed, and the best candidate's errors */
    struct nmi_feed calibrate, judged;
    struct nmi_layer_grid *grid; /* by target */
    struct nmi_speed speed;
    struct nmi_judge *quick, *judge;
    bool stitch;      /* solved weights are there */
    int32_t *layer;   /* the chosen targets */
    int32_t n;
    double *weight, *error, *time; /* [n], [n][NMI_GRID] twice */
    uint8_t *mode;                 /* [n][NMI_GRID] */
    double *change;                /* [n] */
    int32_t *pick;                 /* [n] */
    struct nmi_tensor input; /* one item, for times */
    uint64_t random;
};

/* A pruned network: as it runs while pruning, and as a copy of the file's graph. */
struct nmi_candidate {
    struct nmi_graph *running, *source;
};
nm_status nmi_candidate_open(const struct nmi_searching *v, struct nmi_candidate *c, nm_error *err);
void nmi_candidate_close(struct nmi_candidate *c);
/* The targets with these sparsities. */
void nmi_candidate_set_targets(const struct nmi_searching *v, const int32_t *pick);
/* The real thing, into c. progress: from, to. */
nm_status nmi_candidate_prune(const struct nmi_searching *v, const int32_t *pick,
                              const double progress[2], struct nmi_candidate *c, nm_error *err);
/* One line of log for each candidate that was really pruned. */
void nmi_candidate_tell(const struct nmi_searching *v, double ms, const struct nmi_verdict *verdict,
                        const char *what);
/* The last candidate is the best so far. */
void nmi_candidate_keep(const struct nmi_searching *v);

struct nmi_timing nmi_search_timing(const struct nmi_searching *v);
struct nmi_costs nmi_search_costs(const struct nmi_searching *v, const double *error);
/* The profile for a time by these weights of the layers' errors. */
nm_status nmi_search_allocate(const struct nmi_searching *v, const double *weight, double budget,
                              int32_t *pick, double *reached, nm_error *err);
/* Weights of the errors: what each layer alone does to the outputs, over what it does to its own. */
nm_status nmi_search_find_weights(struct nmi_searching *v, nm_error *err);
/* Picks the best of some profiles for a time. progress: from, to. */
nm_status nmi_search_improve_weights(struct nmi_searching *v, double budget, const double progress[2],
                                     nm_error *err);

#endif
