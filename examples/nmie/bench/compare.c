/* SPDX-License-Identifier: Apache-2.0 */
/* Ratios of two results, as text and JSON. */
#include "examples/nmie/bench/compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct row *same_in(const struct rows *rows, const struct row *row)
{
    for (size_t i = 0; i < rows->n; i++) {
        if (row_same_case(&rows->at[i], row) && strcmp(rows->at[i].engine, row->engine) == 0 &&
            strcmp(rows->at[i].precision, row->precision) == 0) {
            return &rows->at[i];
        }
    }
    return NULL;
}

nm_status compare_make(const struct rows *a, const char *a_name, const struct rows *b,
                       const char *b_name, struct comparison *c, nm_error *err)
{
    double logs = 0.0;
    *c = (struct comparison){.a = a, .b = b, .a_name = a_name, .b_name = b_name};
    c->pairs = calloc(a->n + 1, sizeof *c->pairs);
    if (!c->pairs) {
        return complain(err, NM_ENOMEM, "no memory for %zu cases", a->n);
    }
    for (size_t i = 0; i < a->n; i++) {
        const struct row *x = &a->at[i], *y = same_in(b, x);
        if (y) {
            struct pair p = {x, y, x->rate / y->rate, x->rate_low / y->rate_high,
                             x->rate_high / y->rate_low};
            double off = fabs(p.ratio - 1.0);
            c->near += off <= COMPARE_NEAR;
            c->far += off <= COMPARE_FAR;
            logs += log(p.ratio);
            c->pairs[c->n++] = p;
        }
    }
    if (c->n == 0) {
        compare_free(c);
        return complain(err, NM_EINVAL, "%s and %s have no case in common", a_name, b_name);
    }
    c->mean = exp(logs / (double)c->n);
    return NM_OK;
}

void compare_free(struct comparison *c)
{
    free(c->pairs);
    c->pairs = NULL;
}

const char *compare_verdict(double ratio)
{
    double off = fabs(ratio - 1.0);
    return off <= COMPARE_NEAR  ? "within 5 %"
           : off <= COMPARE_FAR ? "within 7 %"
           : ratio < 1.0        ? "slower"
                                : "faster";
}

void compare_text(FILE *to, const struct comparison *c)
{
    fprintf(to, "speed of %s / speed of %s\n", c->a_name, c->b_name);
    fprintf(to, "%-20s %-36s %-17s %10s %10s %6s %12s  %s\n", "model", "case", "engine",
            "A items/s", "B items/s", "A / B", "rounds", "");
    for (size_t i = 0; i < c->n; i++) {
        const struct pair *p = &c->pairs[i];
        char model[64], text[96], rounds[32];
        snprintf(rounds, sizeof rounds, "%.3f-%.3f", p->low, p->high);
        fprintf(to, "%-20s %-36s %-17s %10.4g %10.4g %6.3f %12s  %s\n", row_model(p->a, model),
                row_case(p->a, text), p->a->engine, p->a->rate, p->b->rate, p->ratio, rounds,
                compare_verdict(p->ratio));
    }
    fprintf(to, "%zu cases: geometric mean %.3f; %zu within 5 %%, %zu within 7 %%\n", c->n, c->mean,
            c->near, c->far);
}

void compare_json(FILE *to, const struct comparison *c)
{
    struct json j = {.out = to};
    json_open(&j, NULL, '{');
    json_string(&j, "a", c->a_name);
    json_string(&j, "b", c->b_name);
    json_double(&j, "geometric_mean", c->mean);
    json_int(&j, "within_5_percent", (int64_t)c->near);
    json_int(&j, "within_7_percent", (int64_t)c->far);
    json_open(&j, "cases", '[');
    for (size_t i = 0; i < c->n; i++) {
        const struct pair *p = &c->pairs[i];
        json_open(&j, NULL, '{');
        json_string(&j, "model", p->a->model);
        json_string(&j, "engine", p->a->engine);
        json_double(&j, "sparsity", p->a->sparsity);
        if (p->a->profile) {
            json_string(&j, "profile", p->a->profile);
        }
        json_int(&j, "batch", p->a->batch);
        json_int(&j, "threads", p->a->threads);
        json_double(&j, "a", p->a->rate);
        json_double(&j, "b", p->b->rate);
        json_double(&j, "ratio", p->ratio);
        json_double(&j, "low", p->low);
        json_double(&j, "high", p->high);
        json_string(&j, "verdict", compare_verdict(p->ratio));
        json_close(&j, '}');
    }
    json_close(&j, ']');
    json_close(&j, '}');
    json_end(&j);
}
