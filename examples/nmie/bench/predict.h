/* SPDX-License-Identifier: Apache-2.0 */
/*
 * predict.h - what libnm would do on more cores than there are: a prediction, and always called
 * one. The model is in docs/performance.md; its inputs are the layers of a run on one thread and
 * three numbers of the machine.
 */
#ifndef NMIE_BENCH_PREDICT_H
#define NMIE_BENCH_PREDICT_H

#include "examples/nmie/args.h"
#include "examples/nmie/bench/rows.h"

struct machine {
    double bandwidth,
        contention;  /* bytes/s of one core; B(n) = n bandwidth / (1 + contention (n-1)) */
    double handover; /* seconds from core to core */
    int cores;       /* that contention was measured on; 1: it is a guess */
};

struct machine predict_measure(void);

/* Seconds of one run of the row (threads 1, with layers) on so many cores. NAN: it has no layers.
 */
double predict_seconds(const struct row *row, const struct machine *machine, int cores);

/*
 * Adds to the document "machine" and "predictions": for each row of libnm on one thread, each
 * number of cores, and each that was measured too, whose time is beside it; and "prediction_error",
 * of the latter.
 */
nm_status predict_rows(struct rows *rows, const struct args_list *cores,
                       const struct machine *machine, nm_error *err);

#endif
