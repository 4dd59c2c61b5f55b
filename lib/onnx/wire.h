/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of a model, walked before protobuf-c sees them: protobuf-c recurses once per message
 * and turns two bytes of an empty message into hundreds. The walk keeps an explicit stack, checks
 * every tag, length and varint, counts, predicts the heap, and refuses what goes beyond nm_limits.
 * It allocates nothing but that stack and the list of edits.
 *
 * The edits give a slim message: large weights and large unknown fields are taken out, so that
 * weights are never copied. In the place of a tensor's data stands TensorProto.note, the index of
 * the edit that says where the bytes lie.
 */
#ifndef NM_ONNX_WIRE_H
#define NM_ONNX_WIRE_H

#include "lib/base/status.h"

#define NMI_WIRE_CUT 1024        /* bytes from which on a field is taken out */
#define NMI_WIRE_NOTE_FIELD 1000 /* TensorProto.note */

enum nmi_wire_edit_kind {
    NMI_WIRE_LENGTH, /* the length of a message that encloses an edit: size is the new one */
    NMI_WIRE_DATA,   /* a tensor's data: replaced by a note */
    NMI_WIRE_DROP    /* an unknown field: replaced by nothing */
};

struct nmi_wire_edit {
    size_t at, skip;   /* the bytes of the file that are replaced */
    size_t data, size; /* DATA: where the field's contents lie */
    uint32_t field;    /* DATA: TensorProto's field number (raw_data, float_data, double_data) */
    uint32_t kind;     /* enum nmi_wire_edit_kind */
};

struct nmi_wire {
    uint64_t nodes, tensors; /* NodeProto; TensorProto, node outputs and graph inputs */
    uint64_t heap;           /* most bytes that protobuf-c will ask for */
    size_t slim_bytes;       /* size of the slim message */
    struct nmi_wire_edit *edits;
    size_t n_edits, cap_edits;
};

/* Walks a ModelProto. limits are resolved (decoded_bytes 0: 8 x size + 16 MiB). On success *wire is
 * to be freed with nmi_wire_free; on failure there is nothing to free.
 * Errors: NM_EFORMAT, NM_ELIMIT, NM_ENOMEM. */
nm_status nmi_wire_scan(const void *bytes, size_t size, const nm_limits *limits,
                        struct nmi_wire *wire, nm_error *err);
void nmi_wire_free(struct nmi_wire *wire);

/* Writes the slim message: out has room for wire->slim_bytes. */
void nmi_wire_slim(const struct nmi_wire *wire, const void *bytes, size_t size, unsigned char *out);

/* nm_limits.decoded_bytes, or its default for a file of this size. */
uint64_t nmi_wire_heap_limit(const nm_limits *limits, size_t size);

#endif
