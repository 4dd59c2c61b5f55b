/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors of every encoding, from other files, and sparse ones: read right or refused. Each model
 * is one initializer, "w", that is the graph's output, too. */
#include "lib/base/checked.h"
#include "lib/base/limits.h"
#include "lib/base/mem.h"
#include "lib/graph/graph.h"
#include "lib/onnx/import.h"
#include "tests/support/onnx_build.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static nm_limits limits;
static char folder[] = "/tmp/nm_tensor_XXXXXX";

/* What was read, or how it was refused. The bytes of the file live until forget(). */
struct result {
    nm_status status;
    nm_error err;
    struct nmi_graph *graph;
    const struct nmi_constant *w;
    void *bytes;
};

static struct result read_model(struct onnx_build *b, const char *dir)
{
    struct result r = {.graph = NULL};
    size_t size;
    onnx_build_output(b, "w", 0, NULL);
    r.bytes = onnx_build_finish(b, &size);
    r.status = nmi_onnx_import(r.bytes, size, dir, &limits, NULL, &r.graph, &r.err);
    if (r.status == NM_OK) {
        r.w = nmi_graph_constant(r.graph, r.graph->outputs[0]);
        ck_assert_ptr_nonnull(r.w);
    }
    return r;
}

static void forget(struct result *r)
{
    nmi_graph_free(r->graph);
    nmi_free(r->bytes);
}

static void expect(struct result *r, nm_status status, const char *word)
{
    ck_assert_msg(r->status == status, "%d: %s", (int)r->status, r->err.message);
    ck_assert_msg(strstr(r->err.message, word) != NULL, "\"%s\" lacks \"%s\"", r->err.message,
                  word);
    ck_assert_msg(strstr(r->err.message, "\"w\"") != NULL, "\"%s\" lacks the name", r->err.message);
    forget(r);
}

static void expect_values(struct result *r, int32_t type, const void *values, size_t bytes)
{
    ck_assert_msg(r->status == NM_OK, "%s", r->err.message);
    ck_assert_int_eq((int)r->w->type, type);
    ck_assert_uint_eq(r->w->bytes, bytes);
    ck_assert_int_eq(memcmp(r->w->data, values, bytes), 0);
    ck_assert_uint_eq((uintptr_t)r->w->data % nmi_type_size(type), 0);
    forget(r);
}

static struct nmi_mark open_tensor(struct onnx_build *b, int32_t type, const char *shape)
{
    onnx_build_start(b, 13);
    struct nmi_mark mark = nmi_put_open(&b->w, 5);
    onnx_build_dims(&b->w, 1, shape);
    nmi_put_int(&b->w, 2, type);
    nmi_put_string(&b->w, 8, "w");
    return mark;
}

/* ---- raw bytes ----------------------------------------------------------------------------------
 */

static const int32_t types[] = {NM_F32, NM_U8,  NM_I8,  NM_U16, NM_I16, NM_I32,
                                NM_I64, NM_F16, NM_F64, NM_U32, NM_U64, NM_BF16};

START_TEST(tensor_raw_of_every_type_and_size_read)
{
    static const int sizes[] = {0, 1, 3, 7, 200, 5000};
    unsigned char data[5000 * 8];
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (unsigned char)(i * 37 + 11);
    }
    for (size_t t = 0; t < NMI_COUNT(types); t++) {
        for (size_t s = 0; s < NMI_COUNT(sizes); s++) {
            struct onnx_build b;
            char shape[16];
            snprintf(shape, sizeof shape, "%d", sizes[s]);
            size_t bytes = (size_t)sizes[s] * nmi_type_size(types[t]);
            onnx_build_start(&b, 13);
            onnx_build_tensor(&b, "w", types[t], shape, data, bytes);
            struct result r = read_model(&b, NULL);
            expect_values(&r, types[t], data, bytes);
        }
    }
}
END_TEST

/* A large weight stays in the file's bytes wherever it begins there. */
START_TEST(tensor_large_raw_at_any_offset_not_copied)
{
    float data[2000];
    for (size_t i = 0; i < NMI_COUNT(data); i++) {
        data[i] = (float)i;
    }
    for (int pad = 0; pad < 8; pad++) {
        struct onnx_build b;
        struct nmi_mark mark = open_tensor(&b, NM_F32, "2000");
        nmi_put_string(&b.w, 12, "padding" + (7 - pad));
        nmi_put_bytes(&b.w, 9, data, sizeof data);
        nmi_put_close(&b.w, mark);
        struct result r = read_model(&b, NULL);
        ck_assert_int_eq(r.status, NM_OK);
        size_t at = (size_t)((const char *)r.w->data - (const char *)r.bytes);
        ck_assert_uint_lt(at, 200); /* beyond it when it were elsewhere */
        ck_assert_uint_lt(r.graph->arena.used, 1000);
        expect_values(&r, NM_F32, data, sizeof data);
    }
}
END_TEST

