/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside lib/plan only: the state of one planning. The files in the order of the work:
 *   layers.c      facts of every value, live nodes, segments
 *   order.c       the order in which they run
 *   layer_desc.c  descriptors of kernels
 *   candidates.c  implementations of each layer (impls.c: what one asks for)
 *   frames.c      frames of LANES
 *   measure.c     what each costs, conversions too (stopwatch.c times one)
 *   choose.c      one implementation for each layer
 *   variants.c    how many images run together, and from which layer on
 *   fuse.c        max-pools that the convolution before them does
 *   forms.c       values in layouts: conversions, frames, buffers
 *   homes.c       where the inputs of a Concat are made
 *   emit.c        steps
 *   memory.c      buffers to offsets
 */
#ifndef NM_PLAN_PLANNER_H
#define NM_PLAN_PLANNER_H

#include "lib/base/checked.h"
#include "lib/ops/attrs.h"
#include "lib/plan/plan.h"
#include "lib/plan/stopwatch.h"

#define NMI_MAX_IMPLS 56
#define NMI_KIND_NONE (-1)

/* One way to run a layer. in_kind, out_kind: enum nmi_layout_kind of its image operands (PLAIN for
 * tensors that are no images). */
struct nmi_impl {
    uint8_t step; /* enum nmi_step_kind; ALIAS, CONCAT, FUSED below */
    uint8_t in_kind, out_kind;
    const struct nmi_kernel *kernel;
    struct nmi_blocking blocking;
    enum nmi_dnnl_algo algo;
    bool act_after; /* the activation is a step of our own behind oneDNN's */
    double seconds;
};
enum { NMI_IMPL_ALIAS = NMI_STEP_COPY + 1, NMI_IMPL_CONCAT, NMI_IMPL_FUSED };

/* A live node with the shapes of this plan (those of one pass of its segment). */
struct nmi_layer {
    const struct nmi_node *node;
    const struct nmi_op *op;
    int32_t segment;
    bool batched;        /* images are independent */
    int32_t kind;        /* enum nmi_kind that kernels may do, or NMI_KIND_NONE */
    union nmi_desc desc; /* of that kind; layouts PLAIN */
    const float *weight; /* constant float weight, or NULL */
    const float *scale;  /* of a Conv's output channels, or NULL */
    uint64_t weight_key; /* names it in the store of packed weights */
    struct nmi_csr_source csr;
    int64_t weight_elems, zeros;
    double alike; /* of a sparse convolution: the share of rows with the columns of the row above */
    bool swapped; /* ELTWISE: input 1 is a, input 0 is b */
    const float *bias;          /* constant, or NULL */
    int64_t out_elems;          /* of output 0 */
    struct nmi_image out_image; /* output 0, when it is an image */
    struct nmi_impl impls[NMI_MAX_IMPLS];
    int32_t n_impls, choice;
    const struct nmi_layer *pool; /* CONV: the max-pool behind it that its step does too, or NULL */
    struct nmi_ref place; /* of a Concat's output once one of its inputs is made; base NONE: not yet */
};

/* The layer whose value a step makes: the pool that a convolution does too, or itself. */
static inline const struct nmi_layer *nmi_layer_last(const struct nmi_layer *layer)
{
    return layer->pool != NULL ? layer->pool : layer;
}

/* A buffer: lifetime in steps, place after memory.c. */
struct nmi_buffer {
    size_t bytes; /* of one pass of the segment that makes it */
    int32_t first, last;
    int32_t alias;   /* lies in the memory of that buffer, or NMI_NONE */
    int32_t segment; /* where it was made */
    bool local;      /* used in the segment that makes it only */
    bool shared;     /* two values lie in it: never written in place */
    size_t offset;
};

/* A value in one layout. fill: what its frame holds. segment: where it was made; -1: an input. */
struct nmi_form {
    struct nmi_layout layout;
    float fill;
    int32_t segment;
    struct nmi_ref ref;
};
#define NMI_MAX_FORMS 10

