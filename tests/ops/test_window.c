/* SPDX-License-Identifier: Apache-2.0 */
/* Windows at their edges: auto_pad, strides, dilations, ceil_mode, and values no window can have.
 */
#include "lib/ops/attrs.h"
#include "tests/support/op_case.h"

#include <check.h>
#include <string.h>

static struct nmi_ints one(int64_t v)
{
    return (struct nmi_ints){1, {v}};
}

static struct nmi_ints two(int64_t a, int64_t b)
{
    return (struct nmi_ints){2, {a, b}};
}

static nm_status resolve(int64_t kernel, int64_t stride, int64_t dilation, struct nmi_ints pads,
                         int64_t auto_pad, int64_t ceil_mode, int64_t in, struct nmi_window *w)
{
    nm_error err = {0};
    struct nmi_ints k = one(kernel), s = one(stride), d = one(dilation);
    nm_status status =
        nmi_window_resolve(&k, &s, &d, &pads, auto_pad, ceil_mode, 1, &in, w, "n", &err);
    ck_assert(status == NM_OK || strncmp(err.message, "node n: ", 8) == 0);
    return status;
}

/* Values from the formulas of ONNX, worked out by hand. */
START_TEST(window_resolve_table)
{
    enum { N = NMI_PAD_NOTSET, U = NMI_PAD_SAME_UPPER, L = NMI_PAD_SAME_LOWER, V = NMI_PAD_VALID };
    static const struct {
        int64_t kernel, stride, dilation, begin, end, auto_pad, ceil_mode, in; /* given */
        int64_t out, pad_begin, pad_end;                                       /* expected */
    } table[] = {
        {3, 1, 1, 0, 0, N, 0, 5, 3, 0, 0},
        {3, 1, 1, 1, 1, N, 0, 5, 5, 1, 1},
        {3, 2, 1, 1, 0, N, 0, 6, 3, 1, 0},
        {3, 2, 1, 0, 0, N, 0, 6, 2, 0, 0},
        {3, 2, 1, 0, 0, N, 1, 6, 3, 0, 0},
        {3, 2, 1, 0, 0, N, 1, 7, 3, 0, 0},
        {3, 1, 2, 0, 0, N, 0, 5, 1, 0, 0},
        {3, 2, 2, 2, 2, N, 0, 5, 3, 2, 2},
        {1, 2, 1, 0, 0, N, 1, 4, 2, 0, 0}, /* the third window would start behind the map */
        {1, 3, 1, 1, 1, N, 1, 2, 1, 1, 1}, /* the second would start in the right pad */
        {2, 3, 1, 1, 1, N, 1, 4, 2, 1, 1},
        {3, 3, 1, 1, 1, N, 1, 3, 2, 1, 1},
        {2, 2, 1, 0, 0, U, 0, 5, 3, 0, 1},
        {2, 2, 1, 0, 0, L, 0, 5, 3, 1, 0},
        {3, 1, 1, 0, 0, U, 0, 5, 5, 1, 1},
        {4, 1, 1, 0, 0, U, 0, 5, 5, 1, 2},
        {4, 1, 1, 0, 0, L, 0, 5, 5, 2, 1},
        {3, 2, 2, 0, 0, U, 0, 6, 3, 1, 2},
        {1, 3, 1, 0, 0, U, 0, 7, 3, 0, 0}, /* a stride beyond the kernel: no negative pads */
        {3, 2, 1, 7, 7, U, 0, 6, 3, 0, 1}, /* auto_pad overrides pads */
        {3, 2, 1, 7, 7, V, 0, 6, 2, 0, 0},
        {3, 2, 1, 0, 0, V, 1, 6, 2, 0, 0},
        {3, 2, 1, 0, 0, U, 1, 6, 3, 0, 1},
        {5, 1, 1, 2, 2, N, 0, 1, 1, 2, 2},
        {1, 1, 1, 0, 0, N, 0, INT32_MAX, INT32_MAX, 0, 0}};
    for (size_t i = 0; i < NMI_COUNT(table); i++) {
        struct nmi_window w;
        ck_assert_int_eq(resolve(table[i].kernel, table[i].stride, table[i].dilation,
                                 two(table[i].begin, table[i].end), table[i].auto_pad,
                                 table[i].ceil_mode, table[i].in, &w),
                         NM_OK);
        ck_assert_msg(w.out[1] == table[i].out && w.pad_begin[1] == table[i].pad_begin &&
                          w.pad_end[1] == table[i].pad_end,
                      "line %zu: out %lld pads %lld %lld", i, (long long)w.out[1],
                      (long long)w.pad_begin[1], (long long)w.pad_end[1]);
        ck_assert(w.out[0] == 1 && w.kernel[0] == 1 && w.in[0] == 1);
    }
}
END_TEST

