/* SPDX-License-Identifier: Apache-2.0 */
/* Groups are scored by their mean square, so that a block cut off at an edge competes fairly. */
#include "lib/prune/pattern.h"

#include "lib/base/mem.h"
#include "lib/prune/threshold.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define SIDE_MAX 64

nm_status nmi_pattern_parse(const char *word, struct nmi_pattern *pattern, nm_error *err)
{
    int a = 0, b = 0, end = 0;
    char between = 0;
    *pattern = (struct nmi_pattern){NMI_PATTERN_ANY, 1, 1};
    if (strcmp(word, "any") == 0) {
        return NM_OK;
    }
    if (strcmp(word, "filter") == 0) {
        pattern->kind = NMI_PATTERN_FILTER;
        return NM_OK;
    }
    const bool plain = word[strspn(word, "0123456789x:")] == '\0'; /* no blanks, no signs */
    const bool read =
        plain && sscanf(word, "%2d%c%2d%n", &a, &between, &b, &end) == 3 && word[end] == '\0';
    if (!read || a < 1 || b < 1 || a > SIDE_MAX || b > SIDE_MAX ||
        (between != 'x' && between != ':') || (between == ':' && a > b)) {
        return nmi_fail(err, NM_EINVAL,
                        "pattern %.20s: expected any, filter, blocks such as 4x1 or N:M such as 2:4 "
                        "with numbers up to %d",
                        word, SIDE_MAX);
    }
    pattern->kind = between == ':'     ? NMI_PATTERN_N_M
                    : a == 1 && b == 1 ? NMI_PATTERN_ANY
                                       : NMI_PATTERN_BLOCK;
    pattern->a = a;
    pattern->b = b;
    return NM_OK;
}

const char *nmi_pattern_word(const struct nmi_pattern *pattern, char word[NMI_PATTERN_WORD])
{
    const bool block = pattern->kind == NMI_PATTERN_BLOCK;
    if (block || pattern->kind == NMI_PATTERN_N_M) {
        snprintf(word, NMI_PATTERN_WORD, "%d%c%d", (int)pattern->a, block ? 'x' : ':',
                 (int)pattern->b);
        return word;
    }
    return pattern->kind == NMI_PATTERN_FILTER ? "filter" : "any";
}

/* How a weight is cut into groups: blocks of high rows x wide channels at one tap, or whole rows. */
struct grid {
    int32_t high, wide;
    int64_t down, across; /* groups */
    bool filter;
};

static struct grid grid_of(const struct nmi_pattern *p, const struct nmi_pattern_shape *s)
{
    struct grid g = {1, 1, s->rows, 0, p->kind == NMI_PATTERN_FILTER};
    if (p->kind == NMI_PATTERN_BLOCK) {
        g.high = p->a;
        g.wide = p->b;
        g.down = (s->rows + g.high - 1) / g.high;
    }
    g.across =
        g.filter ? 1 : (int64_t)((s->channels + g.wide - 1) / g.wide) * s->taps;
    return g;
}

/* The group of an element of a row, counted within the row of groups. */
static int64_t group_at(const struct grid *g, const struct nmi_pattern_shape *s, int64_t col)
{
    return g->filter ? 0 : col / s->taps / g->wide * s->taps + col % s->taps;
}

static void score_groups(const struct grid *g, const struct nmi_pattern_shape *s,
                         const float *values, float *scores)
{
    const int64_t cols = (int64_t)s->channels * s->taps;
    memset(scores, 0, (size_t)(g->down * g->across) * sizeof *scores);
    for (int64_t r = 0; r < s->rows; r++) {
        float *row = scores + r / g->high * g->across;
        for (int64_t c = 0; c < cols; c++) {
            const float v = values[r * cols + c];
            row[group_at(g, s, c)] += v * v;
        }
    }
    for (int64_t d = 0; d < g->down; d++) {
        const int64_t high = d + 1 < g->down ? g->high : s->rows - d * g->high;
        for (int64_t a = 0; a < g->across && !g->filter; a++) {
            const int64_t first = a / s->taps * g->wide;
            const int64_t wide = first + g->wide <= s->channels ? g->wide : s->channels - first;
            scores[d * g->across + a] /= (float)(high * wide);
        }
    }
}

