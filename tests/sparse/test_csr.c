/* SPDX-License-Identifier: Apache-2.0 */
/* CSR from dense weights, against a walk over all elements; and that no corruption gets past. */
#include "lib/base/mem.h"
#include "lib/sparse/csr.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 40 };

static uint64_t state = 1;

static uint32_t next(uint32_t n)
{
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(state >> 33) % n;
}

/* Element (r, c) of the matrix that source stands for. */
static float at(const struct nmi_csr_source *s, int32_t r, int32_t c)
{
    return s->transposed ? s->w[(int64_t)c * s->rows + r] : s->w[(int64_t)r * s->cols + c];
}

static void check_rows(const struct nmi_csr_source *s, const struct nmi_csr *csr)
{
    int32_t k = 0;
    ck_assert_int_eq(csr->rows, s->rows);
    ck_assert_int_eq(csr->cols, s->cols);
    for (int32_t r = 0; r < s->rows; r++) {
        ck_assert_int_eq(csr->row_start[r], k);
        for (int32_t c = 0; c < s->cols; c++) {
            const float v = at(s, r, c);
            if (s->keep_zeros || v != 0) {
                ck_assert_int_eq(csr->col[k], c);
                ck_assert_mem_eq(&csr->val[k], &v, sizeof v); /* the sign of a zero too */
                k++;
            }
        }
    }
    ck_assert_int_eq(csr->row_start[s->rows], k);
    ck_assert_int_eq(csr->nnz, k);
}

static void check_build(const struct nmi_csr_source *source)
{
    struct nmi_csr csr;
    void *memory = NULL;
    nm_error err = {NM_OK, ""};
    const size_t live = nmi_alloc_live();
    ck_assert_msg(nmi_csr_build(source, &csr, &memory, &err) == NM_OK, "%s", err.message);
    check_rows(source, &csr);
    ck_assert_int_eq(nmi_csr_verify(&csr, &err), NM_OK);
    nmi_free(memory);
    ck_assert_uint_eq(nmi_alloc_live(), live);
}

/* Whole rows and columns are empty now and then, and some zeros are negative. */
static void fill(float *w, int32_t rows, int32_t cols, uint32_t percent)
{
    for (int32_t i = 0; i < rows * cols; i++) {
        const bool zero = next(100) < percent || i / cols % 5 == 2 || i % cols == 3;
        w[i] = zero ? (next(2) ? 0.0f : -0.0f) : (float)next(1000) - 500.5f;
    }
}

START_TEST(build_random_matrices_all_elements_in_their_place)
{
    static const uint32_t percents[] = {0, 50, 90, 100};
    float w[MOST * MOST];
    for (int i = 0; i < 400; i++) {
        struct nmi_csr_source s = {w, 1 + (int32_t)next(MOST), 1 + (int32_t)next(MOST), i & 1,
                                   i & 2, NULL};
        fill(w, s.rows, s.cols, percents[i / 4 % 4]);
        check_build(&s);
    }
}
END_TEST

START_TEST(build_without_zeros_or_without_anything_else)
{
    const float full[6] = {1, -2, 3, INFINITY, 1e-45f, 6}, none[6] = {0, -0.0f, 0, 0, -0.0f, 0};
    for (int i = 0; i < 4; i++) {
        check_build(&(struct nmi_csr_source){full, 2, 3, i & 1, i & 2, NULL});
        check_build(&(struct nmi_csr_source){none, 2, 3, i & 1, i & 2, NULL});
        check_build(&(struct nmi_csr_source){none, 0, 3, i & 1, i & 2, NULL});
        check_build(&(struct nmi_csr_source){none, 2, 0, i & 1, i & 2, NULL});
    }
}
END_TEST

START_TEST(build_without_memory_says_so)
{
    const float w[2] = {1, 2};
    struct nmi_csr csr;
    void *memory;
    nm_error err = {NM_OK, ""};
    nmi_alloc_fail_after(1, 0);
    nm_status status =
        nmi_csr_build(&(struct nmi_csr_source){w, 1, 2, false, false, NULL}, &csr, &memory, &err);
    nmi_alloc_fail_after(0, 0);
    ck_assert_int_eq(status, NM_ENOMEM);
    ck_assert_ptr_null(memory);
    ck_assert_ptr_nonnull(strstr(err.message, "sparse weight"));
}
END_TEST

/* ---- verify ---------------------------------------------------------------------------------- */