/* ---- typed fields -------------------------------------------------------------------------------
 */

static void put_varint(unsigned char *bytes, size_t *n, uint64_t v)
{
    for (; v >= 0x80; v >>= 7) {
        bytes[(*n)++] = (unsigned char)(0x80 | (v & 0x7f));
    }
    bytes[(*n)++] = (unsigned char)v;
}

static struct result read_typed(int32_t type, uint32_t field, const int64_t *values, size_t count,
                                bool packed)
{
    struct onnx_build b;
    char shape[16];
    static unsigned char bytes[100000];
    size_t n = 0;
    snprintf(shape, sizeof shape, "%zu", count);
    struct nmi_mark mark = open_tensor(&b, type, shape);
    for (size_t i = 0; i < count; i++) {
        put_varint(bytes, &n, (uint64_t)values[i]);
        if (!packed) {
            nmi_put_int(&b.w, field, values[i]);
        }
    }
    if (packed) {
        nmi_put_bytes(&b.w, field, bytes, n);
    }
    nmi_put_close(&b.w, mark);
    return read_model(&b, NULL);
}

START_TEST(tensor_integer_fields_packed_and_not_read)
{
    static const struct {
        int32_t type;
        uint32_t field;
        int64_t values[3];
    } cases[] = {{NM_U8, 5, {0, 7, 255}},
                 {NM_I8, 5, {-128, 0, 127}},
                 {NM_U16, 5, {0, 1, 65535}},
                 {NM_I16, 5, {-32768, 1, 32767}},
                 {NM_I32, 5, {INT32_MIN, 0, INT32_MAX}},
                 {NM_BOOL, 5, {0, 1, 1}},
                 {NM_F16, 5, {0x3c00, 0xfbff, 0}},
                 {NM_BF16, 5, {0x3f80, 0xff7f, 0}},
                 {NM_I64, 7, {INT64_MIN, -1, INT64_MAX}},
                 {NM_U32, 11, {0, 1, UINT32_MAX}},
                 {NM_U64, 11, {0, -1, 1}}};
    for (size_t i = 0; i < NMI_COUNT(cases); i++) {
        size_t size = nmi_type_size(cases[i].type);
        unsigned char expected[24];
        for (size_t k = 0; k < 3; k++) {
            memcpy(expected + k * size, &cases[i].values[k], size);
        }
        for (int packed = 0; packed < 2; packed++) {
            struct result r = read_typed(cases[i].type, cases[i].field, cases[i].values, 3, packed);
            expect_values(&r, cases[i].type, expected, 3 * size);
        }
    }
}
END_TEST

START_TEST(tensor_float_fields_small_and_large_read)
{
    static float floats[1000];
    static double doubles[1000];
    static const size_t counts[] = {1, 10, 1000};
    for (size_t i = 0; i < 1000; i++) {
        floats[i] = 0.5f * (float)i;
        doubles[i] = 0.25 * (double)i;
    }
    for (size_t c = 0; c < NMI_COUNT(counts); c++) {
        struct onnx_build b;
        char shape[16];
        snprintf(shape, sizeof shape, "%zu", counts[c]);
        struct nmi_mark mark = open_tensor(&b, NM_F32, shape);
        nmi_put_bytes(&b.w, 4, floats, counts[c] * sizeof *floats);
        nmi_put_close(&b.w, mark);
        struct result r = read_model(&b, NULL);
        expect_values(&r, NM_F32, floats, counts[c] * sizeof *floats);

        mark = open_tensor(&b, NM_F64, shape);
        nmi_put_bytes(&b.w, 10, doubles, counts[c] * sizeof *doubles);
        nmi_put_close(&b.w, mark);
        r = read_model(&b, NULL);
        expect_values(&r, NM_F64, doubles, counts[c] * sizeof *doubles);
    }
}
END_TEST

