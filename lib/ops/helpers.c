/* SPDX-License-Identifier: Apache-2.0 */
/* Axes, facts and broadcasting: see helpers.h. */
#include "lib/ops/helpers.h"
#include "lib/base/checked.h"
#include <string.h>

/* Products of dims stay below this, so that offsets and sums of a few of them fit in 64 bits. */
#define MAX_ELEMENTS ((int64_t)1 << 48)

/* ---- axes and shapes ------------------------------------------------------------------------ */

nm_status nmi_axis(int64_t axis, int32_t rank, int32_t *out, nm_error *err)
{
    if (axis < -(int64_t)rank || axis >= rank) {
        return nmi_fail(err, NM_ESHAPE, "axis %lld is outside a tensor of rank %d", (long long)axis,
                        rank);
    }
    *out = (int32_t)(axis < 0 ? axis + rank : axis);
    return NM_OK;
}

nm_status nmi_axes(const struct nmi_ints *axes, int32_t rank, uint32_t *mask, nm_error *err)
{
    *mask = 0;
    for (int32_t i = 0; i < axes->n; i++) {
        int32_t axis;
        NMI_TRY(nmi_axis(axes->v[i], rank, &axis, err));
        if ((*mask >> axis & 1) != 0) {
            return nmi_fail(err, NM_EINVAL, "axis %d is given twice", axis);
        }
        *mask |= 1u << axis;
    }
    return NM_OK;
}

int64_t nmi_span_count(const int64_t *dims, int32_t from, int32_t to)
{
    int64_t n = 1;
    for (int32_t i = from; i < to; i++) {
        n *= dims[i];
    }
    return n;
}

int64_t nmi_count(const struct nmi_tensor *t)
{
    return nmi_span_count(t->dims, 0, t->rank);
}

void nmi_strides(int32_t rank, const int64_t *dims, int64_t *strides)
{
    int64_t stride = 1;
    for (int32_t i = rank - 1; i >= 0; i--) {
        strides[i] = stride;
        stride *= dims[i];
    }
}

bool nmi_same_dims(const struct nmi_tensor *a, const struct nmi_tensor *b)
{
    bool same = a->rank == b->rank;
    for (int32_t i = 0; same && i < a->rank; i++) {
        same = a->dims[i] == b->dims[i];
    }
    return same;
}

/* ---- facts ---------------------------------------------------------------------------------- */

void nmi_fact_set(struct nmi_fact *f, nm_type type, int32_t rank, const int64_t *dims)
{
    f->type = type;
    f->rank = rank;
    for (int32_t i = 0; i < rank; i++) {
        f->dims[i] = dims[i];
    }
}

bool nmi_fact_concrete(const struct nmi_fact *f)
{
    bool known = f->rank >= 0;
    for (int32_t i = 0; known && i < f->rank; i++) {
        known = nmi_dim_known(f->dims[i]);
    }
    return known;
}

nm_status nmi_fact_check(const struct nmi_fact *f, nm_error *err)
{
    if (f->rank > NMI_MAX_DIMS) {
        return nmi_fail(err, NM_ESHAPE, "rank %d is more than %d", f->rank, NMI_MAX_DIMS);
    }
    int64_t product = 1;
    for (int32_t i = 0; i < f->rank; i++) {
        if (f->dims[i] > 0 &&
            (!nmi_mul_i64(product, f->dims[i], &product) || product > MAX_ELEMENTS)) {
            return nmi_fail(err, NM_ELIMIT, "a tensor has more than 2^48 elements");
        }
    }
    return NM_OK;
}

nm_status nmi_fact_types(const struct nmi_infer *in, int32_t i, uint32_t types, nm_error *err)
{
    const struct nmi_fact *f = nmi_infer_in(in, i);
    if (f == NULL || (f->type > 0 && f->type < 32 && (types & NMI_T(f->type)) != 0)) {
        return NM_OK;
    }
    return nmi_fail(err, NM_EUNSUPPORTED, "input %d has type %s, for which this is not done", i,
                    nm_type_name(f->type));
}

const struct nmi_fact *nmi_infer_in(const struct nmi_infer *in, int32_t i)
{
    return i < in->n_in ? in->in[i] : NULL;
}

const struct nmi_tensor *nmi_eval_in(const struct nmi_eval *e, int32_t i)
{
    return i < e->n_in ? e->in[i] : NULL;
}

nm_status nmi_infer_same(struct nmi_infer *in, nm_error *err)
{
    (void)err;
    nmi_fact_set(&in->out[0], in->in[0]->type, in->in[0]->rank, in->in[0]->dims);
    return NM_OK;
}

/* Element i of an integer array that may start at any address. */
static int64_t read_int(nm_type type, const void *data, int64_t i)
{
    if (type == NM_I32) {
        int32_t v;
        memcpy(&v, (const char *)data + i * 4, sizeof v);
        return v;
    }
    int64_t v;
    memcpy(&v, (const char *)data + i * 8, sizeof v);
    return v;
}