START_TEST(window_resolve_unknown_size_stays_unknown)
{
    struct nmi_window w;
    for (int64_t auto_pad = NMI_PAD_NOTSET; auto_pad <= NMI_PAD_VALID; auto_pad++) {
        ck_assert_int_eq(resolve(3, 2, 1, two(1, 1), auto_pad, 0, -1, &w), NM_OK);
        ck_assert_int_eq(w.out[1], -1);
        ck_assert_int_eq(resolve(3, 2, 1, two(1, 1), auto_pad, 0, -7, &w), NM_OK);
        ck_assert_int_eq(w.out[1], -1);
    }
}
END_TEST

/* Every attribute takes every adversarial value; nothing but a status may come of it. */
START_TEST(window_resolve_adversarial_values_refused)
{
    static const int64_t bad[] = {INT64_MIN, INT64_MIN + 1, -1, 0, (int64_t)1 << 31, INT64_MAX};
    static const int64_t big[] = {1, 2, INT32_MAX, INT32_MAX - 1};
    struct nmi_window w;
    for (size_t i = 0; i < NMI_COUNT(bad); i++) {
        for (int64_t pad = NMI_PAD_NOTSET; pad <= NMI_PAD_VALID; pad++) {
            ck_assert_int_ne(resolve(bad[i], 1, 1, two(0, 0), pad, 0, 9, &w), NM_OK);
            ck_assert_int_ne(resolve(1, bad[i], 1, two(0, 0), pad, 0, 9, &w), NM_OK);
            ck_assert_int_ne(resolve(1, 1, bad[i], two(0, 0), pad, 0, 9, &w), NM_OK);
            ck_assert(bad[i] == 0 || resolve(1, 1, 1, two(bad[i], 0), pad, 0, 9, &w) != NM_OK);
            ck_assert(bad[i] == 0 || resolve(1, 1, 1, two(0, bad[i]), pad, 0, 9, &w) != NM_OK);
        }
    }
    for (int i = 0; i < 4 * 4 * 4 * 4 * 4 * 4 * 2; i++) { /* must not overflow: see -fsanitize */
        int64_t in = big[i / 1024 % 4];
        (void)resolve(big[i % 4], big[i / 4 % 4], big[i / 16 % 4],
                      two(big[i / 64 % 4], big[i / 256 % 4]), i / 1024 % 4, i / 4096, in, &w);
    }
    ck_assert_int_eq(resolve(1, 1, 1, two(0, 0), NMI_PAD_SAME_UPPER, 0, 0, &w), NM_ESHAPE);
    ck_assert_int_eq(resolve(1, 1, 1, two(0, 0), 0, 0, (int64_t)1 << 31, &w), NM_ELIMIT);
    ck_assert_int_eq(resolve(3, 1, INT32_MAX, two(0, 0), 0, 0, 9, &w), NM_ELIMIT);
    ck_assert_int_eq(resolve(4, 1, 1, two(0, 0), 0, 0, 3, &w), NM_ESHAPE);
    ck_assert_int_eq(resolve(4, 1, 1, two(0, 0), 0, 1, 3, &w), NM_ESHAPE);
}
END_TEST

START_TEST(window_resolve_lists_of_wrong_length_refused)
{
    struct nmi_ints none = {0}, k2 = two(2, 2), l1 = one(1), p4 = {4, {0, 1, 0, 1}};
    int64_t in[2] = {5, 6};
    struct nmi_window w;
    nm_error err;
    ck_assert_int_eq(nmi_window_resolve(&k2, &none, &none, &p4, 0, 0, 2, in, &w, NULL, &err),
                     NM_OK);
    ck_assert(w.out[0] == 4 && w.out[1] == 7);
    ck_assert_int_eq(nmi_window_resolve(&none, &none, &none, &none, 0, 0, 2, in, &w, NULL, &err),
                     NM_ESHAPE);
    ck_assert_int_eq(nmi_window_resolve(&l1, &none, &none, &none, 0, 0, 2, in, &w, NULL, &err),
                     NM_ESHAPE);
    ck_assert_int_eq(nmi_window_resolve(&k2, &l1, &none, &none, 0, 0, 2, in, &w, NULL, &err),
                     NM_ESHAPE);
    ck_assert_int_eq(nmi_window_resolve(&k2, &none, &l1, &none, 0, 0, 2, in, &w, NULL, &err),
                     NM_ESHAPE);
    ck_assert_int_eq(nmi_window_resolve(&k2, &none, &none, &k2, 0, 0, 2, in, &w, NULL, &err),
                     NM_ESHAPE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("window");
    TCase *tc = tcase_create("window");
    tcase_add_test(tc, window_resolve_table);
    tcase_add_test(tc, window_resolve_unknown_size_stays_unknown);
    tcase_add_test(tc, window_resolve_adversarial_values_refused);
    tcase_add_test(tc, window_resolve_lists_of_wrong_length_refused);
    suite_add_tcase(suite, tc);
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? 0 : 1;
}
