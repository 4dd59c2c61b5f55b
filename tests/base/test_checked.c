/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes at the edges of their types. */
#include "lib/base/checked.h"

#include <check.h>
#include <nm/nm.h>

START_TEST(round_up_at_the_end_of_size_t_refused)
{
    size_t out;
    ck_assert(nmi_round_up(1, 64, &out));
    ck_assert_uint_eq(out, 64);
    ck_assert(nmi_round_up(64, 64, &out));
    ck_assert_uint_eq(out, 64);
    ck_assert(nmi_round_up(0, 64, &out));
    ck_assert_uint_eq(out, 0);
    ck_assert(nmi_round_up(SIZE_MAX - 63, 64, &out));
    ck_assert(!nmi_round_up(SIZE_MAX - 62, 64, &out));
}
END_TEST

START_TEST(type_size_of_every_number)
{
    static const int sizes[] = {0, 4, 1, 1, 2, 2, 4, 8, 0, 1, 2, 8, 4, 8, 0, 0, 2};
    for (int type = -5; type < 100; type++) {
        size_t expected = type >= 0 && type < (int)NMI_COUNT(sizes) ? (size_t)sizes[type] : 0;
        ck_assert_uint_eq(nmi_type_size(type), expected);
    }
}
END_TEST

START_TEST(elems_of_scalar_is_one)
{
    int64_t n = 0;
    ck_assert(nmi_elems(0, NULL, &n));
    ck_assert_int_eq(n, 1);
}
END_TEST

START_TEST(elems_with_overflow_or_negative_dim_refused)
{
    int64_t n;
    const int64_t fits[] = {INT64_MAX, 1}, over[] = {INT64_MAX, 2}, negative[] = {3, -1};
    const int64_t lowest[] = {INT64_MIN};
    ck_assert(nmi_elems(2, fits, &n));
    ck_assert_int_eq(n, INT64_MAX);
    ck_assert(!nmi_elems(2, over, &n));
    ck_assert(!nmi_elems(2, negative, &n));
    ck_assert(!nmi_elems(1, lowest, &n));
}
END_TEST

/* An empty tensor whose strides overflow is refused wherever the zero stands. */
START_TEST(elems_with_zero_is_empty_but_checked)
{
    int64_t n = 1;
    const int64_t empty[] = {0, 7}, hidden[] = {(int64_t)1 << 40, (int64_t)1 << 40, 0};
    const int64_t first[] = {0, (int64_t)1 << 40, (int64_t)1 << 40};
    ck_assert(nmi_elems(2, empty, &n));
    ck_assert_int_eq(n, 0);
    ck_assert(!nmi_elems(3, hidden, &n));
    ck_assert(!nmi_elems(3, first, &n));
}
END_TEST

START_TEST(tensor_bytes_with_overflow_or_unknown_type_refused)
{
    size_t n;
    const int64_t dims[] = {2, 3}, large[] = {INT64_MAX};
    ck_assert(nmi_tensor_bytes(NM_F32, 2, dims, &n));
    ck_assert_uint_eq(n, 24);
    ck_assert(nmi_tensor_bytes(NM_U16, 1, large, &n));
    ck_assert(!nmi_tensor_bytes(NM_F32, 1, large, &n));
    ck_assert(!nmi_tensor_bytes(8, 2, dims, &n));
    ck_assert(!nmi_tensor_bytes(-1, 2, dims, &n));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("checked");
    TCase *t = tcase_create("checked");
    tcase_add_test(t, round_up_at_the_end_of_size_t_refused);
    tcase_add_test(t, type_size_of_every_number);
    tcase_add_test(t, elems_of_scalar_is_one);
    tcase_add_test(t, elems_with_overflow_or_negative_dim_refused);
    tcase_add_test(t, elems_with_zero_is_empty_but_checked);
    tcase_add_test(t, tensor_bytes_with_overflow_or_unknown_type_refused);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
