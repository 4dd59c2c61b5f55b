/* SPDX-License-Identifier: Apache-2.0 */
/* Engines open, agree, take turns and are compared. */
#include "examples/nmie/bench/contest.h"

#include "examples/nmie/agreement.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define F32_AGREES 1e-4 /* of max|y| */

static void drop(struct contestant *a, enum fate fate, const char *reason)
{
    a->fate = fate;
    snprintf(a->reason, sizeof a->reason, "%.500s", reason);
    process_end(&a->process);
}

static void lose(struct contestant *a, const nm_error *err)
{
    drop(a, FAILED, err->message);
}

/* Takes the keys of an answer over those known so far. */
static void learn(struct contestant *a, cJSON *answer)
{
    while (answer->child) {
        cJSON *item = cJSON_DetachItemViaPointer(answer, answer->child);
        cJSON_DeleteItemFromObjectCaseSensitive(a->about, item->string);
        cJSON_AddItemToObject(a->about, item->string, item);
    }
    cJSON_Delete(answer);
}

static void open_one(struct contest *c, struct contestant *a, int slot)
{
    nm_error err;
    cJSON *answer;
    a->worker = (struct worker){.spec = a->spec,
                                .settings = c->settings,
                                .prep = c->prep,
                                .folder = c->folder,
                                .batch = c->batch,
                                .threads = c->threads,
                                .seconds = c->seconds / c->rounds,
                                .slot = slot};
    nm_status status = process_start(&a->process, c->cores, worker_main, &a->worker, &err);
    if (!status) {
        status = process_ask(&a->process, NULL, c->timeout, &answer, &err);
    }
    if (status) {
        lose(a, &err);
        return;
    }
    a->about = answer;
    const cJSON *missing = cJSON_GetObjectItemCaseSensitive(answer, "missing");
    if (cJSON_IsString(missing)) {
        drop(a, MISSING, missing->valuestring);
    }
}

/* ---- outputs --------------------------------------------------------------------------------- */

static nm_status compare_output(const struct contest *c, const struct contestant *a,
                                const struct contestant *with, size_t k, struct difference *d,
                                nm_error *err)
{
    struct host_tensor y = {0}, ref = {0};
    const struct tolerance any = {.maxrel = DBL_MAX};
    char path[4200];
    worker_output(path, c->folder, a->worker.slot, k);
    nm_status status = host_load(path, NULL, &y, err);
    if (!status) {
        worker_output(path, c->folder, with->worker.slot, k);
        status = host_load(path, NULL, &ref, err);
    }
    if (!status) {
        status = compare_tensors(c->prep->outputs[k], &y.t, &ref.t, &any, d, err);
    }
    host_free(&y);
    host_free(&ref);
    return status;
}

static void compare(const struct contest *c, struct contestant *a, const struct contestant *with)
{
    struct difference d = {0};
    nm_error err;
    nm_status status = NM_OK;
    if (a->fate != RAN || !cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(a->about, "outputs"))) {
        return;
    }
    for (size_t k = 0; k < c->prep->n_out && !status; k++) {
        status = compare_output(c, a, with, k, &d, &err);
    }
    if (status) {
        say("%s: %s", a->spec->name, err.message);
        d.max_rel = (double)INFINITY;
    }
    a->compared = true;
    a->error = d.max_rel;
    a->agrees = !engine_is_exact(a->spec, c->settings) || a->error <= F32_AGREES;
}

/* The first engine that computes in float32 and left its outputs; -1: there is none. */
static int find_reference(const struct contest *c)
{
    for (size_t i = 0; i < c->n; i++) {
        const struct contestant *a = &c->at[i];
        if (a->fate == RAN && engine_is_exact(a->spec, c->settings) &&
            cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(a->about, "outputs"))) {
            return (int)i;
        }
    }
    return -1;
}

/* Where all engines round to 16 bits: libnm in float32, run once and not timed. */
static void compare_with_f32(struct contest *c)
{
    struct settings f32 = *c->settings;
    const struct engine_spec spec = {.kind = &engine_nm, .name = engine_nm.name};
    struct contest once = *c;
    struct contestant a = {.spec = &spec};
    f32.session.precision = NM_PRECISION_F32;
    once.settings = &f32;
    open_one(&once, &a, (int)c->n);
    for (size_t i = 0; i < c->n && a.fate == RAN; i++) {
        compare(c, &c->at[i], &a);
    }
    process_end(&a.process);
    cJSON_Delete(a.about);
}

static void compare_all(struct contest *c)
{
    c->reference = find_reference(c);
    if (c->reference < 0) {
        compare_with_f32(c);
    }
    for (size_t i = 0; i < c->n && c->reference >= 0; i++) {
        if ((int)i != c->reference) {
            compare(c, &c->at[i], &c->at[c->reference]);
        }
    }
}

/* ---- turns ----------------------------------------------------------------------------------- */

