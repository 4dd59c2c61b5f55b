/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an implementation costs: the cached time, else a short measurement, else, under fixed_plan,
 * a rule. Those that end up close to the best of their layer are measured again, in turns.
 */
#include "lib/plan/planner.h"

#include "lib/base/checked.h"
#include "lib/base/cpu.h"
#include "lib/base/hash.h"

#include <string.h>

/* Rates of the rule, in operations and bytes per second of one core: only their ratios matter. */
#define DENSE_RATE 40e9
#define SPARSE_RATE 30e9
#define HALF_RATE 1.9 /* times that in float16 */
#define EVAL_RATE 1e9
#define COPY_RATE 6e9

/* How much time planning takes, by nm_session_options.effort from -1 on. */
static const struct effort {
    double first;    /* seconds of runs of each implementation */
    double turn;     /* and of each finalist, in each round */
    int rounds;      /* that finalists have, in turns, so that they see the same machine */
    int blockings;   /* tried of one kernel */
} efforts[] = {{0, 0, 0, 3}, {0.001, 0.0005, 4, NMI_MAX_IMPLS}, {0.02, 0.005, 10, NMI_MAX_IMPLS}};

/* Finalists: so near the best with the same layouts, and these so near the best of the layer. */
#define CLOSE 1.05
#define NEAR 1.3

static double conv_macs(const struct nmi_conv_desc *d)
{
    const double window = (double)d->kh * d->kw * (d->x.c / d->groups);
    return window * d->y.c * d->y.h * d->y.w * d->y.n;
}

double nmi_layer_macs(const struct nmi_layer *layer)
{
    switch (layer->kind) {
    case NMI_KIND_CONV:
        return conv_macs(&layer->desc.conv);
    case NMI_KIND_DECONV: {
        const struct nmi_conv_desc *d = &layer->desc.conv;
        return (double)d->kh * d->kw * (d->y.c / d->groups) * d->x.c * d->x.h * d->x.w * d->x.n;
    }
    case NMI_KIND_GEMM: {
        const struct nmi_gemm_desc *d = &layer->desc.gemm;
        return (double)d->batch * (double)d->m * (double)d->n * (double)d->k;
    }
    default:
        return 0;
    }
}

static bool sparse_impl(const struct nmi_impl *impl)
{
    return impl->step == NMI_STEP_KERNEL && impl->kernel->packed_bytes != NULL;
}

bool nmi_impl_packs(const struct nmi_impl *impl)
{
    return sparse_impl(impl) || (impl->step == NMI_STEP_KERNEL && impl->kernel->pack_dense != NULL);
}

/* Seconds by rule. Row-major evaluation is the last resort, and priced so. */
static double rule(const struct nmi_planner *p, const struct nmi_layer *layer,
                   const struct nmi_impl *impl)
{
    const double macs = nmi_layer_macs(layer);
    const double bytes = (double)layer->out_elems * sizeof(float);
    const double narrow = p->options->isa == NM_ISA_AVX512 ? 1 : 0.55;
    if (impl->step == NMI_IMPL_ALIAS || impl->step == NMI_IMPL_FUSED) {
        return 0;
    }
    if (sparse_impl(impl)) {
        const double share = 1 - (double)layer->zeros / (double)layer->weight_elems;
        if (impl->in_kind == NMI_LANES_F16) {
            return macs * share / (SPARSE_RATE * HALF_RATE * 1.3) + bytes / 2 / COPY_RATE;
        }
        const double together = 1 + 0.4 * layer->alike; /* an input is loaded for several rows */
        return macs * share / (SPARSE_RATE * narrow * 1.3 * together) + bytes / COPY_RATE;
    }
    if (impl->step == NMI_STEP_DNNL || nmi_impl_packs(impl)) {
        const bool winograd = impl->step != NMI_STEP_DNNL && impl->out_kind != NMI_LANES;
        const double fewer = winograd ? 1.5 : 1; /* products */
        const double half = nmi_impl_bf16(impl) ? 0.5 : 1;
        return half * (macs / (DENSE_RATE * narrow * fewer) + bytes / COPY_RATE);
    }
    if (impl->step == NMI_STEP_EVAL) {
        return macs / EVAL_RATE + 4 * bytes / COPY_RATE + 1e-6;
    }
    return bytes / COPY_RATE;
}

/* ---- keys
 * ------------------------------------------------------------------------------------------ */

