/* SPDX-License-Identifier: Apache-2.0 */
/* Plans by shape, least recently used first out; one call at a time. */
#include "lib/run/session.h"

#include "lib/base/checked.h"
#include "lib/base/cpu.h"
#include "lib/base/parallel.h"
#include "lib/run/bind.h"
#include "lib/run/profile.h"

#include <stdatomic.h>
#include <string.h>

/* One planned set of shapes. */
struct planned {
    struct nmi_plan *plan;
    struct nmi_tensor *inputs; /* what it was planned for; data: copies of the keyed inputs */
    struct nmi_arena arena;    /* owns all but the plan */
    struct nmi_tensor *tensors;
    const struct nmi_tensor **pointers;
    double *step_seconds;
    uint64_t used;
};

struct nmi_session {
    const struct nmi_network *network;
    struct nmi_arena arena;
    struct nmi_plan_options options;
    struct nmi_cache cache;
    char *cache_file;
    struct nmi_log log;
    nm_limits limits;
    bool *keyed;               /* by graph input: its contents decide shapes */
    struct nmi_tensor *inputs; /* of the call */
    const void **in_pointers;
    void **out_pointers;
    struct planned *plans; /* limits.plans of them */
    uint32_t n_plans, current;
    uint64_t clock;
    double bound_gflops; /* of one core, measured for the first profile; 0: not yet */
    atomic_flag busy;
};

/* ---- create
 * ----------------------------------------------------------------------------------------- */

static nm_status resolve_isa(const nm_session_options *o, nm_isa *isa, nm_error *err)
{
    const nm_isa best = nmi_cpu_info()->best;
    if ((int)o->isa < NM_ISA_AUTO || (int)o->isa > NM_ISA_AVX512) {
        return nmi_fail(err, NM_EINVAL, "session option isa: %d is none of nm_isa", (int)o->isa);
    }
    if (o->isa > best) {
        return nmi_fail(err, NM_EUNSUPPORTED, "session option isa: this CPU offers %s, not %s",
                        nm_isa_name(best), nm_isa_name(o->isa));
    }
    *isa = o->isa == NM_ISA_AUTO ? best : o->isa;
    return NM_OK;
}

static nm_status resolve_options(struct nmi_session *s, const nm_session_options *o, nm_error *err)
{
    NMI_TRY(resolve_isa(o, &s->options.isa, err));
    if (o->threads < 0 || o->threads > NMI_MAX_THREADS) {
        return nmi_fail(err, NM_EINVAL, "session option threads: %d is not in 0..%d", o->threads,
                        NMI_MAX_THREADS);
    }
    if (o->precision != NM_PRECISION_F32 && o->precision != NM_PRECISION_HALF) {
        return nmi_fail(err, NM_EINVAL, "session option precision: %d is none of nm_precision",
                        (int)o->precision);
    }
    if (o->effort < -1 || o->effort > 1) {
        return nmi_fail(err, NM_EINVAL, "session option effort: %d is not in -1..1", o->effort);
    }
    NMI_TRY(nmi_limits_resolve(o->limits, &s->limits, err));
    s->log = (struct nmi_log){o->log, o->log_user};
    s->options.threads = o->threads > 0 ? o->threads : nmi_cpu_threads();
    s->options.dense = o->dense != 0;
    s->options.fixed = o->fixed_plan != 0;
    s->options.effort = o->effort;
    s->options.arena_limit = (size_t)s->limits.session_bytes;
    s->options.folded_limit = (size_t)s->limits.folded_bytes;
    s->options.work_limit = (double)s->limits.load_work;
    s->options.log = &s->log;
    s->options.cache = &s->cache;
    const bool half = o->precision == NM_PRECISION_HALF;
    s->options.bf16 = half && s->options.isa == NM_ISA_AVX512 && nmi_cpu_info()->bf16;
    s->options.fp16 = half && nmi_kernels_half(s->options.isa);
    if (half && !s->options.bf16 && !s->options.fp16) {
        nmi_log(&s->log, 0, "half precision: %s has no 16-bit arithmetic, running float32",
                s->options.isa == NM_ISA_AVX512 ? "this CPU" : nm_isa_name(s->options.isa));
    }
    return NM_OK;
}

