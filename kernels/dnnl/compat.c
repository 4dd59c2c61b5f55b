/* SPDX-License-Identifier: Apache-2.0 */
/* oneDNN 2.6 and 3.x behind one face; see compat.h. */
#include "kernels/dnnl/compat.h"
#include "lib/base/hash.h"
#include <string.h>

#if DNNL_VERSION_MAJOR >= 3
typedef const_dnnl_memory_desc_t md_ref;
#else
typedef const dnnl_memory_desc_t *md_ref;
#endif

/* ---- memory descriptors ---------------------------------------------------------------------- */

#if DNNL_VERSION_MAJOR >= 3

static md_ref ref(const struct nmi_md *m)
{
    return m->set ? m->md : NULL;
}

dnnl_status_t nmi_md_tag(struct nmi_md *out, dnnl_data_type_t type, int ndims,
                         const dnnl_dims_t dims, dnnl_format_tag_t tag)
{
    dnnl_status_t s = dnnl_memory_desc_create_with_tag(&out->md, ndims, dims, type, tag);
    out->set = s == dnnl_success;
    return s;
}

dnnl_status_t nmi_md_strides(struct nmi_md *out, dnnl_data_type_t type, int ndims,
                             const dnnl_dims_t dims, const dnnl_dims_t strides)
{
    dnnl_status_t s =
        dnnl_memory_desc_create_with_strides(&out->md, ndims, dims, type, strides);
    out->set = s == dnnl_success;
    return s;
}

dnnl_status_t nmi_md_query(struct nmi_md *out, const_dnnl_primitive_desc_t pd, dnnl_query_t what,
                           int index)
{
    const_dnnl_memory_desc_t md = dnnl_primitive_desc_query_md(pd, what, index);
    if (!md || dnnl_memory_desc_get_size(md) == 0) {
        *out = (struct nmi_md){0};
        return dnnl_success;
    }
    dnnl_status_t s = dnnl_memory_desc_clone(&out->md, md);
    out->set = s == dnnl_success;
    return s;
}

void nmi_md_free(struct nmi_md *m)
{
    if (m->set) {
        dnnl_memory_desc_destroy(m->md);
    }
    *m = (struct nmi_md){0};
}

static uint64_t hash_dims(uint64_t h, md_ref md, dnnl_query_t what, int n)
{
    const dnnl_dims_t *dims = NULL;
    if (dnnl_memory_desc_query(md, what, &dims) != dnnl_success || !dims) {
        return h;
    }
    return nmi_hash(h, *dims, (size_t)n * sizeof(dnnl_dim_t));
}

uint64_t nmi_md_hash(const struct nmi_md *m)
{
    int32_t ndims = 0, blocks = 0;
    dnnl_format_kind_t format = dnnl_format_kind_undef;
    dnnl_data_type_t type = dnnl_data_type_undef;
    if (!m->set || dnnl_memory_desc_query(m->md, dnnl_query_ndims_s32, &ndims) != dnnl_success ||
        dnnl_memory_desc_query(m->md, dnnl_query_data_type, &type) != dnnl_success ||
        dnnl_memory_desc_query(m->md, dnnl_query_format_kind, &format) != dnnl_success) {
        return 0;
    }
    size_t bytes = dnnl_memory_desc_get_size(m->md);
    uint64_t h = nmi_hash(NMI_HASH_START, &format, sizeof format);
    h = nmi_hash(h, &type, sizeof type);
    h = nmi_hash(h, &bytes, sizeof bytes);
    h = hash_dims(h, m->md, dnnl_query_dims, ndims);
    if (format != dnnl_blocked ||
        dnnl_memory_desc_query(m->md, dnnl_query_inner_nblks_s32, &blocks) != dnnl_success) {
        return h;
    }
    h = hash_dims(h, m->md, dnnl_query_padded_dims, ndims);
    h = hash_dims(h, m->md, dnnl_query_strides, ndims);
    h = hash_dims(h, m->md, dnnl_query_inner_blks, blocks);
    return hash_dims(h, m->md, dnnl_query_inner_idxs, blocks);
}

#else

static md_ref ref(const struct nmi_md *m)
{
    return m->set ? &m->md : NULL;
}

