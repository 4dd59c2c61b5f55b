/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contest.h - one case of bench: engines that run the same model on the same input, each in a
 * process of its own, in turns (A B C A B C ...), so that a drift of the machine hits all alike.
 */
#ifndef NMIE_BENCH_CONTEST_H
#define NMIE_BENCH_CONTEST_H

#include "examples/nmie/bench/noise.h"
#include "examples/nmie/bench/worker.h"
#include "examples/nmie/stats.h"

enum fate { RAN, MISSING, FAILED };

/* An engine in the contest. */
struct contestant {
    const struct engine_spec *spec;
    struct process process;
    struct worker worker;
    enum fate fate;
    char reason[512]; /* of what is not RAN */
    double *times;    /* seconds of each run */
    size_t n, room;
    double *rounds; /* seconds: the median of each round */
    cJSON *about;   /* newest answer to "turn" without its times, over that to opening */
    cJSON *profile; /* or NULL */
    bool compared;  /* error has been found */
    bool agrees;
    double error; /* max|y - reference| / max|reference|, the largest over outputs */
    struct stats stats;
    double spread;         /* of the rounds' medians: (largest - smallest) / median */
    struct interval ratio; /* speed over the baseline's; median 0: none */
};

struct contest {
    const struct settings *settings;
    const struct prep *prep;
    const char *folder;
    const struct engine_spec *specs;
    size_t n;
    const cpu_set_t *cores; /* NULL: not pinned */
    int64_t batch;
    int32_t threads;
    int rounds;
    double seconds, timeout; /* of each engine in all rounds; of an answer */
    const char *baseline;    /* name; NULL: none */
    bool profile;
    /* found */
    struct contestant *at;
    int reference; /* whose outputs the others are compared with; -1: none */
    struct noise noise;
};

/* Runs it. Fails only where nothing can be done at all; what happens to an engine is its fate. */
nm_status contest_run(struct contest *c, nm_error *err);
void contest_free(struct contest *c);

#endif
