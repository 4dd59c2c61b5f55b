/* SPDX-License-Identifier: Apache-2.0 */
/* Segments, passes, steps: three loops; a segment's passes or its steps' parts go to threads. */
#include "lib/run/exec.h"

#include "lib/base/cpu.h"
#include "lib/base/parallel.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

struct worker {
    const struct nmi_run *run;
    int32_t index; /* of its working space */
    char *local;
    nm_error *err;
};

static void *resolve(const struct worker *w, const struct nmi_ref *ref, int32_t pass)
{
    const size_t offset = ref->offset + (size_t)pass * ref->stride;
    char *base = NULL;
    switch (ref->base) {
    case NMI_BASE_ARENA:
        base = w->run->plan->memory;
        break;
    case NMI_BASE_LOCAL:
        base = w->local;
        break;
    case NMI_BASE_OUTPUT:
        base = w->run->outputs[ref->index];
        break;
    case NMI_BASE_INPUT:
        memcpy(&base, &w->run->inputs[ref->index], sizeof base); /* steps only read it */
        break;
    case NMI_BASE_CONST:
        memcpy(&base, &ref->ptr, sizeof base);
        break;
    default:
        return NULL;
    }
    return base + offset;
}

static nm_status run_eval(const struct worker *w, const struct nmi_step *step, int32_t pass)
{
    const size_t room = (size_t)w->index * (size_t)w->run->plan->max_tensors;
    struct nmi_tensor *tensors = w->run->tensors + room;
    const struct nmi_tensor **in = w->run->pointers + room;
    const int32_t n = step->n_in + step->n_out;
    memcpy(tensors, step->tensors, (size_t)n * sizeof *tensors);
    for (int32_t i = 0; i < n; i++) {
        tensors[i].data = resolve(w, &step->tensor_refs[i], pass);
        in[i] = tensors[i].type == NM_TYPE_NONE ? NULL : &tensors[i];
    }
    const struct nmi_eval e = {.attrs = step->node->attrs,
                               .opset = step->node->opset,
                               .in = in,
                               .n_in = step->n_in,
                               .out = tensors + step->n_in,
                               .n_out = step->n_out,
                               .scratch = resolve(w, &step->refs[NMI_REF_SCRATCH], pass),
                               .name = step->node->name};
    return step->op->eval(&e, w->err);
}

static struct nmi_kargs args_of(const struct worker *w, const struct nmi_step *step, int32_t pass)
{
    void *p[NMI_REFS];
    for (int i = 0; i < NMI_REFS; i++) {
        p[i] = resolve(w, &step->refs[i], pass);
    }
    return (struct nmi_kargs){.x = p[NMI_REF_X],
                              .w = p[NMI_REF_W],
                              .packed = p[NMI_REF_PACKED],
                              .bias = p[NMI_REF_BIAS],
                              .res = p[NMI_REF_RES],
                              .y = p[NMI_REF_Y],
                              .scratch = p[NMI_REF_SCRATCH]};
}

/* A step on this thread alone, or on oneDNN's team. */
static nm_status run_step(const struct worker *w, const struct nmi_step *step, int32_t pass)
{
    if (step->kind == NMI_STEP_EVAL) {
        return run_eval(w, step, pass);
    }
    const struct nmi_kargs args = args_of(w, step, pass);
    if (step->kind == NMI_STEP_COPY) {
        memcpy(args.y, args.x, step->bytes);
        return NM_OK;
    }
    if (step->kind == NMI_STEP_DNNL) {
        nm_status status = nmi_dnnl_run(step->dnnl[step->n_objects > 1 ? w->index : 0], &args);
        return status == NM_OK ? NM_OK
                               : nmi_fail(w->err, status, "node %s: oneDNN failed",
                                          w->run->plan->layers[step->layer].node);
    }
    step->kernel->run(&step->desc, &args, 0, 1);
    return NM_OK;
}

/* ---- threads take a pass each ------------------------------------------------------------- */

struct crew {
    const struct nmi_run *run;
    const struct nmi_segment *segment;
    atomic_int pass;   /* the next one that nobody has */
    atomic_int status; /* of the first that failed */
    nm_error *err;
};

