/* SPDX-License-Identifier: Apache-2.0 */
/* Gemm's broadcasts and MatMul's batches. */
#include "tests/support/op_case.h"

#include <check.h>
#include <math.h>
#include <string.h>

static const float a23[] = {1, 2, 3, 4, 5, 6}, b32[] = {1, 0, 0, 1, 1, 1};

static struct nmi_gemm_attrs *start(struct op_case *c, bool trans_a, bool trans_b)
{
    op_case_start(c, NMI_OP_Gemm, 13);
    struct nmi_gemm_attrs *a = c->attrs;
    a->trans_a = trans_a;
    a->trans_b = trans_b;
    OP_IN(c, a23, trans_a ? 3 : 2, trans_a ? 2 : 3);
    OP_IN(c, b32, trans_b ? 2 : 3, trans_b ? 3 : 2);
    return a;
}

START_TEST(gemm_without_c)
{
    struct op_case c;
    start(&c, false, false);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_DIMS(&c, 2, 2);
    OP_VALUES(&c, 4, 5, 10, 11);
    op_case_end(&c);
}
END_TEST

START_TEST(gemm_transposed_operands)
{
    struct op_case c;
    start(&c, true, true); /* [1 3 5; 2 4 6] x [1 1; 0 1; 0 1] */
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_VALUES(&c, 1, 9, 2, 12);
    op_case_end(&c);
}
END_TEST

START_TEST(gemm_c_broadcasts_five_ways)
{
    static const float add[] = {10, 20, 30, 40};
    static const struct {
        int32_t rank;
        int64_t dims[2];
        float want[4];
    } table[] = {{0, {0, 0}, {13, 15, 25, 27}}, {1, {1, 0}, {13, 15, 25, 27}},
                 {1, {2, 0}, {13, 20, 25, 32}}, {2, {1, 2}, {13, 20, 25, 32}},
                 {2, {2, 1}, {13, 15, 30, 32}}, {2, {1, 1}, {13, 15, 25, 27}},
                 {2, {2, 2}, {13, 20, 35, 42}}};
    for (size_t i = 0; i < NMI_COUNT(table); i++) {
        struct op_case c;
        struct nmi_gemm_attrs *a = start(&c, false, false);
        a->alpha = 2;
        a->beta = 0.5f;
        op_case_in(&c, NM_F32, table[i].rank, table[i].dims, add);
        ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
        op_case_values(&c, table[i].want, 4);
        op_case_end(&c);
    }
}
END_TEST

START_TEST(gemm_c_with_beta_zero_is_not_read)
{
    struct op_case c;
    float nan[] = {NAN, NAN};
    start(&c, false, false)->beta = 0;
    OP_IN(&c, nan, 2);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_VALUES(&c, 4, 5, 10, 11);
    op_case_end(&c);
}
END_TEST

START_TEST(gemm_shapes_that_do_not_fit_refused)
{
    static const struct {
        int32_t ranks[3];
        int64_t a[3], b[3], c[3];
    } table[] = {{{2, 2, 1}, {2, 3}, {4, 2}, {2}},    {{1, 2, 1}, {3}, {3, 2}, {2}},
                 {{2, 3, 1}, {2, 3}, {1, 3, 2}, {2}}, {{2, 2, 1}, {2, 3}, {3, 2}, {3}},
                 {{2, 2, 2}, {2, 3}, {3, 2}, {3, 2}}, {{2, 2, 3}, {2, 3}, {3, 2}, {1, 2, 2}}};
    for (size_t i = 0; i < NMI_COUNT(table); i++) {
        struct op_case c;
        op_case_start(&c, NMI_OP_Gemm, 13);
        op_case_in(&c, NM_F32, table[i].ranks[0], table[i].a, NULL);
        op_case_in(&c, NM_F32, table[i].ranks[1], table[i].b, NULL);
        op_case_in(&c, NM_F32, table[i].ranks[2], table[i].c, NULL);
        ck_assert_int_eq(op_case_infer(&c, 1), NM_ESHAPE);
        op_case_end(&c);
    }
}
END_TEST

