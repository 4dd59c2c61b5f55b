/* SPDX-License-Identifier: Apache-2.0 */
/* matrix.h - models x zeros x threads x batches: a contest for each, its rows into a ledger.
 */
#ifndef NMIE_BENCH_MATRIX_H
#define NMIE_BENCH_MATRIX_H

#include "examples/nmie/bench/ledger.h"
#include "examples/nmie/bench/rows.h"

struct matrix {
    const struct settings *settings;
    char *const *models;
    size_t n_models;
    struct zeros_list zeros; /* none: as they are */
    struct args_list batches, threads;
    struct source_shape shape;
    const struct engine_spec *specs;
    size_t n_specs;
    int rounds;
    double seconds, timeout;
    const char *baseline;
    bool compare; /* --compare: two engines, one row */
    bool profile; /* layers into the rows */
    bool quiet;   /* prints no lines of the results */
    /* found */
    struct ledger ledger;
    bool apart;   /* outputs disagreed */
    bool failed;  /* an engine or a whole model did */
    bool refused; /* a model was */
};

/* Prints a line for each engine of each case as they come. Fails where no case could be run at all:
 * with one model, for what report_model says. */
nm_status matrix_run(struct matrix *m, nm_error *err);

#endif
