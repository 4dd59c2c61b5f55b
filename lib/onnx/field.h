/* SPDX-License-Identifier: Apache-2.0 */
/* One field of a protobuf message: its tag, its length, its contents; all inside given bytes. */
#ifndef NM_ONNX_FIELD_H
#define NM_ONNX_FIELD_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NMI_FIELD_VARINT = 0, NMI_FIELD_64 = 1, NMI_FIELD_BYTES = 2, NMI_FIELD_32 = 5 };

#define NMI_FIELD_LENGTH 5 /* bytes of the longest length that protobuf-c reads */

struct nmi_field {
    const ProtobufCFieldDescriptor *desc; /* set by the caller; NULL: unknown */
    uint32_t number, wire;
    size_t at;         /* of the tag */
    size_t length_at;  /* NMI_FIELD_BYTES: of the length */
    size_t data, size; /* contents */
};

/* Reads the field at *at, which moves behind it. NULL, or what is wrong: nothing of it lies at or
 * beyond `end`. */
const char *nmi_field_read(const uint8_t *bytes, size_t *at, size_t end, struct nmi_field *f);

/* Elements of a packed field, which are whole; NULL, or what is wrong. */
const char *nmi_field_elements(const uint8_t *bytes, const struct nmi_field *f, uint64_t *n);

/* A number, of which several may be packed into one field. */
bool nmi_field_packable(ProtobufCType type);
/* The wire type of one element; the bytes that protobuf-c keeps for it in an array. */
uint32_t nmi_field_wire(ProtobufCType type);
size_t nmi_field_element(ProtobufCType type);

#endif
