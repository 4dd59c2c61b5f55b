/* SPDX-License-Identifier: Apache-2.0 */
/* Recipes read, written and asked. Numbers do not depend on the process's locale. */
#include "lib/prune/recipe.h"

#include <fnmatch.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 5 /* one more than the longest line has */
#define BLANKS " \t\r"

struct parser {
    struct nmi_arena *arena;
    struct nmi_recipe *recipe;
    int32_t line;
    int32_t sparsity_line, pattern_line; /* where the defaults stand; 0: nowhere */
    char *word[WORDS_MAX + 1];           /* of the line */
    int32_t n_words;
};

/* ---- words ----------------------------------------------------------------------------------- */

/* The length of the word at s: up to a blank that has no backslash before it. */
static size_t word_length(const char *s)
{
    size_t n = 0;
    while (s[n] != '\0' && strchr(BLANKS, s[n]) == NULL) {
        n += s[n] == '\\' && s[n + 1] != '\0' ? 2 : 1;
    }
    return n;
}

/* Splits a line, which is changed. */
static void split(struct parser *p, char *line)
{
    p->n_words = 0;
    for (char *s = line + strspn(line, BLANKS); *s != '\0' && *s != '#'; s += strspn(s, BLANKS)) {
        const size_t n = word_length(s);
        p->word[p->n_words] = s;
        p->n_words += p->n_words < WORDS_MAX;
        s += n;
        if (*s != '\0') {
            *s++ = '\0';
        }
    }
}

static bool parse_share(const char *word, double *share)
{
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    char *end = NULL;
    if (c == (locale_t)0) {
        return false;
    }
    *share = strtod_l(word, &end, c);
    freelocale(c);
    /* strtod takes more than we want: "inf", "0x1p-1". */
    return end != word && *end == '\0' && strspn(word, "0123456789.eE+-") == strlen(word) &&
           *share >= 0 && *share <= 1;
}

static nm_status take_share(const struct parser *p, int32_t at, double *share, nm_error *err)
{
    return parse_share(p->word[at], share)
               ? NM_OK
               : nmi_fail(err, NM_EINVAL,
                          "recipe: line %d: '%.60s' is not a sparsity, expected a number in 0..1",
                          p->line, p->word[at]);
}

static nm_status take_pattern(const struct parser *p, int32_t at, struct nmi_pattern *pattern,
                              nm_error *err)
{
    const nm_status status = nmi_pattern_parse(p->word[at], pattern, err);
    return status == NM_OK ? status : nmi_fail_in(err, status, "recipe: line %d", p->line);
}

/* N:M fixes the share of zeros: another one beside it is a mistake. */
static nm_status check_share(int32_t line, double sparsity, const struct nmi_pattern *pattern,
                             nm_error *err)
{
    char word[NMI_PATTERN_WORD];
    const double share = pattern->kind == NMI_PATTERN_N_M ? 1 - (double)pattern->a / pattern->b : 0;
    if (pattern->kind != NMI_PATTERN_N_M || fabs(sparsity - share) < 1e-3) {
        return NM_OK;
    }
    return nmi_fail(err, NM_EINVAL, "recipe: line %d: %s is a sparsity of %.4g, not of %g", line,
                    nmi_pattern_word(pattern, word), share, sparsity);
}

/* ---- lines ----------------------------------------------------------------------------------- */

static nm_status expect_words(const struct parser *p, int32_t low, int32_t high, const char *form,
                              nm_error *err)
{
    return p->n_words >= low && p->n_words <= high
               ? NM_OK
               : nmi_fail(err, NM_EINVAL, "recipe: line %d: '%.60s' has too %s words, expected: %s",
                          p->line, p->word[0], p->n_words < low ? "few" : "many", form);
}

/* Defaults stand once, and before the lines that go by them. */
static nm_status expect_default(const struct parser *p, int32_t earlier, nm_error *err)
{
    if (earlier > 0) {
        return nmi_fail(err, NM_EINVAL, "recipe: line %d: '%s' stands in line %d already", p->line,
                        p->word[0], earlier);
    }
    return p->recipe->n == 0
               ? NM_OK
               : nmi_fail(err, NM_EINVAL,
                          "recipe: line %d: '%s' must stand before the first layer or dense line",
                          p->line, p->word[0]);
}

static nm_status default_line(struct parser *p, nm_error *err)
{
    const bool share = strcmp(p->word[0], "sparsity") == 0;
    int32_t *const line = share ? &p->sparsity_line : &p->pattern_line;
    NMI_TRY(expect_words(p, 2, 2, share ? "sparsity NUMBER" : "pattern WORD", err));
    NMI_TRY(expect_default(p, *line, err));
    *line = p->line;
    return share ? take_share(p, 1, &p->recipe->sparsity, err)
                 : take_pattern(p, 1, &p->recipe->pattern, err);
}

