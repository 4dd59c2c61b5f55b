/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A oneDNN layer ready to run: what the makers (dnnl_conv.c, dnnl_gemm.c, dnnl_pool.c) and
 * dnnl_object.c share. A maker describes a layer; nmi_dnnl_build turns it into a primitive with
 * memory objects that have no memory yet. For kernels/dnnl only.
 *
 * Each object has an engine and a stream of its own: on a CPU both are empty shells (about 1 us and
 * 200 bytes, measured), and so nothing is shared and nothing global is needed.
 *
 * oneDNN fixes the team for an object's work and scratch memory at creation: it must run under the
 * same nmi_threads_enter as it was created under.
 */
#ifndef NM_DNNL_OBJECT_H
#define NM_DNNL_OBJECT_H

#include "kernels/dnnl/compat.h"
#include "kernels/kernel.h"

enum nmi_slot_id { NMI_SLOT_X, NMI_SLOT_W, NMI_SLOT_BIAS, NMI_SLOT_Y, NMI_SLOT_SCRATCH, NMI_SLOTS };

struct nmi_slot {
    dnnl_memory_t memory; /* NULL: the layer has no such argument */
    const void *handle;   /* what it points to now */
};

struct nmi_dnnl {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_desc_t pd;
    dnnl_primitive_t primitive;
    struct nmi_md plain;  /* constant weights as the caller has them; "none": there are none */
    struct nmi_md packed; /* as the primitive wants them */
    float scale;          /* multiplies the weights while packing; 1: nothing to do */
    struct nmi_slot slot[NMI_SLOTS];
    dnnl_exec_arg_t args[NMI_SLOTS];
    int n_args;
    size_t narrow_a; /* GEMM in bfloat16: numbers of a, else 0 */
    bool prefill; /* GEMM: y is filled with the bias before the run, the product is added */
    struct nmi_gemm_desc gemm;
    char what[240]; /* the layer in words, for sentences */
};

/* NM_OK, or a sentence: "oneDNN: <the layer>: could not <doing> (<oneDNN's status>)". */
nm_status nmi_dnnl_check(dnnl_status_t s, const struct nmi_dnnl *o, const char *doing,
                         nm_error *err);
/* An object with engine and stream, without a layer. */
nm_status nmi_dnnl_new(struct nmi_dnnl **out, nm_error *err);
/* Attributes of a layer: strict f32, scratch memory of ours, sum, then the activation. */
nm_status nmi_dnnl_attr(struct nmi_dnnl *o, struct nmi_layer *layer, struct nmi_act act, bool sum,
                        nm_error *err);
/* Sets o->pd; NM_EUNSUPPORTED when oneDNN has no implementation but its reference. */
nm_status nmi_dnnl_describe(struct nmi_dnnl *o, const struct nmi_layer *layer, nm_error *err);
/* The rest of the way after nmi_dnnl_describe: primitive and memory objects. */
nm_status nmi_dnnl_build(struct nmi_dnnl *o, nm_error *err);

/* oneDNN's tag of a layout; dnnl_format_tag_undef for LANES. */
dnnl_format_tag_t nmi_dnnl_tag(uint8_t layout_kind);
nm_status nmi_dnnl_image_md(struct nmi_dnnl *o, const struct nmi_image *image, struct nmi_md *out,
                            nm_error *err);

/* The makers. */
nm_status nmi_dnnl_make_conv(struct nmi_dnnl *o, const struct nmi_conv_desc *desc,
                             enum nmi_dnnl_algo algo, nm_error *err);
nm_status nmi_dnnl_make_deconv(struct nmi_dnnl *o, const struct nmi_conv_desc *desc,
                               enum nmi_dnnl_algo algo, nm_error *err);
nm_status nmi_dnnl_make_gemm(struct nmi_dnnl *o, const struct nmi_gemm_desc *desc,
                             enum nmi_dnnl_algo algo, nm_error *err);
nm_status nmi_dnnl_make_pool(struct nmi_dnnl *o, const struct nmi_pool_desc *desc, nm_error *err);
nm_status nmi_dnnl_make_convert(struct nmi_dnnl *o, const struct nmi_convert_desc *desc,
                                nm_error *err);

/* y = beta * bias, broadcast, for a GEMM with prefill. */
void nmi_dnnl_gemm_prefill(const struct nmi_gemm_desc *desc, const float *bias, float *y);
/* a in bfloat16. */
void nmi_dnnl_gemm_narrow(const float *a, size_t count, uint16_t *narrow);

#endif
