/* SPDX-License-Identifier: Apache-2.0 */
/* Pruning: exact counts in the layers that were meant, in the graph that is saved. */
#include "lib/api/model.h"
#include "lib/base/mem.h"
#include "lib/sparse/csr.h"
#include "tests/support/onnx_build.h"
#include "tests/support/scratch.h"
#include "tests/support/small_net.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *const weights[] = {"stem.w", "dw.w", "point.w", "mid.w", "fc.w"};
enum { WEIGHTS = NMI_COUNT(weights) };

static const struct nmi_constant *source_weight(const nm_model *model, const char *name)
{
    for (int32_t i = 0; i < model->source->n_values; i++) {
        if (strcmp(model->source->values[i].name, name) == 0) {
            return nmi_graph_constant(model->source, i);
        }
    }
    ck_abort_msg("no weight %s in the source graph", name);
    return NULL;
}

static int64_t zeros_of(const nm_model *model, const char *name)
{
    const struct nmi_constant *c = source_weight(model, name);
    return nmi_zeros(c->data, (int64_t)(c->bytes / sizeof(float)));
}

/* Zeros of weights[] in the source graph, and the same in the optimised one. */
static void expect_zeros(const nm_model *model, const int64_t expected[WEIGHTS])
{
    struct nmi_weight_info infos[WEIGHTS];
    ck_assert_int_eq(nmi_weighted_nodes(model->graph, infos, WEIGHTS), WEIGHTS);
    for (int i = 0; i < WEIGHTS; i++) {
        ck_assert_int_eq(zeros_of(model, weights[i]), expected[i]);
        ck_assert_int_eq(infos[i].zeros, expected[i]);
    }
}

static nm_model *prune(const nm_model *model, const nm_prune_options *options)
{
    nm_model *pruned = NULL;
    nm_error err = {NM_OK, ""};
    ck_assert_msg(nm_model_prune(model, options, &pruned, &err) == NM_OK, "%s", err.message);
    return pruned;
}

static void expect_refused(const nm_model *model, const nm_prune_options *options,
                           const char *words)
{
    nm_model *pruned = NULL;
    nm_error err = {NM_OK, ""};
    const size_t live = nmi_alloc_live();
    ck_assert_int_eq(nm_model_prune(model, options, &pruned, &err), NM_EINVAL);
    ck_assert_msg(strstr(err.message, words) != NULL, "\"%s\" lacks \"%s\"", err.message, words);
    ck_assert_ptr_null(pruned);
    ck_assert_uint_eq(nmi_alloc_live(), live);
}

static nm_prune_options options_of(double sparsity)
{
    nm_prune_options o = NM_PRUNE_OPTIONS_INIT;
    o.sparsity = sparsity;
    return o;
}

/* One Gemm, [n] weights as given, pruned by its name. */
static nm_model *one_layer(const float *w, size_t n)
{
    struct onnx_build b;
    char shape[32];
    size_t size;
    nm_model *model = NULL;
    nm_error err = {NM_OK, ""};
    snprintf(shape, sizeof shape, "%zu,1", n);
    onnx_build_start(&b, 13);
    onnx_build_input(&b, "x", NM_F32, "1,1");
    onnx_build_tensor(&b, "w", NM_F32, shape, w, n * sizeof *w);
    onnx_build_open(&b, "Gemm", "x,w", "y");
    onnx_build_int(&b, "transB", 1);
    onnx_build_close(&b);
    onnx_build_output(&b, "y", NM_F32, NULL);
    void *bytes = onnx_build_finish(&b, &size);
    ck_assert_msg(nm_model_load_memory(bytes, size, NULL, &model, &err) == NM_OK, "%s",
                  err.message);
    nmi_free(bytes);
    return model;
}

/* Which of the n weights are left. */
static void expect_left(const float *w, size_t n, double sparsity, const char *left)
{
    static const char *const name[] = {"w"};
    nm_prune_options o = options_of(sparsity);
    o.layers = name;
    o.n_layers = 1;
    nm_model *model = one_layer(w, n), *pruned = prune(model, &o);
    const float *p = source_weight(pruned, "w")->data;
    for (size_t i = 0; i < n; i++) {
        ck_assert_msg(p[i] == (left[i] == '1' ? w[i] : 0.0f), "weight %zu is %g at sparsity %g", i,
                      (double)p[i], sparsity);
    }
    nm_model_free(pruned);
    nm_model_free(model);
}

/* ---- counts ------------------------------------------------------------------------------------
 */