static nm_status keep_times(struct contestant *a, int round, const cJSON *times, nm_error *err)
{
    const cJSON *time;
    size_t n = (size_t)cJSON_GetArraySize(times), i = 0;
    double *of_round = calloc(n + 1, sizeof *of_round);
    double *all = realloc(a->times, (a->n + n + 1) * sizeof *all);
    a->times = all ? all : a->times;
    if (!of_round || !all || n == 0) {
        free(of_round);
        return n ? complain(err, NM_ENOMEM, "no memory for the times of %zu runs", n)
                 : complain(err, NM_EINTERNAL, "its answer has no times");
    }
    cJSON_ArrayForEach(time, times)
    {
        of_round[i++] = a->times[a->n++] = time->valuedouble;
    }
    a->rounds[round] = stats_of(of_round, n).median;
    free(of_round);
    return NM_OK;
}

static void take_turn(const struct contest *c, struct contestant *a, int round)
{
    nm_error err;
    cJSON *answer;
    nm_status status =
        process_ask(&a->process, "turn", c->timeout + 4.0 * c->seconds, &answer, &err);
    if (!status) {
        cJSON *times = cJSON_DetachItemFromObjectCaseSensitive(answer, "times");
        status = keep_times(a, round, times, &err);
        cJSON_Delete(times);
        learn(a, answer);
    }
    if (status) {
        lose(a, &err);
    }
}

static double used(int who)
{
    struct rusage r;
    getrusage(who, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
           1e-6 * (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

/* Of this process, of children that are gone and of those that are not. */
static double cpu_seconds(const struct contest *c)
{
    double sum = used(RUSAGE_SELF) + used(RUSAGE_CHILDREN);
    for (size_t i = 0; i < c->n; i++) {
        sum += process_cpu_seconds(&c->at[i].process);
    }
    return sum;
}

/* The parent goes where the children are, to see their clock. */
static void race(struct contest *c)
{
    cpu_set_t before;
    sched_getaffinity(0, sizeof before, &before);
    if (c->cores) {
        sched_setaffinity(0, sizeof *c->cores, c->cores);
    }
    noise_begin(&c->noise, c->cores ? c->cores : &before);
    double own = cpu_seconds(c);
    for (int round = 0; round < c->rounds; round++) {
        noise_calibrate(&c->noise);
        for (size_t i = 0; i < c->n; i++) {
            if (c->at[i].fate == RAN) {
                take_turn(c, &c->at[i], round);
            }
        }
    }
    noise_calibrate(&c->noise);
    noise_end(&c->noise, cpu_seconds(c) - own);
    sched_setaffinity(0, sizeof before, &before);
}

static void take_profile(const struct contest *c, struct contestant *a)
{
    nm_error err;
    if (a->fate == RAN && process_ask(&a->process, "profile", c->timeout, &a->profile, &err)) {
        lose(a, &err);
    }
}

/* ---- results --------------------------------------------------------------------------------- */

static const struct contestant *find_baseline(const struct contest *c)
{
    for (size_t i = 0; i < c->n && c->baseline; i++) {
        if (c->at[i].fate == RAN && strcmp(c->at[i].spec->name, c->baseline) == 0) {
            return &c->at[i];
        }
    }
    return NULL;
}

/* Round by round, so that what drifts from round to round cancels. */
static nm_status sum_up(const struct contest *c, struct contestant *a,
                        const struct contestant *base, nm_error *err)
{
    const size_t n = (size_t)c->rounds;
    double *ratios = calloc(n, sizeof *ratios), low = INFINITY, high = 0.0;
    if (!ratios) {
        return complain(err, NM_ENOMEM, "no memory");
    }
    for (size_t i = 0; i < n; i++) {
        ratios[i] = base ? base->rounds[i] / a->rounds[i] : 0.0;
        low = fmin(low, a->rounds[i]);
        high = fmax(high, a->rounds[i]);
    }
    a->ratio = interval_of(ratios, n);
    a->stats = stats_of(a->times, a->n);
    a->spread = (high - low) / a->stats.median;
    free(ratios);
    return NM_OK;
}

nm_status contest_run(struct contest *c, nm_error *err)
{
    nm_status status = NM_OK;
    c->at = calloc(c->n, sizeof *c->at);
    for (size_t i = 0; i < c->n && c->at; i++) {
        c->at[i].spec = &c->specs[i];
        c->at[i].rounds = calloc((size_t)c->rounds, sizeof *c->at[i].rounds);
        status = c->at[i].rounds ? status : NM_ENOMEM;
    }
    if (!c->at || status) {
        return complain(err, NM_ENOMEM, "no memory for %zu engines", c->n);
    }
    for (size_t i = 0; i < c->n; i++) {
        open_one(c, &c->at[i], (int)i);
    }
    compare_all(c);
    race(c);
    const struct contestant *base = find_baseline(c);
    for (size_t i = 0; i < c->n && !status; i++) {
        if (c->profile) {
            take_profile(c, &c->at[i]);
        }
        if (c->at[i].fate == RAN) {
            status = sum_up(c, &c->at[i], base, err);
        }
    }
    return status;
}

void contest_free(struct contest *c)
{
    for (size_t i = 0; c->at && i < c->n; i++) {
        struct contestant *a = &c->at[i];
        process_end(&a->process);
        free(a->times);
        free(a->rounds);
        cJSON_Delete(a->about);
        cJSON_Delete(a->profile);
    }
    free(c->at);
    c->at = NULL;
}
