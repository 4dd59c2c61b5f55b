/* SPDX-License-Identifier: Apache-2.0 */
/* Pruning by reconstruction of layers that are not like the others: shared weights, biases of every
 * form, scales of zero, dead and constant channels, skips from the layer's own input, fixed batches. */
#include "lib/base/mem.h"
#include "tests/support/prune_case.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const every[] = {"*"};

/* What pruning makes of a network, and how far its outputs are from the dense ones. */
struct outcome {
    nm_model *model, *pruned;
    char *json;
    double apart, by_size; /* of pruned; of magnitude at the same sparsity */
};

static double apart_of(const nm_model *model, const nm_model *pruned, const struct prune_data *d)
{
    size_t n;
    float *want = prune_run(model, d, 0, d->data.items, &n);
    float *got = prune_run(pruned, d, 0, d->data.items, &n);
    for (size_t i = 0; i < n; i++) {
        ck_assert_msg(isfinite(got[i]), "output %zu is %g", i, (double)got[i]);
    }
    const double apart = prune_apart(got, want, n);
    free(want);
    free(got);
    return apart;
}

/* All layers at this sparsity. */
static struct outcome prune_as(struct onnx_build *b, const struct prune_data *d, double sparsity,
                               const char *pattern)
{
    struct outcome r = {.model = prune_load(b)};
    nm_prune_options o = NM_PRUNE_OPTIONS_INIT;
    nm_error err = {NM_OK, ""};
    nm_model *cut = NULL;
    o.sparsity = sparsity;
    o.pattern = pattern;
    o.layers = every;
    o.n_layers = 1;
    ck_assert_msg(nm_model_prune(r.model, &o, &cut, &err) == NM_OK, "%s", err.message);
    o.method = NM_PRUNE_RECONSTRUCT;
    o.data = &d->data;
    ck_assert_msg(nm_model_prune(r.model, &o, &r.pruned, &err) == NM_OK, "%s", err.message);
    ck_assert_int_eq(nm_model_describe(r.pruned, NM_DESCRIBE_PRUNE, &r.json, &err), NM_OK);
    for (size_t i = 0; i < nm_model_weights(r.pruned); i++) {
        const nm_weight *w = nm_model_weight(r.pruned, i);
        for (int64_t k = 0; k < prune_elems(w); k++) {
            ck_assert_msg(isfinite(w->data[k]), "%s has %g", w->name, (double)w->data[k]);
        }
    }
    r.apart = apart_of(r.model, r.pruned, d);
    r.by_size = apart_of(r.model, cut, d);
    nm_model_free(cut);
    return r;
}

static struct outcome prune_all(struct onnx_build *b, const struct prune_data *d, double sparsity)
{
    return prune_as(b, d, sparsity, NULL);
}

static void drop(struct outcome *r)
{
    nm_string_free(r->json);
    nm_model_free(r->pruned);
    nm_model_free(r->model);
}

static void expect_better(const struct outcome *r, const char *what)
{
    ck_assert_msg(r->apart < 0.6 * r->by_size, "%s: %g, magnitude %g", what, r->apart, r->by_size);
}

/* ---- fully connected ------------------------------------------------------------------------ */

/* x [shape] times fc.w [10,6], plus c if it has a shape; attributes by name. */
static void put_matrix(struct onnx_build *b, const char *x, const char *c, float alpha, float beta)
{
    static const float bias[60] = {2, -3, 1, 4, -2, 5, -3, 1};
    size_t n = 1;
    for (const char *at = c; at != NULL && *at != '\0'; at = strchr(at, ',') ? strchr(at, ',') + 1 : "") {
        n *= (size_t)atoi(at);
    }
    onnx_build_start(b, 13);
    onnx_build_input(b, "x", NM_F32, x);
    prune_put_weight(b, "fc.w", "10,6", 60, 1);
    if (c != NULL) {
        onnx_build_tensor(b, "fc.c", NM_F32, c, bias, n * sizeof *bias);
    }
    onnx_build_open(b, "Gemm", c != NULL ? "x,fc.w,fc.c" : "x,fc.w", "y");
    onnx_build_float(b, "alpha", alpha);
    onnx_build_float(b, "beta", beta);
    onnx_build_close(b);
    onnx_build_output(b, "y", NM_F32, NULL);
}

