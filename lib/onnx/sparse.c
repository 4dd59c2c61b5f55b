/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SparseTensorProto (COO) to a dense constant. Indices are linear, [nnz], or coordinates,
 * [nnz, rank]; either way ascending and without repetition (ONNX, sparse tensors).
 */
#include "lib/base/checked.h"
#include "lib/onnx/importer.h"

#include <string.h>

/* The dense form of all sparse tensors may take so many times the decoded bytes: a file can ask
 * for any number of zeros with a few bytes. */
#define DENSE_PER_DECODED 8

struct coo {
    struct nmi_constant values, indices;
    int64_t nnz;
    bool linear;
};

static nm_status check_form(const struct nmi_importer *im, const struct nmi_constant *dense,
                            struct coo *coo)
{
    const struct nmi_constant *v = &coo->values, *i = &coo->indices;
    if (v->rank != 1) {
        return nmi_fail(im->err, NM_EFORMAT, "its values have %d dimensions, expected 1", v->rank);
    }
    coo->nnz = v->dims[0];
    coo->linear = i->rank == 1;
    bool fits =
        (i->rank == 1 || (i->rank == 2 && i->dims[1] == dense->rank)) && i->dims[0] == coo->nnz;
    if (i->type != NM_I64 || !fits) {
        return nmi_fail(im->err, NM_EFORMAT,
                        "its indices are not int64 of shape [%lld] or [%lld, %d]",
                        (long long)coo->nnz, (long long)coo->nnz, dense->rank);
    }
    return NM_OK;
}

static nm_status charge(struct nmi_importer *im, const struct nmi_constant *dense)
{
    uint64_t limit = nmi_wire_heap_limit(im->limits, im->size);
    if (__builtin_mul_overflow(limit, (uint64_t)DENSE_PER_DECODED, &limit)) {
        limit = UINT64_MAX;
    }
    im->dense += dense->bytes;
    if (im->dense > limit) {
        return nmi_fail(im->err, NM_ELIMIT,
                        "sparse tensors would take more than %llu bytes of memory, %d times "
                        "nm_limits.decoded_bytes, which can be raised",
                        (unsigned long long)limit, DENSE_PER_DECODED);
    }
    return nmi_importer_grant(im, dense->bytes, "sparse tensors");
}

/* The linear index of element k; -1 when a coordinate is out of range. */
static int64_t linear_index(const struct coo *coo, const struct nmi_constant *dense, int64_t k)
{
    const int64_t *indices = coo->indices.data;
    if (coo->linear) {
        return indices[k];
    }
    int64_t at = 0;
    for (int32_t d = 0; d < dense->rank; d++) {
        int64_t i = indices[k * dense->rank + d];
        if (i < 0 || i >= dense->dims[d]) {
            return -1;
        }
        at = at * dense->dims[d] + i;
    }
    return at;
}

static nm_status scatter(const struct nmi_importer *im, const struct coo *coo,
                         const struct nmi_constant *dense, unsigned char *to)
{
    size_t size = nmi_type_size((int32_t)dense->type);
    int64_t elems = (int64_t)(dense->bytes / size), last = -1;
    for (int64_t k = 0; k < coo->nnz; k++) {
        int64_t at = linear_index(coo, dense, k);
        if (at < 0 || at >= elems) {
            return nmi_fail(im->err, NM_EFORMAT, "its index %lld is out of range", (long long)k);
        }
        if (at <= last) {
            return nmi_fail(im->err, NM_EFORMAT,
                            "its index %lld is not above the one before it: expected sorted "
                            "indices without repetition",
                            (long long)k);
        }
        memcpy(to + (size_t)at * size, (const char *)coo->values.data + (size_t)k * size, size);
        last = at;
    }
    return NM_OK;
}

nm_status nmi_onnx_sparse(struct nmi_importer *im, const Onnx__SparseTensorProto *t,
                          struct nmi_constant *out)
{
    struct coo coo;
    if (t->values == NULL || t->indices == NULL) {
        return nmi_fail(im->err, NM_EFORMAT, "it lacks values or indices");
    }
    struct nmi_arena *scratch = &im->decoded.arena;
    NMI_TRY(nmi_onnx_tensor(im, t->values, scratch, &coo.values));
    NMI_TRY(nmi_onnx_tensor(im, t->indices, scratch, &coo.indices));
    *out = (struct nmi_constant){.type = coo.values.type, .source = NMI_NONE, .sparse = 1};
    NMI_TRY(nmi_onnx_dims(im, t->n_dims, t->dims, out));
    NMI_TRY(check_form(im, out, &coo));
    if (!nmi_tensor_bytes((int32_t)out->type, out->rank, out->dims, &out->bytes)) {
        return nmi_fail(im->err, NM_ELIMIT, "its size in bytes is beyond 64 bits");
    }
    NMI_TRY(charge(im, out));
    unsigned char *to = nmi_arena_alloc(&im->graph->arena, out->bytes);
    if (to == NULL) {
        return nmi_importer_memory(im, out->bytes, "a sparse tensor");
    }
    out->data = to;
    return scatter(im, &coo, out, to);
}
