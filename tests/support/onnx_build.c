/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/onnx_build.h"
#include "lib/base/limits.h"
#include "lib/base/mem.h"
#include "lib/graph/graph.h"
#include "lib/onnx/import.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* The next part of a list separated by commas, in part[64]; false at its end. */
static bool next_part(const char **list, char *part)
{
    if (*list == NULL) {
        return false;
    }
    size_t n = strcspn(*list, ",");
    memcpy(part, *list, n);
    part[n] = '\0';
    *list = (*list)[n] == ',' ? *list + n + 1 : NULL;
    return true;
}

static const char *list_or_null(const char *list)
{
    return list != NULL && list[0] != '\0' ? list : NULL;
}

static bool is_number(const char *s)
{
    return (s[0] >= '0' && s[0] <= '9') || s[0] == '-';
}

void onnx_build_start(struct onnx_build *b, int64_t opset)
{
    memset(b, 0, sizeof *b);
    b->opset = opset;
    nmi_put_int(&b->w, 1, 8);
    b->graph = nmi_put_open(&b->w, 7);
    nmi_put_string(&b->w, 2, "test");
}

static void put_value(struct onnx_build *b, uint32_t field, const char *name, int32_t type,
                      const char *shape)
{
    char part[64];
    struct nmi_mark info = nmi_put_open(&b->w, field);
    nmi_put_string(&b->w, 1, name);
    struct nmi_mark types = nmi_put_open(&b->w, 2);
    struct nmi_mark tensor = nmi_put_open(&b->w, 1);
    nmi_put_int(&b->w, 1, type);
    if (shape != NULL) {
        struct nmi_mark dims = nmi_put_open(&b->w, 2);
        const char *list = list_or_null(shape);
        while (next_part(&list, part)) {
            struct nmi_mark dim = nmi_put_open(&b->w, 1);
            if (is_number(part)) {
                nmi_put_int(&b->w, 1, atoll(part));
            } else if (strcmp(part, "?") != 0) {
                nmi_put_string(&b->w, 2, part);
            }
            nmi_put_close(&b->w, dim);
        }
        nmi_put_close(&b->w, dims);
    }
    nmi_put_close(&b->w, tensor);
    nmi_put_close(&b->w, types);
    nmi_put_close(&b->w, info);
}

void onnx_build_input(struct onnx_build *b, const char *name, int32_t type, const char *shape)
{
    put_value(b, 11, name, type, shape);
}

void onnx_build_output(struct onnx_build *b, const char *name, int32_t type, const char *shape)
{
    put_value(b, 12, name, type, shape);
}

void onnx_build_dims(struct nmi_writer *w, uint32_t field, const char *shape)
{
    char part[64];
    const char *list = list_or_null(shape);
    while (next_part(&list, part)) {
        nmi_put_int(w, field, atoll(part));
    }
}

void onnx_build_tensor(struct onnx_build *b, const char *name, int32_t type, const char *shape,
                       const void *data, size_t bytes)
{
    struct nmi_mark tensor = nmi_put_open(&b->w, 5);
    onnx_build_dims(&b->w, 1, shape);
    nmi_put_int(&b->w, 2, type);
    nmi_put_string(&b->w, 8, name);
    nmi_put_bytes(&b->w, 9, data, bytes);
    nmi_put_close(&b->w, tensor);
}

void onnx_build_open(struct onnx_build *b, const char *op, const char *in, const char *out)
{
    char part[64];
    b->node = nmi_put_open(&b->w, 1);
    for (const char *list = list_or_null(in); next_part(&list, part);) {
        nmi_put_string(&b->w, 1, part);
    }
    for (const char *list = list_or_null(out); next_part(&list, part);) {
        nmi_put_string(&b->w, 2, part);
    }
    nmi_put_string(&b->w, 4, op);
}

void onnx_build_close(struct onnx_build *b)
{
    nmi_put_close(&b->w, b->node);
}

