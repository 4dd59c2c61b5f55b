/* SPDX-License-Identifier: Apache-2.0 */
/* compare.h - two results of bench, case by case: virtual and bare metal, before and after, two
 * machines. */
#ifndef NMIE_BENCH_COMPARE_H
#define NMIE_BENCH_COMPARE_H

#include "examples/nmie/bench/rows.h"

/* Lines that a virtual machine was held against: within 5 %, 7 % at most. */
#define COMPARE_NEAR 0.05
#define COMPARE_FAR 0.07

/* The same model, case and engine in both. */
struct pair {
    const struct row *a, *b;
    double ratio;     /* speed of a / speed of b */
    double low, high; /* slowest round of a / fastest of b, and the other way round */
};

struct comparison {
    const struct rows *a, *b;
    const char *a_name, *b_name;
    struct pair *pairs;
    size_t n, near, far; /* near: within 5 %; far: within 7 % */
    double mean;         /* geometric, of all ratios */
};

/* Free with compare_free. Errors: no case is in both. */
nm_status compare_make(const struct rows *a, const char *a_name, const struct rows *b,
                       const char *b_name, struct comparison *c, nm_error *err);
void compare_free(struct comparison *c);

/* "within 5 %", "within 7 %", "slower", "faster". */
const char *compare_verdict(double ratio);

void compare_text(FILE *to, const struct comparison *c);
void compare_json(FILE *to, const struct comparison *c);
void compare_html(FILE *to, const struct comparison *c);
void compare_svg(FILE *to, const struct comparison *c);

#endif
