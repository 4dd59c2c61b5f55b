/* SPDX-License-Identifier: Apache-2.0 */
/* Made-up operands, and runs on them. */
#include "lib/plan/stopwatch.h"

#include "lib/base/cpu.h"
#include "lib/base/mem.h"
#include "lib/base/parallel.h"

#include <string.h>

#define MAX_RUNS 50
#define HOPELESS 1.3 /* times the rival: not timed again */

/* ---- operands
 * ------------------------------------------------------------------------------------ */

static void fill(float *p, size_t bytes)
{
    float v = 0;
    for (size_t i = 0; i < bytes / sizeof *p; i++) {
        p[i] = v;
        v = v < 1.5f ? v + 0.125f : 0;
    }
}

static nm_status made_up(size_t bytes, float **out, nm_error *err)
{
    float *p = nmi_alloc(bytes);
    if (p == NULL) {
        return nmi_fail_memory(err, bytes, "measuring a layer");
    }
    fill(p, bytes);
    *out = p;
    return NM_OK;
}

static nm_status grow(struct nmi_operands *o, enum nmi_made_up which, size_t bytes, nm_error *err)
{
    if (o->at[which] != NULL && o->bytes[which] >= bytes) {
        return NM_OK;
    }
    nmi_free(o->at[which]);
    o->at[which] = NULL;
    o->bytes[which] = bytes;
    return made_up(bytes, &o->at[which], err);
}

void nmi_operands_free(struct nmi_operands *o)
{
    for (int i = 0; i < NMI_MADE; i++) {
        nmi_free(o->at[i]);
    }
    *o = (struct nmi_operands){0};
}

/* ---- subjects
 * ------------------------------------------------------------------------------------ */

nm_status nmi_plan_dnnl(int32_t kind, const union nmi_desc *desc, enum nmi_dnnl_algo algo,
                        int32_t threads, struct nmi_dnnl **object, nm_error *err)
{
    const int old = nmi_threads_enter(threads);
    nm_status status = nmi_dnnl_create(kind, desc, algo, object, err);
    nmi_threads_restore(old);
    return status;
}

static nm_status open_dnnl(struct nmi_subject *s, size_t *scratch, nm_error *err)
{
    float *packed = NULL;
    s->parts = 1;
    NMI_TRY(nmi_plan_dnnl(s->kind, s->desc, s->algo, s->threads, &s->dnnl, err));
    if (strncmp(nmi_dnnl_impl(s->dnnl), "ref", 3) == 0) {
        return NM_EUNSUPPORTED; /* its plain C++ takes seconds */
    }
    if (nmi_dnnl_packed_bytes(s->dnnl) > 0) {
        NMI_TRY(made_up(nmi_dnnl_packed_bytes(s->dnnl), &packed, err));
        s->packed = packed;
    }
    *scratch = nmi_dnnl_scratch_bytes(s->dnnl);
    return NM_OK;
}

static nm_status open_kernel(struct nmi_subject *s, size_t *scratch, nm_error *err)
{
    const struct nmi_kernel *k = s->kernel;
    float *packed = NULL;
    if (k->pack_dense != NULL) { /* the values do not matter */
        NMI_TRY(made_up(k->dense_bytes(s->desc), &packed, err));
        s->packed = packed;
    } else if (k->packed_bytes != NULL) {
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
    *scratch = k->scratch_bytes != NULL ? k->scratch_bytes(s->desc, s->parts) : 0;
    return NM_OK;
}

nm_status nmi_subject_open(struct nmi_operands *o, struct nmi_subject *s, nm_error *err)
{
    size_t scratch = 0;
    s->dnnl = NULL;
    s->packed = NULL;
    NMI_TRY(grow(o, NMI_MADE_X, s->x_bytes, err));
    NMI_TRY(grow(o, NMI_MADE_Y, s->y_bytes, err));
    NMI_TRY(grow(o, NMI_MADE_RES, s->y_bytes, err));
    NMI_TRY(grow(o, NMI_MADE_BIAS, 2 * s->y_bytes, err)); /* floats, no more than y has numbers */
    NMI_TRY(s->kernel == NULL ? open_dnnl(s, &scratch, err) : open_kernel(s, &scratch, err));
    return grow(o, NMI_MADE_SCRATCH, scratch + 64, err);
}

void nmi_subject_close(struct nmi_subject *s)
{
    nmi_free(s->packed);
    nmi_dnnl_free(s->dnnl);
    s->packed = NULL;
    s->dnnl = NULL;
}

/* ---- runs
 * ---------------------------------------------------------------------------------------- */

/* The fastest of a few runs: what disturbs a run only makes it slower. */
struct timing {
    const struct nmi_subject *subject;
    struct nmi_kargs args;
    double budget, rival;
    int begun; /* runs; the first finds the caches */
    double start, total, best;
};

/* Between two runs: notes the time of the one before. The parts of the next; 0: enough. */
static int next_run(void *context)
{
    struct timing *t = context;
    const double seconds = nmi_now() - t->start;
    const int timed = t->begun - 1;
    bool enough = false;
    if (timed >= 0) {
        t->best = seconds < t->best ? seconds : t->best;
    }
    if (timed > 0) { /* one run alone may have been interrupted */
        t->total += seconds;
        enough =
            timed >= MAX_RUNS || t->total >= t->budget || t->best > HOPELESS * t->rival;
    }
    t->begun++;
    t->start = nmi_now();
    return enough ? 0 : t->subject->parts;
}

static void run_part(void *context, int part, int parts)
{
    const struct timing *t = context;
    t->subject->kernel->run(t->subject->desc, &t->args, part, parts);
}

nm_status nmi_subject_time(const struct nmi_operands *o, const struct nmi_subject *s, double budget,
                           double rival, double *seconds)
{
    struct timing t = {.subject = s,
                       .args = {.x = o->at[NMI_MADE_X],
                                .w = s->weight,
                                .packed = s->packed,
                                .bias = o->at[NMI_MADE_BIAS],
                                .res = o->at[NMI_MADE_RES],
                                .y = o->at[NMI_MADE_Y],
                                .scratch = o->at[NMI_MADE_SCRATCH]},
                       .budget = budget,
                       .rival = rival,
                       .best = 1e9};
    const int old = nmi_threads_enter(s->threads);
    const uint32_t fp = nmi_fp_enter();
    nm_status status = NM_OK;
    if (s->dnnl == NULL) {
        nmi_parallel_rounds(s->threads, next_run, run_part, &t);
    }
    while (s->dnnl != NULL && status == NM_OK && next_run(&t) > 0) {
        status = nmi_dnnl_run(s->dnnl, &t.args);
    }
    nmi_fp_restore(fp);
    nmi_threads_restore(old);
    *seconds = t.best;
    return status;
}
