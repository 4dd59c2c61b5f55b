/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic with broadcasting, against index arithmetic; integers at their ends; NaN. */
#include "lib/ops/helpers.h"
#include "tests/support/op_case.h"

#include <check.h>
#include <math.h>
#include <string.h>

/* Element of t under index (of rank, aligned at the end), as broadcasting has it. */
static float pick(const struct nmi_tensor *t, int32_t rank, const int64_t *index)
{
    int64_t at = 0;
    for (int32_t i = 0; i < t->rank; i++) {
        int64_t k = index[rank - t->rank + i];
        at = at * t->dims[i] + (t->dims[i] == 1 ? 0 : k);
    }
    return ((const float *)t->data)[at];
}

static float apply(uint16_t op, float a, float b)
{
    switch (op) {
    case NMI_OP_Add:
    case NMI_OP_Sum:
        return a + b;
    case NMI_OP_Sub:
        return a - b;
    case NMI_OP_Mul:
        return a * b;
    case NMI_OP_Div:
        return a / b;
    case NMI_OP_Max:
        return a > b ? a : b;
    case NMI_OP_Min:
        return a < b ? a : b;
    default:
        return powf(a, b);
    }
}

/* Two shapes that broadcast: each axis is n, or 1 on one side; one side may have fewer axes. */
static void random_shapes(int64_t dims[2][4], int32_t rank[2])
{
    rank[0] = rank[1] = (int32_t)op_case_random(0, 4);
    for (int32_t i = 0; i < rank[0]; i++) {
        int64_t n = op_case_random(0, 20) == 0 ? 0 : op_case_random(1, 9);
        int64_t which = op_case_random(0, 3);
        dims[0][i] = which == 0 ? 1 : n;
        dims[1][i] = which == 1 ? 1 : n;
    }
    int64_t shorter = op_case_random(0, 1), cut = op_case_random(0, rank[shorter]);
    rank[shorter] -= (int32_t)cut;
    memmove(dims[shorter], dims[shorter] + cut, (size_t)rank[shorter] * sizeof(int64_t));
}

static void check_random(uint16_t op)
{
    struct op_case c;
    int64_t dims[2][4], index[NMI_MAX_DIMS];
    int32_t rank[2];
    op_case_start(&c, op, 13);
    random_shapes(dims, rank);
    for (int i = 0; i < 2; i++) {
        op_case_in(&c, NM_F32, rank[i], dims[i], NULL);
        float *x = c.in[i].data;
        for (int64_t k = 0; op == NMI_OP_Pow && k < nmi_count(&c.in[i]); k++) {
            x[k] = fabsf(x[k]) + 0.5f;
        }
    }
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    const struct nmi_tensor *y = &c.out[0];
    for (int64_t i = 0; i < nmi_count(y); i++) {
        int64_t rest = i;
        for (int32_t k = y->rank - 1; k >= 0; k--) {
            index[k] = rest % y->dims[k];
            rest /= y->dims[k];
        }
        float want = apply(op, pick(&c.in[0], y->rank, index), pick(&c.in[1], y->rank, index));
        float got = op_case_floats(&c, 0)[i];
        ck_assert_msg(got == want || fabsf(got - want) <= 1e-6f * fabsf(want),
                      "%s: %g, expected %g", nmi_ops[op]->name, (double)got, (double)want);
    }
    op_case_end(&c);
}

START_TEST(binary_random_shapes_broadcast)
{
    const uint16_t all[] = {NMI_OP_Add, NMI_OP_Sub, NMI_OP_Mul, NMI_OP_Div,
                            NMI_OP_Max, NMI_OP_Min, NMI_OP_Sum, NMI_OP_Pow};
    op_case_seed();
    for (int i = 0; i < 800; i++) {
        check_random(all[i % (int)NMI_COUNT(all)]);
    }
}
END_TEST

START_TEST(binary_shapes_that_do_not_fit_are_refused)
{
    struct op_case c;
    op_case_start(&c, NMI_OP_Add, 13);
    OP_IN(&c, NULL, 2, 3);
    OP_IN(&c, NULL, 2);
    ck_assert_int_eq(op_case_infer(&c, 1), NM_ESHAPE);
    op_case_end(&c);
    op_case_start(&c, NMI_OP_Add, 13);
    OP_IN(&c, NULL, 2);
    OP_LIST(&c, 1, 2);
    ck_assert_int_eq(op_case_infer(&c, 1), NM_ETYPE);
    op_case_end(&c);
}
END_TEST

