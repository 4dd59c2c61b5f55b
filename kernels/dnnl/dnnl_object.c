/* SPDX-License-Identifier: Apache-2.0 */
/* oneDNN objects: creation, packing of weights, run; see dnnl_object.h and kernel.h. */
#include "kernels/dnnl/dnnl_object.h"
#include "lib/base/hash.h"
#include "lib/base/mem.h"
#include <dnnl_debug.h>
#include <string.h>

nm_status nmi_dnnl_check(dnnl_status_t s, const struct nmi_dnnl *o, const char *doing,
                         nm_error *err)
{
    nm_status status = NM_EINTERNAL;
    if (s == dnnl_success) {
        return NM_OK;
    }
    if (s == dnnl_out_of_memory) {
        status = NM_ENOMEM;
    } else if (s == dnnl_unimplemented) {
        status = NM_EUNSUPPORTED;
    }
    return nmi_fail(err, status, "oneDNN: %s: could not %s (%s)", o->what, doing,
                    dnnl_status2str(s));
}

nm_status nmi_dnnl_new(struct nmi_dnnl **out, nm_error *err)
{
    struct nmi_dnnl *o = nmi_calloc(1, sizeof *o);
    if (!o) {
        return nmi_fail_memory(err, sizeof *o, "a oneDNN layer");
    }
    o->scale = 1.0f;
    nm_status s =
        nmi_dnnl_check(dnnl_engine_create(&o->engine, dnnl_cpu, 0), o, "make an engine", err);
    if (s == NM_OK) {
        s = nmi_dnnl_check(dnnl_stream_create(&o->stream, o->engine, dnnl_stream_default_flags), o,
                           "make a stream", err);
    }
    if (s != NM_OK) {
        nmi_dnnl_free(o);
        return s;
    }
    *out = o;
    return NM_OK;
}

/* ---- describing ------------------------------------------------------------------------------ */

/*
 * NaN: nmi_act keeps it. oneDNN's clip always turns it into the lower bound, relu into 0 in its
 * convolution kernels (not after a gemm), sigmoid into 0 after a gemm; the others keep it.
 */
static dnnl_status_t append_act(dnnl_post_ops_t ops, struct nmi_act act)
{
    switch (act.kind) {
    case NMI_ACT_NONE:
        return dnnl_success;
    case NMI_ACT_RELU:
        return nmi_compat_eltwise(ops, dnnl_eltwise_relu, 0.0f, 0.0f);
    case NMI_ACT_CLIP:
        return nmi_compat_eltwise(ops, dnnl_eltwise_clip, act.alpha, act.beta);
    case NMI_ACT_LEAKY:
        return nmi_compat_eltwise(ops, dnnl_eltwise_relu, act.alpha, 0.0f);
    case NMI_ACT_SIGMOID:
        return nmi_compat_eltwise(ops, dnnl_eltwise_logistic, 0.0f, 0.0f);
    case NMI_ACT_HARDSWISH: /* 3.x: x clamp(alpha x + beta, 0, 1); 2.x has no parameters */
        return nmi_compat_eltwise(ops, dnnl_eltwise_hardswish, 1.0f / 6.0f, 0.5f);
    case NMI_ACT_SWISH:
        return nmi_compat_eltwise(ops, dnnl_eltwise_swish, 1.0f, 0.0f);
    case NMI_ACT_GELU:
        return nmi_compat_eltwise(ops, dnnl_eltwise_gelu_erf, 0.0f, 0.0f);
    }
    return dnnl_unimplemented;
}

nm_status nmi_dnnl_attr(struct nmi_dnnl *o, struct nmi_layer *layer, struct nmi_act act, bool sum,
                        nm_error *err)
{
    dnnl_post_ops_t ops = NULL;
    dnnl_status_t s = dnnl_primitive_attr_create(&layer->attr);
    if (s == dnnl_success) {
        s = dnnl_primitive_attr_set_scratchpad_mode(layer->attr, dnnl_scratchpad_mode_user);
    }
    if (s == dnnl_success) {
        /* The process's default may be bf16 by an environment variable of oneDNN. */
        s = dnnl_primitive_attr_set_fpmath_mode(layer->attr, dnnl_fpmath_mode_strict);
    }
    if (s == dnnl_success) {
        s = dnnl_post_ops_create(&ops);
    }
    if (s == dnnl_success && sum) {
        s = nmi_compat_sum(ops);
    }
    if (s == dnnl_success) {
        s = append_act(ops, act);
    }
    if (s == dnnl_success) {
        s = dnnl_primitive_attr_set_post_ops(layer->attr, ops);
    }
    if (ops) {
        dnnl_post_ops_destroy(ops);
    }
    return nmi_dnnl_check(s, o, "set its attributes", err);
}