static nm_status make_room(struct nmi_session *s, const nm_session_options *o, nm_error *err)
{
    const struct nmi_graph *g = s->network->graph;
    const size_t n_in = (size_t)g->n_inputs + 1, n_out = (size_t)g->n_outputs + 1;
    s->keyed = nmi_arena_array(&s->arena, n_in, sizeof *s->keyed);
    s->inputs = nmi_arena_array(&s->arena, n_in, sizeof *s->inputs);
    s->in_pointers = nmi_arena_array(&s->arena, n_in, sizeof *s->in_pointers);
    s->out_pointers = nmi_arena_array(&s->arena, n_out, sizeof *s->out_pointers);
    s->plans = nmi_arena_array(&s->arena, s->limits.plans, sizeof *s->plans);
    if (o->cache_file != NULL) {
        s->cache_file = nmi_arena_string(&s->arena, o->cache_file, strlen(o->cache_file));
    }
    if (s->keyed == NULL || s->inputs == NULL || s->in_pointers == NULL ||
        s->out_pointers == NULL || s->plans == NULL ||
        (o->cache_file != NULL && s->cache_file == NULL)) {
        return nmi_fail_memory(err, (n_in + n_out) * sizeof *s->inputs, "a session");
    }
    return nmi_shape_inputs(g, s->keyed, err);
}

nm_status nmi_session_create(const struct nmi_network *network, const nm_session_options *options,
                             struct nmi_session **session, nm_error *err)
{
    struct nmi_session *s = nmi_calloc(1, sizeof *s);
    if (s == NULL) {
        return nmi_fail_memory(err, sizeof *s, "a session");
    }
    s->network = network;
    atomic_flag_clear(&s->busy);
    nm_status status = resolve_options(s, options, err);
    if (status == NM_OK) {
        status = make_room(s, options, err);
    }
    if (status != NM_OK) {
        nmi_session_free(s);
        return status;
    }
    nmi_cache_load(&s->cache, s->cache_file, &s->log);
    *session = s;
    return NM_OK;
}

static void forget(struct planned *planned)
{
    nmi_plan_free(planned->plan);
    nmi_arena_free(&planned->arena);
    *planned = (struct planned){0};
}

void nmi_session_free(struct nmi_session *s)
{
    if (s == NULL) {
        return;
    }
    for (uint32_t i = 0; i < s->n_plans; i++) {
        forget(&s->plans[i]);
    }
    nmi_cache_free(&s->cache);
    nmi_arena_free(&s->arena);
    nmi_free(s);
}

/* ---- plans by shape
 * ----------------------------------------------------------------------------------- */

static bool same_tensor(const struct nmi_tensor *a, const struct nmi_tensor *b, bool keyed)
{
    size_t bytes = 0;
    if (a->rank != b->rank || memcmp(a->dims, b->dims, (size_t)a->rank * sizeof *a->dims) != 0) {
        return false;
    }
    return !keyed || (nmi_tensor_bytes((int32_t)a->type, a->rank, a->dims, &bytes) &&
                      (bytes == 0 || memcmp(a->data, b->data, bytes) == 0));
}

static bool find_plan(struct nmi_session *s)
{
    for (uint32_t i = 0; i < s->n_plans; i++) {
        bool same = true;
        for (int32_t k = 0; same && k < s->network->graph->n_inputs; k++) {
            same = same_tensor(&s->plans[i].inputs[k], &s->inputs[k], s->keyed[k]);
        }
        if (same) {
            s->current = i;
            return true;
        }
    }
    return false;
}

/* Room for one more plan: the least recently used go, by number and by bytes. */
static void evict(struct nmi_session *s)
{
    for (;;) {
        uint64_t bytes = 0;
        uint32_t oldest = 0;
        for (uint32_t i = 0; i < s->n_plans; i++) {
            bytes += s->plans[i].plan->arena_bytes;
            oldest = s->plans[i].used < s->plans[oldest].used ? i : oldest;
        }
        if (s->n_plans == 0 || (s->n_plans < s->limits.plans && bytes <= s->limits.plan_bytes)) {
            return;
        }
        forget(&s->plans[oldest]);
        s->plans[oldest] = s->plans[--s->n_plans];
        s->plans[s->n_plans] = (struct planned){0};
    }
}

