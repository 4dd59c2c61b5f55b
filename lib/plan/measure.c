/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an implementation costs: the cached time, else a short measurement on buffers of the right
 * size (values do not matter, but for being no denormals), else, under fixed_plan, a rule.
 */
#include "lib/plan/planner.h"

#include "lib/base/checked.h"
#include "lib/base/cpu.h"
#include "lib/base/hash.h"
#include "lib/base/parallel.h"

#include <string.h>

/* Rates of the rule, in operations and bytes per second of one core: only their ratios matter. */
#define DENSE_RATE 40e9
#define SPARSE_RATE 30e9
#define EVAL_RATE 1e9
#define COPY_RATE 6e9

#define MIN_SECONDS 0.002 /* of all repetitions; ten times that with effort */
#define MIN_RUNS 2
#define MAX_RUNS 50
#define HOPELESS 1.3 /* times the best of its rivals: not timed again */

/* One thing to time. */
struct subject {
    const struct nmi_impl *impl;
    int32_t kind;
    const union nmi_desc *desc;
    const struct nmi_csr *csr;
    const float *weight;
    int32_t threads;
    double min_seconds;
    double rival; /* the best time of an implementation with the same layouts */
    size_t x_bytes, y_bytes;
    struct nmi_dnnl *dnnl;
    void *packed, *scratch;
    struct nmi_kargs args;
    int32_t parts;
};

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
        return macs * share / (SPARSE_RATE * narrow * 1.3) + bytes / COPY_RATE;
    }
    if (impl->step == NMI_STEP_DNNL || nmi_impl_packs(impl)) {
        const double fewer = impl->step == NMI_STEP_DNNL ? 1 : 1.5; /* products by Winograd */
        return macs / (DENSE_RATE * narrow * fewer) + bytes / COPY_RATE;
    }
    if (impl->step == NMI_STEP_EVAL) {
        return macs / EVAL_RATE + 4 * bytes / COPY_RATE + 1e-6;
    }
    return bytes / COPY_RATE;
}

/* ---- timing
 * --------------------------------------------------------------------------------------- */

static void run_part(void *context, int part, int parts)
{
    const struct subject *s = context;
    s->impl->kernel->run(s->desc, &s->args, part, parts);
}

static nm_status run_once(struct subject *s)
{
    if (s->dnnl != NULL) {
        return nmi_dnnl_run(s->dnnl, &s->args);
    }
    nmi_parallel_for(s->threads, s->parts, run_part, s);
    return NM_OK;
}

/* The fastest of a few runs: what disturbs a run only makes it slower. */
static nm_status time_runs(struct subject *s, double *seconds)
{
    const int old = nmi_threads_enter(s->threads);
    const uint32_t fp = nmi_fp_enter();
    nm_status status = run_once(s);
    double best = 1e9, total = 0;
    for (int i = 0; status == NM_OK && i < MAX_RUNS && (i < MIN_RUNS || total < s->min_seconds);
         i++) {
        const double start = nmi_now();
        status = run_once(s);
        const double t = nmi_now() - start;
        total += t;
        best = t < best ? t : best;
        if (best > HOPELESS * s->rival) {
            break;
        }
    }
    nmi_fp_restore(fp);
    nmi_threads_restore(old);
    *seconds = best;
    return status;
}

nm_status nmi_plan_dnnl(int32_t kind, const union nmi_desc *desc, enum nmi_dnnl_algo algo,
                        int32_t threads, struct nmi_dnnl **object, nm_error *err)
{
    const int old = nmi_threads_enter(threads);
    nm_status status = nmi_dnnl_create(kind, desc, algo, object, err);
    nmi_threads_restore(old);
    return status;
}

static nm_status buffer(size_t bytes, void **out, nm_error *err)
{
    float *p = nmi_alloc(bytes);
    if (p == NULL) {
        return nmi_fail_memory(err, bytes, "measuring a layer");
    }
    for (size_t i = 0; i < bytes / sizeof *p; i++) {
        p[i] = (float)(i % 13) * 0.125f;
    }
    *out = p;
    return NM_OK;
}