/* The threshold over one array of scores. */
static void find(struct nmi_threshold *t, const float *scores, int64_t n, double sparsity)
{
    nmi_threshold_begin(t, n, sparsity);
    for (int pass = 0; pass < 2; pass++) {
        nmi_threshold_count(t, scores, n);
        nmi_threshold_next(t);
    }
}

static void select_groups(const struct grid *g, const struct nmi_pattern_shape *s, float *scores,
                          struct nmi_threshold *t, double sparsity, uint8_t *mask)
{
    const int64_t groups = g->down * g->across, cols = (int64_t)s->channels * s->taps;
    find(t, scores, groups, sparsity);
    for (int64_t i = 0; i < groups; i++) {
        scores[i] = nmi_threshold_goes(t, scores[i]) ? 0.0f : 1.0f;
    }
    for (int64_t r = 0; r < s->rows; r++) {
        for (int64_t c = 0; c < cols; c++) {
            mask[r * cols + c] = scores[r / g->high * g->across + group_at(g, s, c)] > 0;
        }
    }
}

/* Of these channels at one tap the n largest stay; of equals the later. */
static void select_run(const float *values, int64_t step, int32_t channels, int32_t n, uint8_t *mask)
{
    for (int32_t i = 0; i < channels; i++) {
        int32_t better = 0;
        for (int32_t k = 0; k < channels; k++) {
            const float own = fabsf(values[i * step]), other = fabsf(values[k * step]);
            better += other > own || (other == own && k > i);
        }
        mask[i * step] = better < n;
    }
}

static void select_n_m(const struct nmi_pattern *p, const struct nmi_pattern_shape *s,
                       const float *values, uint8_t *mask)
{
    for (int32_t r = 0; r < s->rows; r++) {
        for (int32_t c = 0; c < s->channels; c += p->b) {
            const int32_t run = s->channels - c < p->b ? s->channels - c : p->b;
            for (int32_t t = 0; t < s->taps; t++) {
                const int64_t at = ((int64_t)r * s->channels + c) * s->taps + t;
                select_run(values + at, s->taps, run, p->a, mask + at);
            }
        }
    }
}

static void select_each(const float *values, int64_t n, struct nmi_threshold *t, double sparsity,
                        uint8_t *mask)
{
    find(t, values, n, sparsity);
    for (int64_t i = 0; i < n; i++) {
        mask[i] = !nmi_threshold_goes(t, values[i]);
    }
}

nm_status nmi_pattern_select(const struct nmi_pattern *pattern, const struct nmi_pattern_shape *shape,
                             const float *values, double sparsity, uint8_t *mask, nm_error *err)
{
    if (pattern->kind == NMI_PATTERN_N_M) {
        select_n_m(pattern, shape, values, mask);
        return NM_OK;
    }
    const struct grid g = grid_of(pattern, shape);
    const size_t groups = (size_t)(g.down * g.across);
    const bool each = pattern->kind == NMI_PATTERN_ANY;
    struct nmi_threshold t = {.bins = nmi_alloc(NMI_THRESHOLD_BINS * sizeof *t.bins)};
    float *scores = nmi_alloc((each ? 1 : groups + 1) * sizeof *scores);
    nm_status status = t.bins != NULL && scores != NULL
                           ? NM_OK
                           : nmi_fail_memory(err, groups * sizeof *scores, "a pattern");
    if (status == NM_OK && each) {
        select_each(values, (int64_t)groups, &t, sparsity, mask);
    } else if (status == NM_OK) {
        score_groups(&g, shape, values, scores);
        select_groups(&g, shape, scores, &t, sparsity, mask);
    }
    nmi_free(scores);
    nmi_free(t.bins);
    return status;
}