START_TEST(third_inputs_of_every_form)
{
    static const struct {
        const char *c;
        float alpha, beta;
        bool dense;
    } cases[] = {{NULL, 1, 1, false}, {"6", 1, 1, false}, {"1,6", 1, 1, false}, {"", 1, 1, false},
                 {"1", 1, 1, false}, {"1,1", 1, 1, false}, {"6", 1, 0.5f, false},
                 {"6", 1, 0, false}, {"6", 2, 1, true}};
    struct prune_data d;
    prune_data_make(&d, 200, 1, (const int64_t[]){10}, 4);
    for (size_t i = 0; i < NMI_COUNT(cases); i++) {
        struct onnx_build b;
        char what[16];
        put_matrix(&b, "N,10", cases[i].c, cases[i].alpha, cases[i].beta);
        snprintf(what, sizeof what, "case %zu", i);
        struct outcome r = prune_all(&b, &d, 0.5);
        const bool dense = strstr(r.json, "left_dense") != NULL;
        ck_assert_msg(dense == cases[i].dense, "%s: %s", what, r.json);
        if (dense) {
            ck_assert_double_eq(r.apart, 0);
        } else {
            ck_assert_int_eq(prune_zeros(prune_weight(r.pruned, "fc.w")), 30);
            expect_better(&r, what);
        }
        drop(&r);
    }
    prune_data_free(&d);
}
END_TEST

/* More inputs than one Gram matrix is made for: blocks of columns, each against what others leave. */
START_TEST(wide_layer_solved_in_blocks)
{
    enum { COLS = 5000 };
    static const char *const patterns[] = {"any", "1:3", "filter"};
    struct prune_data d;
    prune_data_make(&d, 200, 1, (const int64_t[]){COLS}, 4);
    for (size_t i = 0; i < NMI_COUNT(patterns); i++) {
        struct onnx_build b;
        onnx_build_start(&b, 13);
        onnx_build_input(&b, "x", NM_F32, "N,5000");
        prune_put_gemm(&b, "y", "x", 6, COLS, true);
        onnx_build_output(&b, "y", NM_F32, NULL);
        struct outcome r = prune_as(&b, &d, i == 1 ? 0 : 0.8, patterns[i]);
        const int64_t zeros = i == 1 ? 6 * (COLS / 3 * 2 + 1) : i == 2 ? 0 : 6 * COLS * 4 / 5;
        ck_assert_int_eq(prune_zeros(prune_weight(r.pruned, "y.w")), zeros);
        ck_assert((strstr(r.json, "whole filters of so many") != NULL) == (i == 2));
        expect_better(&r, patterns[i]);
        drop(&r);
    }
    prune_data_free(&d);
}
END_TEST

/* Batches of two, six or ten items, whose every item has an offset of its own. */
START_TEST(offsets_by_item_left_dense)
{
    static const struct {
        const char *x, *c;
    } cases[] = {{"2,10", "2,1"}, {"2,10", "2,6"}, {"6,10", "6,1"}, {"10,10", "10,1"}};
    for (size_t i = 0; i < NMI_COUNT(cases); i++) {
        struct onnx_build b;
        struct prune_data d;
        prune_data_make(&d, atoi(cases[i].x), 1, (const int64_t[]){10}, 4);
        put_matrix(&b, cases[i].x, cases[i].c, 1, 1);
        struct outcome r = prune_all(&b, &d, 0.5);
        ck_assert_ptr_nonnull(strstr(r.json, "what it adds is no constant row"));
        ck_assert_double_eq(r.apart, 0);
        drop(&r);
        prune_data_free(&d);
    }
}
END_TEST

/* MatMul and Add, which are fused: the sum's row stays as it is in the file. */
START_TEST(matmul_with_a_row_added)
{
    for (int add = 0; add < 2; add++) {
        struct onnx_build b;
        struct prune_data d;
        prune_data_make(&d, 200, 1, (const int64_t[]){16}, 4);
        for (int64_t i = 0; i < 200 * 16; i++) {
            d.x[i] += 1; /* so that the means count */
        }
        onnx_build_start(&b, 13);
        onnx_build_input(&b, "x", NM_F32, "N,16");
        prune_put_weight(&b, "w", "16,8", 128, 1);
        prune_put_weight(&b, "c", "8", 8, 5);
        onnx_build_node(&b, "MatMul", "x,w", "m");
        onnx_build_node(&b, add ? "Add" : "Mul", "m,c", "s");
        onnx_build_node(&b, "Relu", "s", "y");
        onnx_build_output(&b, "y", NM_F32, NULL);
        struct outcome r = prune_all(&b, &d, 0.5);
        ck_assert_int_eq(prune_zeros(prune_weight(r.pruned, "w")), 64);
        expect_better(&r, add ? "MatMul, Add" : "MatMul, Mul");
        drop(&r);
        prune_data_free(&d);
    }
}
END_TEST