START_TEST(uniform_each_share_of_each_layer_exact)
{
    nm_model *model = small_model("N,3,8,8", NULL);
    for (int percent = 0; percent <= 100; percent += 5) {
        nm_prune_options o = options_of(percent / 100.0);
        nm_model *pruned = prune(model, &o);
        expect_zeros(pruned, (int64_t[]){0, 0, 128 * percent / 100, 2304 * percent / 100, 0});
        nm_model_free(pruned);
    }
    expect_zeros(model, (int64_t[WEIGHTS]){0}); /* the model itself is as it was */
    nm_model_free(model);
}
END_TEST

START_TEST(uniform_share_counted_down)
{
    const float w[10] = {10, 1, 9, 2, 8, 3, 7, 4, 6, 5};
    expect_left(w, 10, 0.0, "1111111111");
    expect_left(w, 10, 0.09, "1111111111");
    expect_left(w, 10, 0.1, "1011111111");
    expect_left(w, 10, 0.3, "1010101111");
    expect_left(w, 10, 0.59, "1010101010");
    expect_left(w, 10, 0.9, "1000000000");
    expect_left(w, 10, 1.0, "0000000000");
}
END_TEST

START_TEST(uniform_equal_weights_go_in_order)
{
    const float same[8] = {2, -2, 2, 2, -2, 2, -2, 2};
    expect_left(same, 8, 0.5, "00001111");
    const float mixed[8] = {3, 2, -1, 2, 1, -2, 2, 3};
    expect_left(mixed, 8, 0.25, "11010111");
    expect_left(mixed, 8, 0.5, "10000111");
    expect_left(mixed, 8, 0.75, "10000001");
}
END_TEST

START_TEST(uniform_zeros_of_both_signs_and_infinities_ordered)
{
    const float w[8] = {INFINITY, 0, -0.0f, 1e-45f, -INFINITY, 1e-38f, 3e38f, -1};
    expect_left(w, 8, 0.25, "10011111");
    expect_left(w, 8, 0.5, "10001011");
    expect_left(w, 8, 0.75, "10001000");
}
END_TEST

/* |weight| as the layer applies it: the BatchNormalization behind mid scales its rows of 144. */
static float effective(const nm_model *model, int layer, size_t i)
{
    const float w = fabsf(((const float *)source_weight(model, weights[layer])->data)[i]);
    if (strcmp(weights[layer], "mid.w") != 0) {
        return w;
    }
    const float *scale = source_weight(model, "mid.bn.scale")->data;
    const float *var = source_weight(model, "mid.bn.var")->data;
    return w * fabsf(scale[i / 144]) / sqrtf(var[i / 144] + 1e-5f);
}

START_TEST(global_one_threshold_for_all_layers)
{
    nm_model *model = small_model("N,3,8,8", NULL);
    for (int percent = 10; percent <= 90; percent += 20) {
        nm_prune_options o = options_of(percent / 100.0);
        o.method = NM_PRUNE_MAGNITUDE_GLOBAL;
        nm_model *pruned = prune(model, &o);
        ck_assert_int_eq(zeros_of(pruned, "point.w") + zeros_of(pruned, "mid.w"),
                         (128 + 2304) * percent / 100);
        ck_assert_int_eq(zeros_of(pruned, "stem.w") + zeros_of(pruned, "dw.w"), 0);
        float gone = 0, kept = INFINITY;
        for (int k = 2; k < 4; k++) {
            const struct nmi_constant *after = source_weight(pruned, weights[k]);
            for (size_t i = 0; i < after->bytes / sizeof(float); i++) {
                const float m = effective(model, k, i);
                if (((const float *)after->data)[i] == 0) {
                    gone = fmaxf(gone, m);
                } else {
                    kept = fminf(kept, m);
                }
            }
        }
        ck_assert_float_le(gone, kept * 1.00001f);
        nm_model_free(pruned);
    }
    nm_model_free(model);
}
END_TEST

/* ---- which layers ------------------------------------------------------------------------------
 */

START_TEST(layers_patterns_fit_weights_and_nodes)
{
    static const struct {
        const char *layers[2], *exclude[2];
        int64_t zeros[WEIGHTS];
    } cases[] = {
        {{"stem.w", NULL}, {NULL, NULL}, {108, 0, 0, 0, 0}},
        {{"stem", "fc"}, {NULL, NULL}, {108, 0, 0, 0, 40}},
        {{"*", NULL}, {NULL, NULL}, {108, 36, 64, 1152, 40}},
        {{"*", NULL}, {"mid*", NULL}, {108, 36, 64, 0, 40}},
        {{"?w", "??d"}, {"dw.w", NULL}, {0, 0, 0, 1152, 0}},
        {{NULL, NULL}, {"point", "nothing"}, {0, 0, 0, 1152, 0}},
    };
    nm_model *model = small_model("N,3,8,8", NULL);
    for (size_t i = 0; i < NMI_COUNT(cases); i++) {
        nm_prune_options o = options_of(0.5);
        o.layers = cases[i].layers;
        o.exclude = cases[i].exclude;
        for (int k = 0; k < 2; k++) {
            o.n_layers += cases[i].layers[k] != NULL;
            o.n_exclude += cases[i].exclude[k] != NULL;
        }
        nm_model *pruned = prune(model, &o);
        expect_zeros(pruned, cases[i].zeros);
        nm_model_free(pruned);
    }
    nm_model_free(model);
}
END_TEST

