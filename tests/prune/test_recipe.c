/* SPDX-License-Identifier: Apache-2.0 */
/* Recipes: what each line means, sentences for what makes no sense, the round trip. */
#include "lib/prune/recipe.h"

#include <check.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct nmi_arena arena;

static void start(void)
{
    arena = (struct nmi_arena){0};
}

static void end(void)
{
    nmi_arena_free(&arena);
}

static struct nmi_recipe parse(const char *text)
{
    struct nmi_recipe recipe;
    nm_error err = {NM_OK, ""};
    ck_assert_msg(nmi_recipe_parse(text, &arena, &recipe, &err) == NM_OK, "%s", err.message);
    return recipe;
}

static void expect_refused(const char *text, const char *words)
{
    struct nmi_recipe recipe;
    nm_error err = {NM_OK, ""};
    ck_assert_msg(nmi_recipe_parse(text, &arena, &recipe, &err) == NM_EINVAL, "accepted: %s", text);
    ck_assert_msg(strstr(err.message, words) != NULL, "\"%s\" lacks \"%s\"", err.message, words);
    ck_assert_int_eq(nmi_recipe_parse(text, &arena, &recipe, NULL), NM_EINVAL);
}

/* "0.9 4x1" for the rule of a layer, "none" for none. */
static void expect_rule(const struct nmi_recipe *recipe, const char *node, const char *weight,
                        const char *expected)
{
    char said[64] = "none", word[NMI_PATTERN_WORD];
    const struct nmi_rule *rule = nmi_recipe_rule(recipe, node, weight);
    if (rule != NULL) {
        snprintf(said, sizeof said, "%g %s", rule->sparsity, nmi_pattern_word(&rule->pattern, word));
    }
    ck_assert_msg(strcmp(said, expected) == 0, "%s, %s: %s, expected %s", node, weight, said,
                  expected);
}

static char *printed(const struct nmi_recipe *recipe)
{
    struct nmi_text t = {0};
    char *text = NULL;
    nmi_recipe_print(recipe, &t);
    ck_assert_int_eq(nmi_text_take(&t, &text, NULL), NM_OK);
    return text;
}

/* What is printed is read as the same recipe, and is printed the same again. */
static void expect_round_trip(const struct nmi_recipe *recipe)
{
    char *first = printed(recipe);
    const struct nmi_recipe again = parse(first);
    char *second = printed(&again);
    ck_assert_str_eq(first, second);
    ck_assert(again.sparsity == recipe->sparsity);
    ck_assert_int_eq(again.n, recipe->n);
    for (int32_t i = 0; i < again.n; i++) {
        const struct nmi_rule *a = &again.rules[i], *b = &recipe->rules[i];
        ck_assert_str_eq(a->layers, b->layers);
        ck_assert(a->sparsity == b->sparsity);
        ck_assert_int_eq(a->pattern.kind, b->pattern.kind);
        ck_assert_int_eq(a->pattern.a, b->pattern.a);
        ck_assert_int_eq(a->pattern.b, b->pattern.b);
    }
    nmi_free(first);
    nmi_free(second);
}

/* ---- meaning --------------------------------------------------------------------------------- */

START_TEST(the_last_line_that_names_a_layer_counts)
{
    const struct nmi_recipe r = parse("nm-recipe 1\n"
                                      "sparsity 0.8\n"
                                      "pattern 4x1\n"
                                      "layer layer3.* 0.9\n"
                                      "dense layer3.0.*\n"
                                      "layer *.w2 0.5 any\n");
    ck_assert(r.sparsity == 0.8);
    ck_assert_int_eq(r.pattern.kind, NMI_PATTERN_BLOCK);
    expect_rule(&r, "layer3.1.conv1", "w1", "0.9 4x1");
    expect_rule(&r, "layer3.0.conv1", "w1", "0 any");
    expect_rule(&r, "layer3.0.conv1", "layer3.w2", "0.5 any");
    expect_rule(&r, "layer2.0.conv1", "layer3.9", "0.9 4x1");
    expect_rule(&r, "layer2.0.conv1", "w1", "none");
}
END_TEST

