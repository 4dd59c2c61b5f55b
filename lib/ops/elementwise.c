/* SPDX-License-Identifier: Apache-2.0 */
/* Drivers of elementwise operators with several inputs: see elementwise.h. */
#include "lib/ops/elementwise.h"

void nmi_binary_walk(nmi_binary_fn fn, struct nmi_tensor *out, const struct nmi_tensor *a,
                     const struct nmi_tensor *b)
{
    int64_t size_in = (int64_t)nm_type_size(a->type), size_b = (int64_t)nm_type_size(b->type);
    int64_t size_out = (int64_t)nm_type_size(out->type);
    struct nmi_walk w;
    struct nmi_walk_at at;
    nmi_walk_start(&w, out->rank, out->dims);
    nmi_walk_broadcast(&w, out->rank, out->dims);
    nmi_walk_broadcast(&w, a->rank, a->dims);
    nmi_walk_broadcast(&w, b->rank, b->dims);
    for (bool go = nmi_walk_begin(&w, &at); go; go = nmi_walk_next(&w, &at)) {
        fn(w.inner, (char *)out->data + at.offset[0] * size_out,
           (const char *)a->data + at.offset[1] * size_in, nmi_walk_step(&w, 1),
           (const char *)b->data + at.offset[2] * size_b, nmi_walk_step(&w, 2));
    }
}

nm_status nmi_binary_eval(const struct nmi_eval *e, const nmi_binary_fn *table, nm_error *err)
{
    nmi_binary_fn fn = table[e->in[0]->type];
    if (fn == NULL) {
        return nmi_fail(err, NM_EUNSUPPORTED, "node %s: type %s", e->name,
                        nm_type_name(e->in[0]->type));
    }
    nmi_binary_walk(fn, &e->out[0], e->in[0], e->in[1]);
    return NM_OK;
}

nm_status nmi_infer_broadcast(struct nmi_infer *in, nm_type out, nm_error *err)
{
    nm_type type = in->in[0]->type;
    int32_t rank = 0;
    int64_t dims[NMI_MAX_DIMS];
    for (int32_t i = 0; i < in->n_in; i++) {
        if (in->in[i]->type != type) {
            return nmi_fail(err, NM_ETYPE, "input %d has type %s, expected %s as input 0", i,
                            nm_type_name(in->in[i]->type), nm_type_name(type));
        }
        NMI_TRY(nmi_broadcast(in->in[i], &rank, dims, err));
    }
    nmi_fact_set(&in->out[0], out == NM_TYPE_NONE ? type : out, rank, dims);
    return NM_OK;
}
