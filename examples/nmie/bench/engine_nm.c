/* SPDX-License-Identifier: Apache-2.0 */
/* libnm itself: as the command line wants it, with 16-bit operands, or without sparse kernels. */
#include "examples/nmie/bench/engine.h"
#include "examples/nmie/model_source.h"
#include "examples/nmie/profile.h"

#include <stdio.h>
#include <stdlib.h>

enum { AS_TOLD, HALF, DENSE };

#define PROFILE_SECONDS 0.3 /* for runs that are profiled */

struct ours {
    const struct engine_job *job;
    nm_model *model;
    nm_session *session;
    nm_tensor *out;
};

static void close_ours(void *self)
{
    struct ours *o = self;
    nm_session_free(o->session);
    nm_model_free(o->model);
    free(o->out);
    free(o);
}

static nm_status load(struct ours *o, struct engine_info *info, nm_error *err)
{
    const struct engine_job *job = o->job;
    nm_session_options options = job->settings->session;
    const struct source_shape none = {0};
    options.threads = job->threads;
    if (job->spec->kind->variant == HALF) {
        options.precision = NM_PRECISION_HALF;
    } else if (job->spec->kind->variant == DENSE) {
        options.dense = 1;
    }
    nm_status status =
        source_load(job->model, job->settings, &none, &o->model, &info->load_seconds, err);
    double start = source_now();
    if (!status) {
        status = nm_session_create(o->model, &options, &o->session, err);
    }
    if (!status) {
        status = nm_session_prepare(o->session, job->in, job->n_in, err);
    }
    info->plan_seconds = source_now() - start;
    info->dense = options.dense != 0;
    nm_isa isa = options.isa == NM_ISA_AUTO ? nm_isa_best() : options.isa;
    snprintf(info->isa, sizeof info->isa, "%s", nm_isa_name(isa));
    snprintf(info->precision, sizeof info->precision, "%s", options.precision ? "half" : "f32");
    snprintf(info->version, sizeof info->version, "%s", nm_library_version());
    return status;
}

static nm_status open_ours(const struct engine_job *job, void **self, struct engine_info *info,
                           nm_error *err)
{
    struct ours *o = calloc(1, sizeof *o);
    if (!o) {
        return complain(err, NM_ENOMEM, "no memory");
    }
    o->job = job;
    o->out = calloc(job->n_out + 1, sizeof *o->out);
    nm_status status = o->out ? load(o, info, err) : complain(err, NM_ENOMEM, "no memory");
    if (status) {
        close_ours(o);
        return status;
    }
    *self = o;
    return NM_OK;
}

static nm_status run_ours(void *self, double *seconds, nm_error *err)
{
    struct ours *o = self;
    for (size_t i = 0; i < o->job->n_out; i++) {
        o->out[i] = (nm_tensor){.name = o->job->outputs[i]};
    }
    double start = source_now();
    nm_status status = nm_run(o->session, o->job->in, o->job->n_in, o->out, o->job->n_out, err);
    *seconds = source_now() - start;
    return status;
}

static nm_status outputs_ours(void *self, nm_tensor *out, nm_error *err)
{
    const struct ours *o = self;
    (void)err;
    for (size_t i = 0; i < o->job->n_out; i++) {
        out[i] = o->out[i];
    }
    return NM_OK;
}

/* The layers of the last run and of some more. */
static nm_status tell_ours(void *self, struct json *j, nm_error *err)
{
    struct ours *o = self;
    struct profile profile = {0};
    double seconds;
    nm_status status = profile_add(&profile, o->session, err);
    for (double start = source_now();
         !status && !profile_full(&profile) && source_now() - start < PROFILE_SECONDS;) {
        status = run_ours(o, &seconds, err);
        if (!status) {
            status = profile_add(&profile, o->session, err);
        }
    }
    if (!status) {
        profile_tell(&profile, j);
    }
    profile_free(&profile);
    return status;
}

#define OURS(kind, text, which, is_rough)                                                          \
    const struct engine_kind kind = {.name = text,                                                 \
                                     .variant = which,                                             \
                                     .rough = is_rough,                                            \
                                     .open = open_ours,                                            \
                                     .run = run_ours,                                              \
                                     .outputs = outputs_ours,                                      \
                                     .tell = tell_ours,                                            \
                                     .close = close_ours}
OURS(engine_nm, "libnm", AS_TOLD, false);
OURS(engine_nm_half, "libnm-half", HALF, true);
OURS(engine_nm_dense, "libnm-dense", DENSE, false);
