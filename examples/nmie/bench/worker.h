/* SPDX-License-Identifier: Apache-2.0 */
/* worker.h - the child's side of a contest: one engine, opened, warmed up, and timed when it is
 * told. */
#ifndef NMIE_BENCH_WORKER_H
#define NMIE_BENCH_WORKER_H

#include "examples/nmie/bench/engine.h"
#include "examples/nmie/bench/prep.h"

struct worker {
    const struct engine_spec *spec;
    const struct settings *settings;
    const struct prep *prep;
    const char *folder;
    int64_t batch;
    int32_t threads;
    double seconds; /* of one turn */
    int slot;       /* its outputs are worker_output(slot, k) */
};

/*
 * A process_main; context is a struct worker. Once open it tells engine_info's keys and "outputs":
 * whether it left them as files; or "missing": why the engine is not installed. Then, for each
 * line: turn      runs for `seconds`: {"times": [seconds of each run]} profile   the engine's tell
 * and with each answer what may have changed: peak_rss_mib, load_seconds, plan_seconds, version.
 */
void worker_main(void *context, FILE *in, FILE *out);

/* The file of output k. */
void worker_output(char path[4200], const char *folder, int slot, size_t k);

#endif