START_TEST(gemm_unknown_batch_stays)
{
    struct op_case c;
    start(&c, false, false);
    c.facts[0].dims[0] = nmi_dim_symbol(2);
    ck_assert_int_eq(op_case_infer(&c, 1), NM_OK);
    OP_DIMS(&c, nmi_dim_symbol(2), 2);
    c.facts[0].rank = -1;
    ck_assert_int_eq(op_case_infer(&c, 1), NM_OK);
    OP_DIMS(&c, NMI_DIM_UNKNOWN, 2);
    op_case_end(&c);
}
END_TEST

START_TEST(gemm_integers_refused)
{
    struct op_case c;
    op_case_start(&c, NMI_OP_Gemm, 13);
    op_case_in(&c, NM_I32, 2, (int64_t[]){2, 2}, a23);
    op_case_in(&c, NM_I32, 2, (int64_t[]){2, 2}, a23);
    ck_assert_int_eq(op_case_infer(&c, 1), NM_EUNSUPPORTED);
    op_case_end(&c);
}
END_TEST

/* ---- MatMul ------------------------------------------------------------------------------------
 */

struct shape {
    int32_t rank;
    int64_t dims[4];
};

static int64_t dim_at(const struct shape *s, int32_t axes, int32_t i)
{
    int32_t at = i - (axes - s->rank);
    return at < 0 ? 1 : s->dims[at];
}

/* Element `at` of the product of two operands of rank >= 2, by numpy's rule. */
static double naive(const struct op_case *c, const struct shape *a, const struct shape *b,
                    int64_t at)
{
    const struct nmi_tensor *y = &c->out[0];
    int64_t index[4], m, n, k = a->dims[a->rank - 1];
    double sum = 0;
    for (int32_t i = y->rank - 1; i >= 0; i--) {
        index[i] = at % y->dims[i];
        at /= y->dims[i];
    }
    m = index[y->rank - 2];
    n = index[y->rank - 1];
    for (int64_t i = 0; i < k; i++) {
        int64_t left = 0, right = 0;
        for (int32_t d = 0; d < y->rank - 2; d++) {
            int64_t da = dim_at(a, y->rank, d), db = dim_at(b, y->rank, d);
            left = left * da + (da == 1 ? 0 : index[d]);
            right = right * db + (db == 1 ? 0 : index[d]);
        }
        left = (left * a->dims[a->rank - 2] + m) * k + i;
        right = (right * k + i) * b->dims[b->rank - 1] + n;
        sum += (double)((const float *)c->in[0].data)[left] *
               (double)((const float *)c->in[1].data)[right];
    }
    return sum;
}

START_TEST(matmul_batches_broadcast_as_numpy)
{
    static const struct shape pairs[][2] = {{{2, {3, 4}}, {2, {4, 5}}},
                                            {{3, {2, 3, 4}}, {2, {4, 5}}},
                                            {{2, {3, 4}}, {3, {2, 4, 5}}},
                                            {{4, {2, 3, 2, 4}}, {4, {2, 3, 4, 2}}},
                                            {{4, {2, 1, 2, 4}}, {4, {1, 3, 4, 2}}},
                                            {{4, {2, 3, 2, 4}}, {3, {3, 4, 2}}},
                                            {{3, {1, 2, 4}}, {4, {2, 3, 4, 2}}},
                                            {{3, {2, 2, 4}}, {4, {3, 1, 4, 2}}}};
    op_case_seed();
    for (size_t i = 0; i < NMI_COUNT(pairs); i++) {
        struct op_case c;
        op_case_start(&c, NMI_OP_MatMul, 13);
        op_case_in(&c, NM_F32, pairs[i][0].rank, pairs[i][0].dims, NULL);
        op_case_in(&c, NM_F32, pairs[i][1].rank, pairs[i][1].dims, NULL);
        ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
        int64_t count = 1;
        for (int32_t d = 0; d < c.out[0].rank; d++) {
            count *= c.out[0].dims[d];
        }
        for (int64_t k = 0; k < count; k++) {
            double want = naive(&c, &pairs[i][0], &pairs[i][1], k);
            ck_assert_double_eq_tol((double)op_case_floats(&c, 0)[k], want, 1e-6);
        }
        op_case_end(&c);
    }
}
END_TEST

