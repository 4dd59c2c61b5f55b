/* SPDX-License-Identifier: Apache-2.0 */
/* A message's length is put in front of it when it is closed: what stands behind moves up. */
#include "lib/onnx/writer.h"
#include "lib/base/checked.h"
#include "lib/base/mem.h"

#include <string.h>

enum { WIRE_VARINT = 0, WIRE_BYTES = 2, WIRE_32 = 5 };
#define VARINT_BYTES 10

/* Room for n more bytes; false (and failed) when there is none. */
static bool reserve(struct nmi_writer *w, size_t n)
{
    size_t needed, capacity;
    if (w->failed || !nmi_add(w->size, n, &needed)) {
        w->failed = true;
        return false;
    }
    if (needed <= w->capacity) {
        return true;
    }
    if (!nmi_mul(needed, 2, &capacity)) {
        capacity = needed;
    }
    void *grown = nmi_realloc(w->bytes, w->size, capacity);
    if (grown == NULL) {
        w->failed = true;
        return false;
    }
    w->bytes = grown;
    w->capacity = capacity;
    return true;
}

static void append(struct nmi_writer *w, const void *bytes, size_t n)
{
    if (n > 0 && reserve(w, n)) {
        memcpy(w->bytes + w->size, bytes, n);
        w->size += n;
    }
}

static size_t encode(uint64_t value, unsigned char out[VARINT_BYTES])
{
    size_t n = 0;
    for (; value >= 0x80; value >>= 7) {
        out[n++] = (unsigned char)(0x80 | (value & 0x7f));
    }
    out[n++] = (unsigned char)value;
    return n;
}

static void put_varint(struct nmi_writer *w, uint64_t value)
{
    unsigned char bytes[VARINT_BYTES];
    append(w, bytes, encode(value, bytes));
}

static void put_tag(struct nmi_writer *w, uint32_t field, uint32_t wire)
{
    put_varint(w, (uint64_t)field << 3 | wire);
}

void nmi_put_int(struct nmi_writer *w, uint32_t field, int64_t value)
{
    put_tag(w, field, WIRE_VARINT);
    put_varint(w, (uint64_t)value);
}

void nmi_put_float(struct nmi_writer *w, uint32_t field, float value)
{
    put_tag(w, field, WIRE_32);
    append(w, &value, sizeof value);
}

void nmi_put_bytes(struct nmi_writer *w, uint32_t field, const void *bytes, size_t n)
{
    put_tag(w, field, WIRE_BYTES);
    put_varint(w, n);
    append(w, bytes, n);
}

void nmi_put_string(struct nmi_writer *w, uint32_t field, const char *s)
{
    nmi_put_bytes(w, field, s, strlen(s));
}

void nmi_put_span(struct nmi_writer *w, uint32_t field, const void *bytes, size_t n)
{
    put_tag(w, field, WIRE_BYTES);
    put_varint(w, n);
    if (n == 0 || w->failed) {
        return;
    }
    if (w->n_splices == w->cap_splices) {
        size_t cap = w->cap_splices == 0 ? 64 : 2 * w->cap_splices;
        void *grown =
            nmi_realloc(w->splices, w->n_splices * sizeof *w->splices, cap * sizeof *w->splices);
        if (grown == NULL) {
            w->failed = true;
            return;
        }
        w->splices = grown;
        w->cap_splices = cap;
    }
    w->splices[w->n_splices++] = (struct nmi_splice){.at = w->size, .bytes = bytes, .size = n};
    w->spliced += n;
}

struct nmi_mark nmi_put_open(struct nmi_writer *w, uint32_t field)
{
    put_tag(w, field, WIRE_BYTES);
    return (struct nmi_mark){.at = w->size, .spliced = w->spliced};
}

void nmi_put_close(struct nmi_writer *w, struct nmi_mark mark)
{
    unsigned char length[VARINT_BYTES];
    if (!reserve(w, VARINT_BYTES)) {
        return;
    }
    size_t inside = w->size - mark.at;
    size_t n = encode(inside + (w->spliced - mark.spliced), length);
    memmove(w->bytes + mark.at + n, w->bytes + mark.at, inside);
    memcpy(w->bytes + mark.at, length, n);
    w->size += n;
    for (size_t i = w->n_splices; i > 0 && w->splices[i - 1].at > mark.at; i--) {
        w->splices[i - 1].at += n;
    }
}

nm_status nmi_writer_parts(const struct nmi_writer *w, struct nmi_span **parts, size_t *n,
                           nm_error *err)
{
    size_t most = 2 * w->n_splices + 1, at = 0;
    struct nmi_span *out = w->failed ? NULL : nmi_calloc(most, sizeof *out);
    if (out == NULL) {
        return nmi_fail_memory(err, w->size + most * sizeof *out, "a message to be written");
    }
    *n = 0;
    for (size_t i = 0; i < w->n_splices; i++) {
        const struct nmi_splice *s = &w->splices[i];
        out[(*n)++] = (struct nmi_span){.bytes = w->bytes + at, .size = s->at - at};
        out[(*n)++] = (struct nmi_span){.bytes = s->bytes, .size = s->size};
        at = s->at;
    }
    if (w->size > at) {
        out[(*n)++] = (struct nmi_span){.bytes = w->bytes + at, .size = w->size - at};
    }
    *parts = out;
    return NM_OK;
}

void nmi_writer_free(struct nmi_writer *w)
{
    nmi_free(w->bytes);
    nmi_free(w->splices);
    memset(w, 0, sizeof *w);
}