static nm_status prepare_dnnl(struct subject *s, nm_error *err)
{
    NMI_TRY(nmi_plan_dnnl(s->kind, s->desc, s->impl->algo, s->threads, &s->dnnl, err));
    if (strncmp(nmi_dnnl_impl(s->dnnl), "ref", 3) == 0) {
        return NM_EUNSUPPORTED; /* its plain C++ takes seconds */
    }
    if (nmi_dnnl_packed_bytes(s->dnnl) > 0) {
        NMI_TRY(buffer(nmi_dnnl_packed_bytes(s->dnnl), &s->packed, err));
    }
    return buffer(nmi_dnnl_scratch_bytes(s->dnnl) + 64, &s->scratch, err);
}

static nm_status prepare_kernel(struct subject *s, nm_error *err)
{
    const struct nmi_kernel *k = s->impl->kernel;
    if (k->pack_dense != NULL) { /* the values do not matter */
        NMI_TRY(buffer(k->dense_bytes(s->desc), &s->packed, err));
    }
    if (k->packed_bytes != NULL) {
        const size_t bytes = k->packed_bytes(s->desc, s->csr);
        if (bytes == 0) {
            return nmi_fail(err, NM_EUNSUPPORTED, "the weights do not fit the format");
        }
        s->packed = nmi_alloc(bytes);
        if (s->packed == NULL) {
            return nmi_fail_memory(err, bytes, "measuring a layer");
        }
        k->pack(s->desc, s->csr, s->packed);
    }
    s->parts = k->parts(s->desc, s->packed, s->threads);
    const size_t scratch = k->scratch_bytes != NULL ? k->scratch_bytes(s->desc, s->parts) : 0;
    return buffer(scratch + 64, &s->scratch, err);
}

static nm_status prepare(struct subject *s, void *memory[4], nm_error *err)
{
    NMI_TRY(buffer(s->x_bytes, &memory[0], err));
    NMI_TRY(buffer(s->y_bytes, &memory[1], err));
    NMI_TRY(buffer(s->y_bytes, &memory[2], err));
    NMI_TRY(buffer(s->y_bytes, &memory[3], err)); /* bias: never longer than the output */
    NMI_TRY(s->impl->step == NMI_STEP_DNNL ? prepare_dnnl(s, err) : prepare_kernel(s, err));
    s->args = (struct nmi_kargs){.x = memory[0],
                                 .w = s->weight,
                                 .packed = s->packed,
                                 .bias = memory[3],
                                 .res = memory[2],
                                 .y = memory[1],
                                 .scratch = s->scratch};
    return NM_OK;
}

/* A candidate that cannot be made is not an error: it costs more than any other. */
static nm_status measure(struct subject *s, double *seconds, nm_error *err)
{
    void *memory[4] = {NULL, NULL, NULL, NULL};
    *seconds = 1e3;
    nm_status status = prepare(s, memory, err);
    if (status == NM_OK) {
        status = time_runs(s, seconds);
    }
    for (int i = 0; i < 4; i++) {
        nmi_free(memory[i]);
    }
    nmi_free(s->packed);
    nmi_free(s->scratch);
    nmi_dnnl_free(s->dnnl);
    return status == NM_EUNSUPPORTED || status == NM_EINTERNAL ? NM_OK : status;
}

/* ---- keys
 * ------------------------------------------------------------------------------------------ */

uint64_t nmi_measure_key(const struct nmi_planner *p, int32_t threads)
{
    const struct nmi_cpu *cpu = nmi_cpu_info();
    const int32_t facts[] = {NM_VERSION_NUMBER, nmi_dnnl_version(), (int32_t)p->options->isa,
                             threads};
    return nmi_hash(nmi_hash(NMI_HASH_START, cpu->model, strlen(cpu->model)), facts, sizeof facts);
}