START_TEST(matmul_vectors_lose_their_axis)
{
    static const float v[] = {1, 2, 3};
    struct op_case c;
    op_case_start(&c, NMI_OP_MatMul, 13);
    OP_IN(&c, v, 3);
    OP_IN(&c, v, 3);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    ck_assert_int_eq(c.out_facts[0].rank, 0);
    OP_VALUES(&c, 14);
    op_case_end(&c);
    op_case_start(&c, NMI_OP_MatMul, 13);
    OP_IN(&c, a23, 2, 3);
    OP_IN(&c, v, 3);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_DIMS(&c, 2);
    OP_VALUES(&c, 14, 32);
    op_case_end(&c);
    op_case_start(&c, NMI_OP_MatMul, 13);
    OP_IN(&c, v, 3);
    OP_IN(&c, b32, 1, 3, 2);
    ck_assert_int_eq(op_case_run(&c, 1), NM_OK);
    OP_DIMS(&c, 1, 2);
    OP_VALUES(&c, 4, 5);
    op_case_end(&c);
}
END_TEST

START_TEST(matmul_bad_shapes_refused)
{
    struct op_case c;
    op_case_start(&c, NMI_OP_MatMul, 13);
    OP_IN(&c, NULL, 2, 3);
    OP_IN(&c, NULL, 2, 3);
    ck_assert_int_eq(op_case_infer(&c, 1), NM_ESHAPE);
    c.facts[1].rank = 0;
    ck_assert_int_eq(op_case_infer(&c, 1), NM_ESHAPE);
    op_case_end(&c);
    op_case_start(&c, NMI_OP_MatMul, 13);
    OP_IN(&c, NULL, 2, 2, 3);
    OP_IN(&c, NULL, 3, 3, 2);
    ck_assert_int_eq(op_case_infer(&c, 1), NM_ESHAPE);
    op_case_end(&c);
}
END_TEST

START_TEST(matmul_described_with_one_stride_a_batch)
{
    struct nmi_gemm_attrs attrs = {0};
    struct nmi_gemm_desc d;
    struct nmi_tensor a = {.rank = 3, .dims = {5, 2, 3}}, b = {.rank = 2, .dims = {3, 4}};
    ck_assert_int_eq(nmi_matmul_describe(&attrs, &a, &b, NULL, "n", &d, NULL), NM_OK);
    ck_assert(d.batch == 5 && d.stride_a == 6 && d.stride_b == 0 && d.stride_c == 8);
    ck_assert(d.m == 2 && d.k == 3 && d.n == 4 && !d.trans_a && !d.trans_b);
    struct nmi_tensor x = {.rank = 4, .dims = {5, 1, 2, 3}};
    struct nmi_tensor y = {.rank = 4, .dims = {1, 6, 3, 4}};
    ck_assert_int_eq(nmi_matmul_describe(&attrs, &x, &y, NULL, "n", &d, NULL), NM_EUNSUPPORTED);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gemm");
    TCase *tc = tcase_create("gemm");
    tcase_add_test(tc, gemm_without_c);
    tcase_add_test(tc, gemm_transposed_operands);
    tcase_add_test(tc, gemm_c_broadcasts_five_ways);
    tcase_add_test(tc, gemm_c_with_beta_zero_is_not_read);
    tcase_add_test(tc, gemm_shapes_that_do_not_fit_refused);
    tcase_add_test(tc, gemm_unknown_batch_stays);
    tcase_add_test(tc, gemm_integers_refused);
    tcase_add_test(tc, matmul_batches_broadcast_as_numpy);
    tcase_add_test(tc, matmul_vectors_lose_their_axis);
    tcase_add_test(tc, matmul_bad_shapes_refused);
    tcase_add_test(tc, matmul_described_with_one_stride_a_batch);
    suite_add_tcase(suite, tc);
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? 0 : 1;
}