struct nmi_value_state {
    int32_t producer; /* layer, or NMI_NONE */
    int32_t last_use; /* layer that reads it last; INT32_MAX: a graph output */
    int32_t output;   /* number of the graph output it is, or NMI_NONE */
    bool image;       /* float, rank 3 or 4: has layouts */
    bool crosses;     /* used outside the segment that makes it */
    bool nonnegative; /* behind a ReLU: zero is as good as -inf in the frame of a max-pool */
    bool wants_zero, wants_low; /* LANES consumers need this fill in the frame */
    int32_t home;               /* the Concat in whose output it is made, or NMI_NONE */
    size_t home_offset;         /* bytes */
    int32_t halo[4];            /* what its LANES consumers need */
    struct nmi_form forms[NMI_MAX_FORMS];
    int32_t n_forms;
    double convert[NMI_LAYOUTS * NMI_LAYOUTS]; /* choose.c: seconds from kind to kind; < 0 not known */
};

/* Maps of one size all have one grid of vl lanes, so that layers from one to the next need no
 * other. */
struct nmi_grid {
    int32_t vl, h, w, ipv, gy, gx;
};

struct nmi_planner {
    const struct nmi_network *net;
    const struct nmi_graph *graph;
    const struct nmi_tensor *inputs;
    const struct nmi_plan_options *options;
    struct nmi_plan *plan;
    struct nmi_arena arena;       /* temporary */
    struct nmi_operands operands; /* what implementations are timed on */
    struct nmi_fact *facts;
    struct nmi_value_state *values;
    struct nmi_layer *layers;
    int32_t n_layers;
    int64_t batch;           /* images of the inputs; 1 when there is no batch */
    bool any_sparse;         /* some layer may run sparse: LANES are worth looking at */
    struct nmi_grid *grids;  /* of those map sizes that do not have nmi_layout_best's */
    int32_t n_grids;
    uint32_t kinds;          /* bit k: layout kind k is used by some convolution */
    int32_t late_area; /* layers behind the last map of more pixels run several images at a time; 0:
                          none do */
    int32_t *segment_passes; /* by segment: how often it runs */
    int32_t n_segments;
    struct nmi_buffer *buffers;
    int32_t n_buffers;
    struct nmi_step *steps; /* plan->n_steps of them */
};

/* layers.c */
nm_status nmi_plan_layers(struct nmi_planner *p, nm_error *err);
/* order.c: sorts p->layers */
nm_status nmi_plan_order(struct nmi_planner *p, nm_error *err);
/* The tensor of a value as a layer sees it: dims[0] = the images of one pass of its segment when it
 * is batched; data when known. */
struct nmi_tensor nmi_layer_tensor(const struct nmi_planner *p, const struct nmi_layer *layer,
                                   int32_t value);
/* The image (PLAIN) of a rank 3 or 4 tensor; rank 3 has height 1. */
struct nmi_image nmi_tensor_image(const struct nmi_tensor *t);
/* The axis of a Concat, counted from the front. */
int64_t nmi_concat_axis(const struct nmi_planner *p, const struct nmi_node *node);
int32_t nmi_layer_threads(const struct nmi_planner *p, const struct nmi_layer *layer);
/* How often a run waits for it: passes that threads do at the same time count once. */
int32_t nmi_layer_turns(const struct nmi_planner *p, const struct nmi_layer *layer);
/* Images of a vector in LANES: those of one pass, rounded up to a power of two. */
int32_t nmi_layer_ipv(const struct nmi_planner *p, const struct nmi_layer *layer);

/* layer_desc.c: kind, desc, weight and bias of a layer; NMI_KIND_NONE when only evaluation will do
 */