uint64_t nmi_measure_key(const struct nmi_planner *p, int32_t threads)
{
    const struct nmi_cpu *cpu = nmi_cpu_info();
    const int32_t facts[] = {NM_VERSION_NUMBER, nmi_dnnl_version(), (int32_t)p->options->isa,
                             threads, p->options->effort};
    return nmi_hash(nmi_hash(NMI_HASH_START, cpu->model, strlen(cpu->model)), facts, sizeof facts);
}

/* Nonzeros in steps of about 3 %: nearly equal layers share a time. */
static int64_t bucket(const struct nmi_layer *layer)
{
    const int64_t nonzeros = layer->weight_elems - layer->zeros;
    int64_t step = 1;
    while (nonzeros / step >= 64) {
        step *= 2;
    }
    return nonzeros / step * step;
}

/* sparse: the layer whose weights it has in a sparse form, or NULL. */
static uint64_t key_of(const struct nmi_planner *p, const struct nmi_subject *s,
                       const struct nmi_layer *sparse)
{
    const char *name = s->kernel == NULL ? "oneDNN" : s->kernel->name;
    const int64_t facts[] = {s->kind, s->algo, sparse ? bucket(sparse) : 0,
                             sparse ? (int64_t)(sparse->alike * 16) : 0};
    uint64_t key = nmi_hash(nmi_measure_key(p, s->threads), name, strlen(name));
    key = nmi_hash(key, facts, sizeof facts);
    return nmi_hash(key, s->desc, sizeof *s->desc);
}

/* ---- layers
 * ---------------------------------------------------------------------------------------- */

static size_t image_bytes(struct nmi_image image, const struct nmi_layout *layout)
{
    image.layout = *layout;
    return nmi_image_bytes(&image);
}

/* Bytes of the x and y operands of a layer under these layouts. */
static void operand_bytes(const struct nmi_layer *layer, const struct nmi_layout *x,
                          const struct nmi_layout *y, size_t *xb, size_t *yb)
{
    const struct nmi_layer *last = nmi_layer_last(layer);
    const size_t plain = (size_t)last->out_elems * sizeof(float) + NMI_SLACK;
    *yb = y->kind == NMI_PLAIN ? plain : image_bytes(last->out_image, y);
    switch (layer->kind) {
    case NMI_KIND_CONV:
    case NMI_KIND_DECONV:
        *xb = image_bytes(layer->desc.conv.x, x);
        break;
    case NMI_KIND_POOL:
        *xb = image_bytes(layer->desc.pool.x, x);
        break;
    case NMI_KIND_GPOOL:
        *xb = image_bytes(layer->desc.gpool.x, x);
        break;
    case NMI_KIND_GEMM: {
        const struct nmi_gemm_desc *d = &layer->desc.gemm;
        const size_t a = (size_t)(d->batch * d->m * d->k), b = (size_t)(d->batch * d->k * d->n);
        *xb = (layer->weight != NULL || a > b ? a : b) * sizeof(float) + NMI_SLACK;
        break;
    }
    default:
        *xb = *yb;
    }
}

/* Whether there is anything to time: EVAL, COPY and the like go by rule, and products of two
 * activations. */
static bool timed(const struct nmi_layer *layer, const struct nmi_impl *impl)
{
    return (impl->step == NMI_STEP_KERNEL || impl->step == NMI_STEP_DNNL) &&
           (layer->kind != NMI_KIND_GEMM || layer->weight != NULL);
}

static int32_t subject_kind(const struct nmi_layer *layer, const struct nmi_impl *impl)
{
    if (impl->step == NMI_STEP_KERNEL) {
        return impl->kernel->kind;
    }
    return layer->kind == NMI_KIND_GPOOL ? NMI_KIND_POOL : layer->kind;
}

static const struct effort *effort_of(const struct nmi_planner *p)
{
    return &efforts[p->options->effort + 1];
}

/* ---- one implementation
 * ---------------------------------------------------------------------------------------- */

/* CSR weights of a layer, made when the first implementation wants them. */
struct weights {
    struct nmi_csr csr;
    void *memory;
};

/* An implementation that is measured, under its key in the cache. */
struct trial {
    struct nmi_impl *impl; /* NULL: goes by rule */
    struct nmi_subject subject;
    union nmi_desc desc;
    uint64_t key;
    bool fresh; /* not from the cache */
};

static bool from_cache(struct nmi_planner *p, uint64_t key, double *seconds)
{
    const bool found = nmi_cache_find(p->options->cache, key, seconds);
    *(found ? &p->plan->cached : &p->plan->measured) += 1;
    return found;
}

