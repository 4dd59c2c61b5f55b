/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns of zeros: words, exact counts at all remainders, which ones go, what a mask keeps whole. */
#include "lib/base/mem.h"
#include "lib/prune/pattern.h"
#include "tests/support/prune_case.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct nmi_pattern pattern_of(const char *word)
{
    struct nmi_pattern p;
    nm_error err = {NM_OK, ""};
    ck_assert_msg(nmi_pattern_parse(word, &p, &err) == NM_OK, "%s", err.message);
    return p;
}

/* The mask of these values in memory of malloc. */
static uint8_t *mask_of(const char *word, struct nmi_pattern_shape s, const float *values,
                        double sparsity)
{
    const struct nmi_pattern p = pattern_of(word);
    const size_t n = (size_t)s.rows * (size_t)s.channels * (size_t)s.taps;
    uint8_t *mask = malloc(n + 1);
    nm_error err = {NM_OK, ""};
    memset(mask, 7, n + 1);
    ck_assert_msg(nmi_pattern_select(&p, &s, values, sparsity, mask, &err) == NM_OK, "%s",
                  err.message);
    for (size_t i = 0; i < n; i++) {
        ck_assert_msg(mask[i] <= 1, "mask %zu is %d", i, mask[i]);
    }
    ck_assert_int_eq(mask[n], 7);
    return mask;
}

static void expect_mask(const char *word, struct nmi_pattern_shape s, const float *values,
                        double sparsity, const char *want)
{
    uint8_t *mask = mask_of(word, s, values, sparsity);
    for (size_t i = 0; i < strlen(want); i++) {
        ck_assert_msg(mask[i] == (want[i] == '1'), "%s at %g: weight %zu is %d", word, sparsity, i,
                      mask[i]);
    }
    free(mask);
}

/* ---- words ---------------------------------------------------------------------------------- */

START_TEST(words_there_and_back)
{
    static const char *const words[] = {"any", "filter", "4x1", "1x4", "2x2", "64x64", "16x1",
                                        "2:4", "1:1", "1:64", "64:64"};
    char word[NMI_PATTERN_WORD];
    for (size_t i = 0; i < NMI_COUNT(words); i++) {
        const struct nmi_pattern p = pattern_of(words[i]);
        ck_assert_str_eq(nmi_pattern_word(&p, word), words[i]);
    }
    const struct nmi_pattern one = pattern_of("1x1");
    ck_assert_str_eq(nmi_pattern_word(&one, word), "any");
}
END_TEST

START_TEST(other_words_refused)
{
    static const char *const words[] = {
        "",     " ",     "Any",  "any ",  "x",     "4",      "4x",      "x4",   "4:",
        "0x4",  "4x0",   "-4x1", "4x-1",  "65x1",  "1x65",   "100x1",   "1x100", "4:2",
        "0:4",  "4x1 ",  " 4x1", "4 x1",  "4x 1",  "+4x1",   "4x+1",    "4x1x1", "2:4:8",
        "4X1",  "4*1",   "4.0x1", "filters", "row", "999999999999999999999x1", "4x1\n", "4\nx1"};
    for (size_t i = 0; i < NMI_COUNT(words); i++) {
        struct nmi_pattern p;
        nm_error err = {NM_OK, ""};
        ck_assert_msg(nmi_pattern_parse(words[i], &p, &err) == NM_EINVAL, "\"%s\" was taken",
                      words[i]);
        ck_assert_ptr_nonnull(strstr(err.message, "expected any, filter, blocks"));
    }
}
END_TEST

/* ---- single weights ------------------------------------------------------------------------- */

START_TEST(any_exact_count_and_the_smallest)
{
    for (int32_t n = 1; n <= 40; n++) {
        const struct nmi_pattern_shape s = {1, n, 1};
        float *v = prune_floats((size_t)n, (uint64_t)n);
        for (int percent = 0; percent <= 100; percent += 5) {
            uint8_t *mask = mask_of("any", s, v, percent / 100.0);
            float gone = -1, kept = INFINITY;
            int32_t zeros = 0;
            for (int32_t i = 0; i < n; i++) {
                zeros += !mask[i];
                gone = mask[i] ? gone : fmaxf(gone, fabsf(v[i]));
                kept = mask[i] ? fminf(kept, fabsf(v[i])) : kept;
            }
            ck_assert_int_eq(zeros, n * percent / 100);
            ck_assert_float_le(gone, kept);
            free(mask);
        }
        free(v);
    }
}
END_TEST

