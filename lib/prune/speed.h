/* SPDX-License-Identifier: Apache-2.0 */
/* What this library's kernels need for each layer, measured in the running network. */
#ifndef NM_PRUNE_SPEED_H
#define NM_PRUNE_SPEED_H

#include "lib/prune/reconstruct.h"

/* What is done to a copy of a file's graph before it runs, such as all passes. */
struct nmi_preparer {
    nm_status (*prepare)(const void *context, struct nmi_graph *graph, nm_error *err);
    const void *context;
};

/* What is timed. input: one item or a few. */
struct nmi_timing {
    const struct nmi_targets *targets;
    const struct nmi_graph *source;
    const nm_prune_options *options;
    const struct nmi_tensor *input;
    struct nmi_preparer prepare;
};

struct nmi_speed {
    double dense_ms;        /* the network without sparse kernels */
    double other_ms;        /* what is not a chosen target */
    double (*ms)[NMI_GRID]; /* by target, never rising; without conversions */
    uint8_t (*sparse)[NMI_GRID]; /* 1: by a kernel with a layout of its own */
    double *change;         /* by target: to bring its input from the one layout to the other, ms */
};

/* The arrays lie in the arena. Any weights become zero, by each target's own pattern: the time hardly
 * depends on which ones. */
nm_status nmi_speed_measure(const struct nmi_timing *timing, struct nmi_arena *arena,
                            struct nmi_speed *speed, nm_error *err);

/* The whole network at the targets' sparsities, in ms. */
nm_status nmi_speed_profile(const struct nmi_timing *timing, double *ms, nm_error *err);

/* One run of this form of the source, in ms. */
nm_status nmi_speed_of(const struct nmi_timing *timing, const struct nmi_graph *graph, bool dense,
                       double *ms, nm_error *err);

#endif