dnnl_status_t nmi_md_tag(struct nmi_md *out, dnnl_data_type_t type, int ndims,
                         const dnnl_dims_t dims, dnnl_format_tag_t tag)
{
    dnnl_status_t s = dnnl_memory_desc_init_by_tag(&out->md, ndims, dims, type, tag);
    out->set = s == dnnl_success;
    return s;
}

dnnl_status_t nmi_md_strides(struct nmi_md *out, dnnl_data_type_t type, int ndims,
                             const dnnl_dims_t dims, const dnnl_dims_t strides)
{
    dnnl_status_t s = dnnl_memory_desc_init_by_strides(&out->md, ndims, dims, type, strides);
    out->set = s == dnnl_success;
    return s;
}

dnnl_status_t nmi_md_query(struct nmi_md *out, const_dnnl_primitive_desc_t pd, dnnl_query_t what,
                           int index)
{
    const dnnl_memory_desc_t *md = dnnl_primitive_desc_query_md(pd, what, index);
    *out = (struct nmi_md){0};
    if (md && dnnl_memory_desc_get_size(md) > 0) {
        out->md = *md;
        out->set = true;
    }
    return dnnl_success;
}

void nmi_md_free(struct nmi_md *m)
{
    *m = (struct nmi_md){0};
}

static uint64_t hash_dims(uint64_t h, const dnnl_dim_t *dims, int n)
{
    return nmi_hash(h, dims, (size_t)n * sizeof *dims);
}

uint64_t nmi_md_hash(const struct nmi_md *m)
{
    if (!m->set) {
        return 0;
    }
    const dnnl_memory_desc_t *md = &m->md;
    uint64_t h = nmi_hash(NMI_HASH_START, &md->format_kind, sizeof md->format_kind);
    h = nmi_hash(h, &md->data_type, sizeof md->data_type);
    h = hash_dims(h, md->dims, md->ndims);
    h = hash_dims(h, md->padded_dims, md->ndims);
    if (md->format_kind == dnnl_format_kind_wino) {
        const dnnl_wino_desc_t *w = &md->format_desc.wino_desc;
        int64_t fields[] = {
            w->wino_format, w->r,        w->alpha,     w->ic,        w->oc,
            w->ic_block,    w->oc_block, w->ic2_block, w->oc2_block, (int64_t)w->size};
        return nmi_hash(h, fields, sizeof fields);
    }
    const dnnl_blocking_desc_t *b = &md->format_desc.blocking;
    h = hash_dims(h, b->strides, md->ndims);
    h = hash_dims(h, b->inner_blks, b->inner_nblks);
    return hash_dims(h, b->inner_idxs, b->inner_nblks);
}

#endif

bool nmi_md_equal(const struct nmi_md *a, const struct nmi_md *b)
{
    return a->set && b->set && dnnl_memory_desc_equal(ref(a), ref(b)) != 0;
}

size_t nmi_md_bytes(const struct nmi_md *m)
{
    return m->set ? dnnl_memory_desc_get_size(ref(m)) : 0;
}

dnnl_status_t nmi_md_memory(dnnl_memory_t *out, const struct nmi_md *m, dnnl_engine_t engine)
{
    return dnnl_memory_create(out, ref(m), engine, DNNL_MEMORY_NONE);
}

/* ---- attributes ------------------------------------------------------------------------------ */

dnnl_status_t nmi_compat_sum(dnnl_post_ops_t ops)
{
#if DNNL_VERSION_MAJOR >= 3
    return dnnl_post_ops_append_sum(ops, 1.0f, 0, dnnl_data_type_undef);
#else
    return dnnl_post_ops_append_sum(ops, 1.0f);
#endif
}

dnnl_status_t nmi_compat_eltwise(dnnl_post_ops_t ops, dnnl_alg_kind_t alg, float alpha, float beta)
{
#if DNNL_VERSION_MAJOR >= 3
    return dnnl_post_ops_append_eltwise(ops, alg, alpha, beta);
#else
    return dnnl_post_ops_append_eltwise(ops, 1.0f, alg, alpha, beta);
#endif
}

/* ---- layers ---------------------------------------------------------------------------------- */

static dnnl_status_t describe_reorder(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                      const struct nmi_layer *l)
{
    return dnnl_reorder_primitive_desc_create(pd, ref(&l->src), engine, ref(&l->dst), engine,
                                              l->attr);
}