/* Rows of a sequence are samples too. */
START_TEST(matmul_of_sequences)
{
    struct onnx_build b;
    struct prune_data d;
    prune_data_make(&d, 30, 2, (const int64_t[]){7, 16}, 4);
    onnx_build_start(&b, 13);
    onnx_build_input(&b, "x", NM_F32, "N,7,16");
    prune_put_weight(&b, "w", "16,8", 128, 1);
    onnx_build_node(&b, "MatMul", "x,w", "y");
    onnx_build_output(&b, "y", NM_F32, NULL);
    struct outcome r = prune_all(&b, &d, 0.5);
    ck_assert_int_eq(prune_zeros(prune_weight(r.pruned, "w")), 64);
    expect_better(&r, "sequences");
    drop(&r);
    prune_data_free(&d);
}
END_TEST

/* ---- convolutions --------------------------------------------------------------------------- */

static void start_images(struct onnx_build *b, struct prune_data *d, const char *shape)
{
    prune_data_make(d, 40, 3, (const int64_t[]){4, 6, 6}, 4);
    onnx_build_start(b, 13);
    onnx_build_input(b, "x", NM_F32, shape);
}

START_TEST(weight_used_twice_left_dense)
{
    struct onnx_build b;
    struct prune_data d;
    start_images(&b, &d, "N,4,6,6");
    prune_put_conv(&b, "a", "x", (struct prune_conv){8, 4, 3, 1, false, 1});
    prune_put_weight(&b, "two.w", "8,8,3,3", 8 * 8 * 9, 0.4f);
    for (int i = 0; i < 2; i++) {
        onnx_build_open(&b, "Conv", i ? "r0,two.w" : "a,two.w", i ? "c1" : "c0");
        onnx_build_ints(&b, "pads", "1,1,1,1");
        onnx_build_close(&b);
        onnx_build_node(&b, "Relu", i ? "c1" : "c0", i ? "y" : "r0");
    }
    onnx_build_output(&b, "y", NM_F32, NULL);
    struct outcome r = prune_all(&b, &d, 0.5);
    const nm_weight *before = prune_weight(r.model, "two.w"), *after = prune_weight(r.pruned, "two.w");
    ck_assert_mem_eq(before->data, after->data, 8 * 8 * 9 * sizeof(float));
    ck_assert_ptr_nonnull(strstr(r.json, "used more than once"));
    ck_assert_int_eq(prune_zeros(prune_weight(r.pruned, "a.w")), 8 * 4 * 9 / 2);
    drop(&r);
    prune_data_free(&d);
}
END_TEST

/* A bias that two layers share becomes two. */
START_TEST(bias_used_twice)
{
    struct onnx_build b;
    struct prune_data d;
    start_images(&b, &d, "N,4,6,6");
    prune_put_weight(&b, "a.w", "8,4,1,1", 32, 1);
    prune_put_weight(&b, "b.w", "8,8,1,1", 64, 1);
    prune_put_weight(&b, "both", "8", 8, 1);
    onnx_build_node(&b, "Conv", "x,a.w,both", "a");
    onnx_build_node(&b, "Relu", "a", "ar");
    onnx_build_node(&b, "Conv", "ar,b.w,both", "b");
    onnx_build_node(&b, "Relu", "b", "y");
    onnx_build_output(&b, "y", NM_F32, NULL);
    struct outcome r = prune_all(&b, &d, 0.5);
    expect_better(&r, "shared bias");
    drop(&r);
    prune_data_free(&d);
}
END_TEST

