/* SPDX-License-Identifier: Apache-2.0 */
/* The walk over the bytes: what it refuses, what it predicts, what it takes out. */
#include "lib/base/limits.h"
#include "lib/base/mem.h"
#include "lib/onnx/decode.h"
#include "tests/support/onnx_build.h"

#include <check.h>
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static nm_limits defaults(void)
{
    nm_limits limits;
    ck_assert_int_eq(nmi_limits_resolve(NULL, &limits, NULL), NM_OK);
    return limits;
}

/* x -> Conv(w) -> Relu -> y, with a weight of 9 x 64 floats: 2304 bytes. */
static void *small_model(size_t *size)
{
    static float weight[9 * 64];
    struct onnx_build b;
    for (size_t i = 0; i < NMI_COUNT(weight); i++) {
        weight[i] = (float)i;
    }
    onnx_build_start(&b, 13);
    onnx_build_input(&b, "x", NM_F32, "N,1,8,?");
    onnx_build_tensor(&b, "w", NM_F32, "64,1,3,3", weight, sizeof weight);
    onnx_build_open(&b, "Conv", "x,w", "t");
    onnx_build_ints(&b, "pads", "1,1,1,1");
    onnx_build_string(&b, "auto_pad", "NOTSET");
    onnx_build_close(&b);
    onnx_build_node(&b, "Relu", "t", "y");
    onnx_build_output(&b, "y", NM_F32, "N,64,8,?");
    return onnx_build_finish(&b, size);
}

/* Decodes; what was predicted must cover what was used. */
static nm_status decode(const void *bytes, size_t size, const nm_limits *limits, nm_error *err)
{
    struct nmi_decoded d;
    nm_status status = nmi_decode(bytes, size, limits, &d, err);
    if (status == NM_OK) {
        ck_assert_uint_le(d.arena.used, d.wire.heap);
        nmi_decode_free(&d);
    }
    return status;
}

static void refused(const void *bytes, size_t size, nm_status expected, const char *word)
{
    nm_limits limits = defaults();
    nm_error err = {0};
    nm_status status = decode(bytes, size, &limits, &err);
    ck_assert_msg(status == expected, "%d: %s", (int)status, err.message);
    ck_assert_msg(strstr(err.message, word) != NULL, "\"%s\" lacks \"%s\"", err.message, word);
}

START_TEST(scan_small_model_counted_and_weight_taken_out)
{
    size_t size;
    unsigned char *bytes = small_model(&size);
    nm_limits limits = defaults();
    struct nmi_decoded d;
    ck_assert_int_eq(nmi_decode(bytes, size, &limits, &d, NULL), NM_OK);
    ck_assert_uint_eq(d.wire.nodes, 2);
    ck_assert_uint_eq(d.wire.tensors, 4); /* x, w, t, y */
    ck_assert_uint_lt(d.wire.slim_bytes, size - 2200);
    const Onnx__TensorProto *w = d.model->graph->initializer[0];
    ck_assert(!w->has_raw_data);
    ck_assert_uint_eq(w->n_note, 1);
    const struct nmi_wire_edit *edit = &d.wire.edits[w->note[0]];
    ck_assert_int_eq((int)edit->kind, NMI_WIRE_DATA);
    ck_assert_uint_eq(edit->size, 9 * 64 * sizeof(float));
    float last;
    memcpy(&last, bytes + edit->data + edit->size - sizeof last, sizeof last);
    ck_assert(last == 9 * 64 - 1);
    ck_assert_str_eq(d.model->graph->node[0]->op_type, "Conv");
    ck_assert_str_eq(d.model->graph->output[0]->name, "y");
    nmi_decode_free(&d);
    nmi_free(bytes);
}
END_TEST