/* The inputs as a plan sees them: data only where it decides shapes, and copied. */
static nm_status remember_inputs(struct nmi_session *s, struct planned *planned, nm_error *err)
{
    const size_t n = (size_t)s->network->graph->n_inputs;
    planned->inputs = nmi_arena_array(&planned->arena, n + 1, sizeof *planned->inputs);
    if (planned->inputs == NULL) {
        return nmi_fail_memory(err, n * sizeof *planned->inputs, "a plan");
    }
    for (size_t i = 0; i < n; i++) {
        struct nmi_tensor *t = &planned->inputs[i];
        size_t bytes = 0;
        *t = s->inputs[i];
        t->data = NULL;
        if (s->keyed[i] && nmi_tensor_bytes((int32_t)t->type, t->rank, t->dims, &bytes)) {
            t->data =
                nmi_arena_copy(&planned->arena, bytes ? s->inputs[i].data : "", bytes ? bytes : 1);
            if (t->data == NULL) {
                return nmi_fail_memory(err, bytes, "a plan");
            }
        }
    }
    return NM_OK;
}

static nm_status make_plan(struct nmi_session *s, struct planned *planned, nm_error *err)
{
    NMI_TRY(remember_inputs(s, planned, err));
    NMI_TRY(nmi_plan_create(s->network, planned->inputs, &s->options, &planned->plan, err));
    const struct nmi_plan *plan = planned->plan;
    const size_t tensors = (size_t)plan->threads * (size_t)plan->max_tensors + 1;
    planned->tensors = nmi_arena_array(&planned->arena, tensors, sizeof *planned->tensors);
    planned->pointers = nmi_arena_array(&planned->arena, tensors, sizeof *planned->pointers);
    planned->step_seconds =
        nmi_arena_array(&planned->arena, (size_t)plan->n_steps + 1, sizeof *planned->step_seconds);
    if (planned->tensors == NULL || planned->pointers == NULL || planned->step_seconds == NULL) {
        return nmi_fail_memory(err, tensors * sizeof *planned->tensors, "a plan");
    }
    return NM_OK;
}

/* In a child of fork, OpenMP's team is gone: oneDNN's objects for several threads would wait for
 * it. */
static void plan_for_child(struct nmi_session *s)
{
    if (nmi_forked() && s->options.threads > 1) {
        while (s->n_plans > 0) {
            forget(&s->plans[--s->n_plans]);
        }
        s->options.threads = 1;
    }
}

static nm_status plan_for(struct nmi_session *s, nm_error *err)
{
    plan_for_child(s);
    if (!find_plan(s)) {
        evict(s);
        struct planned fresh = {0};
        nm_status status = make_plan(s, &fresh, err);
        nmi_cache_save(&s->cache, s->cache_file, &s->log);
        if (status != NM_OK) {
            forget(&fresh);
            return status;
        }
        s->current = s->n_plans;
        s->plans[s->n_plans++] = fresh;
    }
    s->plans[s->current].used = ++s->clock;
    return NM_OK;
}

/* ---- calls
 * ---------------------------------------------------------------------------------------------- */

static nm_status prepare(struct nmi_session *s, const nm_tensor *in, size_t n_in, bool need_data,
                         nm_error *err)
{
    NMI_TRY(nmi_bind_inputs(s->network->graph, in, n_in, s->keyed, need_data, s->inputs, err));
    return plan_for(s, err);
}

static nm_status run(struct nmi_session *s, const nm_tensor *in, size_t n_in, nm_tensor *out,
                     size_t n_out, nm_error *err)
{
    NMI_TRY(prepare(s, in, n_in, true, err));
    const struct planned *planned = &s->plans[s->current];
    NMI_TRY(nmi_bind_outputs(s->network->graph, planned->plan, out, n_out, s->out_pointers, err));
    for (int32_t i = 0; i < s->network->graph->n_inputs; i++) {
        s->in_pointers[i] = s->inputs[i].data;
    }
    const struct nmi_run r = {planned->plan,    s->in_pointers,    s->out_pointers,
                              planned->tensors, planned->pointers, planned->step_seconds};
    const int old = nmi_threads_enter(planned->plan->threads);
    const uint32_t fp = nmi_fp_enter();
    nm_status status = nmi_exec(&r, err);
    nmi_fp_restore(fp);
    nmi_threads_restore(old);
    return status;
}

