/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plan: what one set of input shapes needs to run, as data. Every decision is made here; lib/run
 * walks the steps. Pointers are given as references to memory that is known only at run time.
 *
 * Batches run in passes: a segment is a run of layers whose images are independent; its steps are
 * planned for one image, or for a few where maps are small (lane = image), and repeated, so that
 * activations stay in the caches and threads can take a pass each. What crosses a segment's border
 * is row-major.
 */
#ifndef NM_PLAN_PLAN_H
#define NM_PLAN_PLAN_H

#include "kernels/kernel.h"
#include "lib/base/log.h"
#include "lib/base/text.h"
#include "lib/ops/op.h"
#include "lib/plan/cache.h"
#include "lib/plan/weights.h"

/* What a plan is made from: an optimised graph and its store of packed weights. */
struct nmi_network {
    const struct nmi_graph *graph;
    struct nmi_weights *weights;
};

struct nmi_plan_options {
    int32_t threads;
    nm_isa isa; /* resolved: never AUTO */
    bool bf16; /* oneDNN's bfloat16 layers compete */
    bool fp16; /* sparse convolutions in float16 compete */
    bool dense, fixed;
    int32_t effort; /* -1..1 */
    int32_t late_area; /* 0: searched; else, as tests do: maps of at most so many pixels run several
                          images at a time */
    size_t arena_limit;
    size_t folded_limit; /* bytes of one constant made while planning */
    double work_limit;   /* element operations of folding while planning */
    const struct nmi_log *log;
    struct nmi_cache *cache;
};

enum nmi_base {
    NMI_BASE_NONE,
    NMI_BASE_CONST,  /* ptr */
    NMI_BASE_ARENA,  /* offset into the plan's arena */
    NMI_BASE_LOCAL,  /* offset into the working thread's part of the arena */
    NMI_BASE_INPUT,  /* the caller's input number `index` */
    NMI_BASE_OUTPUT, /* output number `index` */
    NMI_BASE_BUFFER  /* while planning only: buffer number `index` */
};

struct nmi_ref {
    uint8_t base; /* enum nmi_base */
    int32_t index;
    size_t offset;
    size_t stride; /* bytes from one pass to the next, 0 for what all share */
    const void *ptr;
};

enum nmi_step_kind { NMI_STEP_KERNEL, NMI_STEP_DNNL, NMI_STEP_EVAL, NMI_STEP_COPY };

enum nmi_operand {
    NMI_REF_X,
    NMI_REF_W,
    NMI_REF_PACKED,
    NMI_REF_BIAS,
    NMI_REF_RES,
    NMI_REF_Y,
    NMI_REF_SCRATCH,
    NMI_REFS
};

struct nmi_step {
    uint8_t kind; /* enum nmi_step_kind */
    bool moves;   /* a conversion, a frame or a copy: nothing is computed */
    int32_t parts;
    int32_t layer; /* index into nmi_plan.layers */
    size_t weight_bytes; /* constant weights that the step reads, as they are packed */
    struct nmi_ref refs[NMI_REFS];
    /* KERNEL */
    const struct nmi_kernel *kernel;
    union nmi_desc desc;
    /* DNNL: one object for each thread that may run the step */
    struct nmi_dnnl **dnnl;
    int32_t n_objects;
    /* EVAL: tensors and their references, inputs first; type NM_TYPE_NONE: omitted */
    const struct nmi_op *op;
    const struct nmi_node *node;
    int32_t n_in, n_out;
    struct nmi_tensor *tensors;
    struct nmi_ref *tensor_refs;
    /* COPY: bytes from X to Y */
    size_t bytes;
};

struct nmi_segment {
    int32_t first, last; /* steps [first, last) */
    int32_t passes;      /* how often the steps run, each time for the next images of the batch */
    bool parallel;       /* threads take passes; else they share each step */
};

struct nmi_dims {
    int32_t rank;
    int64_t dims[NMI_MAX_DIMS];
};

/* For describe and profile: what was decided about a node and why. */
struct nmi_layer_note {
    const char *node, *op;
    const char *implementation; /* kernel or oneDNN's implementation */
    const char *reason;
    const char *candidates; /* "name ms, name ms, ..." */
    double seconds;         /* expected */
    double macs;            /* of one run of the step */
    double map_bytes;       /* operands that are no constants, and the result, of one run */
    double sparsity;        /* of the weight, 0..1; -1: no weight */
    struct nmi_dims out, weight; /* shapes; weight has rank 0 where there is none */
};

struct nmi_plan_output {
    nm_type type;
    int32_t rank;
    int64_t dims[NMI_MAX_DIMS];
    size_t bytes;
    size_t offset; /* in the plan's own output memory, for callers who bring none */
};

struct nmi_plan {
    struct nmi_arena meta; /* owns all arrays below */
    struct nmi_step *steps;
    int32_t n_steps;
    struct nmi_segment *segments;
    int32_t n_segments;
    struct nmi_layer_note *layers;
    int32_t n_layers;
    struct nmi_plan_output *outputs; /* of the graph */
    int32_t n_outputs;
    int32_t threads;
    int32_t max_tensors; /* most tensors of an EVAL step */
    size_t arena_bytes;  /* shared part, then `threads` local parts, then outputs */
    size_t local_offset, local_stride, output_offset;
    void *memory;    /* arena_bytes, 64-byte aligned */
    double seconds;  /* planning took */
    int32_t measured, cached; /* times that planning took, and found in the cache */
    double expected; /* of one run, in seconds, as measured layer by layer */
};

/*
 * Plans for the given inputs: tensors[i] describes graph input i; data is read only where shapes
 * depend on it. Measures candidates unless options->fixed. Free with nmi_plan_free.
 */
nm_status nmi_plan_create(const struct nmi_network *network, const struct nmi_tensor *inputs,
                          const struct nmi_plan_options *options, struct nmi_plan **plan,
                          nm_error *err);
void nmi_plan_free(struct nmi_plan *plan);

/* What a run of the plan showed. */
struct nmi_profile {
    const double *step_seconds; /* of each step, summed over images */
    double bound_gflops;        /* of one core (kernels/kernel.h); 0: not known */
};

/* The same for one layer. */
struct nmi_layer_profile {
    double computing, moving; /* seconds; moving: conversions, frames and copies it asked for */
    double passes;            /* that these times stand for */
    double gflops, bound_percent;       /* on nonzeros; 0: not known */
    double weight_bytes, bytes; /* packed weights; with them all operands and results, each once */
    const char *kernel;
};
void nmi_plan_layer_profile(const struct nmi_plan *plan, int32_t layer,
                            const struct nmi_profile *profile, struct nmi_layer_profile *out);
/* The name of what a step runs. */
const char *nmi_step_kernel(const struct nmi_step *step);

/* JSON: steps, kernels, layouts, candidates and reasons; profile may be NULL. */
void nmi_plan_describe(const struct nmi_plan *plan, const struct nmi_profile *profile,
                       struct nmi_text *t);

#endif
