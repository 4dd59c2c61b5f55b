/* SPDX-License-Identifier: Apache-2.0 */
/* Tags, lengths and varints, checked as protobuf-c will read them. */
#include "lib/onnx/field.h"

#define TAG_BYTES 5
#define VARINT_BYTES 10

/* A varint of at most max_bytes that ends before `end`; false: it does not. */
static bool read_varint(const uint8_t *bytes, size_t *at, size_t end, size_t max_bytes,
                        uint64_t *value)
{
    uint64_t v = 0;
    for (size_t i = 0; i < max_bytes && *at < end; i++) {
        uint8_t byte = bytes[(*at)++];
        v |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            *value = v;
            return true;
        }
    }
    return false;
}

static const char *read_tag(const uint8_t *bytes, size_t *at, size_t end, struct nmi_field *f)
{
    uint64_t v = 0;
    if (!read_varint(bytes, at, end, TAG_BYTES, &v)) {
        return "a field's tag is cut off";
    }
    f->wire = (uint32_t)(v & 7);
    f->number = (uint32_t)(v >> 3);
    return v > UINT32_MAX || f->number == 0 ? "a field's number is out of range" : NULL;
}

/* The size of the contents, whose start is in f->data. */
static const char *read_size(const uint8_t *bytes, size_t *at, size_t end, struct nmi_field *f)
{
    uint64_t v = 0;
    f->length_at = f->data = *at;
    switch (f->wire) {
    case NMI_FIELD_VARINT:
        if (!read_varint(bytes, at, end, VARINT_BYTES, &v)) {
            return "an integer is cut off";
        }
        v = *at - f->data;
        break;
    case NMI_FIELD_64:
        v = 8;
        break;
    case NMI_FIELD_32:
        v = 4;
        break;
    case NMI_FIELD_BYTES:
        if (!read_varint(bytes, at, end, NMI_FIELD_LENGTH, &v)) {
            return "a length is cut off";
        }
        f->data = *at;
        break;
    default:
        return "a field's wire type is not one that ONNX uses";
    }
    f->size = (size_t)v;
    return v > end - f->data ? "a field goes beyond the end of its message" : NULL;
}

const char *nmi_field_read(const uint8_t *bytes, size_t *at, size_t end, struct nmi_field *f)
{
    f->at = *at;
    const char *wrong = read_tag(bytes, at, end, f);
    if (wrong == NULL) {
        wrong = read_size(bytes, at, end, f);
    }
    if (wrong == NULL) {
        *at = f->data + f->size;
    }
    return wrong;
}

bool nmi_field_packable(ProtobufCType type)
{
    return type != PROTOBUF_C_TYPE_STRING && type != PROTOBUF_C_TYPE_BYTES &&
           type != PROTOBUF_C_TYPE_MESSAGE;
}

uint32_t nmi_field_wire(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_FLOAT:
        return NMI_FIELD_32;
    case PROTOBUF_C_TYPE_DOUBLE:
        return NMI_FIELD_64;
    default:
        return nmi_field_packable(type) ? NMI_FIELD_VARINT : NMI_FIELD_BYTES;
    }
}

size_t nmi_field_element(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FLOAT:
        return 4;
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    default:
        return 8;
    }
}

const char *nmi_field_elements(const uint8_t *bytes, const struct nmi_field *f, uint64_t *n)
{
    uint32_t wire = nmi_field_wire(f->desc->type);
    if (wire != NMI_FIELD_VARINT) {
        size_t size = wire == NMI_FIELD_32 ? 4 : 8;
        *n = f->size / size;
        return f->size % size == 0 ? NULL : "packed numbers are cut off";
    }
    size_t run = 0;
    *n = 0;
    for (size_t i = f->data; i < f->data + f->size; i++) {
        run++;
        if (bytes[i] < 0x80) {
            (*n)++;
            run = 0;
        }
        if (run >= VARINT_BYTES) {
            return "a packed integer is too long";
        }
    }
    return run == 0 ? NULL : "packed integers are cut off";
}