#if DNNL_VERSION_MAJOR >= 3

dnnl_status_t nmi_layer_describe(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                 const struct nmi_layer *l)
{
    md_ref src = ref(&l->src), weights = ref(&l->weights), bias = ref(&l->bias), dst = ref(&l->dst);
    switch (l->kind) {
    case NMI_LAYER_CONV:
        return dnnl_convolution_forward_primitive_desc_create(
            pd, engine, dnnl_forward_inference, l->alg, src, weights, bias, dst, l->stride,
            l->dilate, l->pad_l, l->pad_r, l->attr);
    case NMI_LAYER_DECONV:
        return dnnl_deconvolution_forward_primitive_desc_create(
            pd, engine, dnnl_forward_inference, l->alg, src, weights, bias, dst, l->stride,
            l->dilate, l->pad_l, l->pad_r, l->attr);
    case NMI_LAYER_POOL:
        return dnnl_pooling_forward_primitive_desc_create(pd, engine, dnnl_forward_inference,
                                                          l->alg, src, dst, l->stride, l->kernel,
                                                          l->dilate, l->pad_l, l->pad_r, l->attr);
    case NMI_LAYER_INNER:
        return dnnl_inner_product_forward_primitive_desc_create(pd, engine, dnnl_forward_inference,
                                                                src, weights, bias, dst, l->attr);
    case NMI_LAYER_MATMUL:
        return dnnl_matmul_primitive_desc_create(pd, engine, src, weights, bias, dst, l->attr);
    case NMI_LAYER_REORDER:
        return describe_reorder(pd, engine, l);
    }
    return dnnl_invalid_arguments;
}

#else

/* Step one of two: the layer's own descriptor. */
static dnnl_status_t init_op(void *op, const struct nmi_layer *l)
{
    md_ref src = ref(&l->src), weights = ref(&l->weights), bias = ref(&l->bias), dst = ref(&l->dst);
    switch (l->kind) {
    case NMI_LAYER_CONV:
        return dnnl_dilated_convolution_forward_desc_init(op, dnnl_forward_inference, l->alg, src,
                                                          weights, bias, dst, l->stride, l->dilate,
                                                          l->pad_l, l->pad_r);
    case NMI_LAYER_DECONV:
        return dnnl_dilated_deconvolution_forward_desc_init(op, dnnl_forward_inference, l->alg, src,
                                                            weights, bias, dst, l->stride,
                                                            l->dilate, l->pad_l, l->pad_r);
    case NMI_LAYER_POOL:
        return dnnl_pooling_v2_forward_desc_init(op, dnnl_forward_inference, l->alg, src, dst,
                                                 l->stride, l->kernel, l->dilate, l->pad_l,
                                                 l->pad_r);
    case NMI_LAYER_INNER:
        return dnnl_inner_product_forward_desc_init(op, dnnl_forward_inference, src, weights, bias,
                                                    dst);
    case NMI_LAYER_MATMUL:
        return dnnl_matmul_desc_init(op, src, weights, bias, dst);
    case NMI_LAYER_REORDER:
        break;
    }
    return dnnl_invalid_arguments;
}

dnnl_status_t nmi_layer_describe(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                 const struct nmi_layer *l)
{
    union {
        dnnl_convolution_desc_t conv;
        dnnl_deconvolution_desc_t deconv;
        dnnl_pooling_v2_desc_t pool;
        dnnl_inner_product_desc_t inner;
        dnnl_matmul_desc_t matmul;
    } op;
    if (l->kind == NMI_LAYER_REORDER) {
        return describe_reorder(pd, engine, l);
    }
    dnnl_status_t s = init_op(&op, l);
    return s == dnnl_success ? dnnl_primitive_desc_create(pd, &op, l->attr, engine, NULL) : s;
}

#endif

void nmi_layer_free(struct nmi_layer *l)
{
    nmi_md_free(&l->src);
    nmi_md_free(&l->weights);
    nmi_md_free(&l->bias);
    nmi_md_free(&l->dst);
    if (l->attr) {
        dnnl_primitive_attr_destroy(l->attr);
    }
    l->attr = NULL;
}
