/* SPDX-License-Identifier: Apache-2.0 */
/* Grids of lanes: what one sparse layer writes is what the next reads, strides or not. */
#include "lib/base/cpu.h"
#include "tests/support/prune_case.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* x [2,8,size,size] -> c1 3x3 -> c2 3x3 stride 2 (+ c3 1x1 stride 2 of c1) -> c4 3x3 -> c5 3x3 stride 2,
 * nine in ten weights zero. */
static nm_model *strided(const char *shape)
{
    static const struct {
        const char *name, *in;
        struct prune_conv conv;
    } layers[] = {{"c1", "x", {16, 8, 3, 1, false, 1}},
                  {"c2", "c1", {32, 16, 3, 1, false, 2}},
                  {"c3", "c1", {32, 16, 1, 1, false, 2}},
                  {"c4", "sum", {32, 32, 3, 1, false, 1}},
                  {"c5", "c4", {32, 32, 3, 1, false, 2}}};
    static const char *const every[] = {"*"};
    nm_prune_options o = NM_PRUNE_OPTIONS_INIT;
    nm_model *model, *pruned = NULL;
    struct onnx_build b;
    onnx_build_start(&b, 13);
    onnx_build_input(&b, "x", NM_F32, shape);
    for (size_t i = 0; i < NMI_COUNT(layers); i++) {
        if (i == 3) {
            onnx_build_node(&b, "Add", "c2,c3", "sum");
        }
        prune_put_conv(&b, layers[i].name, layers[i].in, layers[i].conv);
    }
    onnx_build_output(&b, "c5", NM_F32, NULL);
    model = prune_load(&b);
    o.sparsity = 0.9;
    o.layers = every;
    o.n_layers = 1;
    ck_assert_int_eq(nm_model_prune(model, &o, &pruned, NULL), NM_OK);
    nm_model_free(model);
    return pruned;
}

static int conversions(const char *plan)
{
    int n = 0;
    for (const char *at = plan; (at = strstr(at, "\"kernel\":\"f32_convert")) != NULL; at++) {
        n++;
    }
    return n;
}

static float *output(nm_model *model, const nm_tensor *in, nm_isa isa, int *n, size_t *elems)
{
    nm_session_options o = NM_SESSION_OPTIONS_INIT;
    nm_session *session = NULL;
    nm_error err = {NM_OK, ""};
    nm_tensor out = {0};
    char *plan = NULL;
    o.isa = isa;
    o.fixed_plan = 1;
    o.threads = 1;
    ck_assert_msg(nm_session_create(model, &o, &session, &err) == NM_OK, "%s", err.message);
    ck_assert_msg(nm_run(session, in, 1, &out, 1, &err) == NM_OK, "%s", err.message);
    ck_assert_int_eq(nm_session_describe(session, NM_DESCRIBE_PLAN, &plan, &err), NM_OK);
    *n = conversions(plan);
    nm_string_free(plan);
    *elems = (size_t)(out.dims[0] * out.dims[1] * out.dims[2] * out.dims[3]);
    float *y = malloc(*elems * sizeof *y);
    memcpy(y, out.data, *elems * sizeof *y);
    nm_session_free(session);
    return y;
}

/* Into lanes, and out of them: nothing in between. Where maps do not halve evenly there is more. */
START_TEST(strides_need_no_conversion)
{
    static const struct {
        const char *shape;
        int64_t size;
        bool even;
    } cases[] = {{"1,8,32,32", 32, true}, {"1,8,64,64", 64, true}, {"1,8,30,30", 30, false}};
    for (size_t i = 0; i < NMI_COUNT(cases); i++) {
        const int64_t dims[3] = {8, cases[i].size, cases[i].size};
        struct prune_data d;
        prune_data_make(&d, 1, 3, dims, 3);
        const nm_tensor in = {.type = NM_F32,
                              .rank = 4,
                              .dims = {1, dims[0], dims[1], dims[2]},
                              .data = d.x,
                              .capacity = (size_t)d.elems * sizeof *d.x};
        nm_model *model = strided(cases[i].shape);
        int n;
        size_t elems;
        float *want = output(model, &in, NM_ISA_REF, &n, &elems);
        for (nm_isa isa = NM_ISA_AVX2; isa <= nm_isa_best(); isa++) {
            float *got = output(model, &in, isa, &n, &elems);
            ck_assert(prune_apart(got, want, elems) < 1e-9);
            ck_assert_msg(!cases[i].even || n == 2, "%s: %d conversions", cases[i].shape, n);
            free(got);
        }
        free(want);
        nm_model_free(model);
        prune_data_free(&d);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("frames");
    TCase *t = tcase_create("frames");
    tcase_add_test(t, strides_need_no_conversion);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