static const int32_t good_start[5] = {0, 2, 2, 5, 6}, good_col[6] = {1, 3, 0, 2, 4, 0};
static const float good_val[6] = {1, 2, 3, 4, 5, 6};

static void expect_refused(const struct nmi_csr *csr, const char *what)
{
    nm_error err = {NM_OK, ""};
    ck_assert_msg(nmi_csr_verify(csr, &err) == NM_EFORMAT, "%s was not seen", what);
    ck_assert_ptr_nonnull(strstr(err.message, "sparse weight"));
}

/* What a matrix of these columns may start its rows at. */
static bool valid_starts(const int32_t *start)
{
    if (start[0] != 0 || start[4] != 6) {
        return false;
    }
    for (int r = 0; r < 4; r++) {
        if (start[r] > start[r + 1]) {
            return false;
        }
        for (int32_t k = start[r] + 1; k < start[r + 1]; k++) {
            if (good_col[k] <= good_col[k - 1]) {
                return false;
            }
        }
    }
    return true;
}

START_TEST(verify_every_wrong_row_start_refused)
{
    static const int32_t wrong[] = {-1, 0, 1, 2, 3, 4, 5, 6, 7, INT32_MAX, INT32_MIN};
    int32_t start[5];
    int refused = 0;
    struct nmi_csr csr = {4, 5, 6, start, good_col, good_val};
    for (int i = 0; i < 5; i++) {
        for (size_t k = 0; k < NMI_COUNT(wrong); k++) {
            memcpy(start, good_start, sizeof start);
            start[i] = wrong[k];
            if (!valid_starts(start)) {
                expect_refused(&csr, "a row start");
                refused++;
            }
        }
    }
    ck_assert_int_gt(refused, 40);
}
END_TEST

START_TEST(verify_every_wrong_column_refused)
{
    int32_t col[6];
    struct nmi_csr csr = {4, 5, 6, good_start, col, good_val};
    for (int i = 0; i < 6; i++) {
        const bool first = i == 0 || i == 2 || i == 5, last = i == 1 || i >= 4;
        for (int32_t c = -2; c <= 7; c++) {
            const bool range = c >= 0 && c < 5;
            const bool behind = first || c > good_col[i - 1], before = last || c < good_col[i + 1];
            memcpy(col, good_col, sizeof col);
            col[i] = c;
            if (range && behind && before) {
                ck_assert_int_eq(nmi_csr_verify(&csr, NULL), NM_OK);
            } else {
                expect_refused(&csr, "a column");
            }
        }
    }
}
END_TEST

START_TEST(verify_wrong_counts_refused)
{
    struct nmi_csr csr = {4, 5, 6, good_start, good_col, good_val};
    ck_assert_int_eq(nmi_csr_verify(&csr, NULL), NM_OK);
    csr.nnz = 5;
    expect_refused(&csr, "nnz too small");
    csr.nnz = 7;
    expect_refused(&csr, "nnz too large");
    csr.nnz = 6;
    csr.rows = 3;
    expect_refused(&csr, "rows too few");
    csr.rows = -1;
    expect_refused(&csr, "rows negative");
    csr.rows = 4;
    csr.cols = 4;
    expect_refused(&csr, "cols too few");
    csr.cols = -1;
    expect_refused(&csr, "cols negative");
}
END_TEST

START_TEST(zeros_of_both_signs_counted_nan_not)
{
    const float w[6] = {0, -0.0f, 1e-45f, NAN, INFINITY, -1};
    ck_assert_int_eq(nmi_zeros(w, 6), 2);
    ck_assert_int_eq(nmi_zeros(w, 0), 0);
}
END_TEST

int main(void)
{
    const char *seed = getenv("NM_SEED");
    state = seed != NULL ? strtoull(seed, NULL, 10) : 1;
    printf("NM_SEED=%llu\n", (unsigned long long)state);
    Suite *s = suite_create("csr");
    TCase *t = tcase_create("csr");
    tcase_add_test(t, build_random_matrices_all_elements_in_their_place);
    tcase_add_test(t, build_without_zeros_or_without_anything_else);
    tcase_add_test(t, build_without_memory_says_so);
    tcase_add_test(t, verify_every_wrong_row_start_refused);
    tcase_add_test(t, verify_every_wrong_column_refused);
    tcase_add_test(t, verify_wrong_counts_refused);
    tcase_add_test(t, zeros_of_both_signs_counted_nan_not);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