static void describe_trial(const struct nmi_planner *p, const struct nmi_layer *layer,
                           struct nmi_impl *impl, const struct nmi_csr *csr, struct trial *t)
{
    const struct nmi_layer *last = nmi_layer_last(layer);
    const struct nmi_layout x = nmi_impl_input(p, layer, impl, 0);
    const struct nmi_layout y =
        nmi_impl_output(p, last, last == layer ? impl : &last->impls[last->choice]);
    *t = (struct trial){.impl = impl, .desc = nmi_impl_desc(layer, impl, &x, &y)};
    t->subject = (struct nmi_subject){.kind = subject_kind(layer, impl),
                                      .desc = &t->desc,
                                      .kernel = impl->kernel,
                                      .algo = impl->algo,
                                      .csr = csr,
                                      .weight = layer->weight,
                                      .threads = nmi_layer_threads(p, layer)};
    operand_bytes(layer, &x, &y, &t->subject.x_bytes, &t->subject.y_bytes);
    t->key = key_of(p, &t->subject, sparse_impl(impl) ? layer : NULL);
}

/* A candidate that cannot be made is not an error: it costs more than any other. */
static nm_status open(struct nmi_planner *p, struct nmi_subject *s, bool *made, nm_error *err)
{
    nm_status status = nmi_subject_open(&p->operands, s, err);
    *made = status == NM_OK;
    return status == NM_EUNSUPPORTED || status == NM_EINTERNAL ? NM_OK : status;
}

static nm_status time_alone(struct nmi_planner *p, struct nmi_subject *s, double rival,
                            double *seconds, nm_error *err)
{
    bool made;
    *seconds = 1e3;
    nm_status status = open(p, s, &made, err);
    if (status == NM_OK && made) {
        status = nmi_subject_time(&p->operands, s, effort_of(p)->first, rival, seconds);
    }
    nmi_subject_close(s);
    return status == NM_EUNSUPPORTED || status == NM_EINTERNAL ? NM_OK : status;
}

/* The time of one implementation, from the cache or from a first look. */
static nm_status look(struct nmi_planner *p, const struct nmi_layer *layer, struct nmi_impl *impl,
                      double rival, struct weights *weights, struct trial *t, nm_error *err)
{
    describe_trial(p, layer, impl, &weights->csr, t);
    t->fresh = !from_cache(p, t->key, &impl->seconds);
    if (!t->fresh) {
        return NM_OK;
    }
    if (sparse_impl(impl) && weights->memory == NULL) {
        NMI_TRY(nmi_csr_build(&layer->csr, &weights->csr, &weights->memory, err));
    }
    return time_alone(p, &t->subject, rival, &impl->seconds, err);
}

nm_status nmi_measure_impl(struct nmi_planner *p, const struct nmi_layer *layer,
                           struct nmi_impl *impl, nm_error *err)
{
    struct weights weights = {.memory = NULL};
    struct trial t;
    nm_status status = look(p, layer, impl, 1e9, &weights, &t, err);
    if (status == NM_OK && t.fresh) {
        nmi_cache_add(p->options->cache, t.key, impl->seconds);
    }
    nmi_free(weights.memory);
    return status;
}

/* The time of a step that comes with an implementation: from the cache, or taken now. */
static nm_status time_helper(struct nmi_planner *p, struct nmi_subject *s, double *seconds,
                             nm_error *err)
{
    const uint64_t key = key_of(p, s, NULL);
    if (from_cache(p, key, seconds)) {
        return NM_OK;
    }
    NMI_TRY(time_alone(p, s, 1e9, seconds, err));
    nmi_cache_add(p->options->cache, key, *seconds);
    return NM_OK;
}

/* Adds the time of the activation that follows in a step of its own. */
static nm_status add_act(struct nmi_planner *p, const struct nmi_layer *layer,
                         struct nmi_impl *impl, nm_error *err)
{
    const struct nmi_layout y = nmi_impl_output(p, layer, impl);
    const union nmi_desc desc = nmi_act_desc(layer, &y);
    struct nmi_subject s = {.kind = NMI_KIND_ELTWISE,
                            .desc = &desc,
                            .kernel = nmi_kernel_find(NMI_KIND_ELTWISE, p->options->isa, &desc, NULL),
                            .threads = nmi_layer_threads(p, layer),
                            .x_bytes = (size_t)desc.eltwise.count * sizeof(float) + NMI_SLACK,
                            .y_bytes = (size_t)desc.eltwise.count * sizeof(float) + NMI_SLACK};
    double act = 0;
    NMI_TRY(time_helper(p, &s, &act, err));
    impl->seconds += act;
    return NM_OK;
}

