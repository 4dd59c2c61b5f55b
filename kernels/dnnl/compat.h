/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The oneDNN C API as kernels/dnnl uses it, the same for 2.6 and 3.x: in 2.x a memory descriptor is
 * a struct and a layer is described in two steps, in 3.x the descriptor is opaque and the layer is
 * one call. Everything that differs is here and in compat.c. For kernels/dnnl only.
 */
#ifndef NM_DNNL_COMPAT_H
#define NM_DNNL_COMPAT_H

#include <dnnl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A memory descriptor; all zero is "none". Made below, given back with nmi_md_free. */
struct nmi_md {
    dnnl_memory_desc_t md;
    bool set;
};

dnnl_status_t nmi_md_tag(struct nmi_md *out, dnnl_data_type_t type, int ndims,
                         const dnnl_dims_t dims, dnnl_format_tag_t tag);
dnnl_status_t nmi_md_strides(struct nmi_md *out, dnnl_data_type_t type, int ndims,
                             const dnnl_dims_t dims, const dnnl_dims_t strides);
/* What a primitive wants for this argument (a copy); an empty one becomes "none". */
dnnl_status_t nmi_md_query(struct nmi_md *out, const_dnnl_primitive_desc_t pd, dnnl_query_t what,
                           int index);
bool nmi_md_equal(const struct nmi_md *a, const struct nmi_md *b);
size_t nmi_md_bytes(const struct nmi_md *m);
/* Of dims and format: equal descriptors, equal hashes. */
uint64_t nmi_md_hash(const struct nmi_md *m);
void nmi_md_free(struct nmi_md *m);
/* A memory object without memory. */
dnnl_status_t nmi_md_memory(dnnl_memory_t *out, const struct nmi_md *m, dnnl_engine_t engine);

dnnl_status_t nmi_compat_sum(dnnl_post_ops_t ops); /* y += what y held before */
dnnl_status_t nmi_compat_eltwise(dnnl_post_ops_t ops, dnnl_alg_kind_t alg, float alpha, float beta);

enum nmi_layer_kind {
    NMI_LAYER_CONV,
    NMI_LAYER_DECONV,
    NMI_LAYER_POOL,
    NMI_LAYER_INNER, /* inner product */
    NMI_LAYER_MATMUL,
    NMI_LAYER_REORDER
};

/* A layer for oneDNN. Dilation counts from 0 here, as oneDNN does. */
struct nmi_layer {
    enum nmi_layer_kind kind;
    dnnl_alg_kind_t alg;                   /* CONV, DECONV, POOL */
    struct nmi_md src, weights, bias, dst; /* bias, weights: may be "none" */
    dnnl_dims_t kernel;                    /* POOL */
    dnnl_dims_t stride, dilate, pad_l, pad_r;
    dnnl_primitive_attr_t attr;
};

dnnl_status_t nmi_layer_describe(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                 const struct nmi_layer *layer);
/* Frees the descriptors and the attributes. */
void nmi_layer_free(struct nmi_layer *layer);

#endif
