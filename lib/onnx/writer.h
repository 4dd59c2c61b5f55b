/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes protobuf messages into one buffer. Large contents are kept by reference, so that weights
 * are never copied: nmi_writer_parts gives the whole as spans. Errors are sticky: write on, and ask
 * for the parts once at the end.
 */
#ifndef NM_ONNX_WRITER_H
#define NM_ONNX_WRITER_H

#include "lib/base/file.h"
#include "lib/base/status.h"
#include <stdbool.h>

struct nmi_splice {
    size_t at; /* in the buffer: the bytes stand before the one at this index */
    const void *bytes;
    size_t size;
};

struct nmi_writer {
    unsigned char *bytes;
    size_t size, capacity;
    struct nmi_splice *splices;
    size_t n_splices, cap_splices;
    size_t spliced; /* bytes of all splices */
    bool failed;    /* out of memory */
};

void nmi_put_int(struct nmi_writer *w, uint32_t field, int64_t value);
void nmi_put_float(struct nmi_writer *w, uint32_t field, float value);
void nmi_put_bytes(struct nmi_writer *w, uint32_t field, const void *bytes, size_t n);
void nmi_put_string(struct nmi_writer *w, uint32_t field, const char *s);
/* By reference: the bytes must live as long as the parts. */
void nmi_put_span(struct nmi_writer *w, uint32_t field, const void *bytes, size_t n);

/* A message inside: what is written between open and close. */
struct nmi_mark {
    size_t at, spliced;
};
struct nmi_mark nmi_put_open(struct nmi_writer *w, uint32_t field);
void nmi_put_close(struct nmi_writer *w, struct nmi_mark mark);

/* The whole, as *n spans (nmi_free the array); NM_ENOMEM when something could not be had. */
nm_status nmi_writer_parts(const struct nmi_writer *w, struct nmi_span **parts, size_t *n,
                           nm_error *err);
void nmi_writer_free(struct nmi_writer *w);

#endif