/* ---- all of a layer
 * ---------------------------------------------------------------------------------------- */

/* The least time with these layouts (or, kinds < 0, with any) among trials that have one. */
static double best_of(const struct trial *trials, int32_t n, int32_t in_kind, int32_t out_kind)
{
    double best = 1e9;
    for (int32_t i = 0; i < n; i++) {
        const struct nmi_impl *impl = trials[i].impl;
        if (impl != NULL && (in_kind < 0 || impl->in_kind == in_kind) &&
            (out_kind < 0 || impl->out_kind == out_kind) && impl->seconds < best) {
            best = impl->seconds;
        }
    }
    return best;
}

/* Marks those that the choice is between; returns how many. */
static int32_t mark_finalists(const struct trial *trials, int32_t n, bool *marked)
{
    const double best = best_of(trials, n, -1, -1);
    int32_t count = 0, fresh = 0;
    for (int32_t i = 0; i < n; i++) {
        const struct nmi_impl *impl = trials[i].impl;
        const double like = impl ? best_of(trials, n, impl->in_kind, impl->out_kind) : 0;
        marked[i] = impl != NULL && impl->seconds <= CLOSE * like && like <= NEAR * best;
        count += marked[i];
        fresh += marked[i] && trials[i].fresh;
    }
    return fresh > 0 ? count : 0;
}

/* Neighbours in time are timed again in turns: noise must not decide between them. */
static nm_status play_final(struct nmi_planner *p, const struct nmi_layer *layer,
                            struct weights *weights, struct trial *trials, int32_t n, nm_error *err)
{
    bool marked[NMI_MAX_IMPLS], made = false;
    nm_status status = NM_OK;
    if (mark_finalists(trials, n, marked) < 2 || effort_of(p)->rounds == 0) {
        return NM_OK;
    }
    for (int32_t i = 0; i < n && status == NM_OK; i++) {
        if (marked[i] && sparse_impl(trials[i].impl) && weights->memory == NULL) {
            status = nmi_csr_build(&layer->csr, &weights->csr, &weights->memory, err);
        }
        if (marked[i] && status == NM_OK) {
            status = open(p, &trials[i].subject, &made, err);
            marked[i] = made;
        }
    }
    for (int round = 0; round < effort_of(p)->rounds; round++) {
        for (int32_t i = 0; i < n && status == NM_OK; i++) {
            double seconds = 1e9;
            if (marked[i]) {
                status = nmi_subject_time(&p->operands, &trials[i].subject, effort_of(p)->turn,
                                          1e9, &seconds);
            }
            if (seconds < 1e9 && seconds < trials[i].impl->seconds) {
                trials[i].impl->seconds = seconds;
            }
        }
    }
    for (int32_t i = 0; i < n; i++) {
        nmi_subject_close(&trials[i].subject);
    }
    return status;
}

/* A choice to make: two timed implementations. One alone need not be timed, unless the layouts
 * around it are in question. */
static bool choice_to_make(const struct nmi_planner *p, const struct nmi_layer *layer)
{
    int n = 0;
    for (int32_t i = 0; i < layer->n_impls; i++) {
        n += timed(layer, &layer->impls[i]);
    }
    return !p->options->fixed && (n > 1 || (n == 1 && p->any_sparse));
}

/* oneDNN says only on creation what it does not do. */
static bool possible(const struct nmi_planner *p, const struct nmi_layer *layer,
                     const struct nmi_impl *impl)
{
    struct nmi_dnnl *object = NULL;
    if (impl->step != NMI_STEP_DNNL) {
        return true;
    }
    const struct nmi_layout x = {.kind = impl->in_kind}, y = {.kind = impl->out_kind};
    const union nmi_desc desc = nmi_impl_desc(layer, impl, &x, &y);
    nm_status status = nmi_plan_dnnl(subject_kind(layer, impl), &desc, impl->algo,
                                     nmi_layer_threads(p, layer), &object, NULL);
    nmi_dnnl_free(object);
    return status == NM_OK;
}