START_TEST(ties_go_in_order)
{
    const float same[8] = {1, -1, 1, 1, -1, 1, 1, 1};
    expect_mask("any", (struct nmi_pattern_shape){2, 2, 2}, same, 0.5, "00001111");
    expect_mask("any", (struct nmi_pattern_shape){2, 2, 2}, same, 0.49, "00011111");
    expect_mask("filter", (struct nmi_pattern_shape){4, 2, 1}, same, 0.5, "00001111");
    expect_mask("2x1", (struct nmi_pattern_shape){4, 2, 1}, same, 0.5, "00001111");
    expect_mask("1x2", (struct nmi_pattern_shape){2, 4, 1}, same, 0.5, "00001111");
    /* of N:M the later of equals stay */
    expect_mask("2:4", (struct nmi_pattern_shape){2, 4, 1}, same, 0, "00110011");
}
END_TEST

START_TEST(zeros_of_both_signs_go_first)
{
    const float v[6] = {1e-30f, -0.0f, 0.0f, 1e-45f, -INFINITY, 1};
    expect_mask("any", (struct nmi_pattern_shape){1, 6, 1}, v, 1.0 / 3, "100111");
    expect_mask("any", (struct nmi_pattern_shape){1, 6, 1}, v, 0.5, "100011");
    expect_mask("any", (struct nmi_pattern_shape){1, 6, 1}, v, 5.0 / 6, "000010");
}
END_TEST

/* ---- blocks --------------------------------------------------------------------------------- */

/* Each block is whole or gone; of them floor(share) are gone; their mean squares are in order. */
static void expect_blocks(int32_t a, int32_t b, struct nmi_pattern_shape s, double sparsity)
{
    char word[NMI_PATTERN_WORD];
    const struct nmi_pattern p = {NMI_PATTERN_BLOCK, a, b};
    const size_t n = (size_t)s.rows * (size_t)s.channels * (size_t)s.taps;
    float *v = prune_floats(n, n);
    uint8_t *mask = mask_of(nmi_pattern_word(&p, word), s, v, sparsity);
    int64_t blocks = 0, gone = 0;
    double most_gone = -1, least_kept = INFINITY;
    for (int32_t r = 0; r < s.rows; r += a) {
        for (int32_t c = 0; c < s.channels; c += b) {
            for (int32_t t = 0; t < s.taps; t++) {
                int32_t kept = 0, elems = 0;
                double square = 0;
                for (int32_t i = r; i < r + a && i < s.rows; i++) {
                    for (int32_t k = c; k < c + b && k < s.channels; k++) {
                        const size_t at = ((size_t)i * (size_t)s.channels + (size_t)k) *
                                              (size_t)s.taps + (size_t)t;
                        kept += mask[at];
                        elems++;
                        square += (double)v[at] * (double)v[at];
                    }
                }
                ck_assert_msg(kept == 0 || kept == elems, "%s: %d of %d stay in a block", word, kept,
                              elems);
                blocks++;
                gone += kept == 0;
                most_gone = kept == 0 ? fmax(most_gone, square / elems) : most_gone;
                least_kept = kept != 0 ? fmin(least_kept, square / elems) : least_kept;
            }
        }
    }
    ck_assert_int_eq(gone, (int64_t)floor(sparsity * (double)blocks + 1e-6));
    ck_assert_msg(most_gone <= least_kept * (1 + 1e-6), "%s: %g went, %g stayed", word, most_gone,
                  least_kept);
    free(mask);
    free(v);
}

START_TEST(blocks_whole_or_gone_at_all_remainders)
{
    static const int32_t sides[][2] = {{4, 1}, {2, 1}, {1, 4}, {2, 2}, {16, 1}, {3, 5}};
    static const double sparsities[] = {0, 0.3, 0.5, 0.77, 0.9, 1};
    for (size_t k = 0; k < NMI_COUNT(sides); k++) {
        for (int32_t rows = 1; rows <= 9; rows++) {
            for (int32_t channels = 1; channels <= 9; channels += 2) {
                const int32_t taps = rows % 3 == 0 ? 9 : rows % 3;
                for (size_t i = 0; i < NMI_COUNT(sparsities); i++) {
                    expect_blocks(sides[k][0], sides[k][1],
                                  (struct nmi_pattern_shape){rows, channels, taps}, sparsities[i]);
                }
            }
        }
    }
}
END_TEST

/* Channels lie `taps` apart: a 1x2 block is two channels at one tap, never two taps. */
START_TEST(blocks_run_along_channels_at_one_tap)
{
    const float v[12] = {9, 1, 5, /**/ 9, 1, 5, /**/ 2, 8, 4, /**/ 2, 8, 4};
    const struct nmi_pattern_shape s = {1, 4, 3};
    expect_mask("1x2", s, v, 1.0 / 6, "101101111111");
    expect_mask("1x2", s, v, 2.0 / 6, "101101011011");
    expect_mask("1x2", s, v, 3.0 / 6, "101101010010");
    expect_mask("1x2", s, v, 5.0 / 6, "100100000000");
}
END_TEST

