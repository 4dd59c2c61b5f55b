/* SPDX-License-Identifier: Apache-2.0 */
/* The stop-watch of bench. */
#include "examples/nmie/timing.h"

#include "examples/nmie/agreement.h"

#include <float.h>
#include <stdlib.h>

#define WARM_SECONDS 0.1
#define LONG_SECONDS 0.3 /* of a run from which it finds cold caches whatever ran before */
#define TURNS 4
#define PROFILE_SECONDS 0.3 /* for runs that are profiled, beside the last that was timed */

/* One session in the race. */
struct runner {
    nm_session *session;
    const nm_tensor *in;
    nm_tensor *out;
    size_t n_in, n_out;
    double *times;
    size_t n, room;
    double plan_seconds, last; /* last: seconds of the newest run */
};

static nm_status run_once(struct runner *r, double *seconds, nm_error *err)
{
    for (size_t i = 0; i < r->n_out; i++) {
        r->out[i].data = NULL;
    }
    double start = source_now();
    nm_status status = nm_run(r->session, r->in, r->n_in, r->out, r->n_out, err);
    *seconds = r->last = source_now() - start;
    return status;
}

static nm_status keep_time(struct runner *r, double seconds, nm_error *err)
{
    if (r->n == r->room) {
        size_t room = 2 * r->room + 1024;
        double *times = realloc(r->times, room * sizeof *times);
        if (!times) {
            return complain(err, NM_ENOMEM, "no memory for the times of %zu runs", room);
        }
        r->times = times;
        r->room = room;
    }
    r->times[r->n++] = seconds;
    return NM_OK;
}

/* Makes the session and its plan, and warms it up. */
static nm_status start_runner(struct runner *r, const struct timing_job *job,
                              const nm_session_options *options, nm_error *err)
{
    double start = source_now(), one;
    r->n_out = nm_model_outputs(job->model);
    r->out = calloc(r->n_out + 1, sizeof *r->out);
    nm_status status = r->out ? nm_session_create(job->model, options, &r->session, err)
                              : complain(err, NM_ENOMEM, "no memory");
    if (!status) {
        status = nm_session_prepare(r->session, r->in, r->n_in, err);
    }
    r->plan_seconds = source_now() - start;
    for (double warm = source_now(); !status && source_now() - warm < WARM_SECONDS;) {
        status = run_once(r, &one, err);
    }
    return status;
}

/* One run to find the caches again, then runs for that long. */
static nm_status take_turn(struct runner *r, double seconds, nm_error *err)
{
    double one;
    nm_status status = r->last < LONG_SECONDS ? run_once(r, &one, err) : NM_OK;
    for (double start = source_now(); !status;) {
        status = run_once(r, &one, err);
        if (!status) {
            status = keep_time(r, one, err);
        }
        if (source_now() - start >= seconds) {
            break;
        }
    }
    return status;
}

static void end_runner(struct runner *r, struct timing *t)
{
    if (r->n) {
        *t = (struct timing){stats_of(r->times, r->n), r->n, r->plan_seconds};
    }
    nm_session_free(r->session);
    free(r->times);
    free(r->out);
}

/* Races n runners with the given options over the same input. */
static nm_status race(const struct timing_job *job, struct runner *r,
                      const nm_session_options *options, size_t n, nm_error *err)
{
    nm_status status = NM_OK;
    for (size_t i = 0; i < n && !status; i++) {
        status = start_runner(&r[i], job, &options[i], err);
    }
    size_t turns = n > 1 ? TURNS : 1;
    for (size_t turn = 0; turn < turns; turn++) {
        for (size_t i = 0; i < n && !status; i++) {
            status = take_turn(&r[i], job->seconds / (double)turns, err);
        }
    }
    return status;
}

/* Runs both once more and compares all outputs. */
static nm_status compare_outputs(const nm_model *model, struct runner *a, struct runner *b,
                                 double *max_rel, nm_error *err)
{
    struct difference d = {0};
    struct tolerance any = {.maxrel = DBL_MAX};
    double seconds;
    nm_status status = run_once(a, &seconds, err);
    if (!status) {
        status = run_once(b, &seconds, err);
    }
    for (size_t i = 0; i < a->n_out && !status; i++) {
        status =
            compare_tensors(nm_model_output(model, i)->name, &a->out[i], &b->out[i], &any, &d, err);
    }
    *max_rel = d.max_rel;
    return status;
}

static nm_status take_profile(struct runner *r, struct profile *profile, nm_error *err)
{
    double one;
    nm_status status = profile_add(profile, r->session, err);
    for (double start = source_now();
         !status && !profile_full(profile) && source_now() - start < PROFILE_SECONDS;) {
        status = run_once(r, &one, err);
        if (!status) {
            status = profile_add(profile, r->session, err);
        }
    }
    return status;
}

static nm_status run_all(const struct timing_job *job, const nm_session_options *options, size_t n,
                         struct timing *timings, double *max_rel, nm_error *err)
{
    struct runner r[2] = {0};
    struct host_tensor *hosts = NULL;
    nm_tensor *in = NULL;
    size_t n_in = nm_model_inputs(job->model);
    nm_status status = source_inputs(job->model, job->batch, job->shape, &hosts, err);
    if (!status) {
        in = source_tensors(hosts, n_in);
        status = in ? NM_OK : complain(err, NM_ENOMEM, "no memory");
    }
    for (size_t i = 0; i < n; i++) {
        r[i].in = in;
        r[i].n_in = n_in;
    }
    if (!status) {
        status = race(job, r, options, n, err);
    }
    if (!status && job->profile) {
        status = take_profile(&r[0], job->profile, err);
    }
    if (!status && n == 2) {
        status = compare_outputs(job->model, &r[0], &r[1], max_rel, err);
    }
    for (size_t i = 0; i < n; i++) {
        end_runner(&r[i], &timings[i]);
    }
    free(in);
    source_free(hosts, hosts ? n_in : 0);
    return status;
}

nm_status timing_run(const struct timing_job *job, const nm_session_options *options,
                     struct timing *timing, nm_error *err)
{
    return run_all(job, options, 1, timing, NULL, err);
}

nm_status timing_compare(const struct timing_job *job, const nm_session_options *options,
                         struct timing *timing, struct timing *dense, double *max_rel,
                         nm_error *err)
{
    nm_session_options both[2] = {*options, *options};
    struct timing timings[2] = {0};
    both[1].dense = 1;
    nm_status status = run_all(job, both, 2, timings, max_rel, err);
    *timing = timings[0];
    *dense = timings[1];
    return status;
}