static nm_status run_pass(const struct worker *w, const struct nmi_segment *segment, int32_t pass)
{
    double before = nmi_now();
    for (int32_t i = segment->first; i < segment->last; i++) {
        NMI_TRY(run_step(w, &w->run->plan->steps[i], pass));
        if (w->index == 0) {
            const double now = nmi_now();
            w->run->step_seconds[i] += now - before;
            before = now;
        }
    }
    return NM_OK;
}

/* Passes until none is left; a part has working space of its own. */
static void run_passes(void *context, int part, int parts)
{
    (void)parts;
    struct crew *crew = context;
    const struct nmi_plan *plan = crew->run->plan;
    nm_error err = {NM_OK, ""};
    const struct worker w = {
        crew->run, part,
        (char *)plan->memory + plan->local_offset + (size_t)part * plan->local_stride, &err};
    nm_status status = NM_OK;
    for (int32_t i = atomic_fetch_add(&crew->pass, 1);
         i < crew->segment->passes && status == NM_OK; i = atomic_fetch_add(&crew->pass, 1)) {
        status = run_pass(&w, crew->segment, i);
    }
    if (status != NM_OK && atomic_exchange(&crew->status, (int)status) == NM_OK &&
        crew->err != NULL) {
        *crew->err = err;
    }
}

static nm_status run_parallel(const struct nmi_run *run, const struct nmi_segment *segment,
                              nm_error *err)
{
    struct crew crew = {.run = run, .segment = segment, .err = err};
    nmi_parallel_for(run->plan->threads, run->plan->threads, run_passes, &crew);
    return (nm_status)atomic_load(&crew.status);
}

/* ---- threads share each step -------------------------------------------------------------- */

struct walk {
    struct worker w;
    const struct nmi_segment *segment;
    int32_t pass, step; /* the next one */
    const struct nmi_step *open; /* its parts are being done */
    struct nmi_kargs args;
    double before;
    nm_status status;
};

static void count_time(struct walk *k)
{
    const double now = nmi_now();
    k->w.run->step_seconds[k->step] += now - k->before;
    k->before = now;
}

static void step_forward(struct walk *k)
{
    count_time(k);
    k->step++;
    if (k->step == k->segment->last) {
        k->step = k->segment->first;
        k->pass++;
    }
}

static bool goes_on(const struct walk *k)
{
    return k->status == NM_OK && k->pass < k->segment->passes;
}

/* oneDNN brings its own team: such a step cannot run inside ours. */
static bool ours(const struct walk *k)
{
    return k->w.run->plan->steps[k->step].kind != NMI_STEP_DNNL;
}

/* The next kernel that has parts; what is between runs here. */
static int next_round(void *context)
{
    struct walk *k = context;
    if (k->open != NULL) {
        step_forward(k);
    }
    for (k->open = NULL; goes_on(k) && ours(k); step_forward(k)) {
        const struct nmi_step *step = &k->w.run->plan->steps[k->step];
        if (step->kind == NMI_STEP_KERNEL && step->parts > 1) {
            k->open = step;
            k->args = args_of(&k->w, step, k->pass);
            return step->parts;
        }
        k->status = run_step(&k->w, step, k->pass);
    }
    return 0;
}

static void run_part(void *context, int part, int parts)
{
    const struct walk *k = context;
    k->open->kernel->run(&k->open->desc, &k->args, part, parts);
}

static nm_status run_shared(const struct nmi_run *run, const struct nmi_segment *segment,
                            nm_error *err)
{
    const struct nmi_plan *plan = run->plan;
    struct walk k = {.w = {run, 0, (char *)plan->memory + plan->local_offset, err},
                     .segment = segment,
                     .step = segment->first,
                     .before = nmi_now()};
    while (goes_on(&k)) {
        if (ours(&k)) {
            nmi_parallel_rounds(plan->threads, next_round, run_part, &k);
        } else {
            k.status = run_step(&k.w, &plan->steps[k.step], k.pass);
            step_forward(&k);
        }
    }
    return k.status;
}

nm_status nmi_exec(const struct nmi_run *run, nm_error *err)
{
    const struct nmi_plan *plan = run->plan;
    memset(run->step_seconds, 0, (size_t)plan->n_steps * sizeof *run->step_seconds);
    for (int32_t i = 0; i < plan->n_segments; i++) {
        const struct nmi_segment *segment = &plan->segments[i];
        NMI_TRY(segment->parallel ? run_parallel(run, segment, err)
                                  : run_shared(run, segment, err));
    }
    return NM_OK;
}