START_TEST(layers_without_optimisation_pruned_too)
{
    nm_load_options load = NM_LOAD_OPTIONS_INIT;
    load.no_optimize = 1;
    nm_model *model = small_model("N,3,8,8", &load);
    nm_prune_options o = options_of(0.5);
    nm_model *pruned = prune(model, &o);
    expect_zeros(pruned, (int64_t[]){0, 0, 64, 1152, 0});
    nm_model_free(pruned);
    nm_model_free(model);
}
END_TEST

START_TEST(twice_pruned_zeros_stay)
{
    nm_model *model = small_model("N,3,8,8", NULL);
    nm_prune_options o = options_of(0.5);
    nm_model *once = prune(model, &o);
    o.sparsity = 0.75;
    nm_model *twice = prune(once, &o);
    nm_model_free(model); /* the parents stay alive for the children */
    nm_model_free(once);
    expect_zeros(twice, (int64_t[]){0, 0, 96, 1728, 0});
    nm_tensor in = small_input(1, 8, 8);
    free(small_reference(twice, &in));
    free(in.data);
    nm_model_free(twice);
}
END_TEST

/* x -> conv a, of whose channels the first four are empty -> Relu -> conv b: what optimisation
 * takes out of b must not keep b from being pruned. */
static nm_model *empty_channels(void)
{
    float a[8 * 3], w[4 * 8];
    struct onnx_build b;
    size_t size;
    nm_model *model = NULL;
    nm_error err = {NM_OK, ""};
    for (int i = 0; i < 24; i++) {
        a[i] = i < 12 ? 0 : (float)i;
    }
    for (int i = 0; i < 32; i++) {
        w[i] = (float)(i * 7 % 32 + 1);
    }
    onnx_build_start(&b, 13);
    onnx_build_input(&b, "x", NM_F32, "1,3,4,4");
    onnx_build_tensor(&b, "a.w", NM_F32, "8,3,1,1", a, sizeof a);
    onnx_build_tensor(&b, "b.w", NM_F32, "4,8,1,1", w, sizeof w);
    onnx_build_node(&b, "Conv", "x,a.w", "a");
    onnx_build_node(&b, "Relu", "a", "r");
    onnx_build_node(&b, "Conv", "r,b.w", "y");
    onnx_build_output(&b, "y", NM_F32, NULL);
    void *bytes = onnx_build_finish(&b, &size);
    ck_assert_msg(nm_model_load_memory(bytes, size, NULL, &model, &err) == NM_OK, "%s",
                  err.message);
    nmi_free(bytes);
    return model;
}

START_TEST(layers_behind_empty_channels_pruned_too)
{
    static const char *const all[] = {"b.w"};
    nm_prune_options o = options_of(0.5);
    o.layers = all;
    o.n_layers = 1;
    nm_model *model = empty_channels(), *pruned = prune(model, &o);
    ck_assert_int_eq(zeros_of(pruned, "a.w"), 12);
    ck_assert_int_eq(zeros_of(pruned, "b.w"), 16);
    nm_model_free(pruned);
    nm_model_free(model);
}
END_TEST

/* ---- refused -----------------------------------------------------------------------------------
 */

START_TEST(options_without_sense_refused)
{
    static const char *const nothing[] = {"stem", "no-such-layer*"};
    static const double bad[] = {-0.01, 1.01, INFINITY, -INFINITY, NAN};
    nm_model *model = small_model("N,3,8,8", NULL);
    for (size_t i = 0; i < NMI_COUNT(bad); i++) {
        nm_prune_options o = options_of(bad[i]);
        expect_refused(model, &o, "it must be in 0..1");
    }
    nm_prune_options o = options_of(0.5);
    o.layers = nothing;
    o.n_layers = 2;
    expect_refused(model, &o, "no-such-layer*");
    o.layers = NULL;
    expect_refused(model, &o, "NULL");
    o = options_of(0.5);
    o.n_exclude = 1;
    expect_refused(model, &o, "NULL");
    o = options_of(0.5);
    o.method = (nm_prune_method)7;
    expect_refused(model, &o, "method 7");
    o = options_of(0.5);
    o.struct_size = 3;
    expect_refused(model, &o, "struct_size is 3");
    nm_model_free(model);
}
END_TEST