START_TEST(binary_symbols_broadcast_as_far_as_known)
{
    struct op_case c;
    int64_t n = nmi_dim_symbol(0), m = nmi_dim_symbol(1);
    op_case_start(&c, NMI_OP_Add, 13);
    op_case_in(&c, NM_F32, 4, (const int64_t[]){n, n, n, 5}, NULL);
    op_case_in(&c, NM_F32, 4, (const int64_t[]){n, m, 7, 1}, NULL);
    ck_assert_int_eq(op_case_infer(&c, 1), NM_OK);
    OP_DIMS(&c, n, NMI_DIM_UNKNOWN, 7, 5);
    op_case_end(&c);
}
END_TEST

static void run_longs(struct op_case *c, uint16_t op, int64_t a, int64_t b)
{
    op_case_start(c, op, 13);
    OP_LIST(c, a);
    OP_LIST(c, b);
}

START_TEST(binary_integers_wrap)
{
    static const struct {
        uint16_t op;
        int64_t a, b, want;
    } cases[] = {
        {NMI_OP_Add, INT64_MAX, 1, INT64_MIN},
        {NMI_OP_Sub, INT64_MIN, 1, INT64_MAX},
        {NMI_OP_Mul, INT64_MIN, -1, INT64_MIN},
        {NMI_OP_Div, INT64_MIN, -1, INT64_MIN},
        {NMI_OP_Div, -7, 2, -3},
        {NMI_OP_Mod, INT64_MIN, -1, 0},
        {NMI_OP_Mod, -7, 3, 2},
        {NMI_OP_Mod, 7, -3, -2},
        {NMI_OP_Pow, 3, 40, -6289078614652622815},
        {NMI_OP_Pow, -1, -3, -1},
        {NMI_OP_Pow, 2, -1, 0},
        {NMI_OP_Pow, 0, 0, 1},
        {NMI_OP_Pow, 2, INT64_MAX, 0},
    };
    for (size_t i = 0; i < NMI_COUNT(cases); i++) {
        struct op_case c;
        run_longs(&c, cases[i].op, cases[i].a, cases[i].b);
        ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
        OP_LONGS(&c, cases[i].want);
        op_case_end(&c);
    }
}
END_TEST

START_TEST(binary_narrow_integers_wrap)
{
    struct op_case c;
    op_case_start(&c, NMI_OP_Mul, 14);
    op_case_in(&c, NM_U16, 1, (const int64_t[]){2}, (const uint16_t[]){65535, 300});
    op_case_in(&c, NM_U16, 1, (const int64_t[]){2}, (const uint16_t[]){65535, 300});
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_LONGS(&c, 1, 24464);
    op_case_end(&c);
    op_case_start(&c, NMI_OP_Div, 14);
    op_case_in(&c, NM_I8, 1, (const int64_t[]){2}, (const int8_t[]){-128, 7});
    op_case_in(&c, NM_I8, 1, (const int64_t[]){2}, (const int8_t[]){-1, -2});
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_LONGS(&c, -128, -3);
    op_case_end(&c);
}
END_TEST

START_TEST(binary_integer_division_by_zero_is_refused)
{
    struct op_case c;
    run_longs(&c, NMI_OP_Div, 1, 0);
    ck_assert_int_eq(op_case_run(&c, 1), NM_EINVAL);
    op_case_end(&c);
    run_longs(&c, NMI_OP_Mod, 1, 0);
    ck_assert_int_eq(op_case_run(&c, 1), NM_EINVAL);
    ck_assert_ptr_nonnull(strstr(c.err.message, "node n"));
    op_case_end(&c);
}
END_TEST

static int64_t *fmod_of(struct op_case *c)
{
    return c->attrs; /* its only field */
}

START_TEST(mod_fmod_has_the_sign_of_the_dividend)
{
    struct op_case c;
    run_longs(&c, NMI_OP_Mod, -7, 3);
    *fmod_of(&c) = 1;
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_LONGS(&c, -1);
    op_case_end(&c);
    op_case_start(&c, NMI_OP_Mod, 13);
    OP_IN(&c, ((const float[]){-4.3f, 7.2f, 5, 1}), 4);
    OP_IN(&c, ((const float[]){2.1f, -3.4f, 0, INFINITY}), 4);
    *fmod_of(&c) = 1;
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_VALUES(&c, fmodf(-4.3f, 2.1f), fmodf(7.2f, -3.4f), NAN, 1);
    op_case_end(&c);
    op_case_start(&c, NMI_OP_Mod, 13);
    OP_IN(&c, NULL, 2);
    OP_IN(&c, NULL, 2);
    ck_assert_int_eq(op_case_infer(&c, 1), NM_EFORMAT);
    op_case_end(&c);
}
END_TEST