void onnx_build_node(struct onnx_build *b, const char *op, const char *in, const char *out)
{
    onnx_build_open(b, op, in, out);
    onnx_build_close(b);
}

void onnx_build_int(struct onnx_build *b, const char *name, int64_t value)
{
    struct nmi_mark attr = nmi_put_open(&b->w, 5);
    nmi_put_string(&b->w, 1, name);
    nmi_put_int(&b->w, 3, value);
    nmi_put_int(&b->w, 20, 2);
    nmi_put_close(&b->w, attr);
}

void onnx_build_float(struct onnx_build *b, const char *name, float value)
{
    struct nmi_mark attr = nmi_put_open(&b->w, 5);
    nmi_put_string(&b->w, 1, name);
    nmi_put_float(&b->w, 2, value);
    nmi_put_int(&b->w, 20, 1);
    nmi_put_close(&b->w, attr);
}

void onnx_build_string(struct onnx_build *b, const char *name, const char *value)
{
    struct nmi_mark attr = nmi_put_open(&b->w, 5);
    nmi_put_string(&b->w, 1, name);
    nmi_put_string(&b->w, 4, value);
    nmi_put_int(&b->w, 20, 3);
    nmi_put_close(&b->w, attr);
}

void onnx_build_ints(struct onnx_build *b, const char *name, const char *values)
{
    struct nmi_mark attr = nmi_put_open(&b->w, 5);
    nmi_put_string(&b->w, 1, name);
    onnx_build_dims(&b->w, 8, values);
    nmi_put_int(&b->w, 20, 7);
    nmi_put_close(&b->w, attr);
}

void *onnx_build_bytes(struct nmi_writer *w, size_t *size)
{
    struct nmi_span *parts = NULL;
    size_t n = 0, at = 0;
    if (nmi_writer_parts(w, &parts, &n, NULL) != NM_OK) {
        abort();
    }
    *size = w->size + w->spliced;
    unsigned char *bytes = nmi_alloc(*size);
    for (size_t i = 0; i < n; i++) {
        memcpy(bytes + at, parts[i].bytes, parts[i].size);
        at += parts[i].size;
    }
    nmi_free(parts);
    nmi_writer_free(w);
    return bytes;
}

void *onnx_build_finish(struct onnx_build *b, size_t *size)
{
    nmi_put_close(&b->w, b->graph);
    struct nmi_mark opset = nmi_put_open(&b->w, 8);
    nmi_put_int(&b->w, 2, b->opset);
    nmi_put_close(&b->w, opset);
    return onnx_build_bytes(&b->w, size);
}

/* ---- import ---------------------------------------------------------------------------------- */

struct onnx_result onnx_import_bytes(void *bytes, size_t size, const char *dir,
                                     const nm_limits *limits)
{
    struct onnx_result r = {.bytes = bytes};
    nm_limits defaults;
    ck_assert_int_eq(nmi_limits_resolve(limits, &defaults, NULL), NM_OK);
    r.status = nmi_onnx_import(bytes, size, dir, &defaults, NULL, &r.graph, &r.err);
    return r;
}

struct onnx_result onnx_import_built(struct onnx_build *b)
{
    size_t size;
    void *bytes = onnx_build_finish(b, &size);
    return onnx_import_bytes(bytes, size, NULL, NULL);
}

void onnx_forget(struct onnx_result *r)
{
    nmi_graph_free(r->graph);
    nmi_free(r->bytes);
}

void onnx_expect_refused(struct onnx_result *r, nm_status status, const char *words)
{
    ck_assert_msg(r->status == status, "%d: %s", (int)r->status, r->err.message);
    ck_assert_msg(strstr(r->err.message, words) != NULL, "\"%s\" lacks \"%s\"", r->err.message,
                  words);
    ck_assert_ptr_null(r->graph);
    onnx_forget(r);
}

void onnx_expect_ok(const struct onnx_result *r)
{
    ck_assert_msg(r->status == NM_OK, "%s", r->err.message);
    ck_assert_int_eq(nmi_graph_verify(r->graph, NULL), NM_OK);
}