nm_status nmi_dnnl_describe(struct nmi_dnnl *o, const struct nmi_layer *layer, nm_error *err)
{
    dnnl_status_t s = nmi_layer_describe(&o->pd, o->engine, layer);
    if (s != dnnl_success) {
        o->pd = NULL;
    }
    /* A shape that oneDNN calls invalid is one that it does not do: ours are checked before. */
    NMI_TRY(nmi_dnnl_check(s == dnnl_invalid_arguments ? dnnl_unimplemented : s, o,
                           "find an implementation", err));
    if (strncmp(nmi_dnnl_impl(o), "ref", 3) != 0) {
        return NM_OK;
    }
    /* Its reference loops are a hundred to a thousand times slower than what it is called for. */
    dnnl_primitive_desc_destroy(o->pd);
    o->pd = NULL;
    return nmi_fail(err, NM_EUNSUPPORTED, "oneDNN: %s: only by its reference implementation",
                    o->what);
}

/* ---- building -------------------------------------------------------------------------------- */

static nm_status add_slot(struct nmi_dnnl *o, enum nmi_slot_id id, int arg, nm_error *err)
{
    static const dnnl_query_t query[NMI_SLOTS] = {dnnl_query_src_md, dnnl_query_weights_md,
                                                  dnnl_query_weights_md, dnnl_query_dst_md,
                                                  dnnl_query_scratchpad_md};
    struct nmi_md md = {0};
    dnnl_status_t s = nmi_md_query(&md, o->pd, query[id], id == NMI_SLOT_BIAS ? 1 : 0);
    if (s == dnnl_success && md.set) {
        s = nmi_md_memory(&o->slot[id].memory, &md, o->engine);
    }
    if (o->slot[id].memory) {
        o->args[o->n_args++] = (dnnl_exec_arg_t){arg, o->slot[id].memory};
    }
    nmi_md_free(&md);
    return nmi_dnnl_check(s, o, "make its memory objects", err);
}

nm_status nmi_dnnl_build(struct nmi_dnnl *o, nm_error *err)
{
    NMI_TRY(
        nmi_dnnl_check(dnnl_primitive_create(&o->primitive, o->pd), o, "make the primitive", err));
    if (o->plain.set) {
        NMI_TRY(nmi_dnnl_check(nmi_md_query(&o->packed, o->pd, dnnl_query_weights_md, 0), o,
                               "ask for its weights' format", err));
    }
    NMI_TRY(add_slot(o, NMI_SLOT_X, DNNL_ARG_SRC, err));
    NMI_TRY(add_slot(o, NMI_SLOT_W, DNNL_ARG_WEIGHTS, err));
    NMI_TRY(add_slot(o, NMI_SLOT_BIAS, DNNL_ARG_BIAS, err));
    NMI_TRY(add_slot(o, NMI_SLOT_Y, DNNL_ARG_DST, err));
    return add_slot(o, NMI_SLOT_SCRATCH, DNNL_ARG_SCRATCHPAD, err);
}

static nm_status make(struct nmi_dnnl *o, int32_t kind, const union nmi_desc *desc,
                      enum nmi_dnnl_algo algo, nm_error *err)
{
    switch (kind) {
    case NMI_KIND_CONV:
        return nmi_dnnl_make_conv(o, &desc->conv, algo, err);
    case NMI_KIND_DECONV:
        return nmi_dnnl_make_deconv(o, &desc->conv, algo, err);
    case NMI_KIND_GEMM:
        return nmi_dnnl_make_gemm(o, &desc->gemm, err);
    case NMI_KIND_POOL:
        return nmi_dnnl_make_pool(o, &desc->pool, err);
    case NMI_KIND_CONVERT:
        return nmi_dnnl_make_convert(o, &desc->convert, err);
    default:
        return nmi_fail(err, NM_EUNSUPPORTED, "oneDNN: no layers of kind %d are built", (int)kind);
    }
}

nm_status nmi_dnnl_create(int32_t kind, const union nmi_desc *desc, enum nmi_dnnl_algo algo,
                          struct nmi_dnnl **object, nm_error *err)
{
    struct nmi_dnnl *o = NULL;
    NMI_TRY(nmi_dnnl_new(&o, err));
    nm_status s = make(o, kind, desc, algo, err);
    if (s == NM_OK) {
        s = nmi_dnnl_build(o, err);
    }
    if (s != NM_OK) {
        nmi_dnnl_free(o);
        return s;
    }
    *object = o;
    return NM_OK;
}

void nmi_dnnl_free(struct nmi_dnnl *o)
{
    if (!o) {
        return;
    }
    for (int i = 0; i < NMI_SLOTS; i++) {
        if (o->slot[i].memory) {
            dnnl_memory_destroy(o->slot[i].memory);
        }
    }
    if (o->primitive) {
        dnnl_primitive_destroy(o->primitive);
    }
    if (o->pd) {
        dnnl_primitive_desc_destroy(o->pd);
    }
    if (o->stream) {
        dnnl_stream_destroy(o->stream);
    }
    if (o->engine) {
        dnnl_engine_destroy(o->engine);
    }
    nmi_md_free(&o->plain);
    nmi_md_free(&o->packed);
    nmi_free(o);
}

/* ---- weights --------------------------------------------------------------------------------- */