/* r + conv(r): the layer's input is its skip. */
START_TEST(skip_is_the_own_input)
{
    struct onnx_build b;
    struct prune_data d;
    start_images(&b, &d, "N,4,6,6");
    prune_put_conv(&b, "a", "x", (struct prune_conv){8, 4, 3, 1, true, 1});
    onnx_build_node(&b, "Relu", "a", "r");
    prune_put_conv(&b, "b", "r", (struct prune_conv){8, 8, 3, 1, true, 1});
    onnx_build_node(&b, "Add", "r,b", "s");
    onnx_build_node(&b, "Relu", "s", "t");
    prune_put_conv(&b, "c", "t", (struct prune_conv){8, 8, 3, 1, true, 1});
    onnx_build_node(&b, "Add", "c,t", "y");
    onnx_build_output(&b, "y", NM_F32, NULL);
    struct outcome r = prune_all(&b, &d, 0.6);
    expect_better(&r, "own input as skip");
    drop(&r);
    prune_data_free(&d);
}
END_TEST

/* BatchNormalization whose scale is zero, tiny, negative, huge. */
START_TEST(scales_of_every_size)
{
    static const float scale[8] = {0, -0.0f, 1e-42f, 1e-30f, -2, 1, 1e-6f, 50}, zero[8] = {0},
                       one[8] = {1, 1, 1, 1, 1, 1, 1, 1}, shift[8] = {1, -1, 0.5f, 0, 0.1f, 0, 2, 0};
    struct onnx_build b;
    struct prune_data d;
    start_images(&b, &d, "N,4,6,6");
    prune_put_conv(&b, "a", "x", (struct prune_conv){8, 4, 3, 1, true, 1});
    onnx_build_tensor(&b, "n.scale", NM_F32, "8", scale, sizeof scale);
    onnx_build_tensor(&b, "n.shift", NM_F32, "8", shift, sizeof shift);
    onnx_build_tensor(&b, "n.mean", NM_F32, "8", zero, sizeof zero);
    onnx_build_tensor(&b, "n.var", NM_F32, "8", one, sizeof one);
    onnx_build_node(&b, "BatchNormalization", "a,n.scale,n.shift,n.mean,n.var", "n");
    onnx_build_node(&b, "Relu", "n", "r");
    prune_put_conv(&b, "c", "r", (struct prune_conv){6, 8, 3, 1, true, 1});
    onnx_build_output(&b, "c", NM_F32, NULL);
    struct outcome r = prune_all(&b, &d, 0.5);
    ck_assert_int_ge(prune_zeros(prune_weight(r.pruned, "a.w")), 8 * 36 / 2);
    expect_better(&r, "scales");
    drop(&r);
    prune_data_free(&d);
}
END_TEST

/* A channel of the data is constant, one is zero, and a filter never fires. */
START_TEST(dead_and_constant_channels)
{
    static const float bias[8] = {-1000, 0, 0.1f, 0, 0, 0.2f, 0, 0};
    struct onnx_build b;
    struct prune_data d;
    start_images(&b, &d, "N,4,6,6");
    for (int64_t i = 0; i < 40 * 4 * 36; i++) {
        const int64_t channel = i / 36 % 4;
        d.x[i] = channel == 1 ? 7 : channel == 3 ? 0 : d.x[i];
    }
    prune_put_weight(&b, "a.w", "8,4,3,3", 8 * 36, 1);
    onnx_build_tensor(&b, "a.b", NM_F32, "8", bias, sizeof bias);
    onnx_build_node(&b, "Conv", "x,a.w,a.b", "a");
    onnx_build_node(&b, "Relu", "a", "r");
    prune_put_conv(&b, "c", "r", (struct prune_conv){6, 8, 3, 1, true, 1});
    onnx_build_output(&b, "c", NM_F32, NULL);
    struct outcome r = prune_all(&b, &d, 0.6);
    ck_assert_int_eq(prune_zeros(prune_weight(r.pruned, "a.w")), 8 * 36 * 6 / 10);
    expect_better(&r, "dead channels");
    drop(&r);
    prune_data_free(&d);
}
END_TEST

/* ---- other networks ------------------------------------------------------------------------- */