bool nmi_fact_numbers(const struct nmi_fact *f, struct nmi_numbers *out)
{
    if (f == NULL || (f->data == NULL && f->known == NULL) || f->rank < 0 || f->rank > 1 ||
        (f->type != NM_I64 && f->type != NM_I32)) {
        return false;
    }
    int64_t n = f->rank == 0 ? 1 : f->dims[0];
    if (n < 0 || n > NMI_MAX_KNOWN) {
        return false;
    }
    out->n = (int32_t)n;
    for (int64_t i = 0; i < n; i++) {
        if (f->data == NULL) {
            out->v[i] = f->known[i];
        } else {
            out->v[i] = (struct nmi_known){.v = read_int(f->type, f->data, i)};
        }
    }
    return true;
}

bool nmi_fact_ints(const struct nmi_fact *f, struct nmi_ints *out)
{
    struct nmi_numbers numbers;
    if (!nmi_fact_numbers(f, &numbers) || numbers.n > NMI_MAX_INTS) {
        return false;
    }
    out->n = numbers.n;
    for (int32_t i = 0; i < numbers.n; i++) {
        if (numbers.v[i].dim != 0) {
            return false;
        }
        out->v[i] = numbers.v[i].v;
    }
    return true;
}

bool nmi_tensor_ints(const struct nmi_tensor *t, struct nmi_ints *out)
{
    if (t == NULL) {
        return false;
    }
    struct nmi_fact f = {.data = t->data};
    nmi_fact_set(&f, t->type, t->rank, t->dims);
    return nmi_fact_ints(&f, out);
}

bool nmi_infer_symbolic(const struct nmi_infer *in)
{
    for (int32_t i = 0; i < in->n_in; i++) {
        if (in->in[i] != NULL && in->in[i]->known != NULL) {
            return true;
        }
    }
    return false;
}

nm_status nmi_infer_know(struct nmi_infer *in, const struct nmi_numbers *numbers, nm_error *err)
{
    size_t bytes = (size_t)numbers->n * sizeof *numbers->v;
    in->out[0].known = nmi_arena_copy(in->arena, numbers->v, bytes);
    return in->out[0].known != NULL ? NM_OK
                                    : nmi_fail_memory(err, bytes, "what is known of a shape");
}

nm_status nmi_infer_pass_known(struct nmi_infer *in, nm_error *err)
{
    struct nmi_numbers n;
    if (in->in[0]->known == NULL || in->out[0].rank < 0 || in->out[0].rank > 1 ||
        !nmi_fact_numbers(in->in[0], &n)) {
        return NM_OK;
    }
    return nmi_infer_know(in, &n, err);
}

int64_t nmi_dim_product(const int64_t *dims, int32_t from, int32_t to)
{
    int64_t number = 1, open = 0;
    int32_t n_open = 0;
    for (int32_t i = from; i < to; i++) {
        if (dims[i] == 0) {
            return 0;
        }
        if (!nmi_dim_known(dims[i])) {
            open = dims[i];
            n_open++;
        } else if (!nmi_mul_i64(number, dims[i], &number)) {
            return NMI_DIM_UNKNOWN;
        }
    }
    if (n_open == 0) {
        return number;
    }
    return n_open == 1 && number == 1 ? open : NMI_DIM_UNKNOWN;
}

nm_status nmi_eval_copy(const struct nmi_eval *e, nm_error *err)
{
    (void)err;
    if (e->out[0].data != e->in[0]->data && e->out[0].data != NULL) {
        size_t bytes = (size_t)nmi_count(e->in[0]) * nm_type_size(e->in[0]->type);
        memcpy(e->out[0].data, e->in[0]->data, bytes);
    }
    return NM_OK;
}

/* ---- broadcasting --------------------------------------------------------------------------- */

static bool broadcast_dim(int64_t a, int64_t b, int64_t *out)
{
    if (a == 1 || b == 1 || a == b) {
        *out = a == 1 ? b : a;
        return true;
    }
    if (nmi_dim_known(a) && nmi_dim_known(b)) {
        return false;
    }
    /* A number above 1 (or 0) is the result whatever the other one is; two symbols say nothing. */
    *out = nmi_dim_known(a) ? a : nmi_dim_known(b) ? b : NMI_DIM_UNKNOWN;
    return true;
}

nm_status nmi_broadcast(const struct nmi_fact *f, int32_t *rank, int64_t *dims, nm_error *err)
{
    if (f->rank < 0 || *rank < 0) {
        *rank = -1;
        return NM_OK;
    }
    int32_t most = f->rank > *rank ? f->rank : *rank;
    int64_t joined[NMI_MAX_DIMS];
    for (int32_t i = 0; i < most; i++) { /* i counts from the end */
        int64_t a = i < *rank ? dims[*rank - 1 - i] : 1;
        int64_t b = i < f->rank ? f->dims[f->rank - 1 - i] : 1;
        if (!broadcast_dim(a, b, &joined[most - 1 - i])) {
            return nmi_fail(err, NM_ESHAPE,
                            "shapes do not broadcast: %lld and %lld meet at axis %d from the end",
                            (long long)a, (long long)b, i);
        }
    }
    *rank = most;
    memcpy(dims, joined, (size_t)most * sizeof *dims);
    return NM_OK;
}