static nm_status rule_line(struct parser *p, nm_error *err)
{
    const bool dense = strcmp(p->word[0], "dense") == 0;
    struct nmi_rule *rule = &p->recipe->rules[p->recipe->n];
    *rule = (struct nmi_rule){.pattern = p->recipe->pattern, .line = p->line};
    NMI_TRY(dense ? expect_words(p, 2, 2, "dense LAYERS", err)
                  : expect_words(p, 3, 4, "layer LAYERS SPARSITY [PATTERN]", err));
    if (!dense) {
        NMI_TRY(take_share(p, 2, &rule->sparsity, err));
    }
    if (p->n_words > 3) {
        NMI_TRY(take_pattern(p, 3, &rule->pattern, err));
    }
    if (rule->sparsity > 0) {
        NMI_TRY(check_share(p->line, rule->sparsity, &rule->pattern, err));
    } else {
        rule->pattern = (struct nmi_pattern){.kind = NMI_PATTERN_ANY, .a = 1, .b = 1};
    }
    rule->layers = nmi_arena_string(p->arena, p->word[1], strlen(p->word[1]));
    if (rule->layers == NULL) {
        return nmi_fail_memory(err, strlen(p->word[1]) + 1, "recipe");
    }
    p->recipe->n++;
    return NM_OK;
}

static nm_status one_line(struct parser *p, nm_error *err)
{
    const char *word = p->word[0];
    if (strcmp(word, "sparsity") == 0 || strcmp(word, "pattern") == 0) {
        return default_line(p, err);
    }
    if (strcmp(word, "layer") == 0 || strcmp(word, "dense") == 0) {
        return rule_line(p, err);
    }
    return nmi_fail(err, NM_EINVAL,
                    "recipe: line %d: '%.60s' is none of sparsity, pattern, layer, dense", p->line,
                    word);
}

/* The first line that says something is the version. */
static nm_status version_line(const struct parser *p, nm_error *err)
{
    const bool ours = strcmp(p->word[0], "nm-recipe") == 0;
    if (ours && p->n_words == 2 && strcmp(p->word[1], "1") == 0) {
        return NM_OK;
    }
    return nmi_fail(err, NM_EINVAL,
                    "recipe: line %d: '%.60s%s%.60s', expected the first line 'nm-recipe 1'",
                    p->line, p->word[0], p->n_words > 1 ? " " : "",
                    p->n_words > 1 ? p->word[1] : "");
}

/* ---- the whole ------------------------------------------------------------------------------- */

static nm_status parse_lines(struct parser *p, char *text, nm_error *err)
{
    bool versioned = false;
    for (char *next = text; next != NULL;) {
        char *line = strsep(&next, "\n");
        p->line++;
        split(p, line);
        if (p->n_words > 0) {
            NMI_TRY(versioned ? one_line(p, err) : version_line(p, err));
            versioned = true;
        }
    }
    if (!versioned) {
        return nmi_fail(err, NM_EINVAL, "recipe: is empty, expected a first line 'nm-recipe 1'");
    }
    const struct nmi_recipe *r = p->recipe;
    return r->sparsity > 0 ? check_share(p->sparsity_line, r->sparsity, &r->pattern, err) : NM_OK;
}

nm_status nmi_recipe_parse(const char *text, struct nmi_arena *arena, struct nmi_recipe *recipe,
                           nm_error *err)
{
    const size_t size = strlen(text);
    size_t lines = 1;
    for (const char *s = text; (s = strchr(s, '\n')) != NULL; s++) {
        lines++;
    }
    *recipe =
        (struct nmi_recipe){.pattern = {.kind = NMI_PATTERN_ANY, .a = 1, .b = 1},
                            .rules = nmi_arena_array(arena, lines, sizeof *recipe->rules)};
    char *copy = nmi_arena_string(arena, text, size);
    if (recipe->rules == NULL || copy == NULL || lines > INT32_MAX) {
        return nmi_fail_memory(err, size, "recipe");
    }
    struct parser p = {.arena = arena, .recipe = recipe};
    return parse_lines(&p, copy, err);
}

/* ---- written and asked ----------------------------------------------------------------------- */

static void print_real(struct nmi_text *t, double value)
{
    t->comma = false; /* JSON's way to write a number, exact and without the locale */
    nmi_json_real(t, NULL, value);
}

void nmi_recipe_print(const struct nmi_recipe *recipe, struct nmi_text *t)
{
    char word[NMI_PATTERN_WORD];
    nmi_text_put(t, "nm-recipe 1\nsparsity ");
    print_real(t, recipe->sparsity);
    nmi_text_printf(t, "\npattern %s\n", nmi_pattern_word(&recipe->pattern, word));
    for (int32_t i = 0; i < recipe->n; i++) {
        const struct nmi_rule *rule = &recipe->rules[i];
        if (rule->sparsity > 0) {
            nmi_text_printf(t, "layer %s ", rule->layers);
            print_real(t, rule->sparsity);
            nmi_text_printf(t, " %s\n", nmi_pattern_word(&rule->pattern, word));
        } else {
            nmi_text_printf(t, "dense %s\n", rule->layers);
        }
    }
}

const struct nmi_rule *nmi_recipe_rule(const struct nmi_recipe *recipe, const char *node,
                                       const char *weight)
{
    for (int32_t i = recipe->n - 1; i >= 0; i--) {
        const struct nmi_rule *rule = &recipe->rules[i];
        if (fnmatch(rule->layers, node, 0) == 0 || fnmatch(rule->layers, weight, 0) == 0) {
            return rule;
        }
    }
    return NULL;
}

const char *nmi_recipe_quote(struct nmi_arena *arena, const char *name)
{
    const size_t n = strlen(name);
    char *quoted = nmi_arena_array(arena, n + 1, 2), *to = quoted;
    for (size_t i = 0; i < n && quoted != NULL; i++) {
        if (strchr("*?[]\\# \t", name[i]) != NULL) {
            *to++ = '\\';
        }
        *to++ = (unsigned char)name[i] < ' ' && name[i] != '\t' ? '?' : name[i];
    }
    return quoted;
}