static uint64_t key_of(const struct nmi_planner *p, const struct subject *s, int64_t nonzeros)
{
    const char *name = s->impl->step == NMI_STEP_DNNL ? "oneDNN" : s->impl->kernel->name;
    const int64_t facts[] = {s->kind, s->impl->algo, nonzeros};
    uint64_t key = nmi_hash(nmi_measure_key(p, s->threads), name, strlen(name));
    key = nmi_hash(key, facts, sizeof facts);
    return nmi_hash(key, s->desc, sizeof *s->desc);
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
    const size_t plain = (size_t)layer->out_elems * sizeof(float) + NMI_SLACK;
    *yb = y->kind == NMI_PLAIN ? plain : image_bytes(layer->out_image, y);
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

/* Whether there is anything to time: EVAL, COPY and the like go by rule. */
static bool timed(const struct nmi_impl *impl)
{
    return impl->step == NMI_STEP_KERNEL || impl->step == NMI_STEP_DNNL;
}

static int32_t subject_kind(const struct nmi_layer *layer, const struct nmi_impl *impl)
{
    if (impl->step == NMI_STEP_KERNEL) {
        return impl->kernel->kind;
    }
    return layer->kind == NMI_KIND_GPOOL ? NMI_KIND_POOL : layer->kind;
}

static double min_seconds(const struct nmi_planner *p)
{
    return p->options->effort > 0 ? 10 * MIN_SECONDS : MIN_SECONDS;
}

/* Implementations before this one have their times. */
static double best_rival(const struct nmi_layer *layer, const struct nmi_impl *impl)
{
    double best = 1e9;
    for (const struct nmi_impl *i = layer->impls; i < impl; i++) {
        if (i->in_kind == impl->in_kind && i->out_kind == impl->out_kind && i->seconds < best) {
            best = i->seconds;
        }
    }
    return best;
}

/* Adds the time of the activation that follows in a step of its own. */
static nm_status measure_act(struct nmi_planner *p, const struct nmi_layer *layer,
                             const struct nmi_layout *y, struct subject *s, double *seconds,
                             nm_error *err)
{
    const union nmi_desc desc = nmi_act_desc(layer, y);
    const struct nmi_impl impl = {
        .step = NMI_STEP_KERNEL,
        .kernel = nmi_kernel_find(NMI_KIND_ELTWISE, p->options->isa, &desc, NULL)};
    double act = 0;
    s->impl = &impl;
    s->kind = NMI_KIND_ELTWISE;
    s->desc = &desc;
    s->x_bytes = s->y_bytes;
    s->rival = 1e9;
    s->dnnl = NULL;
    s->packed = s->scratch = NULL;
    const uint64_t key = key_of(p, s, 0);
    if (!nmi_cache_find(p->options->cache, key, &act)) {
        NMI_TRY(measure(s, &act, err));
        nmi_cache_add(p->options->cache, key, act);
    }
    *seconds += act;
    return NM_OK;
}

static nm_status measure_impl(struct nmi_planner *p, const struct nmi_layer *layer,
                              struct nmi_impl *impl, struct nmi_csr *csr, void **csr_memory,
                              nm_error *err)
{
    const struct nmi_layer *last = layer->pool != NULL ? layer->pool : layer;
    const struct nmi_layout x = nmi_impl_input(p, layer, impl, 0);
    const struct nmi_layout y =
        nmi_impl_output(p, last, last == layer ? impl : &last->impls[last->choice]);
    const union nmi_desc desc = nmi_impl_desc(layer, impl, &x, &y);
    struct subject s = {.impl = impl,
                        .kind = subject_kind(layer, impl),
                        .desc = &desc,
                        .csr = csr,
                        .weight = layer->weight,
                        .threads = nmi_layer_threads(p, layer),
                        .min_seconds = min_seconds(p),
                        .rival = best_rival(layer, impl)};
    operand_bytes(layer, &x, &y, &s.x_bytes, &s.y_bytes);
    if (layer->kind == NMI_KIND_GEMM && layer->weight == NULL) {
        impl->seconds = rule(p, layer, impl);
        return NM_OK;
    }
    const uint64_t key = key_of(p, &s, sparse_impl(impl) ? bucket(layer) : 0);
    if (!nmi_cache_find(p->options->cache, key, &impl->seconds)) {
        if (sparse_impl(impl) && *csr_memory == NULL) {
            NMI_TRY(nmi_csr_build(&layer->csr, csr, csr_memory, err));
        }
        NMI_TRY(measure(&s, &impl->seconds, err));
        nmi_cache_add(p->options->cache, key, impl->seconds);
    }
    return impl->act_after ? measure_act(p, layer, &y, &s, &impl->seconds, err) : NM_OK;
}

/* A choice to make: two timed implementations. One alone need not be timed, unless the layouts
 * around it are in question. */
static bool choice_to_make(const struct nmi_planner *p, const struct nmi_layer *layer)
{
    int n = 0;
    for (int32_t i = 0; i < layer->n_impls; i++) {
        n += timed(&layer->impls[i]);
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

static nm_status measure_layer(struct nmi_planner *p, struct nmi_layer *layer, nm_error *err)
{
    struct nmi_csr csr;
    void *memory = NULL;
    nm_status status = NM_OK;
    drop_impossible(p, layer);
    const bool choice = choice_to_make(p, layer);
    for (int32_t i = 0; i < layer->n_impls && status == NM_OK; i++) {
        struct nmi_impl *impl = &layer->impls[i];
        if (choice && timed(impl)) {
            status = measure_impl(p, layer, impl, &csr, &memory, err);
        } else {
            impl->seconds = rule(p, layer, impl);
        }
    }
    nmi_free(memory);
    return status;
}

nm_status nmi_measure_impl(struct nmi_planner *p, const struct nmi_layer *layer,
                           struct nmi_impl *impl, nm_error *err)
{
    struct nmi_csr csr;
    void *memory = NULL;
    nm_status status = measure_impl(p, layer, impl, &csr, &memory, err);
    nmi_free(memory);
    return status;
}

nm_status nmi_plan_measure(struct nmi_planner *p, nm_error *err)
{
    for (int32_t i = 0; i < p->n_layers; i++) {
        NMI_TRY(measure_layer(p, &p->layers[i], err));
    }
    return NM_OK;
}

nm_status nmi_measure_convert(struct nmi_planner *p, const struct nmi_layer *layer,
                              const struct nmi_convert_desc *convert, double *seconds,
                              nm_error *err)
{
    struct nmi_impl impl = {.step = NMI_STEP_DNNL};
    union nmi_desc desc = {.convert = *convert};
    struct subject s = {.impl = &impl,
                        .kind = NMI_KIND_CONVERT,
                        .desc = &desc,
                        .threads = nmi_layer_threads(p, layer),
                        .min_seconds = min_seconds(p),
                        .rival = 1e9,
                        .x_bytes = nmi_image_bytes(&convert->from),
                        .y_bytes = nmi_image_bytes(&convert->to)};
    if (p->options->fixed) {
        *seconds = (double)(s.x_bytes + s.y_bytes) / COPY_RATE;
        return NM_OK;
    }
    if (convert->from.layout.kind == NMI_LANES || convert->to.layout.kind == NMI_LANES) {
        impl.step = NMI_STEP_KERNEL;
        impl.kernel = nmi_kernel_find(NMI_KIND_CONVERT, p->options->isa, &desc, NULL);
        if (impl.kernel == NULL) {
            return nmi_fail(err, NM_EINTERNAL, "no kernel converts between these layouts");
        }
    }
    const uint64_t key = key_of(p, &s, 0);
    if (nmi_cache_find(p->options->cache, key, seconds)) {
        return NM_OK;
    }
    NMI_TRY(measure(&s, seconds, err));
    nmi_cache_add(p->options->cache, key, *seconds);
    return NM_OK;
}
