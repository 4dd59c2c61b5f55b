/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TensorProto files. A tensor's elements are raw bytes or sit in the typed field of their kind;
 * nothing is allocated before the elements present are known to be as many as the dims say.
 */
#include "examples/nmie/pb.h"

#include "examples/nmie/nmie.h"
#include "onnx.pb-c.h"

#include <stdlib.h>
#include <string.h>

/* Elements in the typed field that ONNX uses for this type. */
static size_t typed_count(const Onnx__TensorProto *p, nm_type type)
{
    switch (type) {
    case NM_F32:
        return p->n_float_data;
    case NM_F64:
        return p->n_double_data;
    case NM_I64:
        return p->n_int64_data;
    case NM_U32:
    case NM_U64:
        return p->n_uint64_data;
    default:
        return p->n_int32_data;
    }
}

/* Keeps the low size bytes of each 32-bit word. */
static void narrow(uint8_t *to, const int32_t *from, size_t count, size_t size)
{
    for (size_t i = 0; i < count; i++) {
        memcpy(to + i * size, &from[i], size);
    }
}

static void copy_typed(nm_tensor *t, const Onnx__TensorProto *p, size_t count)
{
    switch (t->type) {
    case NM_F32:
        memcpy(t->data, p->float_data, count * 4);
        break;
    case NM_F64:
        memcpy(t->data, p->double_data, count * 8);
        break;
    case NM_I64:
        memcpy(t->data, p->int64_data, count * 8);
        break;
    case NM_U64:
        memcpy(t->data, p->uint64_data, count * 8);
        break;
    case NM_U32:
        for (size_t i = 0; i < count; i++) {
            ((uint32_t *)t->data)[i] = (uint32_t)p->uint64_data[i];
        }
        break;
    default:
        narrow(t->data, p->int32_data, count, nm_type_size(t->type));
    }
}

static nm_status from_message(const Onnx__TensorProto *p, const char *path, struct host_tensor *h,
                              nm_error *err)
{
    size_t count, bytes;
    h->t.type = (nm_type)p->data_type;
    if (nm_type_size(h->t.type) == 0) {
        return complain(err, NM_EUNSUPPORTED, "%s: elements of ONNX type %d", path,
                        (int)p->data_type);
    }
    if (p->n_external_data || p->data_location) {
        return complain(err, NM_EUNSUPPORTED, "%s: keeps its elements in another file", path);
    }
    if (p->n_dims > NM_MAX_DIMS) {
        return complain(err, NM_ESHAPE, "%s: %zu dimensions, at most 8 are known", path, p->n_dims);
    }
    h->t.rank = (int32_t)p->n_dims;
    if (p->n_dims) {
        memcpy(h->t.dims, p->dims, p->n_dims * sizeof *p->dims);
    }
    if (!host_count(h->t.dims, h->t.rank, &count) ||
        __builtin_mul_overflow(count, nm_type_size(h->t.type), &bytes) ||
        (p->has_raw_data ? p->raw_data.len != bytes : typed_count(p, h->t.type) != count)) {
        return complain(err, NM_EFORMAT, "%s: does not hold as many elements as its dims say",
                        path);
    }
    nm_status status = host_make(h, err);
    if (!status && p->name && *p->name) {
        status = host_name(h, p->name, err);
    }
    if (!status && bytes && p->has_raw_data) {
        memcpy(h->t.data, p->raw_data.data, bytes);
    } else if (!status && bytes) {
        copy_typed(&h->t, p, count);
    }
    return status;
}

nm_status pb_parse(const struct slurp *file, const char *path, struct host_tensor *h, nm_error *err)
{
    Onnx__TensorProto *p = onnx__tensor_proto__unpack(NULL, file->size, file->bytes);
    if (!p) {
        return complain(err, NM_EFORMAT, "%s: is not a TensorProto", path);
    }
    nm_status status = from_message(p, path, h, err);
    onnx__tensor_proto__free_unpacked(p, NULL);
    return status;
}

nm_status pb_save(const char *path, const nm_tensor *t, nm_error *err)
{
    size_t count = 0;
    int64_t dims[NM_MAX_DIMS];
    Onnx__TensorProto p = ONNX__TENSOR_PROTO__INIT;
    host_count(t->dims, t->rank, &count);
    memcpy(dims, t->dims, sizeof dims);
    p.n_dims = (size_t)t->rank;
    p.dims = dims;
    p.has_data_type = 1;
    p.data_type = (int32_t)t->type;
    p.name = (char *)(uintptr_t)t->name;
    size_t bytes = count * nm_type_size(t->type);
    uint8_t *head = malloc(onnx__tensor_proto__get_packed_size(&p) + 16);
    if (!head) {
        return complain(err, NM_ENOMEM, "%s: no memory to write it", path);
    }
    size_t n = onnx__tensor_proto__pack(&p, head);
    head[n++] = 9 << 3 | 2; /* raw_data, length-delimited: the elements follow uncopied */
    for (size_t left = bytes;; left >>= 7) {
        head[n++] = (uint8_t)((left & 127) | (left > 127 ? 128 : 0));
        if (left <= 127) {
            break;
        }
    }
    struct slurp top = {head, n}, body = {t->data, bytes};
    nm_status status = slurp_write(path, &top, &body, err);
    free(head);
    return status;
}