START_TEST(scan_two_weights_and_unknown_field_all_taken_out)
{
    static char large[3000];
    struct onnx_build b;
    size_t size;
    onnx_build_start(&b, 13);
    onnx_build_tensor(&b, "a", NM_U8, "3000", large, sizeof large);
    nmi_put_bytes(&b.w, 99, large, sizeof large);
    onnx_build_tensor(&b, "b", NM_U8, "3000", large, sizeof large);
    onnx_build_tensor(&b, "small", NM_U8, "10", large, 10);
    void *bytes = onnx_build_finish(&b, &size);
    nm_limits limits = defaults();
    struct nmi_decoded d;
    ck_assert_int_eq(nmi_decode(bytes, size, &limits, &d, NULL), NM_OK);
    ck_assert_uint_lt(d.wire.slim_bytes, 200);
    ck_assert_uint_eq(d.model->graph->n_initializer, 3);
    ck_assert_uint_eq(d.model->graph->initializer[1]->n_note, 1);
    ck_assert_uint_eq(d.model->graph->initializer[2]->raw_data.len, 10);
    ck_assert_uint_eq(d.model->graph->base.n_unknown_fields, 0);
    nmi_decode_free(&d);
    nmi_free(bytes);
}
END_TEST

/* ---- damage ---------------------------------------------------------------------------------- */

START_TEST(scan_every_truncation_survived)
{
    size_t size;
    unsigned char *bytes = small_model(&size);
    nm_limits limits = defaults();
    for (size_t n = 0; n < size; n++) {
        unsigned char *part = malloc(n + 1); /* so that a sanitizer sees the end */
        memcpy(part, bytes, n);
        decode(part, n, &limits, NULL);
        free(part);
    }
    nmi_free(bytes);
}
END_TEST

