/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small ONNX models, written field by field for tests. Lists of names are "a,b,,c"; shapes are
 * "N,3,?,8": a symbol, numbers, an unknown dimension; "" is a scalar, NULL no shape at all.
 *
 *     struct onnx_build b;
 *     onnx_build_start(&b, 13);
 *     onnx_build_input(&b, "x", NM_F32, "N,3");
 *     onnx_build_node(&b, "Relu", "x", "y");
 *     onnx_build_output(&b, "y", NM_F32, "N,3");
 *     void *bytes = onnx_build_finish(&b, &size);      (nmi_free it)
 */
#ifndef NM_TESTS_ONNX_BUILD_H
#define NM_TESTS_ONNX_BUILD_H

#include "lib/onnx/writer.h"
#include <nm/nm.h>

struct nmi_graph;

struct onnx_build {
    struct nmi_writer w; /* more fields of the graph, by ONNX's numbers, go in through it */
    struct nmi_mark graph, node;
    int64_t opset;
};

void onnx_build_start(struct onnx_build *b, int64_t opset);
void onnx_build_input(struct onnx_build *b, const char *name, int32_t type, const char *shape);
void onnx_build_output(struct onnx_build *b, const char *name, int32_t type, const char *shape);
/* An initializer as raw_data, which is copied. */
void onnx_build_tensor(struct onnx_build *b, const char *name, int32_t type, const char *shape,
                       const void *data, size_t bytes);

/* A node without attributes, or one with: open, attributes, close. */
void onnx_build_node(struct onnx_build *b, const char *op, const char *in, const char *out);
void onnx_build_open(struct onnx_build *b, const char *op, const char *in, const char *out);
void onnx_build_int(struct onnx_build *b, const char *name, int64_t value);
void onnx_build_float(struct onnx_build *b, const char *name, float value);
void onnx_build_string(struct onnx_build *b, const char *name, const char *value);
void onnx_build_ints(struct onnx_build *b, const char *name, const char *values); /* "1,1,2" */
void onnx_build_close(struct onnx_build *b);

/* The file, in memory of nmi_alloc. */
void *onnx_build_finish(struct onnx_build *b, size_t *size);
/* The bytes of a writer, in memory of nmi_alloc; frees the writer. */
void *onnx_build_bytes(struct nmi_writer *w, size_t *size);

/* A model imported with default limits, or how it was refused. Forget it in any case. */
struct onnx_result {
    nm_status status;
    nm_error err;
    struct nmi_graph *graph; /* NULL unless NM_OK */
    void *bytes;
};
/* Takes over bytes of nmi_alloc. limits and dir (of external data) may be NULL. */
struct onnx_result onnx_import_bytes(void *bytes, size_t size, const char *dir,
                                     const nm_limits *limits);
struct onnx_result onnx_import_built(struct onnx_build *b);
void onnx_forget(struct onnx_result *r);
/* Check's assertions: refused with this status and these words (then forgotten); read, and whole.
 */
void onnx_expect_refused(struct onnx_result *r, nm_status status, const char *words);
void onnx_expect_ok(const struct onnx_result *r);

/* Fields of a TensorProto: dims from a shape, and the type. */
void onnx_build_dims(struct nmi_writer *w, uint32_t field, const char *shape);

#endif