size_t nmi_dnnl_packed_bytes(const struct nmi_dnnl *o)
{
    if (!o->plain.set || (o->scale == 1.0f && nmi_md_equal(&o->plain, &o->packed))) {
        return 0;
    }
    return nmi_md_bytes(&o->packed);
}

uint64_t nmi_dnnl_pack_key(const struct nmi_dnnl *o)
{
    uint64_t h = nmi_md_hash(&o->plain);
    uint64_t packed = nmi_md_hash(&o->packed);
    h = nmi_hash(h, &packed, sizeof packed);
    return nmi_hash(h, &o->scale, sizeof o->scale);
}

/* The reorder primitive lives for one packing: weights are packed once. */
static dnnl_status_t reorder_once(const struct nmi_dnnl *o, const float *from, void *to)
{
    struct nmi_layer layer = {.kind = NMI_LAYER_REORDER, .src = o->plain, .dst = o->packed};
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_t reorder = NULL;
    dnnl_memory_t memory[2] = {NULL, NULL};
    dnnl_status_t s = nmi_layer_describe(&pd, o->engine, &layer);
    if (s == dnnl_success) {
        s = dnnl_primitive_create(&reorder, pd);
    }
    if (s == dnnl_success) {
        s = nmi_md_memory(&memory[0], &o->plain, o->engine);
    }
    if (s == dnnl_success) {
        s = nmi_md_memory(&memory[1], &o->packed, o->engine);
    }
    if (s == dnnl_success) {
        s = dnnl_memory_set_data_handle(memory[0], (void *)from);
    }
    if (s == dnnl_success) {
        s = dnnl_memory_set_data_handle(memory[1], to);
    }
    if (s == dnnl_success) {
        dnnl_exec_arg_t args[2] = {{DNNL_ARG_FROM, memory[0]}, {DNNL_ARG_TO, memory[1]}};
        s = dnnl_primitive_execute(reorder, o->stream, 2, args);
    }
    if (s == dnnl_success) {
        s = dnnl_stream_wait(o->stream);
    }
    dnnl_memory_destroy(memory[0]);
    dnnl_memory_destroy(memory[1]);
    dnnl_primitive_destroy(reorder);
    dnnl_primitive_desc_destroy(pd);
    return s;
}

nm_status nmi_dnnl_pack(const struct nmi_dnnl *o, const float *w, void *packed, nm_error *err)
{
    size_t bytes = nmi_dnnl_packed_bytes(o);
    if (bytes == 0) {
        return nmi_fail(err, NM_EINVAL, "oneDNN: %s: its weights are used as they are", o->what);
    }
    NMI_TRY(nmi_dnnl_check(reorder_once(o, w, packed), o, "pack its weights", err));
    if (o->scale != 1.0f) { /* packing only moves elements and adds zeros */
        float *value = packed;
        for (size_t i = 0; i < bytes / sizeof *value; i++) {
            value[i] *= o->scale;
        }
    }
    return NM_OK;
}

/* ---- running --------------------------------------------------------------------------------- */

size_t nmi_dnnl_scratch_bytes(const struct nmi_dnnl *o)
{
    struct nmi_md md = {0};
    if (nmi_md_query(&md, o->pd, dnnl_query_scratchpad_md, 0) != dnnl_success) {
        return 0;
    }
    size_t bytes = nmi_md_bytes(&md);
    nmi_md_free(&md);
    return bytes;
}

nm_status nmi_dnnl_run(struct nmi_dnnl *o, const struct nmi_kargs *args)
{
    const void *handle[NMI_SLOTS] = {args->x, args->packed ? args->packed : (const void *)args->w,
                                     args->bias, args->y, args->scratch};
    for (int i = 0; i < NMI_SLOTS; i++) {
        struct nmi_slot *slot = &o->slot[i];
        if (!slot->memory || slot->handle == handle[i]) {
            continue;
        }
        /* Only when it changes: 2.x writes the zeros of padded channels each time it is set. */
        if (!handle[i] ||
            dnnl_memory_set_data_handle(slot->memory, (void *)handle[i]) != dnnl_success) {
            return NM_EINTERNAL;
        }
        slot->handle = handle[i];
    }
    if (o->prefill) {
        nmi_dnnl_gemm_prefill(&o->gemm, args->bias, args->y);
    }
    dnnl_status_t s = dnnl_primitive_execute(o->primitive, o->stream, o->n_args, o->args);
    if (s == dnnl_success) {
        s = dnnl_stream_wait(o->stream);
    }
    return s == dnnl_success ? NM_OK : s == dnnl_out_of_memory ? NM_ENOMEM : NM_EINTERNAL;
}

const char *nmi_dnnl_impl(const struct nmi_dnnl *o)
{
    const char *name = NULL;
    if (dnnl_primitive_desc_query(o->pd, dnnl_query_impl_info_str, 0, (void *)&name) !=
        dnnl_success) {
        return "?";
    }
    return name ? name : "?";
}

int32_t nmi_dnnl_version(void)
{
    const dnnl_version_t *v = dnnl_version();
    return v->major * 10000 + v->minor * 100 + v->patch;
}
