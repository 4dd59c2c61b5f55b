/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TensorProto to a constant, for all encodings: raw bytes, packed numbers, one number a field.
 * Types stay what they are in the file.
 */
#include "lib/base/checked.h"
#include "lib/onnx/importer.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "tensors are little-endian, as ONNX's");

enum { FIELD_FLOAT = 4, FIELD_RAW = 9, FIELD_DOUBLE = 10 }; /* of TensorProto */

/* ---- shape and type -------------------------------------------------------------------------- */

static nm_status unsupported_type(const struct nmi_importer *im, int32_t type)
{
    static const char *const names[] = {
        [8] = "string",          [14] = "complex64",      [15] = "complex128",
        [17] = "float8e4m3fn",   [18] = "float8e4m3fnuz", [19] = "float8e5m2",
        [20] = "float8e5m2fnuz", [21] = "uint4",          [22] = "int4",
        [23] = "float4e2m1"};
    if (type > 0 && (size_t)type < NMI_COUNT(names) && names[type] != NULL) {
        return nmi_fail(im->err, NM_EUNSUPPORTED, "its type is %s, which libnm does not do",
                        names[type]);
    }
    return nmi_fail(im->err, NM_EFORMAT, "its element type is %d, which ONNX does not have", type);
}

nm_status nmi_onnx_dims(const struct nmi_importer *im, size_t n, const int64_t *dims,
                        struct nmi_constant *out)
{
    if (n > NMI_MAX_DIMS) {
        return nmi_fail(im->err, NM_ELIMIT, "it has %zu dimensions, at most %d are supported", n,
                        NMI_MAX_DIMS);
    }
    out->rank = (int32_t)n;
    for (size_t i = 0; i < n; i++) {
        if (dims[i] < 0) {
            return nmi_fail(im->err, NM_EFORMAT, "its dimension %zu is %lld, expected 0 or more", i,
                            (long long)dims[i]);
        }
        out->dims[i] = dims[i];
    }
    int64_t elems;
    if (!nmi_elems(out->rank, out->dims, &elems) || (uint64_t)elems > im->limits->elements) {
        return nmi_fail(im->err, NM_ELIMIT,
                        "it has more than %llu elements: beyond nm_limits.elements, which can be "
                        "raised",
                        (unsigned long long)im->limits->elements);
    }
    return NM_OK;
}

static nm_status read_header(const struct nmi_importer *im, const Onnx__TensorProto *t,
                             struct nmi_constant *out)
{
    *out = (struct nmi_constant){.source = NMI_NONE};
    if (nmi_type_size(t->data_type) == 0) {
        return unsupported_type(im, t->data_type);
    }
    out->type = (nm_type)t->data_type;
    NMI_TRY(nmi_onnx_dims(im, t->n_dims, t->dims, out));
    if (t->segment != NULL) {
        return nmi_fail(im->err, NM_EUNSUPPORTED, "it is stored in segments");
    }
    if (!nmi_tensor_bytes(t->data_type, out->rank, out->dims, &out->bytes)) {
        return nmi_fail(im->err, NM_ELIMIT, "its size in bytes is beyond 64 bits");
    }
    return NM_OK;
}

static nm_status check_size(const struct nmi_importer *im, const struct nmi_constant *c,
                            size_t bytes)
{
    if (bytes != c->bytes) {
        return nmi_fail(im->err, NM_EFORMAT,
                        "it holds %zu bytes of data, expected %zu by its type and shape", bytes,
                        c->bytes);
    }
    return NM_OK;
}

/* ---- data taken out of the message ----------------------------------------------------------- */

/* The bytes stay in the file's memory. In front of them stood the field's tag and length, which
 * nobody needs any more: the bytes move into that room until they are aligned for their type. */
static const void *align_in_place(struct nmi_importer *im, const struct nmi_wire_edit *edit,
                                  size_t align)
{
    unsigned char *data = im->bytes + edit->data;
    size_t back = (uintptr_t)data % align;
    if (back > edit->data - edit->at) {
        return NULL;
    }
    if (back > 0) {
        memmove(data - back, data, edit->size);
    }
    return data - back;
}