START_TEST(without_defaults_what_is_not_named_stays_dense)
{
    const struct nmi_recipe r = parse("nm-recipe 1\nlayer conv? 1\n");
    ck_assert(r.sparsity == 0);
    ck_assert_int_eq(r.pattern.kind, NMI_PATTERN_ANY);
    expect_rule(&r, "conv1", "w", "1 any");
    expect_rule(&r, "conv12", "w", "none");
    ck_assert_int_eq(parse("nm-recipe 1").n, 0);
}
END_TEST

START_TEST(blanks_comments_and_line_ends_of_other_systems)
{
    const struct nmi_recipe r = parse("# a profile\r\n\r\n  nm-recipe\t1  # the version\r\n"
                                      "\tlayer\ta#1  0.5\t#half\r\n#dense a\r\n");
    expect_rule(&r, "a#1", "w", "0.5 any");
    expect_rule(&r, "a", "w", "none");
}
END_TEST

START_TEST(n_of_m_has_its_own_share)
{
    const struct nmi_recipe r = parse("nm-recipe 1\nsparsity 0.5\npattern 2:4\n"
                                      "layer a 0.9 any\nlayer b 0.667 1:3\ndense c\n");
    expect_rule(&r, "a", "w", "0.9 any");
    expect_rule(&r, "b", "w", "0.667 1:3");
    expect_refused("nm-recipe 1\nsparsity 0.8\npattern 2:4\n", "line 2: 2:4 is a sparsity of 0.5");
    expect_refused("nm-recipe 1\npattern 2:4\nlayer a 0.9\n", "line 3: 2:4 is a sparsity of 0.5");
}
END_TEST

START_TEST(names_with_odd_characters_are_quoted)
{
    static const char *const names[] = {"plain",  "a b",   "#1",  "conv*[0]", "back\\slash",
                                        "tab\tx", "end\\", "/a/b", "what?"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char text[200];
        const char *quoted = nmi_recipe_quote(&arena, names[i]);
        snprintf(text, sizeof text, "nm-recipe 1\nlayer %s 0.5 # the only one\n", quoted);
        const struct nmi_recipe r = parse(text);
        expect_rule(&r, names[i], "w", "0.5 any");
        for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
            expect_rule(&r, names[k], "w", k == i ? "0.5 any" : "none");
        }
        expect_round_trip(&r);
    }
    const struct nmi_recipe r = parse("nm-recipe 1\nlayer a?b 0.5\n");
    ck_assert_str_eq(nmi_recipe_quote(&arena, "a\nb"), "a?b");
    expect_rule(&r, "a\nb", "w", "0.5 any");
}
END_TEST

/* ---- sentences ------------------------------------------------------------------------------- */

START_TEST(what_makes_no_sense_is_named_with_its_line)
{
    expect_refused("", "is empty");
    expect_refused("\n# only talk\n", "is empty");
    expect_refused("sparsity 0.8\n", "line 1: 'sparsity 0.8', expected the first line 'nm-recipe 1'");
    expect_refused("\nnm-recipe 2\n", "line 2: 'nm-recipe 2'");
    expect_refused("nm-recipe\n", "line 1: 'nm-recipe'");
    expect_refused("nm-recipe 1 2\n", "expected the first line");
    expect_refused("nm-recipe 1\nnm-recipe 1\n", "line 2: 'nm-recipe' is none of");
    expect_refused("nm-recipe 1\n\nlayers x 0.5\n", "line 3: 'layers' is none of");
    expect_refused("nm-recipe 1\nlayer x\n", "line 2: 'layer' has too few words");
    expect_refused("nm-recipe 1\nlayer x 0.5 4x1 y\n", "line 2: 'layer' has too many words");
    expect_refused("nm-recipe 1\ndense a b c d e f g h\n", "line 2: 'dense' has too many words");
    expect_refused("nm-recipe 1\nsparsity\n", "too few words, expected: sparsity NUMBER");
    expect_refused("nm-recipe 1\nlayer x 0.5 3z\n", "recipe: line 2: ");
    expect_refused("nm-recipe 1\npattern 3z\n", "recipe: line 2: ");
    expect_refused("nm-recipe 1\nsparsity .5\nsparsity .6\n", "line 3: 'sparsity' stands in line 2");
    expect_refused("nm-recipe 1\ndense x\npattern any\n", "line 3: 'pattern' must stand before");
}
END_TEST