nm_status nmi_plan_describe_layer(struct nmi_planner *p, struct nmi_layer *layer, nm_error *err);
/* Operand k of an ELTWISE layer is its b, and repeats. */
bool nmi_operand_repeats(const struct nmi_layer *layer, int32_t k);
/* Every image operand has the output's shape; the others are known. */
bool nmi_same_shapes(const struct nmi_planner *p, const struct nmi_layer *layer);

static inline bool nmi_impl_bf16(const struct nmi_impl *impl)
{
    return impl->algo == NMI_DNNL_BF16 || nmi_layout_bf16(impl->in_kind);
}

/* candidates.c */
nm_status nmi_plan_candidates(struct nmi_planner *p, nm_error *err);

/* Stride (h, w) of a window layer, and the frame that its input needs under an implementation (of
 * which LANES alone may be known); false: no window. */
bool nmi_layer_window(const struct nmi_layer *layer, const struct nmi_impl *impl, int32_t stride[2],
                      int32_t halo[4]);
/* Layouts of a layer's image operand number k, and of out 0, under an implementation. */
struct nmi_layout nmi_impl_input(const struct nmi_planner *p, const struct nmi_layer *layer,
                                 const struct nmi_impl *impl, int32_t k);
struct nmi_layout nmi_impl_output(const struct nmi_planner *p, const struct nmi_layer *layer,
                                  const struct nmi_impl *impl);
/* The activation behind a layer's output in this layout, in place. */
struct nmi_act nmi_layer_act(const struct nmi_layer *layer);
union nmi_desc nmi_act_desc(const struct nmi_layer *layer, const struct nmi_layout *y);
/* The descriptor of an implementation with these layouts. */
union nmi_desc nmi_impl_desc(const struct nmi_layer *layer, const struct nmi_impl *impl,
                             const struct nmi_layout *x, const struct nmi_layout *y);

/* Floats of output 0 in this layout, padding included. */
int64_t nmi_impl_floats(const struct nmi_layer *layer, const struct nmi_layout *y);

/* measure.c: seconds of each implementation, impls sorted, best first for equal layouts. */
nm_status nmi_plan_measure(struct nmi_planner *p, nm_error *err);
/* Seconds to bring an image from one layout to another (frame included). */
nm_status nmi_measure_convert(struct nmi_planner *p, const struct nmi_layer *layer,
                              const struct nmi_convert_desc *convert, double *seconds,
                              nm_error *err);

/* The same for one more implementation of a layer. */
nm_status nmi_measure_impl(struct nmi_planner *p, const struct nmi_layer *layer,
                           struct nmi_impl *impl, nm_error *err);
/* What all keys of the cache begin with: the CPU, the libraries, the instruction set, the threads. */
uint64_t nmi_measure_key(const struct nmi_planner *p, int32_t threads);
/* It runs on weights packed by its kernel. */
bool nmi_impl_packs(const struct nmi_impl *impl);

/* Multiply-accumulates of one run of the layer, zeros included. */
double nmi_layer_macs(const struct nmi_layer *layer);

/* choose.c */
nm_status nmi_plan_choose(struct nmi_planner *p, nm_error *err);

/* variants.c: sets late_area */
nm_status nmi_plan_variant(struct nmi_planner *p, nm_error *err);
/* plan.c: layers, candidates, times, choices */
nm_status nmi_plan_decide(struct nmi_planner *p, nm_error *err);

/* fuse.c */
nm_status nmi_plan_fuse(struct nmi_planner *p, nm_error *err);
/* A max-pool as part of a convolution. */
void nmi_conv_pool_of(const struct nmi_pool_desc *pool, struct nmi_conv_pool *out);

/* frames.c: sizes before anything is timed, fills once choices are made */
nm_status nmi_plan_frames(struct nmi_planner *p, nm_error *err);
/* frames.c: the lanes (kind: LANES, LANES_F16) of an image between layers. */
struct nmi_layout nmi_plan_lanes(const struct nmi_planner *p, uint8_t kind,
                                 const struct nmi_image *image, int32_t ipv,
                                 const int32_t halo[4]);
