/* SPDX-License-Identifier: Apache-2.0 */
/* The iterative walk: one explicit stack, one table of sizes (protobuf-c's own descriptors). */
#include "lib/onnx/wire.h"
#include "lib/base/limits.h"
#include "lib/base/mem.h"
#include "lib/onnx/field.h"
#include "onnx.pb-c.h"

#include <stdbool.h>
#include <string.h>

/* protobuf-c notes the fields of a message in slabs of this many bytes each; the first 16 are on
 * its stack, then slabs of 32, 64, ... fields. */
#define MEMBER_BYTES 32
#define FIRST_SLAB 16

struct frame {
    const ProtobufCMessageDescriptor *desc;
    size_t end;
    size_t length_at, length_bytes; /* where its length stands; 0 bytes: the model itself */
    size_t size, removed;           /* contents; bytes that edits take out of them */
    size_t edit;                    /* its LENGTH edit, or NO_EDIT */
    uint64_t seen;                  /* bit i: field i of desc has been met */
    size_t fields, slots, slab;     /* of protobuf-c's slabs */
};
#define NO_EDIT ((size_t)-1)

struct walk {
    const uint8_t *bytes;
    const nm_limits *limits;
    uint64_t heap_limit;
    struct frame *stack; /* max_depth frames */
    uint32_t depth, max_depth;
    size_t at;
    struct nmi_wire *wire;
    nm_error *err;
};

uint64_t nmi_wire_heap_limit(const nm_limits *limits, size_t size)
{
    if (limits->decoded_bytes != 0) {
        return limits->decoded_bytes;
    }
    return 8 * (uint64_t)size + (16u << 20);
}

void nmi_wire_free(struct nmi_wire *wire)
{
    nmi_free(wire->edits);
    memset(wire, 0, sizeof *wire);
}

/* ---- refusing -------------------------------------------------------------------------------- */

static nm_status damaged(const struct walk *w, size_t at, const char *what)
{
    const char *where = w->depth > 0 ? w->stack[w->depth - 1].desc->short_name : "ModelProto";
    return nmi_fail(w->err, NM_EFORMAT, "not an ONNX model, or damaged: byte %zu (in a %s): %s", at,
                    where, what);
}

/* ---- charging -------------------------------------------------------------------------------- */

/* An arena rounds up to 16 bytes, and to 64 what is large. */
static nm_status charge(struct walk *w, uint64_t bytes)
{
    uint64_t unit = bytes < 192 ? 15 : 63;
    w->wire->heap += (bytes + unit) & ~unit;
    if (w->wire->heap > w->heap_limit) {
        return nmi_fail(w->err, NM_ELIMIT,
                        "the model's messages would take more than %llu bytes of memory: beyond "
                        "nm_limits.decoded_bytes, which can be raised",
                        (unsigned long long)w->heap_limit);
    }
    return NM_OK;
}

static nm_status count(struct walk *w, uint64_t *counter, uint64_t limit, const char *what)
{
    if (++*counter > limit) {
        return nmi_fail(w->err, NM_ELIMIT,
                        "the model has more than %llu %s: beyond nm_limits.%s, which can be raised",
                        (unsigned long long)limit, what, what);
    }
    return NM_OK;
}

static nm_status count_message(struct walk *w, const ProtobufCMessageDescriptor *desc)
{
    if (desc == &onnx__node_proto__descriptor) {
        NMI_TRY(count(w, &w->wire->nodes, w->limits->nodes, "nodes"));
    }
    if (desc == &onnx__tensor_proto__descriptor) {
        NMI_TRY(count(w, &w->wire->tensors, w->limits->tensors, "tensors"));
    }
    return charge(w, desc->sizeof_message);
}

/* One more field of the message on top: the slab entry that protobuf-c keeps for it. */
static nm_status charge_slab(struct walk *w, struct frame *top)
{
    if (++top->fields <= top->slots) {
        return NM_OK;
    }
    top->slab *= 2;
    top->slots += top->slab;
    return charge(w, (uint64_t)top->slab * MEMBER_BYTES);
}

static nm_status charge_bytes(struct walk *w, const struct nmi_field *f)
{
    if (f->desc->type != PROTOBUF_C_TYPE_STRING) {
        return charge(w, f->size);
    }
    const char *name = f->desc->name;
    bool text = strcmp(name, "doc_string") == 0 || strcmp(name, "value") == 0;
    size_t limit = text ? NMI_MAX_STRING : NMI_MAX_NAME;
    if (f->size > limit) {
        return nmi_fail(w->err, NM_ELIMIT,
                        "byte %zu: a %s of %zu bytes; at most %zu are accepted (a fixed bound)",
                        f->data, name, f->size, limit);
    }
    return charge(w, f->size + 1);
}