START_TEST(a_sparsity_is_a_number_in_0_to_1)
{
    static const char *const bad[] = {"x",    "-0.1", "1.1", "nan", "inf",
                                      "0x.8", "0,5",  "80%", "1e9", "0.5\\ "};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[100];
        snprintf(text, sizeof text, "nm-recipe 1\nlayer a %s\n", bad[i]);
        expect_refused(text, "line 2: ");
    }
    ck_assert(parse("nm-recipe 1\nsparsity 1\n").sparsity == 1);
    ck_assert(parse("nm-recipe 1\nsparsity 5e-1\n").sparsity == 0.5);
}
END_TEST

START_TEST(without_memory_it_says_so)
{
    for (long n = 1; n < 10; n++) {
        struct nmi_recipe recipe;
        nmi_alloc_fail_after(n, 1);
        const nm_status status =
            nmi_recipe_parse("nm-recipe 1\nlayer a 0.5\ndense b\n", &arena, &recipe, NULL);
        nmi_alloc_fail_after(0, 0);
        ck_assert(status == NM_OK || status == NM_ENOMEM);
        ck_assert(n > 1 || status == NM_ENOMEM);
    }
}
END_TEST

/* ---- round trip ------------------------------------------------------------------------------ */

START_TEST(what_is_printed_is_read_back_the_same)
{
    uint32_t seed = 1;
    for (int k = 0; k < 200; k++) {
        static const char *const words[] = {"any", "4x1", "2x1", "1x4", "filter"};
        char text[4096];
        int n = snprintf(text, sizeof text, "nm-recipe 1\nsparsity %.17g\npattern %s\n",
                         k / 199.0, words[k % 5]);
        for (int i = 0; i < k % 20; i++) {
            seed = seed * 1664525u + 1013904223u;
            n += snprintf(text + n, sizeof text - (size_t)n, "layer l%u.* %.17g %s\n", seed % 97,
                          (double)seed / 4294967296.0, words[seed % 5]);
        }
        const struct nmi_recipe r = parse(text);
        expect_round_trip(&r);
    }
    const struct nmi_recipe tiny = parse("nm-recipe 1\nsparsity 1e-7\nlayer a 0\nlayer b 0 4x1\n");
    expect_round_trip(&tiny);
    const struct nmi_recipe blocks = parse("nm-recipe 1\npattern 2:4\nlayer a 0.5\ndense b\n");
    expect_round_trip(&blocks);
}
END_TEST

START_TEST(the_locale_does_not_matter)
{
    char *old = setlocale(LC_NUMERIC, "de_DE.UTF-8");
    if (old == NULL) {
        printf("skip: no locale de_DE.UTF-8\n");
        return;
    }
    const struct nmi_recipe r = parse("nm-recipe 1\nsparsity 0.8\nlayer a 0.25\n");
    ck_assert(r.sparsity > 0.7);
    expect_round_trip(&r);
    setlocale(LC_NUMERIC, "C");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("recipe");
    TCase *t = tcase_create("recipe");
    tcase_add_checked_fixture(t, start, end);
    tcase_add_test(t, the_last_line_that_names_a_layer_counts);
    tcase_add_test(t, without_defaults_what_is_not_named_stays_dense);
    tcase_add_test(t, blanks_comments_and_line_ends_of_other_systems);
    tcase_add_test(t, n_of_m_has_its_own_share);
    tcase_add_test(t, names_with_odd_characters_are_quoted);
    tcase_add_test(t, what_makes_no_sense_is_named_with_its_line);
    tcase_add_test(t, a_sparsity_is_a_number_in_0_to_1);
    tcase_add_test(t, without_memory_it_says_so);
    tcase_add_test(t, what_is_printed_is_read_back_the_same);
    tcase_add_test(t, the_locale_does_not_matter);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