static void drop_impossible(const struct nmi_planner *p, struct nmi_layer *layer)
{
    int32_t n = 0;
    for (int32_t i = 0; i < layer->n_impls; i++) {
        if (possible(p, layer, &layer->impls[i])) {
            layer->impls[n++] = layer->impls[i];
        }
    }
    layer->n_impls = n;
}

/* With little effort only the first guesses of each kernel. */
static void drop_guesses(const struct nmi_planner *p, struct nmi_layer *layer)
{
    int32_t n = 0, guess = 0;
    for (int32_t i = 0; i < layer->n_impls; i++) {
        const struct nmi_impl *impl = &layer->impls[i];
        guess = n > 0 && impl->kernel != NULL && impl->kernel == layer->impls[n - 1].kernel &&
                        impl->in_kind == layer->impls[n - 1].in_kind
                    ? guess + 1
                    : 0;
        if (guess < effort_of(p)->blockings) {
            layer->impls[n++] = *impl;
        }
    }
    layer->n_impls = n;
}

static nm_status measure_layer(struct nmi_planner *p, struct nmi_layer *layer, nm_error *err)
{
    struct trial trials[NMI_MAX_IMPLS];
    struct weights weights = {.memory = NULL};
    nm_status status = NM_OK;
    drop_impossible(p, layer);
    drop_guesses(p, layer);
    const bool choice = choice_to_make(p, layer);
    for (int32_t i = 0; i < layer->n_impls && status == NM_OK; i++) {
        struct nmi_impl *impl = &layer->impls[i];
        trials[i] = (struct trial){.impl = NULL};
        if (choice && timed(layer, impl)) {
            const double rival = best_of(trials, i, impl->in_kind, impl->out_kind);
            status = look(p, layer, impl, rival, &weights, &trials[i], err);
        } else {
            impl->seconds = rule(p, layer, impl);
        }
    }
    if (status == NM_OK) {
        status = play_final(p, layer, &weights, trials, layer->n_impls, err);
    }
    for (int32_t i = 0; i < layer->n_impls && status == NM_OK; i++) {
        if (trials[i].impl != NULL && trials[i].fresh) {
            nmi_cache_add(p->options->cache, trials[i].key, trials[i].impl->seconds);
        }
        if (trials[i].impl != NULL && trials[i].impl->act_after) {
            status = add_act(p, layer, trials[i].impl, err);
        }
    }
    nmi_free(weights.memory);
    return status;
}

nm_status nmi_plan_measure(struct nmi_planner *p, nm_error *err)
{
    for (int32_t i = 0; i < p->n_layers; i++) {
        NMI_TRY(measure_layer(p, &p->layers[i], err));
    }
    return NM_OK;
}

static nm_status measure_convert(struct nmi_planner *p, const struct nmi_layer *layer,
                                 const struct nmi_convert_desc *convert, double *seconds,
                                 nm_error *err)
{
    const union nmi_desc desc = {.convert = *convert};
    struct nmi_subject s = {.kind = NMI_KIND_CONVERT,
                            .desc = &desc,
                            .threads = nmi_layer_threads(p, layer),
                            .x_bytes = nmi_image_bytes(&convert->from),
                            .y_bytes = nmi_image_bytes(&convert->to)};
    if (p->options->fixed) {
        *seconds = (double)(s.x_bytes + s.y_bytes) / COPY_RATE;
        return NM_OK;
    }
    if (nmi_in_lanes(convert->from.layout.kind) || nmi_in_lanes(convert->to.layout.kind)) {
        s.kernel = nmi_kernel_find(NMI_KIND_CONVERT, p->options->isa, &desc, NULL);
        if (s.kernel == NULL) {
            return nmi_fail(err, NM_EINTERNAL, "no kernel converts between these layouts");
        }
    }
    return time_helper(p, &s, seconds, err);
}

nm_status nmi_measure_convert(struct nmi_planner *p, const struct nmi_layer *layer,
                              const struct nmi_convert_desc *convert, double *seconds,
                              nm_error *err)
{
    struct nmi_convert_desc half[2] = {*convert, *convert};
    double second;
    if (!nmi_layout_via(&convert->from.layout, &convert->to.layout, &half[0].to.layout)) {
        return measure_convert(p, layer, convert, seconds, err);
    }
    half[1].from.layout = half[0].to.layout;
    NMI_TRY(measure_convert(p, layer, &half[0], seconds, err));
    NMI_TRY(measure_convert(p, layer, &half[1], &second, err));
    *seconds += second;
    return NM_OK;
}