START_TEST(scan_every_bit_flip_survived)
{
    size_t size;
    unsigned char *bytes = small_model(&size);
    nm_limits limits = defaults();
    for (size_t bit = 0; bit < 8 * size; bit++) {
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        decode(bytes, size, &limits, NULL);
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    nmi_free(bytes);
}
END_TEST

START_TEST(scan_random_bytes_survived)
{
    const char *text = getenv("NM_SEED");
    unsigned seed = text != NULL ? (unsigned)atoi(text) : 20261122;
    printf("seed %u\n", seed);
    srand(seed);
    size_t size;
    unsigned char *bytes = small_model(&size);
    nm_limits limits = defaults();
    for (int round = 0; round < 20000; round++) {
        unsigned char *part = malloc(size);
        memcpy(part, bytes, size);
        for (int k = rand() % 8; k >= 0; k--) {
            part[(size_t)rand() % size] = (unsigned char)rand();
        }
        decode(part, size, &limits, NULL);
        free(part);
    }
    nmi_free(bytes);
}
END_TEST

START_TEST(scan_malformed_bytes_refused)
{
    static const struct {
        unsigned char bytes[16];
        size_t size;
        const char *word;
    } cases[] = {
        {{0x80, 0x80}, 2, "tag"},
        {{0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, 6, "tag"},
        {{0x00, 0x00}, 2, "number"},
        {{0x08}, 1, "integer"},
        {{0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, 12, "integer"},
        {{0x3a, 0x05}, 2, "beyond"},
        {{0x3a, 0xff, 0xff, 0xff, 0xff, 0x7f}, 6, "beyond"},
        {{0x3a, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00}, 7, "length"},
        {{0x0b, 0x0c}, 2, "wire type"},                                /* a group */
        {{0x0f}, 1, "wire type"},                                      /* no such type */
        {{0x0a, 0x01, 0x00}, 3, "fit"},                                /* ir_version as bytes */
        {{0x38, 0x00}, 2, "fit"},                                      /* graph as an integer */
        {{0x3a, 0x00, 0x3a, 0x00}, 4, "twice"},                        /* two graphs */
        {{0x3a, 0x05, 0x2a, 0x03, 0xc0, 0x3e, 0x00}, 7, "not have"},   /* TensorProto.note */
        {{0x3a, 0x07, 0x2a, 0x05, 0x22, 0x03, 1, 2, 3}, 9, "cut off"}, /* 3 bytes of floats */
        {{0x3a, 0x06, 0x2a, 0x04, 0x2a, 0x02, 0x80, 0x80}, 8, "cut off"},
    };
    for (size_t i = 0; i < NMI_COUNT(cases); i++) {
        refused(cases[i].bytes, cases[i].size, NM_EFORMAT, cases[i].word);
    }
}
END_TEST

/* ---- limits ---------------------------------------------------------------------------------- */

/* graph > node > attribute > graph > ...: `messages` messages, from the inside out. */
static unsigned char *deep_model(size_t messages, size_t *size)
{
    static const unsigned char tags[3] = {0x3a, 0x0a,
                                          0x2a}; /* model.graph, graph.node, node.attr */
    size_t cap = messages * 5 + 16, at = cap;
    unsigned char *bytes = malloc(cap);
    for (size_t i = messages; i-- > 0;) {
        size_t length = cap - at;
        unsigned char varint[5], n = 0;
        for (size_t v = length; v >= 0x80; v >>= 7) {
            varint[n++] = (unsigned char)(0x80 | (v & 0x7f));
        }
        varint[n] = (unsigned char)(length >> (7 * n));
        at -= n + 1u;
        memcpy(bytes + at, varint, n + 1u);
        bytes[--at] = i > 0 && i % 3 == 0 ? 0x32 : tags[i % 3]; /* attribute.g */
    }
    *size = cap - at;
    memmove(bytes, bytes + at, *size);
    return bytes;
}

static void *refuse_deep(void *unused)
{
    static const size_t messages[] = {32, 125, 8728, 8729, 20000};
    for (size_t i = 0; i < NMI_COUNT(messages); i++) {
        size_t size;
        unsigned char *bytes = deep_model(messages[i], &size);
        nmi_alloc_peak(1);
        refused(bytes, size, NM_ELIMIT, "nm_limits.message_depth");
        ck_assert_uint_lt(nmi_alloc_peak(0) - nmi_alloc_live(), 8192);
        free(bytes);
    }
    return unused;
}

START_TEST(scan_deep_nesting_on_small_stack_refused)
{
    pthread_attr_t attr;
    pthread_t thread;
    pthread_attr_init(&attr);
    ck_assert_int_eq(pthread_attr_setstacksize(&attr, 128 << 10), 0);
    ck_assert_int_eq(pthread_create(&thread, &attr, refuse_deep, NULL), 0);
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attr);
}
END_TEST

static void *accept_deepest(void *unused)
{
    size_t size;
    unsigned char *bytes = deep_model(31, &size); /* and the model itself */
    nm_limits limits = defaults();
    ck_assert_int_eq(decode(bytes, size, &limits, NULL), NM_OK);
    free(bytes);
    return unused;
}

START_TEST(scan_nesting_at_the_limit_decoded_on_small_stack)
{
    pthread_attr_t attr;
    pthread_t thread;
    pthread_attr_init(&attr);
    ck_assert_int_eq(pthread_attr_setstacksize(&attr, 128 << 10), 0);
    ck_assert_int_eq(pthread_create(&thread, &attr, accept_deepest, NULL), 0);
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attr);
}
END_TEST

/* Two megabytes of empty messages: refused after little work and without memory. */
START_TEST(scan_empty_messages_refused_before_allocation)
{
    static const unsigned char tags[] = {0x2a, 0x0a, 0x5a, 0x62, 0x6a, 0x7a};
    size_t n = 1 << 20, size = 2 * n + 5;
    unsigned char *bytes = malloc(size);
    for (size_t t = 0; t < sizeof tags; t++) {
        memcpy(bytes, (const unsigned char[]){0x3a, 0x80, 0x80, 0x80, 0x01}, 5);
        for (size_t i = 0; i < n; i++) {
            bytes[5 + 2 * i] = tags[t];
            bytes[6 + 2 * i] = 0;
        }
        nmi_alloc_peak(1);
        refused(bytes, size, NM_ELIMIT, "which can be raised");
        ck_assert_uint_lt(nmi_alloc_peak(0) - nmi_alloc_live(), 8192);
    }
    free(bytes);
}
END_TEST

START_TEST(scan_limit_passed_named_with_value)
{
    size_t size;
    unsigned char *bytes = small_model(&size);
    nm_limits limits = defaults();
    nm_error err = {0};
    limits.nodes = 1;
    ck_assert_int_eq(decode(bytes, size, &limits, &err), NM_ELIMIT);
    ck_assert(strstr(err.message, "more than 1 nodes: beyond nm_limits.nodes") != NULL);
    limits = defaults();
    limits.tensors = 3;
    ck_assert_int_eq(decode(bytes, size, &limits, &err), NM_ELIMIT);
    ck_assert(strstr(err.message, "nm_limits.tensors") != NULL);
    limits = defaults();
    limits.model_bytes = size - 1;
    ck_assert_int_eq(decode(bytes, size, &limits, &err), NM_ELIMIT);
    ck_assert(strstr(err.message, "nm_limits.model_bytes") != NULL);
    limits = defaults();
    limits.decoded_bytes = 1000;
    ck_assert_int_eq(decode(bytes, size, &limits, &err), NM_ELIMIT);
    ck_assert(strstr(err.message, "nm_limits.decoded_bytes") != NULL);
    limits = defaults();
    limits.message_depth = 3;
    ck_assert_int_eq(decode(bytes, size, &limits, &err), NM_ELIMIT);
    ck_assert(strstr(err.message, "more than 3 deep") != NULL);
    nmi_free(bytes);
}
END_TEST

START_TEST(scan_long_name_refused)
{
    struct onnx_build b;
    size_t size;
    char *name = calloc(1, NMI_MAX_NAME + 2);
    memset(name, 'n', NMI_MAX_NAME);
    for (int extra = 0; extra < 2; extra++) {
        name[NMI_MAX_NAME] = extra ? 'n' : '\0';
        onnx_build_start(&b, 13);
        onnx_build_output(&b, name, NM_F32, "1");
        void *bytes = onnx_build_finish(&b, &size);
        nm_limits limits = defaults();
        ck_assert_int_eq(decode(bytes, size, &limits, NULL), extra ? NM_ELIMIT : NM_OK);
        nmi_free(bytes);
    }
    free(name);
}
END_TEST

START_TEST(decode_every_failed_allocation_reported)
{
    size_t size;
    unsigned char *bytes = small_model(&size);
    nm_limits limits = defaults();
    size_t live = nmi_alloc_live();
    for (long n = 1;; n++) {
        nmi_alloc_fail_after(n, 0);
        nm_error err = {0};
        nm_status status = decode(bytes, size, &limits, &err);
        nmi_alloc_fail_after(0, 0);
        ck_assert_uint_eq(nmi_alloc_live(), live);
        if (status == NM_OK) {
            ck_assert_int_gt(n, 10);
            break;
        }
        ck_assert_int_eq(status, NM_ENOMEM);
        ck_assert_uint_gt(strlen(err.message), 0);
    }
    nmi_free(bytes);
}
END_TEST

/* ---- real files ------------------------------------------------------------------------------ */

#define TESTDATA "/usr/share/libonnx-testdata/data/node"

START_TEST(decode_testdata_models_within_prediction)
{
    DIR *dir = opendir(TESTDATA);
    int files = 0;
    if (dir == NULL) {
        printf("skipped: libonnx-testdata is not installed\n");
        return;
    }
    nm_limits limits = defaults();
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        char path[512];
        void *bytes;
        size_t size;
        nm_error err = {0};
        snprintf(path, sizeof path, TESTDATA "/%s/model.onnx", e->d_name);
        if (e->d_name[0] == '.' || nmi_file_read(path, 1 << 28, &bytes, &size, NULL) != NM_OK) {
            continue;
        }
        nm_status status = decode(bytes, size, &limits, &err);
        ck_assert_msg(status == NM_OK, "%s: %s", path, err.message);
        nmi_free(bytes);
        files++;
    }
    closedir(dir);
    ck_assert_int_gt(files, 100);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("wire");
    TCase *t = tcase_create("wire");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, scan_small_model_counted_and_weight_taken_out);
    tcase_add_test(t, scan_two_weights_and_unknown_field_all_taken_out);
    tcase_add_test(t, scan_every_truncation_survived);
    tcase_add_test(t, scan_every_bit_flip_survived);
    tcase_add_test(t, scan_random_bytes_survived);
    tcase_add_test(t, scan_malformed_bytes_refused);
    tcase_add_test(t, scan_deep_nesting_on_small_stack_refused);
    tcase_add_test(t, scan_nesting_at_the_limit_decoded_on_small_stack);
    tcase_add_test(t, scan_empty_messages_refused_before_allocation);
    tcase_add_test(t, scan_limit_passed_named_with_value);
    tcase_add_test(t, scan_long_name_refused);
    tcase_add_test(t, decode_every_failed_allocation_reported);
    tcase_add_test(t, decode_testdata_models_within_prediction);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