START_TEST(nan_weight_refused_by_name)
{
    static const char *const name[] = {"w"};
    const float w[3] = {1, NAN, 2};
    nm_model *model = one_layer(w, 3);
    nm_prune_options o = options_of(0.5);
    o.layers = name;
    o.n_layers = 1;
    expect_refused(model, &o, "weight w has a NaN at element 1");
    nm_model_free(model);
}
END_TEST

/* Transpose makes the weight: folding loses the way back to the file. */
START_TEST(computed_weight_refused_by_name)
{
    static const char *const all[] = {"*"};
    const float w[6] = {1, 2, 3, 4, 5, 6};
    struct onnx_build b;
    size_t size;
    nm_model *model = NULL, *pruned = NULL;
    nm_error err = {NM_OK, ""};
    onnx_build_start(&b, 13);
    onnx_build_input(&b, "x", NM_F32, "1,2");
    onnx_build_tensor(&b, "w", NM_F32, "3,2", w, sizeof w);
    onnx_build_node(&b, "Transpose", "w", "wt");
    onnx_build_node(&b, "MatMul", "x,wt", "y");
    onnx_build_output(&b, "y", NM_F32, NULL);
    void *bytes = onnx_build_finish(&b, &size);
    ck_assert_int_eq(nm_model_load_memory(bytes, size, NULL, &model, &err), NM_OK);
    nmi_free(bytes);
    nm_prune_options o = options_of(0.5);
    o.layers = all;
    o.n_layers = 1;
    ck_assert_int_eq(nm_model_prune(model, &o, &pruned, &err), NM_EUNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.message, "weight wt is computed"));
    nm_model_free(model);
}
END_TEST

/* ---- saved -------------------------------------------------------------------------------------
 */

static nm_model *save_and_load(const nm_model *model, int32_t sparse, const char *name, off_t *size)
{
    const char *path = scratch_path(name);
    nm_save_options o = NM_SAVE_OPTIONS_INIT;
    nm_model *loaded = NULL;
    nm_error err = {NM_OK, ""};
    struct stat st;
    o.sparse = sparse;
    ck_assert_msg(nm_model_save(model, path, &o, &err) == NM_OK, "%s", err.message);
    ck_assert_int_eq(stat(path, &st), 0);
    *size = st.st_size;
    ck_assert_msg(nm_model_load(path, NULL, &loaded, &err) == NM_OK, "%s", err.message);
    return loaded;
}

START_TEST(saved_dense_or_sparse_the_same_network)
{
    nm_model *model = small_model("N,3,8,8", NULL);
    nm_prune_options o = options_of(0.9);
    nm_model *pruned = prune(model, &o);
    nm_model_free(model);
    nm_tensor in = small_input(2, 8, 8);
    float *want = small_reference(pruned, &in);
    off_t sizes[2];
    for (int32_t sparse = 0; sparse < 2; sparse++) {
        nm_model *loaded = save_and_load(pruned, sparse, "pruned.onnx", &sizes[sparse]);
        expect_zeros(loaded, (int64_t[]){0, 0, 115, 2073, 0});
        for (int i = 0; i < WEIGHTS; i++) {
            const struct nmi_constant *a = source_weight(pruned, weights[i]);
            ck_assert_mem_eq(a->data, source_weight(loaded, weights[i])->data, a->bytes);
        }
        float *y = small_reference(loaded, &in);
        ck_assert_mem_eq(y, want, 2 * SMALL_CLASSES * sizeof *y);
        free(y);
        nm_model_free(loaded);
    }
    ck_assert_int_lt(sizes[1], sizes[0] - 1000);
    nm_model_free(pruned);
    free(want);
    free(in.data);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("magnitude");
    TCase *t = tcase_create("magnitude");
    tcase_add_test(t, uniform_each_share_of_each_layer_exact);
    tcase_add_test(t, uniform_share_counted_down);
    tcase_add_test(t, uniform_equal_weights_go_in_order);
    tcase_add_test(t, uniform_zeros_of_both_signs_and_infinities_ordered);
    tcase_add_test(t, global_one_threshold_for_all_layers);
    tcase_add_test(t, layers_patterns_fit_weights_and_nodes);
    tcase_add_test(t, layers_without_optimisation_pruned_too);
    tcase_add_test(t, layers_behind_empty_channels_pruned_too);
    tcase_add_test(t, twice_pruned_zeros_stay);
    tcase_add_test(t, options_without_sense_refused);
    tcase_add_test(t, nan_weight_refused_by_name);
    tcase_add_test(t, computed_weight_refused_by_name);
    tcase_add_test(t, saved_dense_or_sparse_the_same_network);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