START_TEST(tensor_integers_beyond_their_type_refused)
{
    static const struct {
        int32_t type;
        uint32_t field;
        int64_t value;
    } cases[] = {{NM_U8, 5, 256},    {NM_U8, 5, -1},     {NM_I8, 5, 128},
                 {NM_U16, 5, 65536}, {NM_I16, 5, 32768}, {NM_F16, 5, 65536},
                 {NM_BOOL, 5, 2},    {NM_BF16, 5, -1},   {NM_U32, 11, -1}};
    for (size_t i = 0; i < NMI_COUNT(cases); i++) {
        struct result r = read_typed(cases[i].type, cases[i].field, &cases[i].value, 1, true);
        expect(&r, NM_EFORMAT, "beyond its type");
    }
}
END_TEST

START_TEST(tensor_data_in_wrong_field_refused)
{
    static const struct {
        int32_t type;
        uint32_t field;
    } cases[] = {{NM_I64, 5}, {NM_F32, 5}, {NM_I32, 7}, {NM_F32, 11}, {NM_I32, 11}, {NM_F64, 7}};
    for (size_t i = 0; i < NMI_COUNT(cases); i++) {
        struct result r = read_typed(cases[i].type, cases[i].field, (int64_t[]){1}, 1, true);
        expect(&r, NM_EFORMAT, "not in the field of its type");
    }
}
END_TEST

/* ---- what does not fit
 * --------------------------------------------------------------------------- */

START_TEST(tensor_header_that_makes_no_sense_refused)
{
    static const struct {
        int32_t type;
        const char *shape;
        nm_status status;
        const char *word;
    } cases[] = {{0, "1", NM_EFORMAT, "element type is 0"},
                 {99, "1", NM_EFORMAT, "element type is 99"},
                 {-1, "1", NM_EFORMAT, "element type is -1"},
                 {8, "1", NM_EUNSUPPORTED, "string"},
                 {14, "1", NM_EUNSUPPORTED, "complex64"},
                 {17, "1", NM_EUNSUPPORTED, "float8"},
                 {NM_F32, "-1", NM_EFORMAT, "dimension 0 is -1"},
                 {NM_F32, "2,-3", NM_EFORMAT, "dimension 1 is -3"},
                 {NM_F32, "1,1,1,1,1,1,1,1,1", NM_ELIMIT, "9 dimensions"},
                 {NM_F32, "2147483648", NM_ELIMIT, "nm_limits.elements"},
                 {NM_F32, "2147483648,2147483648", NM_ELIMIT, "nm_limits.elements"},
                 {NM_F32, "4294967296,4294967296,0", NM_ELIMIT, "nm_limits.elements"},
                 {NM_F32, "9223372036854775807", NM_ELIMIT, "nm_limits.elements"},
                 {NM_F32, "2", NM_EFORMAT, "4 bytes of data, expected 8"},
                 {NM_F32, "0", NM_EFORMAT, "4 bytes of data, expected 0"},
                 {NM_F32, "2147483647", NM_EFORMAT, "expected 8589934588"}};
    for (size_t i = 0; i < NMI_COUNT(cases); i++) {
        struct onnx_build b;
        onnx_build_start(&b, 13);
        onnx_build_tensor(&b, "w", cases[i].type, cases[i].shape, "abcd", 4);
        struct result r = read_model(&b, NULL);
        expect(&r, cases[i].status, cases[i].word);
    }
}
END_TEST

START_TEST(tensor_without_data_or_with_too_many_fields_refused)
{
    struct onnx_build b;
    struct nmi_mark mark = open_tensor(&b, NM_F32, "1");
    nmi_put_close(&b.w, mark);
    struct result r = read_model(&b, NULL);
    expect(&r, NM_EFORMAT, "0 bytes");

    mark = open_tensor(&b, NM_F32, "1");
    nmi_put_bytes(&b.w, 9, "abcd", 4);
    nmi_put_bytes(&b.w, 4, "abcd", 4);
    nmi_put_close(&b.w, mark);
    r = read_model(&b, NULL);
    expect(&r, NM_EFORMAT, "more than one field");

    static char large[2000];
    mark = open_tensor(&b, NM_F32, "500");
    nmi_put_bytes(&b.w, 4, large, sizeof large);
    nmi_put_bytes(&b.w, 4, large, sizeof large);
    nmi_put_close(&b.w, mark);
    r = read_model(&b, NULL);
    expect(&r, NM_EFORMAT, "more than one field");

    mark = open_tensor(&b, NM_I32, "500");
    nmi_put_bytes(&b.w, 4, large, sizeof large);
    nmi_put_close(&b.w, mark);
    r = read_model(&b, NULL);
    expect(&r, NM_EFORMAT, "not in the field of its type");

    mark = open_tensor(&b, NM_BOOL, "2");
    nmi_put_bytes(&b.w, 9, "\1\2", 2);
    nmi_put_close(&b.w, mark);
    r = read_model(&b, NULL);
    expect(&r, NM_EFORMAT, "element 1 is 2");
}
END_TEST