static nm_status read_note(struct nmi_importer *im, uint32_t note, struct nmi_arena *arena,
                           struct nmi_constant *out)
{
    const struct nmi_wire *wire = &im->decoded.wire;
    if (note >= wire->n_edits || wire->edits[note].kind != NMI_WIRE_DATA) {
        return nmi_fail(im->err, NM_EINTERNAL, "its data are noted nowhere");
    }
    const struct nmi_wire_edit *edit = &wire->edits[note];
    if ((edit->field == FIELD_FLOAT && out->type != NM_F32) ||
        (edit->field == FIELD_DOUBLE && out->type != NM_F64)) {
        return nmi_fail(im->err, NM_EFORMAT, "its data are not in the field of its type");
    }
    NMI_TRY(check_size(im, out, edit->size));
    out->data = align_in_place(im, edit, nmi_type_size((int32_t)out->type));
    if (out->data == NULL) {
        out->data = nmi_arena_copy(arena, im->bytes + edit->data, edit->size);
    }
    return out->data != NULL ? NM_OK : nmi_importer_memory(im, edit->size, "a tensor");
}

/* ---- data in the message --------------------------------------------------------------------- */

static nm_status copy_out(const struct nmi_importer *im, const void *from, size_t bytes,
                          struct nmi_arena *arena, struct nmi_constant *out)
{
    NMI_TRY(check_size(im, out, bytes));
    out->data = nmi_arena_copy(arena, from, bytes);
    return out->data != NULL ? NM_OK : nmi_importer_memory(im, bytes, "a tensor");
}

/* The values that a type stored in int32_data or uint64_data can have; false: not stored there. */
static bool narrow_range(nm_type type, int64_t *min, int64_t *max)
{
    static const struct {
        int64_t min, max;
        bool is;
    } ranges[] = {[NM_U8] = {0, UINT8_MAX, true},          [NM_I8] = {INT8_MIN, INT8_MAX, true},
                  [NM_U16] = {0, UINT16_MAX, true},        [NM_I16] = {INT16_MIN, INT16_MAX, true},
                  [NM_I32] = {INT32_MIN, INT32_MAX, true}, [NM_BOOL] = {0, 1, true},
                  [NM_F16] = {0, UINT16_MAX, true},        [NM_BF16] = {0, UINT16_MAX, true}};
    if ((size_t)type >= NMI_COUNT(ranges) || !ranges[type].is) {
        return false;
    }
    *min = ranges[type].min;
    *max = ranges[type].max;
    return true;
}

/* int32_data: one number an element, of whatever narrow type. */
static nm_status narrow(const struct nmi_importer *im, const Onnx__TensorProto *t,
                        struct nmi_arena *arena, struct nmi_constant *out)
{
    int64_t min = 0, max = 0;
    if (!narrow_range(out->type, &min, &max)) {
        return nmi_fail(im->err, NM_EFORMAT, "its data are not in the field of its type");
    }
    size_t size = nmi_type_size((int32_t)out->type);
    NMI_TRY(check_size(im, out, t->n_int32_data * size));
    unsigned char *to = nmi_arena_alloc(arena, out->bytes);
    if (to == NULL) {
        return nmi_importer_memory(im, out->bytes, "a tensor");
    }
    for (size_t i = 0; i < t->n_int32_data; i++) {
        int32_t v = t->int32_data[i];
        if (v < min || v > max) {
            return nmi_fail(im->err, NM_EFORMAT, "its element %zu is %d, beyond its type", i, v);
        }
        memcpy(to + i * size, &v, size);
    }
    out->data = to;
    return NM_OK;
}

