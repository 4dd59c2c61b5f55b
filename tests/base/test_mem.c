/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks and arenas: alignment, zeroes, limits, counters, failures on order. */
#include "lib/base/mem.h"

#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static bool all_are(const unsigned char *bytes, size_t n, unsigned char value)
{
    for (size_t i = 0; i < n; i++) {
        if (bytes[i] != value) {
            return false;
        }
    }
    return true;
}

START_TEST(alloc_of_any_size_is_aligned_with_readable_slack)
{
    for (size_t n = 0; n < 300; n += 7) {
        unsigned char *p = nmi_alloc(n);
        ck_assert_ptr_nonnull(p);
        ck_assert_uint_eq((uintptr_t)p % 64, 0);
        memset(p, 0xab, n + NMI_SLACK); /* the sanitizer would object */
        nmi_free(p);
    }
    nmi_free(NULL);
}
END_TEST

START_TEST(alloc_beyond_the_address_space_is_null)
{
    ck_assert_ptr_null(nmi_alloc(SIZE_MAX));
    ck_assert_ptr_null(nmi_alloc(SIZE_MAX - NMI_SLACK - 64));
    ck_assert_ptr_null(nmi_alloc((size_t)PTRDIFF_MAX));
    ck_assert_ptr_null(nmi_calloc(SIZE_MAX / 2, 3));
}
END_TEST

START_TEST(calloc_of_used_memory_is_zero)
{
    for (int round = 0; round < 20; round++) {
        unsigned char *p = nmi_calloc(100, 9);
        ck_assert_ptr_nonnull(p);
        ck_assert(all_are(p, 900, 0));
        memset(p, 0xff, 900);
        nmi_free(p);
    }
}
END_TEST

START_TEST(realloc_keeps_contents_and_old_block_on_failure)
{
    char *p = nmi_realloc(NULL, 0, 6);
    memcpy(p, "hello", 6);
    p = nmi_realloc(p, 6, 100000);
    ck_assert_str_eq(p, "hello");
    ck_assert_ptr_null(nmi_realloc(p, 100000, SIZE_MAX));
    ck_assert_str_eq(p, "hello");
    p = nmi_realloc(p, 100000, 3);
    ck_assert_mem_eq(p, "hel", 3);
    nmi_free(p);
}
END_TEST

START_TEST(counters_follow_blocks)
{
    long count = nmi_alloc_count();
    size_t live = nmi_alloc_live();
    nmi_alloc_peak(1);
    void *a = nmi_alloc(1000), *b = nmi_alloc(500);
    ck_assert_int_eq(nmi_alloc_count() - count, 2);
    ck_assert_uint_eq(nmi_alloc_live() - live, 1500);
    nmi_free(a);
    nmi_free(b);
    ck_assert_uint_eq(nmi_alloc_live(), live);
    ck_assert_uint_eq(nmi_alloc_peak(1), live + 1500);
    ck_assert_uint_eq(nmi_alloc_peak(0), live);
}
END_TEST

START_TEST(fail_after_once_and_sticky)
{
    nmi_alloc_fail_after(2, 0);
    void *a = nmi_alloc(1), *b = nmi_alloc(1), *c = nmi_alloc(1);
    ck_assert_ptr_nonnull(a);
    ck_assert_ptr_null(b);
    ck_assert_ptr_nonnull(c);
    nmi_free(a);
    nmi_free(c);
    nmi_alloc_fail_after(2, 1);
    a = nmi_alloc(1);
    ck_assert_ptr_nonnull(a);
    for (int i = 0; i < 3; i++) {
        ck_assert_ptr_null(nmi_calloc(1, 1));
    }
    struct nmi_arena arena = {0};
    ck_assert_ptr_null(nmi_arena_alloc(&arena, 1));
    nmi_alloc_fail_after(0, 0);
    nmi_free(a);
    nmi_arena_free(&arena);
}
END_TEST

START_TEST(arena_pieces_are_zero_apart_and_aligned)
{
    enum { PIECES = 400 };
    static unsigned char *piece[PIECES];
    static size_t size[PIECES];
    struct nmi_arena arena = {0};
    unsigned seed = 1;
    for (int i = 0; i < PIECES; i++) {
        seed = seed * 1664525u + 1013904223u;
        size[i] = i % 50 == 49 ? 300000 : seed >> 22;
        piece[i] = nmi_arena_alloc(&arena, size[i]);
        ck_assert_ptr_nonnull(piece[i]);
        ck_assert_uint_eq((uintptr_t)piece[i] % (size[i] >= 256 ? 64 : 16), 0);
        ck_assert(all_are(piece[i], size[i], 0));
        memset(piece[i], i & 0xff, size[i]);
    }
    for (int i = 0; i < PIECES; i++) {
        ck_assert(all_are(piece[i], size[i], (unsigned char)i));
    }
    nmi_arena_free(&arena);
    ck_assert_uint_eq(arena.used, 0);
    ck_assert_ptr_null(arena.head);
}
END_TEST

START_TEST(arena_beyond_limit_refuses_and_goes_on)
{
    struct nmi_arena arena = {.limit = 1000};
    ck_assert_ptr_nonnull(nmi_arena_alloc(&arena, 900));
    size_t used = arena.used;
    ck_assert_ptr_null(nmi_arena_alloc(&arena, 200));
    ck_assert_ptr_null(nmi_arena_alloc(&arena, SIZE_MAX - 10));
    ck_assert_ptr_null(nmi_arena_array(&arena, SIZE_MAX / 4, 8));
    ck_assert_uint_eq(arena.used, used);
    ck_assert_ptr_nonnull(nmi_arena_alloc(&arena, 16));
    nmi_arena_free(&arena);
}
END_TEST

START_TEST(arena_copies_hold_what_they_copied)
{
    struct nmi_arena arena = {0};
    char *cut = nmi_arena_string(&arena, "abcdef", 3);
    ck_assert_str_eq(cut, "abc");
    ck_assert_str_eq(nmi_arena_string(&arena, NULL, 0), "");
    ck_assert_str_eq(nmi_arena_printf(&arena, "%s_%d", "conv", 12), "conv_12");
    const int numbers[] = {1, 2, 3};
    ck_assert_mem_eq(nmi_arena_copy(&arena, numbers, sizeof numbers), numbers, sizeof numbers);
    ck_assert_ptr_nonnull(nmi_arena_copy(&arena, NULL, 0));
    nmi_arena_free(&arena);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("mem");
    TCase *t = tcase_create("mem");
    tcase_add_test(t, alloc_of_any_size_is_aligned_with_readable_slack);
    tcase_add_test(t, alloc_beyond_the_address_space_is_null);
    tcase_add_test(t, calloc_of_used_memory_is_zero);
    tcase_add_test(t, realloc_keeps_contents_and_old_block_on_failure);
    tcase_add_test(t, counters_follow_blocks);
    tcase_add_test(t, fail_after_once_and_sticky);
    tcase_add_test(t, arena_pieces_are_zero_apart_and_aligned);
    tcase_add_test(t, arena_beyond_limit_refuses_and_goes_on);
    tcase_add_test(t, arena_copies_hold_what_they_copied);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