/* What protobuf-c will allocate for a known field, but for a message's own struct. */
static nm_status charge_field(struct walk *w, const struct nmi_field *f, bool first)
{
    uint64_t n = 1;
    if (nmi_field_packable(f->desc->type)) {
        if (f->wire == NMI_FIELD_BYTES) {
            const char *wrong = nmi_field_elements(w->bytes, f, &n);
            if (wrong != NULL) {
                return damaged(w, f->at, wrong);
            }
        }
    } else if (f->desc->type != PROTOBUF_C_TYPE_MESSAGE) {
        NMI_TRY(charge_bytes(w, f));
    }
    if (f->desc->label != PROTOBUF_C_LABEL_REPEATED) {
        return NM_OK;
    }
    w->wire->heap += n * nmi_field_element(f->desc->type);
    return charge(w, first ? 64 : 0); /* the array is rounded up once */
}

/* ---- edits ----------------------------------------------------------------------------------- */

static nm_status add_edit(struct walk *w, const struct nmi_wire_edit *edit)
{
    struct nmi_wire *wire = w->wire;
    if (wire->n_edits == wire->cap_edits) {
        size_t cap = wire->cap_edits == 0 ? 64 : 2 * wire->cap_edits;
        size_t bytes = cap * sizeof *edit;
        void *grown = nmi_realloc(wire->edits, wire->cap_edits * sizeof *edit, bytes);
        if (grown == NULL) {
            return nmi_fail_memory(w->err, bytes, "the list of large tensors");
        }
        wire->edits = grown;
        wire->cap_edits = cap;
    }
    wire->edits[wire->n_edits++] = *edit;
    return NM_OK;
}

static size_t replacement(uint32_t kind)
{
    return kind == NMI_WIRE_DATA ? 2 + NMI_FIELD_LENGTH : 0; /* tag of two bytes, padded index */
}

/* Takes a field out. Every message around it gets a LENGTH edit first, so edits stay in order. */
static nm_status cut(struct walk *w, const struct nmi_field *f, uint32_t kind)
{
    for (uint32_t i = 1; i < w->depth; i++) {
        struct frame *frame = &w->stack[i];
        if (frame->edit == NO_EDIT) {
            struct nmi_wire_edit length = {
                .at = frame->length_at, .skip = frame->length_bytes, .kind = NMI_WIRE_LENGTH};
            frame->edit = w->wire->n_edits;
            NMI_TRY(add_edit(w, &length));
        }
    }
    struct nmi_wire_edit edit = {.at = f->at,
                                 .skip = f->data + f->size - f->at,
                                 .data = f->data,
                                 .size = f->size,
                                 .field = f->number,
                                 .kind = kind};
    w->stack[w->depth - 1].removed += edit.skip - replacement(kind);
    return add_edit(w, &edit);
}

static bool is_large_data(const struct frame *top, const struct nmi_field *f)
{
    return top->desc == &onnx__tensor_proto__descriptor && f->wire == NMI_FIELD_BYTES &&
           f->size >= NMI_WIRE_CUT &&
           (f->desc->type == PROTOBUF_C_TYPE_FLOAT || f->desc->type == PROTOBUF_C_TYPE_DOUBLE ||
            strcmp(f->desc->name, "raw_data") == 0);
}

/* ---- the walk -------------------------------------------------------------------------------- */

static nm_status push(struct walk *w, const ProtobufCMessageDescriptor *desc,
                      const struct nmi_field *f)
{
    if (w->depth == w->max_depth) {
        return nmi_fail(w->err, NM_ELIMIT,
                        "byte %zu: messages are nested more than %u deep: beyond "
                        "nm_limits.message_depth, which can be raised",
                        f->at, (unsigned)w->max_depth);
    }
    NMI_TRY(count_message(w, desc));
    w->stack[w->depth++] = (struct frame){.desc = desc,
                                          .end = f->data + f->size,
                                          .length_at = f->length_at,
                                          .length_bytes = f->data - f->length_at,
                                          .size = f->size,
                                          .edit = NO_EDIT,
                                          .slots = FIRST_SLAB,
                                          .slab = FIRST_SLAB};
    w->at = f->data;
    return NM_OK;
}

static void pop(struct walk *w)
{
    const struct frame *done = &w->stack[--w->depth];
    if (done->edit != NO_EDIT) {
        w->wire->edits[done->edit].size = done->size - done->removed;
    }
    if (w->depth > 0) {
        w->stack[w->depth - 1].removed += done->removed;
    } else {
        w->wire->slim_bytes = done->size - done->removed;
    }
}

static nm_status unknown_field(struct walk *w, const struct nmi_field *f)
{
    if (f->size >= NMI_WIRE_CUT) {
        return cut(w, f, NMI_WIRE_DROP);
    }
    NMI_TRY(charge(w, f->size + NMI_FIELD_LENGTH));
    return charge(w, sizeof(ProtobufCMessageUnknownField));
}

/* Once per field of a kind: a message or bytes given twice would be merged by protobuf-c, in time
 * and memory that nobody predicts; no writer does that. */