/* ---- external data
 * ------------------------------------------------------------------------------- */

static void put_entry(struct nmi_writer *w, const char *key, const char *value)
{
    if (value != NULL) {
        struct nmi_mark entry = nmi_put_open(w, 13);
        nmi_put_string(w, 1, key);
        nmi_put_string(w, 2, value);
        nmi_put_close(w, entry);
    }
}

static struct result read_external(const char *location, const char *offset, const char *length,
                                   const char *dir)
{
    struct onnx_build b;
    struct nmi_mark mark = open_tensor(&b, NM_U8, "4");
    put_entry(&b.w, "location", location);
    put_entry(&b.w, "offset", offset);
    put_entry(&b.w, "length", length);
    put_entry(&b.w, "checksum", "0");
    nmi_put_int(&b.w, 14, 1);
    nmi_put_close(&b.w, mark);
    return read_model(&b, dir);
}

static void in_folder(char *path, const char *name)
{
    snprintf(path, 256, "%s/%s", folder, name);
}

static void make_file(const char *name, const char *text)
{
    char path[256];
    in_folder(path, name);
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

/* folder/model/{data,sub/data} inside; folder/secret and links to it outside. */
static void make_folder(void)
{
    char path[256], other[256];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    in_folder(path, "model");
    mkdir(path, 0700);
    in_folder(path, "model/sub");
    mkdir(path, 0700);
    make_file("secret", "secret");
    make_file("model/data", "01234567");
    make_file("model/sub/data", "abcdefgh");
    in_folder(path, "model/link");
    ck_assert_int_eq(symlink("../secret", path), 0);
    in_folder(path, "model/inner");
    ck_assert_int_eq(symlink("data", path), 0);
    in_folder(path, "model/up");
    ck_assert_int_eq(symlink("..", path), 0);
    in_folder(path, "secret");
    in_folder(other, "model/hard");
    ck_assert_int_eq(link(path, other), 0);
    in_folder(path, "model/fifo");
    ck_assert_int_eq(mkfifo(path, 0600), 0);
}

static void remove_folder(void)
{
    char command[300];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

START_TEST(external_data_inside_the_folder_read)
{
    char dir[256];
    in_folder(dir, "model");
    struct result r = read_external("data", "4", "4", dir);
    expect_values(&r, NM_U8, "4567", 4);
    r = read_external("data", NULL, NULL, dir);
    expect_values(&r, NM_U8, "0123", 4);
    r = read_external("sub/data", "1", NULL, dir);
    expect_values(&r, NM_U8, "bcde", 4);
    r = read_external("./sub/./data", "0", "4", dir);
    expect_values(&r, NM_U8, "abcd", 4);
}
END_TEST

START_TEST(external_data_that_lead_outside_refused)
{
    char dir[256], absolute[256];
    in_folder(dir, "model");
    in_folder(absolute, "secret");
    const char *const paths[] = {"../secret",
                                 "sub/../../secret",
                                 absolute,
                                 "/dev/zero",
                                 "link",
                                 "inner",
                                 "up/secret",
                                 "hard",
                                 "fifo",
                                 "sub",
                                 ".",
                                 "..",
                                 "none",
                                 "data/x",
                                 "sub//../../secret"};
    for (size_t i = 0; i < NMI_COUNT(paths); i++) {
        struct result r = read_external(paths[i], NULL, NULL, dir);
        ck_assert_msg(r.status != NM_OK, "%s was read", paths[i]);
        expect(&r, r.status, "initializer");
    }
}
END_TEST

START_TEST(external_data_with_wrong_numbers_refused)
{
    static const struct {
        const char *location, *offset, *length;
        nm_status status;
        const char *word;
    } cases[] = {{"data", "5", NULL, NM_EFORMAT, "beyond the 8 bytes"},
                 {"data", "5", "4", NM_EFORMAT, "beyond the 8 bytes"},
                 {"data", "18446744073709551615", NULL, NM_EFORMAT, "beyond"},
                 {"data", "18446744073709551616", NULL, NM_EFORMAT, "decimal"},
                 {"data", "-1", NULL, NM_EFORMAT, "decimal"},
                 {"data", "+1", NULL, NM_EFORMAT, "decimal"},
                 {"data", " 1", NULL, NM_EFORMAT, "decimal"},
                 {"data", "0x1", NULL, NM_EFORMAT, "decimal"},
                 {"data", "", NULL, NM_EFORMAT, "decimal"},
                 {"data", "0", "-4", NM_EFORMAT, "decimal"},
                 {"data", "0", "3", NM_EFORMAT, "expected 4"},
                 {"data", "0", "8", NM_EFORMAT, "expected 4"},
                 {"data", "0", "18446744073709551615", NM_EFORMAT, "expected 4"},
                 {NULL, "0", "4", NM_EFORMAT, "no location"},
                 {"", "0", "4", NM_EFORMAT, "no location"}};
    char dir[256];
    in_folder(dir, "model");
    for (size_t i = 0; i < NMI_COUNT(cases); i++) {
        struct result r = read_external(cases[i].location, cases[i].offset, cases[i].length, dir);
        expect(&r, cases[i].status, cases[i].word);
    }
    struct result r = read_external("data", NULL, NULL, NULL);
    expect(&r, NM_EIO, "external_dir");
    limits.external_bytes = 3;
    r = read_external("data", NULL, NULL, dir);
    limits.external_bytes = (uint64_t)16 << 30;
    expect(&r, NM_ELIMIT, "nm_limits.external_bytes");
}
END_TEST

START_TEST(external_data_beside_data_here_refused)
{
    struct onnx_build b;
    struct nmi_mark mark = open_tensor(&b, NM_U8, "4");
    nmi_put_bytes(&b.w, 9, "abcd", 4);
    put_entry(&b.w, "location", "data");
    nmi_put_int(&b.w, 14, 1);
    nmi_put_close(&b.w, mark);
    struct result r = read_model(&b, folder);
    expect(&r, NM_EFORMAT, "both");
    mark = open_tensor(&b, NM_U8, "4");
    nmi_put_int(&b.w, 14, 2);
    nmi_put_close(&b.w, mark);
    r = read_model(&b, folder);
    expect(&r, NM_EFORMAT, "location is 2");
    mark = open_tensor(&b, NM_U8, "4");
    put_entry(&b.w, "location", "data");
    put_entry(&b.w, "location", "other");
    nmi_put_int(&b.w, 14, 1);
    nmi_put_close(&b.w, mark);
    r = read_model(&b, folder);
    expect(&r, NM_EFORMAT, "twice");
}
END_TEST

/* ---- sparse
 * -------------------------------------------------------------------------------------- */

static struct result read_sparse(const char *dims, const char *values, const char *indices,
                                 const int64_t *at, size_t n_at)
{
    static const float numbers[] = {1, 2, 3, 4};
    struct onnx_build b;
    onnx_build_start(&b, 13);
    struct nmi_mark sparse = nmi_put_open(&b.w, 15);
    struct nmi_mark part = nmi_put_open(&b.w, 1);
    onnx_build_dims(&b.w, 1, values);
    nmi_put_int(&b.w, 2, NM_F32);
    nmi_put_string(&b.w, 8, "w");
    nmi_put_bytes(&b.w, 9, numbers, (size_t)atoll(values) * sizeof(float));
    nmi_put_close(&b.w, part);
    part = nmi_put_open(&b.w, 2);
    onnx_build_dims(&b.w, 1, indices);
    nmi_put_int(&b.w, 2, NM_I64);
    nmi_put_bytes(&b.w, 9, at, n_at * sizeof *at);
    nmi_put_close(&b.w, part);
    onnx_build_dims(&b.w, 3, dims);
    nmi_put_close(&b.w, sparse);
    return read_model(&b, NULL);
}

START_TEST(sparse_both_index_forms_made_dense)
{
    static const float dense[12] = {[1] = 1, [4] = 2, [11] = 3};
    struct result r = read_sparse("3,4", "3", "3", (int64_t[]){1, 4, 11}, 3);
    ck_assert_int_eq(r.status, NM_OK);
    ck_assert_int_eq(r.w->sparse, 1);
    ck_assert_int_eq((int)r.w->dims[1], 4);
    expect_values(&r, NM_F32, dense, sizeof dense);
    r = read_sparse("3,4", "3", "3,2", (int64_t[]){0, 1, 1, 0, 2, 3}, 6);
    expect_values(&r, NM_F32, dense, sizeof dense);
    r = read_sparse("12", "3", "3,1", (int64_t[]){1, 4, 11}, 3);
    expect_values(&r, NM_F32, dense, sizeof dense);
    static const float zeros[12];
    r = read_sparse("3,4", "0", "0", NULL, 0);
    expect_values(&r, NM_F32, zeros, sizeof zeros);
    r = read_sparse("3,4", "0", "0,2", NULL, 0);
    expect_values(&r, NM_F32, zeros, sizeof zeros);
}
END_TEST

START_TEST(sparse_bad_indices_refused)
{
    static const struct {
        const char *indices;
        int64_t at[6];
        size_t n;
        const char *word;
    } cases[] = {{"3", {4, 1, 11}, 3, "sorted"},
                 {"3", {1, 1, 11}, 3, "sorted"},
                 {"3", {1, 4, 12}, 3, "out of range"},
                 {"3", {-1, 4, 11}, 3, "out of range"},
                 {"3", {INT64_MIN, 4, INT64_MAX}, 3, "out of range"},
                 {"3,2", {0, 1, 1, 4, 2, 3}, 6, "out of range"},
                 {"3,2", {0, 1, -1, 0, 2, 3}, 6, "out of range"},
                 {"3,2", {0, 1, INT64_MAX, INT64_MAX, 2, 3}, 6, "out of range"},
                 {"3,2", {1, 0, 0, 1, 2, 3}, 6, "sorted"},
                 {"3,2", {0, 1, 0, 1, 2, 3}, 6, "sorted"},
                 {"2", {1, 4}, 2, "indices are not"},
                 {"2,3", {0, 1, 1, 0, 2, 3}, 6, "indices are not"},
                 {"3,1,2", {0, 1, 1, 0, 2, 3}, 6, "indices are not"}};
    for (size_t i = 0; i < NMI_COUNT(cases); i++) {
        struct result r = read_sparse("3,4", "3", cases[i].indices, cases[i].at, cases[i].n);
        expect(&r, NM_EFORMAT, cases[i].word);
    }
}
END_TEST

/* A few bytes that ask for gigabytes of zeros. */
START_TEST(sparse_that_would_be_huge_refused_before_allocation)
{
    nmi_alloc_peak(1);
    struct result r = read_sparse("2147483647", "1", "1", (int64_t[]){5}, 1);
    ck_assert_uint_lt(nmi_alloc_peak(0) - nmi_alloc_live(), 100000);
    expect(&r, NM_ELIMIT, "nm_limits.decoded_bytes");
    r = read_sparse("1099511627776,1048576", "1", "1", (int64_t[]){5}, 1);
    expect(&r, NM_ELIMIT, "nm_limits.elements");
    r = read_sparse("-5", "1", "1", (int64_t[]){5}, 1);
    expect(&r, NM_EFORMAT, "dimension 0 is -5");
}
END_TEST

int main(void)
{
    if (nmi_limits_resolve(NULL, &limits, NULL) != NM_OK) {
        return 1;
    }
    Suite *s = suite_create("tensor");
    TCase *t = tcase_create("tensor");
    tcase_add_unchecked_fixture(t, make_folder, remove_folder);
    tcase_add_test(t, tensor_raw_of_every_type_and_size_read);
    tcase_add_test(t, tensor_large_raw_at_any_offset_not_copied);
    tcase_add_test(t, tensor_integer_fields_packed_and_not_read);
    tcase_add_test(t, tensor_float_fields_small_and_large_read);
    tcase_add_test(t, tensor_integers_beyond_their_type_refused);
    tcase_add_test(t, tensor_data_in_wrong_field_refused);
    tcase_add_test(t, tensor_header_that_makes_no_sense_refused);
    tcase_add_test(t, tensor_without_data_or_with_too_many_fields_refused);
    tcase_add_test(t, external_data_inside_the_folder_read);
    tcase_add_test(t, external_data_that_lead_outside_refused);
    tcase_add_test(t, external_data_with_wrong_numbers_refused);
    tcase_add_test(t, external_data_beside_data_here_refused);
    tcase_add_test(t, sparse_both_index_forms_made_dense);
    tcase_add_test(t, sparse_bad_indices_refused);
    tcase_add_test(t, sparse_that_would_be_huge_refused_before_allocation);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
