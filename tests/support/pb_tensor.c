/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/pb_tensor.h"
#include "lib/base/file.h"
#include "lib/base/half.h"
#include "lib/ops/helpers.h"
#include "onnx.pb-c.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Bytes of a field of typed elements, or NULL when it is not the one that is used. */
static const void *typed_data(const Onnx__TensorProto *t, size_t *bytes)
{
    if (t->n_float_data > 0 && t->data_type == NM_F32) {
        *bytes = t->n_float_data * sizeof(float);
        return t->float_data;
    }
    if (t->n_int64_data > 0 && t->data_type == NM_I64) {
        *bytes = t->n_int64_data * sizeof(int64_t);
        return t->int64_data;
    }
    if (t->n_int32_data > 0 && t->data_type == NM_I32) {
        *bytes = t->n_int32_data * sizeof(int32_t);
        return t->int32_data;
    }
    *bytes = t->raw_data.len;
    return t->raw_data.data != NULL ? (const void *)t->raw_data.data : "";
}

static nm_status convert(const Onnx__TensorProto *t, struct nmi_arena *arena,
                         struct nmi_tensor *tensor, nm_error *err)
{
    size_t bytes;
    const void *data = typed_data(t, &bytes);
    *tensor = (struct nmi_tensor){.type = (nm_type)t->data_type, .rank = (int32_t)t->n_dims};
    if (nm_type_size(tensor->type) == 0) {
        return nmi_fail(err, NM_EUNSUPPORTED, "type %d", t->data_type);
    }
    for (size_t i = 0; i < t->n_dims && i < NMI_MAX_DIMS; i++) {
        tensor->dims[i] = t->dims[i];
    }
    if (t->n_dims > NMI_MAX_DIMS ||
        bytes != (size_t)nmi_count(tensor) * nm_type_size(tensor->type)) {
        return nmi_fail(err, NM_EFORMAT, "%zu bytes of data do not fit the shape", bytes);
    }
    tensor->data = nmi_arena_copy(arena, data, bytes);
    return tensor->data != NULL ? NM_OK : nmi_fail_memory(err, bytes, "a tensor");
}

nm_status pb_tensor_read(const char *path, struct nmi_arena *arena, struct nmi_tensor *tensor,
                         nm_error *err)
{
    void *bytes;
    size_t size;
    NMI_TRY(nmi_file_read(path, 1u << 30, &bytes, &size, err));
    Onnx__TensorProto *t = onnx__tensor_proto__unpack(NULL, size, bytes);
    nmi_free(bytes);
    if (t == NULL) {
        return nmi_fail(err, NM_EUNSUPPORTED, "%s is not of a tensor type", path);
    }
    nm_status status = convert(t, arena, tensor, err);
    onnx__tensor_proto__free_unpacked(t, NULL);
    return status;
}

static double element(const struct nmi_tensor *t, int64_t i)
{
    const void *p = t->data;
    switch (t->type) {
    case NM_F32:
        return (double)((const float *)p)[i];
    case NM_F64:
        return ((const double *)p)[i];
    case NM_F16:
        return (double)nmi_f16_to_f32(((const uint16_t *)p)[i]);
    case NM_BF16:
        return (double)nmi_bf16_to_f32(((const uint16_t *)p)[i]);
    case NM_I8:
        return ((const int8_t *)p)[i];
    case NM_I16:
        return ((const int16_t *)p)[i];
    case NM_I32:
        return ((const int32_t *)p)[i];
    case NM_I64:
        return (double)((const int64_t *)p)[i];
    case NM_U16:
        return ((const uint16_t *)p)[i];
    case NM_U32:
        return ((const uint32_t *)p)[i];
    case NM_U64:
        return (double)((const uint64_t *)p)[i];
    default:
        return ((const uint8_t *)p)[i];
    }
}

bool pb_tensor_close(const struct nmi_tensor *a, const struct nmi_tensor *b, double rtol,
                     double atol, char *why, size_t size)
{
    if (a->type != b->type || !nmi_same_dims(a, b)) {
        snprintf(why, size, "%s of rank %d [%lld...], expected %s of rank %d [%lld...]",
                 nm_type_name(a->type), a->rank, (long long)a->dims[0], nm_type_name(b->type),
                 b->rank, (long long)b->dims[0]);
        return false;
    }
    for (int64_t i = 0; i < nmi_count(a); i++) {
        double x = element(a, i), y = element(b, i);
        bool same = x == y || (isnan(x) && isnan(y));
        if (!same && !(fabs(x - y) <= atol + rtol * fabs(y))) {
            snprintf(why, size, "element %lld is %.9g, expected %.9g", (long long)i, x, y);
            return false;
        }
    }
    return true;
}
