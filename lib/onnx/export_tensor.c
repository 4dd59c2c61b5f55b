/* SPDX-License-Identifier: Apache-2.0 */
/* Constants to TensorProto and SparseTensorProto. */
#include "lib/base/checked.h"
#include "lib/onnx/exporter.h"

#include <string.h>

void nmi_export_tensor(struct nmi_writer *w, const char *name, const struct nmi_constant *c)
{
    for (int32_t i = 0; i < c->rank; i++) {
        nmi_put_int(w, 1, c->dims[i]);
    }
    nmi_put_int(w, 2, c->type);
    if (name != NULL) {
        nmi_put_string(w, 8, name);
    }
    nmi_put_span(w, 9, c->data, c->bytes);
}

static bool is_zero(const unsigned char *element, size_t size)
{
    unsigned char any = 0;
    for (size_t i = 0; i < size; i++) {
        any |= element[i];
    }
    return any == 0;
}

static int64_t count_nonzeros(const struct nmi_constant *c)
{
    size_t size = nmi_type_size((int32_t)c->type);
    int64_t nnz = 0;
    for (size_t at = 0; at < c->bytes; at += size) {
        nnz += !is_zero((const unsigned char *)c->data + at, size);
    }
    return nnz;
}

/* The nonzeros of c and their linear indices, in scratch; -0.0 is one of them. */
static nm_status gather(struct nmi_exporter *x, const struct nmi_constant *c, int64_t nnz,
                        struct nmi_constant *values, struct nmi_constant *indices)
{
    size_t size = nmi_type_size((int32_t)c->type), n = (size_t)nnz, k = 0;
    unsigned char *value = nmi_arena_array(&x->scratch, n, size);
    int64_t *index = nmi_arena_array(&x->scratch, n, sizeof *index);
    if (value == NULL || index == NULL) {
        return nmi_exporter_memory(x, n * (size + sizeof *index));
    }
    for (size_t at = 0; at < c->bytes; at += size) {
        const unsigned char *element = (const unsigned char *)c->data + at;
        if (!is_zero(element, size)) {
            memcpy(value + k * size, element, size);
            index[k++] = (int64_t)(at / size);
        }
    }
    *values = (struct nmi_constant){
        .type = c->type, .rank = 1, .dims = {nnz}, .data = value, .bytes = n * size};
    *indices = (struct nmi_constant){
        .type = NM_I64, .rank = 1, .dims = {nnz}, .data = index, .bytes = n * sizeof *index};
    return NM_OK;
}

static nm_status put_sparse(struct nmi_exporter *x, const char *name, const struct nmi_constant *c,
                            int64_t nnz)
{
    struct nmi_constant values = {0}, indices = {0};
    NMI_TRY(gather(x, c, nnz, &values, &indices));
    struct nmi_mark whole = nmi_put_open(&x->w, 15);
    struct nmi_mark part = nmi_put_open(&x->w, 1);
    nmi_export_tensor(&x->w, name, &values);
    nmi_put_close(&x->w, part);
    part = nmi_put_open(&x->w, 2);
    nmi_export_tensor(&x->w, NULL, &indices);
    nmi_put_close(&x->w, part);
    for (int32_t i = 0; i < c->rank; i++) {
        nmi_put_int(&x->w, 3, c->dims[i]);
    }
    nmi_put_close(&x->w, whole);
    return NM_OK;
}

nm_status nmi_export_constant(struct nmi_exporter *x, const char *name,
                              const struct nmi_constant *c)
{
    if (x->sparse && c->sparse && c->rank > 0) {
        int64_t nnz = count_nonzeros(c);
        size_t each = nmi_type_size((int32_t)c->type) + sizeof(int64_t);
        if ((size_t)nnz < c->bytes / each) {
            return put_sparse(x, name, c, nnz);
        }
    }
    struct nmi_mark mark = nmi_put_open(&x->w, 5);
    nmi_export_tensor(&x->w, name, c);
    nmi_put_close(&x->w, mark);
    return NM_OK;
}