static nm_status narrow_unsigned(const struct nmi_importer *im, const Onnx__TensorProto *t,
                                 struct nmi_arena *arena, struct nmi_constant *out)
{
    if (out->type == NM_U64) {
        return copy_out(im, t->uint64_data, t->n_uint64_data * sizeof(uint64_t), arena, out);
    }
    if (out->type != NM_U32) {
        return nmi_fail(im->err, NM_EFORMAT, "its data are not in the field of its type");
    }
    NMI_TRY(check_size(im, out, t->n_uint64_data * sizeof(uint32_t)));
    uint32_t *to = nmi_arena_alloc(arena, out->bytes);
    if (to == NULL) {
        return nmi_importer_memory(im, out->bytes, "a tensor");
    }
    for (size_t i = 0; i < t->n_uint64_data; i++) {
        if (t->uint64_data[i] > UINT32_MAX) {
            return nmi_fail(im->err, NM_EFORMAT, "its element %zu is beyond its type", i);
        }
        to[i] = (uint32_t)t->uint64_data[i];
    }
    out->data = to;
    return NM_OK;
}

static nm_status read_typed(struct nmi_importer *im, const Onnx__TensorProto *t,
                            struct nmi_arena *arena, struct nmi_constant *out)
{
    if (t->n_int32_data > 0) {
        return narrow(im, t, arena, out);
    }
    if (t->n_uint64_data > 0) {
        return narrow_unsigned(im, t, arena, out);
    }
    if (t->n_float_data > 0 && out->type == NM_F32) {
        return copy_out(im, t->float_data, t->n_float_data * sizeof(float), arena, out);
    }
    if (t->n_double_data > 0 && out->type == NM_F64) {
        return copy_out(im, t->double_data, t->n_double_data * sizeof(double), arena, out);
    }
    if (t->n_int64_data > 0 && out->type == NM_I64) {
        return copy_out(im, t->int64_data, t->n_int64_data * sizeof(int64_t), arena, out);
    }
    return nmi_fail(im->err, NM_EFORMAT, "its data are not in the field of its type");
}

/* ---- all ------------------------------------------------------------------------------------- */

static nm_status read_data(struct nmi_importer *im, const Onnx__TensorProto *t,
                           struct nmi_arena *arena, struct nmi_constant *out)
{
    bool raw = t->has_raw_data && t->raw_data.len > 0;
    const bool given[] = {raw,
                          t->n_float_data > 0,
                          t->n_double_data > 0,
                          t->n_int32_data > 0,
                          t->n_int64_data > 0,
                          t->n_uint64_data > 0,
                          t->n_string_data > 0};
    size_t fields = t->n_note;
    for (size_t i = 0; i < NMI_COUNT(given); i++) {
        fields += given[i];
    }
    if (t->data_location != 0) {
        return fields == 0 ? nmi_onnx_external(im, t, arena, out)
                           : nmi_fail(im->err, NM_EFORMAT, "its data are both here and external");
    }
    if (fields > 1) {
        return nmi_fail(im->err, NM_EFORMAT, "its data are in more than one field");
    }
    if (fields == 0) {
        static const int64_t nothing;
        out->data = &nothing; /* aligned for every type */
        return check_size(im, out, 0);
    }
    if (t->n_note > 0) {
        return read_note(im, t->note[0], arena, out);
    }
    if (raw) {
        return copy_out(im, t->raw_data.data, t->raw_data.len, arena, out);
    }
    return read_typed(im, t, arena, out);
}

nm_status nmi_onnx_tensor(struct nmi_importer *im, const Onnx__TensorProto *t,
                          struct nmi_arena *arena, struct nmi_constant *out)
{
    NMI_TRY(read_header(im, t, out));
    NMI_TRY(read_data(im, t, arena, out));
    const unsigned char *bytes = out->data;
    for (size_t i = 0; out->type == NM_BOOL && i < out->bytes; i++) {
        if (bytes[i] > 1) {
            return nmi_fail(im->err, NM_EFORMAT, "its element %zu is %d, expected a bool: 0 or 1",
                            i, bytes[i]);
        }
    }
    return NM_OK;
}
