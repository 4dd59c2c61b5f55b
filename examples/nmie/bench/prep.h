/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prep.h - what all engines of a case share, as files: the model (made, pruned) and its made-up
 * inputs. A child makes them, so that the parent, which forks, stays small and without threads.
 */
#ifndef NMIE_BENCH_PREP_H
#define NMIE_BENCH_PREP_H

#include "examples/nmie/args.h"
#include "examples/nmie/bench/process.h"
#include "examples/nmie/model_source.h"
#include "examples/nmie/prune/zeros.h"

struct prep_wish {
    const struct settings *settings;
    const char *name; /* a file or builtin:NAME */
    const char *folder;
    struct source_shape shape;
    struct args_list batches;
    const struct zeros *zeros;
    double timeout;
};

struct prep {
    char *model;                    /* file */
    double sparsity, prune_seconds; /* what came out, and how long it took */
    size_t n_in, n_out;
    const char **inputs, **outputs; /* names, owned by about */
    nm_type *output_types;
    cJSON *about;
};

/* Errors of loading are the model's (report_model). */
nm_status prep_make(struct prep *p, const struct prep_wish *wish, nm_error *err);
void prep_free(struct prep *p);

/* Reads the inputs of a batch: n_in of them, freed with source_free. */
nm_status prep_inputs(const struct prep *p, const char *folder, int64_t batch,
                      struct host_tensor **inputs, nm_error *err);

#endif