/* ConvTranspose is no layer that is pruned. */
START_TEST(before_a_transposed_convolution)
{
    struct onnx_build b;
    struct prune_data d;
    start_images(&b, &d, "N,4,6,6");
    prune_put_conv(&b, "a", "x", (struct prune_conv){4, 4, 3, 1, true, 1});
    prune_put_weight(&b, "up.w", "4,5,2,2", 80, 1);
    onnx_build_open(&b, "ConvTranspose", "a,up.w", "up");
    onnx_build_ints(&b, "strides", "2,2");
    onnx_build_close(&b);
    onnx_build_output(&b, "up", NM_F32, NULL);
    struct outcome r = prune_all(&b, &d, 0.5);
    ck_assert_int_eq(prune_zeros(prune_weight(r.pruned, "a.w")), 72);
    ck_assert_double_lt(r.apart, r.by_size);
    drop(&r);
    prune_data_free(&d);
}
END_TEST

START_TEST(fixed_batches_and_free_sizes)
{
    static const char *const shapes[] = {"1,4,6,6", "8,4,6,6", "40,4,6,6", "N,4,H,W", "N,?,?,6"};
    for (size_t i = 0; i < NMI_COUNT(shapes); i++) {
        struct onnx_build b;
        struct prune_data d;
        nm_prune_options o = NM_PRUNE_OPTIONS_INIT;
        nm_model *pruned = NULL;
        nm_error err = {NM_OK, ""};
        start_images(&b, &d, shapes[i]);
        prune_put_conv(&b, "a", "x", (struct prune_conv){8, 4, 3, 1, true, 1});
        onnx_build_node(&b, "Relu", "a", "r");
        prune_put_conv(&b, "c", "r", (struct prune_conv){6, 8, 3, 1, true, 1});
        onnx_build_output(&b, "c", NM_F32, NULL);
        nm_model *model = prune_load(&b);
        o.sparsity = 0.5;
        o.layers = every;
        o.n_layers = 1;
        o.method = NM_PRUNE_RECONSTRUCT;
        o.data = &d.data;
        ck_assert_msg(nm_model_prune(model, &o, &pruned, &err) == NM_OK, "%s: %s", shapes[i], err.message);
        ck_assert_int_eq(prune_zeros(prune_weight(pruned, "a.w")), 144);
        nm_model_free(pruned);
        if (i == 1) {
            d.data.items = 39;
            ck_assert_int_eq(nm_model_prune(model, &o, &pruned, &err), NM_ESHAPE);
            ck_assert_ptr_nonnull(strstr(err.message, "39 items are no multiple"));
        }
        nm_model_free(model);
        prune_data_free(&d);
    }
}
END_TEST

/* No item ever fits. */
START_TEST(batch_of_none_refused)
{
    struct onnx_build b;
    struct prune_data d;
    size_t size;
    nm_model *model = NULL, *pruned = NULL;
    nm_error err = {NM_OK, ""};
    start_images(&b, &d, "0,4,6,6");
    prune_put_conv(&b, "a", "x", (struct prune_conv){8, 4, 3, 1, true, 1});
    onnx_build_output(&b, "a", NM_F32, NULL);
    void *bytes = onnx_build_finish(&b, &size);
    if (nm_model_load_memory(bytes, size, NULL, &model, &err) == NM_OK) {
        nm_prune_options o = NM_PRUNE_OPTIONS_INIT;
        o.sparsity = 0.5;
        o.layers = every;
        o.n_layers = 1;
        o.method = NM_PRUNE_RECONSTRUCT;
        o.data = &d.data;
        ck_assert_int_eq(nm_model_prune(model, &o, &pruned, &err), NM_ESHAPE);
    }
    nmi_free(bytes);
    nm_model_free(model);
    prune_data_free(&d);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("reconstruct, kinds");
    TCase *t = tcase_create("reconstruct, kinds");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, third_inputs_of_every_form);
    tcase_add_test(t, wide_layer_solved_in_blocks);
    tcase_add_test(t, offsets_by_item_left_dense);
    tcase_add_test(t, matmul_with_a_row_added);
    tcase_add_test(t, matmul_of_sequences);
    tcase_add_test(t, weight_used_twice_left_dense);
    tcase_add_test(t, bias_used_twice);
    tcase_add_test(t, skip_is_the_own_input);
    tcase_add_test(t, scales_of_every_size);
    tcase_add_test(t, dead_and_constant_channels);
    tcase_add_test(t, before_a_transposed_convolution);
    tcase_add_test(t, fixed_batches_and_free_sizes);
    tcase_add_test(t, batch_of_none_refused);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
