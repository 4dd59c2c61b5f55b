/* SPDX-License-Identifier: Apache-2.0 */
/* The stop-watch of bench. */
#include "examples/nmie/bench/worker.h"

#include <stdlib.h>
#include <string.h>

#define WARM_SECONDS 0.1
#define LONG_SECONDS 0.3 /* of a run from which it finds cold caches whatever ran before */

struct shift {
    const struct worker *w;
    struct engine_job job;
    struct engine_info info;
    struct host_tensor *hosts;
    void *engine;
    double last; /* seconds of the newest run */
};

void worker_output(char path[4200], const char *folder, int slot, size_t k)
{
    snprintf(path, 4200, "%.4000s/out-%d-%zu.npy", folder, slot, k);
}

/* VmHWM is the peak of this process alone; ru_maxrss would begin with the parent's. */
static double peak_mib(void)
{
    char line[256];
    double kib = 0.0;
    FILE *f = fopen("/proc/self/status", "re");
    while (f && fgets(line, sizeof line, f)) {
        if (sscanf(line, "VmHWM: %lf", &kib) == 1) {
            break;
        }
    }
    if (f) {
        fclose(f);
    }
    return kib / 1024.0;
}

static nm_status run_once(struct shift *s, nm_error *err)
{
    return s->w->spec->kind->run(s->engine, &s->last, err);
}

/* Files of the outputs; *left: all are there. */
static nm_status leave_outputs(struct shift *s, bool *left, nm_error *err)
{
    nm_tensor *out = calloc(s->job.n_out + 1, sizeof *out);
    nm_status status = out ? s->w->spec->kind->outputs(s->engine, out, err)
                           : complain(err, NM_ENOMEM, "no memory");
    *left = true;
    for (size_t k = 0; k < s->job.n_out && !status; k++) {
        char path[4200];
        worker_output(path, s->w->folder, s->w->slot, k);
        *left = *left && out[k].data;
        status = out[k].data ? host_save(path, &out[k], err) : NM_OK;
    }
    free(out);
    return status;
}

static nm_status open_all(struct shift *s, bool *left, nm_error *err)
{
    const struct worker *w = s->w;
    nm_status status = prep_inputs(w->prep, w->folder, w->batch, &s->hosts, err);
    s->job = (struct engine_job){.spec = w->spec,
                                 .library = s->job.library,
                                 .settings = w->settings,
                                 .model = w->prep->model,
                                 .folder = w->folder,
                                 .batch = w->batch,
                                 .threads = w->threads,
                                 .seconds = w->seconds,
                                 .n_in = w->prep->n_in,
                                 .outputs = w->prep->outputs,
                                 .output_types = w->prep->output_types,
                                 .n_out = w->prep->n_out};
    s->job.in = status ? NULL : source_tensors(s->hosts, s->job.n_in);
    if (!status && !s->job.in) {
        status = complain(err, NM_ENOMEM, "no memory");
    }
    if (!status) {
        status = w->spec->kind->open(&s->job, &s->engine, &s->info, err);
    }
    if (!status) {
        status = run_once(s, err);
    }
    if (!status) {
        status = leave_outputs(s, left, err);
    }
    bool warms = !w->spec->kind->whole_turns;
    for (double warm = s->last; warms && !status && warm < WARM_SECONDS; warm += s->last) {
        status = run_once(s, err);
    }
    return status;
}

static void tell_changing(struct shift *s, struct json *j)
{
    if (s->w->spec->kind->note) {
        s->w->spec->kind->note(s->engine, &s->info);
    }
    json_string(j, "version", s->info.version);
    json_double(j, "load_seconds", s->info.load_seconds);
    json_double(j, "plan_seconds", s->info.plan_seconds);
    json_double(j, "peak_rss_mib", s->info.peak_rss_mib > 0.0 ? s->info.peak_rss_mib : peak_mib());
}

/* One run to find the caches again, then runs for the time of a turn. */
static nm_status take_turn(struct shift *s, FILE *out, nm_error *err)
{
    struct json j;
    char *text = NULL;
    size_t size;
    const bool whole = s->w->spec->kind->whole_turns;
    nm_status status = !whole && s->last < LONG_SECONDS ? run_once(s, err) : NM_OK;
    FILE *memory = open_memstream(&text, &size);
    if (!memory) {
        return complain(err, NM_ENOMEM, "no memory");
    }
    process_answer(&j, memory);
    json_open(&j, "times", '[');
    for (double sum = 0.0; !status;) {
        status = run_once(s, err);
        json_double(&j, NULL, s->last);
        sum += s->last;
        if (whole || sum >= s->w->seconds) {
            break;
        }
    }
    json_close(&j, ']');
    tell_changing(s, &j);
    process_answered(&j);
    fclose(memory);
    if (!status) {
        fputs(text, out);
        fflush(out);
    }
    free(text);
    return status;
}

static nm_status tell_profile(struct shift *s, FILE *out, nm_error *err)
{
    struct json j;
    nm_status status = NM_OK;
    process_answer(&j, out);
    if (s->w->spec->kind->tell) {
        status = s->w->spec->kind->tell(s->engine, &j, err);
    }
    process_answered(&j);
    return status;
}

static void tell_missing(const nm_error *err, FILE *out)
{
    struct json j;
    process_answer(&j, out);
    json_string(&j, "missing", err->message);
    process_answered(&j);
}

static void tell_open(struct shift *s, bool left, FILE *out)
{
    struct json j;
    process_answer(&j, out);
    json_bool(&j, "outputs", left);
    json_bool(&j, "dense", s->info.dense);
    json_string(&j, "precision", s->info.precision);
    json_string(&j, "isa", *s->info.isa ? s->info.isa : NULL);
    tell_changing(s, &j);
    process_answered(&j);
}

void worker_main(void *context, FILE *in, FILE *out)
{
    struct shift s = {.w = context};
    char line[32];
    bool left = false;
    nm_error err;
    if (engine_find(s.w->spec, &s.job.library, &err)) {
        tell_missing(&err, out);
        return;
    }
    nm_status status = open_all(&s, &left, &err);
    if (!status) {
        tell_open(&s, left, out);
    }
    while (!status && fgets(line, sizeof line, in)) {
        status =
            strcmp(line, "profile\n") == 0 ? tell_profile(&s, out, &err) : take_turn(&s, out, &err);
    }
    if (status) {
        process_refuse(out, &err);
    }
    if (s.engine) {
        s.w->spec->kind->close(s.engine);
    }
    free(s.job.in);
    source_free(s.hosts, s.hosts ? s.w->prep->n_in : 0);
}