static nm_status enter(struct nmi_session *s, nm_error *err)
{
    return atomic_flag_test_and_set(&s->busy)
               ? nmi_fail(err, NM_EBUSY,
                          "the session is in use by another thread: one session, one thread")
               : NM_OK;
}

nm_status nmi_session_run(struct nmi_session *s, const nm_tensor *in, size_t n_in, nm_tensor *out,
                          size_t n_out, nm_error *err)
{
    NMI_TRY(enter(s, err));
    nm_status status = run(s, in, n_in, out, n_out, err);
    atomic_flag_clear(&s->busy);
    return status;
}

nm_status nmi_session_prepare(struct nmi_session *s, const nm_tensor *in, size_t n_in,
                              nm_error *err)
{
    NMI_TRY(enter(s, err));
    nm_status status = prepare(s, in, n_in, false, err);
    atomic_flag_clear(&s->busy);
    return status;
}

const struct nmi_plan *nmi_session_plan(const struct nmi_session *s, const double **step_seconds)
{
    const struct planned *planned = s->n_plans > 0 ? &s->plans[s->current] : NULL;
    *step_seconds = planned != NULL ? planned->step_seconds : NULL;
    return planned != NULL ? planned->plan : NULL;
}

static void describe_memory(const struct nmi_session *s, struct nmi_text *t)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < s->n_plans; i++) {
        bytes += s->plans[i].plan->arena_bytes;
    }
    nmi_json_open(t, NULL, '{');
    nmi_json_int(t, "plans", s->n_plans);
    nmi_json_int(t, "arena_bytes", (int64_t)bytes);
    nmi_json_int(t, "packed_weight_bytes", (int64_t)nmi_weights_bytes(s->network->weights));
    nmi_json_close(t, '}');
}

/* Of the last plan, the core's bound measured once. */
static struct nmi_profile profile_of(struct nmi_session *s)
{
    if (s->bound_gflops == 0) {
        s->bound_gflops = nmi_bound_gflops(s->options.isa);
    }
    return (struct nmi_profile){s->plans[s->current].step_seconds, s->bound_gflops};
}

static nm_status describe(struct nmi_session *s, nm_describe what, struct nmi_text *t,
                          nm_error *err)
{
    if (what == NM_DESCRIBE_MEMORY) {
        describe_memory(s, t);
        return NM_OK;
    }
    if (what != NM_DESCRIBE_PLAN && what != NM_DESCRIBE_PROFILE) {
        return nmi_fail(err, NM_EINVAL, "a session describes plan, memory or profile, not %d",
                        (int)what);
    }
    if (s->n_plans == 0) {
        return nmi_fail(err, NM_EINVAL,
                        "the session has no plan yet: call nm_session_prepare or nm_run");
    }
    const struct planned *planned = &s->plans[s->current];
    if (what == NM_DESCRIBE_PLAN) {
        nmi_plan_describe(planned->plan, NULL, t);
        return NM_OK;
    }
    const struct nmi_profile profile = profile_of(s);
    nmi_plan_describe(planned->plan, &profile, t);
    return NM_OK;
}

nm_status nmi_session_describe(struct nmi_session *s, nm_describe what, struct nmi_text *t,
                               nm_error *err)
{
    NMI_TRY(enter(s, err));
    nm_status status = describe(s, what, t, err);
    atomic_flag_clear(&s->busy);
    return status;
}

/* Seconds of the last run of the last plan; 0: there was none. */
static double last_run(const struct nmi_session *s)
{
    const struct planned *planned = &s->plans[s->current];
    double seconds = 0;
    for (int32_t i = 0; s->n_plans > 0 && i < planned->plan->n_steps; i++) {
        seconds += planned->step_seconds[i];
    }
    return seconds;
}

nm_status nmi_session_profile(struct nmi_session *s, nm_profile **profile, nm_error *err)
{
    NMI_TRY(enter(s, err));
    nm_status status = NM_OK;
    if (last_run(s) > 0) {
        const struct nmi_profile times = profile_of(s);
        status = nmi_profile_make(s->plans[s->current].plan, &times, profile, err);
    } else {
        status = nmi_fail(err, NM_EINVAL, "nothing to profile: the session has not run its last "
                                          "plan yet, call nm_run");
    }
    atomic_flag_clear(&s->busy);
    return status;
}