START_TEST(max_and_min_keep_nan_of_either_side)
{
    for (int i = 0; i < 2; i++) {
        struct op_case c;
        op_case_start(&c, i == 0 ? NMI_OP_Max : NMI_OP_Min, 13);
        OP_IN(&c, ((const float[]){NAN, 1, 2}), 3);
        OP_IN(&c, ((const float[]){1, NAN, 2}), 3);
        OP_IN(&c, ((const float[]){2}), 1);
        ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
        OP_VALUES(&c, NAN, NAN, 2);
        op_case_end(&c);
    }
}
END_TEST

START_TEST(variadic_of_one_copies_and_of_three_broadcasts)
{
    struct op_case c;
    op_case_start(&c, NMI_OP_Mean, 13);
    OP_IN(&c, ((const float[]){4, 5}), 2);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_VALUES(&c, 4, 5);
    op_case_end(&c);
    op_case_start(&c, NMI_OP_Mean, 13);
    OP_IN(&c, ((const float[]){1, 2}), 2);
    OP_IN(&c, ((const float[]){3, 6}), 2, 1);
    OP_IN(&c, ((const float[]){2}), 1, 1);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_DIMS(&c, 2, 2);
    OP_VALUES(&c, 2, 7.0f / 3, 3, 10.0f / 3);
    op_case_end(&c);
}
END_TEST

START_TEST(prelu_slope_must_fit_the_input)
{
    struct op_case c;
    op_case_start(&c, NMI_OP_PRelu, 13);
    OP_IN(&c, ((const float[]){-1, 2, -3, -4}), 2, 2);
    OP_IN(&c, ((const float[]){10, 20}), 2, 1);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_VALUES(&c, -10, 2, -60, -80);
    op_case_end(&c);
    op_case_start(&c, NMI_OP_PRelu, 13);
    OP_IN(&c, NULL, 1);
    OP_IN(&c, NULL, 2);
    ck_assert_int_eq(op_case_infer(&c, 1), NM_ESHAPE);
    op_case_end(&c);
}
END_TEST

START_TEST(pow_mixed_types_have_the_type_of_the_base)
{
    struct op_case c;
    op_case_start(&c, NMI_OP_Pow, 13);
    OP_IN(&c, ((const float[]){2, -3}), 2);
    OP_LIST(&c, 3, 3);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_VALUES(&c, 8, -27);
    op_case_end(&c);
    op_case_start(&c, NMI_OP_Pow, 13);
    OP_LIST(&c, 4, 10, 0);
    OP_IN(&c, ((const float[]){0.5f, 300, -1}), 3);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_LONGS(&c, 2, INT64_MAX, INT64_MAX);
    op_case_end(&c);
    op_case_start(&c, NMI_OP_Pow, 13);
    OP_IN(&c, ((const float[]){3, -4, NAN}), 3);
    op_case_in(&c, NM_F32, 0, NULL, (const float[]){2});
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_VALUES(&c, 9, 16, NAN);
    op_case_end(&c);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("binary");
    TCase *t = tcase_create("binary");
    tcase_add_test(t, binary_random_shapes_broadcast);
    tcase_add_test(t, binary_shapes_that_do_not_fit_are_refused);
    tcase_add_test(t, binary_symbols_broadcast_as_far_as_known);
    tcase_add_test(t, binary_integers_wrap);
    tcase_add_test(t, binary_narrow_integers_wrap);
    tcase_add_test(t, binary_integer_division_by_zero_is_refused);
    tcase_add_test(t, mod_fmod_has_the_sign_of_the_dividend);
    tcase_add_test(t, max_and_min_keep_nan_of_either_side);
    tcase_add_test(t, variadic_of_one_copies_and_of_three_broadcasts);
    tcase_add_test(t, prelu_slope_must_fit_the_input);
    tcase_add_test(t, pow_mixed_types_have_the_type_of_the_base);
    suite_add_tcase(suite, t);
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
