/* SPDX-License-Identifier: Apache-2.0 */
/* Segments, images, steps: three loops. */
#include "lib/run/exec.h"

#include "lib/base/cpu.h"
#include "lib/base/parallel.h"

#include <string.h>

struct worker {
    const struct nmi_run *run;
    int32_t index;   /* of this thread */
    int32_t threads; /* that share one step */
    char *local;
    nm_error *err;
};

static void *resolve(const struct worker *w, const struct nmi_ref *ref, int32_t image)
{
    const size_t offset = ref->offset + (size_t)image * ref->stride;
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

struct kernel_call {
    const struct nmi_step *step;
    struct nmi_kargs args;
};

static void kernel_part(void *context, int part, int parts)
{
    const struct kernel_call *call = context;
    call->step->kernel->run(&call->step->desc, &call->args, part, parts);
}

static nm_status run_eval(const struct worker *w, const struct nmi_step *step, int32_t image)
{
    const size_t room = (size_t)w->index * (size_t)w->run->plan->max_tensors;
    struct nmi_tensor *tensors = w->run->tensors + room;
    const struct nmi_tensor **in = w->run->pointers + room;
    const int32_t n = step->n_in + step->n_out;
    memcpy(tensors, step->tensors, (size_t)n * sizeof *tensors);
    for (int32_t i = 0; i < n; i++) {
        tensors[i].data = resolve(w, &step->tensor_refs[i], image);
        in[i] = tensors[i].type == NM_TYPE_NONE ? NULL : &tensors[i];
    }
    const struct nmi_eval e = {.attrs = step->node->attrs,
                               .opset = step->node->opset,
                               .in = in,
                               .n_in = step->n_in,
                               .out = tensors + step->n_in,
                               .n_out = step->n_out,
                               .scratch = resolve(w, &step->refs[NMI_REF_SCRATCH], image),
                               .name = step->node->name};
    return step->op->eval(&e, w->err);
}

static nm_status run_step(const struct worker *w, const struct nmi_step *step, int32_t image)
{
    if (step->kind == NMI_STEP_EVAL) {
        return run_eval(w, step, image);
    }
    void *p[NMI_REFS];
    for (int i = 0; i < NMI_REFS; i++) {
        p[i] = resolve(w, &step->refs[i], image);
    }
    if (step->kind == NMI_STEP_COPY) {
        memcpy(p[NMI_REF_Y], p[NMI_REF_X], step->bytes);
        return NM_OK;
    }
    struct kernel_call call = {step,
                               {.x = p[NMI_REF_X],
                                .w = p[NMI_REF_W],
                                .packed = p[NMI_REF_PACKED],
                                .bias = p[NMI_REF_BIAS],
                                .res = p[NMI_REF_RES],
                                .y = p[NMI_REF_Y],
                                .scratch = p[NMI_REF_SCRATCH]}};
    if (step->kind == NMI_STEP_DNNL) {
        nm_status status = nmi_dnnl_run(step->dnnl[step->n_objects > 1 ? w->index : 0], &call.args);
        return status == NM_OK ? NM_OK
                               : nmi_fail(w->err, status, "node %s: oneDNN failed",
                                          w->run->plan->layers[step->layer].node);
    }
    if (w->threads == 1 || step->parts == 1) {
        kernel_part(&call, 0, 1);
    } else {
        nmi_parallel_for(w->threads, step->parts, kernel_part, &call);
    }
    return NM_OK;
}

static nm_status run_image(const struct worker *w, const struct nmi_segment *segment, int32_t image)
{
    double before = nmi_now();
    for (int32_t i = segment->first; i < segment->last; i++) {
        NMI_TRY(run_step(w, &w->run->plan->steps[i], image));
        if (w->index == 0) {
            const double now = nmi_now();
            w->run->step_seconds[i] += now - before;
            before = now;
        }
    }
    return NM_OK;
}

struct crew {
    const struct nmi_run *run;
    const struct nmi_segment *segment;
    nm_status status; /* of the first that failed */
    nm_error *err;
};

static void run_images(void *context, int part, int parts)
{
    struct crew *crew = context;
    const struct nmi_plan *plan = crew->run->plan;
    const int64_t images = crew->segment->passes;
    nm_error err = {NM_OK, ""};
    const struct worker w = {
        crew->run, part, 1,
        (char *)plan->memory + plan->local_offset + (size_t)part * plan->local_stride, &err};
    nm_status status = NM_OK;
    for (int64_t i = part * images / parts; i < (part + 1) * images / parts && status == NM_OK;
         i++) {
        status = run_image(&w, crew->segment, (int32_t)i);
    }
    if (status != NM_OK && __atomic_exchange_n(&crew->status, status, __ATOMIC_SEQ_CST) == NM_OK &&
        crew->err != NULL) {
        *crew->err = err;
    }
}

nm_status nmi_exec(const struct nmi_run *run, nm_error *err)
{
    const struct nmi_plan *plan = run->plan;
    memset(run->step_seconds, 0, (size_t)plan->n_steps * sizeof *run->step_seconds);
    for (int32_t i = 0; i < plan->n_segments; i++) {
        const struct nmi_segment *segment = &plan->segments[i];
        if (segment->parallel) {
            struct crew crew = {run, segment, NM_OK, err};
            nmi_parallel_for(plan->threads, plan->threads, run_images, &crew);
            NMI_TRY(crew.status);
            continue;
        }
        const struct worker w = {run, 0, plan->threads, (char *)plan->memory + plan->local_offset,
                                 err};
        for (int32_t image = 0; image < segment->passes; image++) {
            NMI_TRY(run_image(&w, segment, image));
        }
    }
    return NM_OK;
}
