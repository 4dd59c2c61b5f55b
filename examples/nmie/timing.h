/* SPDX-License-Identifier: Apache-2.0 */
/* timing.h - a session planned, warmed up and timed on made-up input. */
#ifndef NMIE_TIMING_H
#define NMIE_TIMING_H

#include "examples/nmie/model_source.h"
#include "examples/nmie/profile.h"
#include "examples/nmie/stats.h"

struct timing_job {
    nm_model *model;
    const struct source_shape *shape;
    int64_t batch;
    double seconds; /* at least one run, and new ones until this has passed */
    struct profile *profile; /* filled after the timing; NULL: not wanted */
};

struct timing {
    struct stats stats; /* seconds of one run */
    size_t iterations;
    double plan_seconds; /* session and plan, before the first run */
};

nm_status timing_run(const struct timing_job *job, const nm_session_options *options,
                     struct timing *timing, nm_error *err);

/* The same with a second session that uses no sparse kernel; *max_rel is the largest over the
 * outputs of max|y - dense| / max|dense|. The two take turns, so that both see the same machine. */
nm_status timing_compare(const struct timing_job *job, const nm_session_options *options,
                         struct timing *timing, struct timing *dense, double *max_rel,
                         nm_error *err);

#endif
