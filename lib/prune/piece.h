/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parts of a network, run over all batches of the data. What later layers need is kept for all items;
 * a piece is the part of the graph between kept values and the values that are wanted now. Threads
 * take batches, each with a session of one thread and a plan by rule, so that the bits do not depend
 * on how many there are.
 */
#ifndef NM_PRUNE_PIECE_H
#define NM_PRUNE_PIECE_H

#include "lib/run/session.h"

/* Values of one network by id and batch; data is nmi_alloc'd and owned. */
struct nmi_kept {
    int32_t n_values, n_batches;
    struct nmi_tensor **at; /* by value id: n_batches tensors, or NULL when it is not kept */
};

nm_status nmi_kept_create(struct nmi_kept *kept, int32_t n_values, int32_t n_batches, nm_error *err);
/* Room for a value, whose tensors are then filled in batch by batch. */
nm_status nmi_kept_add(struct nmi_kept *kept, int32_t value, nm_error *err);
void nmi_kept_drop(struct nmi_kept *kept, int32_t value);
void nmi_kept_drop_batch(struct nmi_kept *kept, int32_t value, int32_t batch);
void nmi_kept_free(struct nmi_kept *kept);

/* Values that must be kept or computed from what is kept, to get at the wanted ones: need[n_values] is
 * set for them and for all between. */
void nmi_piece_needs(const struct nmi_graph *g, const struct nmi_kept *kept, const int32_t *wanted,
                     int32_t n_wanted, bool *need);

struct nmi_piece;

/* Wanted values that are kept already are handed out as they are; NMI_NONE is allowed. */
struct nmi_piece_job {
    const struct nmi_graph *graph; /* these two must outlive the piece */
    const struct nmi_kept *kept;
    int32_t wanted[4];
    int32_t n_wanted;
    int32_t raw; /* a Conv or Gemm that runs without activation and residual; NMI_NONE: none */
    int32_t threads;
};
nm_status nmi_piece_create(const struct nmi_piece_job *job, struct nmi_piece **piece, nm_error *err);
void nmi_piece_free(struct nmi_piece *piece);

/* Computes the wanted values for one batch. slot: which of the threads' sessions. out[n_wanted]:
 * released with nmi_piece_release, but for those whose data the caller took (and set to NULL). */
nm_status nmi_piece_run(struct nmi_piece *piece, int32_t slot, int32_t batch, struct nmi_tensor *out,
                        nm_error *err);
void nmi_piece_release(const struct nmi_piece *piece, struct nmi_tensor *out);

/* Calls fn for all batches, on at most so many threads; slot counts these. The first failure by batch
 * number is what comes back. */
typedef nm_status (*nmi_batch_fn)(void *context, int32_t slot, int32_t batch, nm_error *err);
nm_status nmi_batches(int32_t threads, int32_t n_batches, nmi_batch_fn fn, void *context,
                      nm_error *err);

#endif
