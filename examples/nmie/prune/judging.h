/* SPDX-License-Identifier: Apache-2.0 */
/* judging.h - how good a network is on a data set, beside another one: the share of right answers
 * where the classes are known, and of answers that agree with the other network's. */
#ifndef NMIE_JUDGING_H
#define NMIE_JUDGING_H

#include "examples/nmie/classifier.h"

struct verdict {
    int64_t items;          /* 0: nothing was judged */
    bool labelled;          /* right_* are known */
    int64_t right_before, right_after;
    int64_t agree;          /* of the items: the same class comes first before and after */
};

/* The class that comes first, for each item (malloc'd). */
nm_status judge_answers(nm_model *model, const struct settings *settings, struct dataset *data,
                        int64_t **answers, nm_error *err);

/* How many answers are right; data must have labels. */
int64_t judge_right(const struct dataset *data, const int64_t *answers);

/* Compares a network's answers after with those before. */
struct verdict judge_compare(const struct dataset *data, const int64_t *before,
                             const int64_t *after);

#endif
