/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of networks, counted. */
#include "examples/nmie/prune/judging.h"

#include "examples/nmie/ranking.h"

#include <stdlib.h>

#define BATCH 32

static nm_status take_answers(void *user, const struct classifier *c, int64_t first, int64_t n,
                              nm_error *err)
{
    int64_t *answers = user;
    (void)err;
    for (int64_t i = 0; i < n; i++) {
        size_t best;
        ranking_top(c->scores + (size_t)i * c->classes, c->classes, 1, &best);
        answers[first + i] = (int64_t)best;
    }
    return NM_OK;
}

nm_status judge_answers(nm_model *model, const struct settings *settings, struct dataset *data,
                        int64_t **answers, nm_error *err)
{
    struct classifier c = {0};
    double seconds;
    *answers = calloc((size_t)data->count, sizeof **answers);
    if (!*answers) {
        return complain(err, NM_ENOMEM, "no memory for %lld answers", (long long)data->count);
    }
    nm_status status = classifier_start(&c, model, settings, err);
    if (!status) {
        status = classifier_over(&c, data, BATCH, take_answers, *answers, &seconds, err);
    }
    classifier_close(&c);
    if (status) {
        free(*answers);
        *answers = NULL;
    }
    return status;
}

int64_t judge_right(const struct dataset *data, const int64_t *answers)
{
    int64_t right = 0;
    for (int64_t i = 0; i < data->count; i++) {
        right += answers[i] == data->labels[i];
    }
    return right;
}

struct verdict judge_compare(const struct dataset *data, const int64_t *before,
                             const int64_t *after)
{
    struct verdict v = {.items = data->count, .labelled = data->labels};
    for (int64_t i = 0; i < data->count; i++) {
        v.agree += before[i] == after[i];
    }
    if (v.labelled) {
        v.right_before = judge_right(data, before);
        v.right_after = judge_right(data, after);
    }
    return v;
}