void nmi_plan_fills(struct nmi_planner *p);
/* Some share of zeros, without which no sparse kernel has a chance. */
bool nmi_enough_zeros(const struct nmi_layer *layer);
/* A depthwise convolution of several channels. */
bool nmi_depthwise(const struct nmi_layer *layer);
/* A convolution worth trying in LANES: sparse, or cheap among sparse ones. */
bool nmi_lanes_wanted(const struct nmi_planner *p, const struct nmi_layer *layer);

/* forms.c: values in layouts, conversions between them, buffers */
struct nmi_step *nmi_new_step(struct nmi_planner *p, int32_t layer, enum nmi_step_kind kind);
struct nmi_ref nmi_new_buffer(struct nmi_planner *p, int32_t layer, size_t bytes);
/* Notes that the newest step uses ref, and keeps it as operand. */
void nmi_step_use(struct nmi_planner *p, enum nmi_operand operand, struct nmi_ref ref);
void nmi_buffer_use(struct nmi_planner *p, const struct nmi_ref *ref);
/* What a layer wants of an operand. exact: this very frame too (residuals, flat operations). */
struct nmi_want {
    struct nmi_layout layout;
    float fill;
    bool exact;
};
/* The value in that layout, converted by new steps when need be; *form says what it really is. */
nm_status nmi_get_form(struct nmi_planner *p, int32_t layer, int32_t value,
                       const struct nmi_want *want, struct nmi_form *form, nm_error *err);
/* Registers out 0 of a layer, fills its frame, and makes the row-major form that borders need. */
nm_status nmi_put_form(struct nmi_planner *p, int32_t layer, int32_t value,
                       const struct nmi_layout *layout, struct nmi_ref ref, nm_error *err);
/* Where a new value goes: its home; the caller's output when it can lie there; else a buffer. */
struct nmi_ref nmi_value_place(struct nmi_planner *p, int32_t layer, int32_t value,
                               const struct nmi_layout *layout);
/* The same for a value without a home. */
struct nmi_ref nmi_fresh_place(struct nmi_planner *p, int32_t layer, int32_t value,
                               const struct nmi_layout *layout);
/* Parts and scratch of a kernel step, and oneDNN objects (one for each thread that may run the step
 * at the same time) and scratch of the other kind; step must be the newest. */
nm_status nmi_kernel_scratch(struct nmi_planner *p, int32_t layer, struct nmi_step *step);
nm_status nmi_dnnl_objects(struct nmi_planner *p, struct nmi_step *step, int32_t kind,
                           enum nmi_dnnl_algo algo, nm_error *err);

/* homes.c: homes of all values; the place of a value that has one. */
void nmi_plan_homes(struct nmi_planner *p);
bool nmi_home_place(struct nmi_planner *p, int32_t value, const struct nmi_layout *layout,
                    struct nmi_ref *place);
nm_status nmi_emit_concat(struct nmi_planner *p, int32_t layer, nm_error *err);

/* emit.c */
/* Operand k in the layout that the chosen implementation wants; constants as they are. */
nm_status nmi_operand(struct nmi_planner *p, int32_t layer, int32_t k, bool exact,
                      struct nmi_form *form, nm_error *err);
void nmi_copy_step(struct nmi_planner *p, int32_t layer, struct nmi_ref from, struct nmi_ref to,
                   size_t bytes);
nm_status nmi_plan_emit(struct nmi_planner *p, nm_error *err);
/* memory.c */
nm_status nmi_plan_memory(struct nmi_planner *p, nm_error *err);

/* True when the two layouts put the elements of this image at the same places. */
bool nmi_layout_equivalent(const struct nmi_image *image, const struct nmi_layout *a,
                           const struct nmi_layout *b);
/* True when nothing converts directly from one to the other: lanes and bfloat16 meet in *via. */
bool nmi_layout_via(const struct nmi_layout *from, const struct nmi_layout *to,
                    struct nmi_layout *via);

#endif