/* An edge block of one weight competes by its mean, not by its sum. */
START_TEST(blocks_at_the_edge_compete_fairly)
{
    const float v[5] = {2, 2, 2, 2, 2.5f};
    expect_mask("4x1", (struct nmi_pattern_shape){5, 1, 1}, v, 0.5, "00001");
    const float w[5] = {2, 2, 2, 2, 1.5f};
    expect_mask("4x1", (struct nmi_pattern_shape){5, 1, 1}, w, 0.5, "11110");
}
END_TEST

/* ---- N:M and filters ------------------------------------------------------------------------ */

static void expect_n_m(int32_t a, int32_t b, struct nmi_pattern_shape s)
{
    char word[NMI_PATTERN_WORD];
    const struct nmi_pattern p = {NMI_PATTERN_N_M, a, b};
    const size_t n = (size_t)s.rows * (size_t)s.channels * (size_t)s.taps;
    float *v = prune_floats(n, n);
    uint8_t *mask = mask_of(nmi_pattern_word(&p, word), s, v, 0.3); /* its own share counts */
    for (int32_t r = 0; r < s.rows; r++) {
        for (int32_t c = 0; c < s.channels; c += b) {
            for (int32_t t = 0; t < s.taps; t++) {
                const int32_t run = s.channels - c < b ? s.channels - c : b;
                float gone = -1, least = INFINITY;
                int32_t kept = 0;
                for (int32_t k = c; k < c + run; k++) {
                    const size_t at =
                        ((size_t)r * (size_t)s.channels + (size_t)k) * (size_t)s.taps + (size_t)t;
                    kept += mask[at];
                    gone = mask[at] ? gone : fmaxf(gone, fabsf(v[at]));
                    least = mask[at] ? fminf(least, fabsf(v[at])) : least;
                }
                ck_assert_int_eq(kept, run < a ? run : a);
                ck_assert_float_le(gone, least);
            }
        }
    }
    free(mask);
    free(v);
}

START_TEST(of_each_m_channels_n_stay)
{
    for (int32_t channels = 1; channels <= 17; channels++) {
        expect_n_m(2, 4, (struct nmi_pattern_shape){3, channels, 1});
        expect_n_m(1, 4, (struct nmi_pattern_shape){2, channels, 9});
        expect_n_m(1, 2, (struct nmi_pattern_shape){2, channels, 3});
        expect_n_m(5, 8, (struct nmi_pattern_shape){1, channels, 2});
        expect_n_m(3, 3, (struct nmi_pattern_shape){1, channels, 2});
        expect_n_m(1, 64, (struct nmi_pattern_shape){1, channels, 1});
    }
}
END_TEST

START_TEST(filters_go_whole)
{
    for (int32_t rows = 1; rows <= 10; rows++) {
        const struct nmi_pattern_shape s = {rows, 3, 4};
        float *v = prune_floats((size_t)rows * 12, (uint64_t)rows);
        for (int percent = 0; percent <= 100; percent += 10) {
            uint8_t *mask = mask_of("filter", s, v, percent / 100.0);
            int32_t gone = 0;
            for (int32_t r = 0; r < rows; r++) {
                int32_t kept = 0;
                for (int32_t i = 0; i < 12; i++) {
                    kept += mask[r * 12 + i];
                }
                ck_assert(kept == 0 || kept == 12);
                gone += kept == 0;
            }
            ck_assert_int_eq(gone, rows * percent / 100);
            free(mask);
        }
        free(v);
    }
}
END_TEST

START_TEST(no_memory_reported)
{
    const float v[4] = {1, 2, 3, 4};
    uint8_t mask[4];
    const struct nmi_pattern p = {NMI_PATTERN_BLOCK, 2, 1};
    const struct nmi_pattern_shape s = {4, 1, 1};
    const size_t live = nmi_alloc_live();
    for (long n = 1; n <= 2; n++) {
        nm_error err = {NM_OK, ""};
        nmi_alloc_fail_after(n, 0);
        ck_assert_int_eq(nmi_pattern_select(&p, &s, v, 0.5, mask, &err), NM_ENOMEM);
        nmi_alloc_fail_after(0, 0);
        ck_assert_uint_eq(nmi_alloc_live(), live);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("pattern");
    TCase *t = tcase_create("pattern");
    tcase_add_test(t, words_there_and_back);
    tcase_add_test(t, other_words_refused);
    tcase_add_test(t, any_exact_count_and_the_smallest);
    tcase_add_test(t, ties_go_in_order);
    tcase_add_test(t, zeros_of_both_signs_go_first);
    tcase_add_test(t, blocks_whole_or_gone_at_all_remainders);
    tcase_add_test(t, blocks_run_along_channels_at_one_tap);
    tcase_add_test(t, blocks_at_the_edge_compete_fairly);
    tcase_add_test(t, of_each_m_channels_n_stay);
    tcase_add_test(t, filters_go_whole);
    tcase_add_test(t, no_memory_reported);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