static nm_status check_known(struct walk *w, const struct frame *top, const struct nmi_field *f)
{
    uint32_t wire = nmi_field_wire(f->desc->type);
    bool repeated = f->desc->label == PROTOBUF_C_LABEL_REPEATED;
    bool packed = repeated && nmi_field_packable(f->desc->type) && f->wire == NMI_FIELD_BYTES;
    if (f->wire != wire && !packed) {
        return damaged(w, f->at, "a field's wire type does not fit the field");
    }
    uint64_t bit = 1ull << (f->desc - top->desc->fields);
    if ((top->seen & bit) != 0 && !repeated && wire == NMI_FIELD_BYTES) {
        return nmi_fail(w->err, NM_EFORMAT, "byte %zu: %s.%s is given twice", f->at,
                        top->desc->short_name, f->desc->name);
    }
    if (f->number == NMI_WIRE_NOTE_FIELD) {
        return damaged(w, f->at, "a field that ONNX does not have");
    }
    return NM_OK;
}

static nm_status known_field(struct walk *w, struct frame *top, const struct nmi_field *f)
{
    NMI_TRY(check_known(w, top, f));
    uint64_t bit = 1ull << (f->desc - top->desc->fields);
    bool first = (top->seen & bit) == 0;
    top->seen |= bit;
    if (top->desc == &onnx__node_proto__descriptor && strcmp(f->desc->name, "output") == 0) {
        NMI_TRY(count(w, &w->wire->tensors, w->limits->tensors, "tensors"));
    }
    if (top->desc == &onnx__graph_proto__descriptor && strcmp(f->desc->name, "input") == 0) {
        NMI_TRY(count(w, &w->wire->tensors, w->limits->tensors, "tensors"));
    }
    if (is_large_data(top, f)) {
        NMI_TRY(charge(w, 16 + sizeof(uint32_t)));
        return cut(w, f, NMI_WIRE_DATA);
    }
    NMI_TRY(charge_field(w, f, first));
    if (f->desc->type != PROTOBUF_C_TYPE_MESSAGE) {
        return NM_OK;
    }
    return push(w, f->desc->descriptor, f);
}

static nm_status step(struct walk *w)
{
    struct frame *top = &w->stack[w->depth - 1];
    if (w->at == top->end) {
        pop(w);
        return NM_OK;
    }
    struct nmi_field f = {0};
    const char *wrong = nmi_field_read(w->bytes, &w->at, top->end, &f);
    if (wrong != NULL) {
        return damaged(w, f.at, wrong);
    }
    NMI_TRY(charge_slab(w, top));
    f.desc = protobuf_c_message_descriptor_get_field(top->desc, f.number);
    return f.desc == NULL ? unknown_field(w, &f) : known_field(w, top, &f);
}

nm_status nmi_wire_scan(const void *bytes, size_t size, const nm_limits *limits,
                        struct nmi_wire *wire, nm_error *err)
{
    struct walk w = {.bytes = bytes,
                     .limits = limits,
                     .heap_limit = nmi_wire_heap_limit(limits, size),
                     .max_depth = limits->message_depth,
                     .wire = wire,
                     .err = err};
    memset(wire, 0, sizeof *wire);
    if (size > limits->model_bytes) {
        return nmi_fail(err, NM_ELIMIT,
                        "the model has %zu bytes, more than %llu: beyond nm_limits.model_bytes, "
                        "which can be raised",
                        size, (unsigned long long)limits->model_bytes);
    }
    w.stack = nmi_calloc(w.max_depth, sizeof *w.stack);
    if (w.stack == NULL) {
        return nmi_fail_memory(err, w.max_depth * sizeof *w.stack, "the walk over the model");
    }
    struct nmi_field whole = {.size = size};
    nm_status status = push(&w, &onnx__model_proto__descriptor, &whole);
    while (status == NM_OK && w.depth > 0) {
        status = step(&w);
    }
    if (status == NM_OK && wire->slim_bytes > INT32_MAX) {
        status = nmi_fail(err, NM_ELIMIT,
                          "the model without its weights has %zu bytes: at most "
                          "2 GiB can be decoded",
                          wire->slim_bytes);
    }
    nmi_free(w.stack);
    if (status != NM_OK) {
        nmi_wire_free(wire);
    }
    return status;
}

/* ---- the slim message ------------------------------------------------------------------------ */

/* Exactly n bytes: a varint padded with continuation bits, so that lengths never change size. */
static unsigned char *put_padded(unsigned char *out, uint64_t value, size_t n)
{
    for (size_t i = 0; i + 1 < n; i++) {
        *out++ = (unsigned char)(0x80 | (value & 0x7f));
        value >>= 7;
    }
    *out++ = (unsigned char)value;
    return out;
}

void nmi_wire_slim(const struct nmi_wire *wire, const void *bytes, size_t size, unsigned char *out)
{
    const unsigned char *from = bytes;
    size_t at = 0;
    for (size_t i = 0; i < wire->n_edits; i++) {
        const struct nmi_wire_edit *edit = &wire->edits[i];
        memcpy(out, from + at, edit->at - at);
        out += edit->at - at;
        at = edit->at + edit->skip;
        if (edit->kind == NMI_WIRE_LENGTH) {
            out = put_padded(out, edit->size, edit->skip);
        } else if (edit->kind == NMI_WIRE_DATA) {
            out = put_padded(out, NMI_WIRE_NOTE_FIELD << 3, 2);
            out = put_padded(out, i, NMI_FIELD_LENGTH);
        }
    }
    if (at < size) {
        memcpy(out, from + at, size - at);
    }
}
