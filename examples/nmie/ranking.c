/* SPDX-License-Identifier: Apache-2.0 */
/* Top classes, probabilities, class names. */
#include "examples/nmie/ranking.h"

#include "examples/nmie/nmie.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX ((size_t)64 << 20)

/* Whether a stands before b, which has the higher class number when they are equal. */
static bool before(float a, float b)
{
    return a > b || (isnan(b) && !isnan(a));
}

void ranking_top(const float *scores, size_t n, size_t k, size_t *classes)
{
    size_t have = 0;
    for (size_t i = 0; i < n; i++) {
        size_t at = have < k ? have : k;
        while (at > 0 && before(scores[i], scores[classes[at - 1]])) {
            at--;
        }
        if (at == k) {
            continue;
        }
        have += have < k;
        memmove(classes + at + 1, classes + at, (have - at - 1) * sizeof *classes);
        classes[at] = i;
    }
}

void ranking_probabilities(const float *scores, size_t n, float *probabilities)
{
    double sum = 0.0, exps = 0.0;
    float most = -INFINITY;
    bool negative = false;
    for (size_t i = 0; i < n; i++) {
        sum += (double)scores[i];
        negative = negative || !(scores[i] >= 0.0f);
        most = scores[i] > most ? scores[i] : most;
    }
    if (!negative && fabs(sum - 1.0) < 1e-3) {
        memmove(probabilities, scores, n * sizeof *scores);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        exps += exp((double)(scores[i] - most));
    }
    for (size_t i = 0; i < n; i++) {
        probabilities[i] = (float)(exp((double)(scores[i] - most)) / exps);
    }
}

nm_status ranking_names_load(const char *path, struct ranking_names *names, nm_error *err)
{
    *names = (struct ranking_names){0};
    nm_status status = slurp_read(path, TEXT_MAX, &names->text, err);
    if (status) {
        return status;
    }
    size_t lines = 1;
    for (size_t i = 0; i < names->text.size; i++) {
        lines += names->text.bytes[i] == '\n';
    }
    names->at = calloc(lines, sizeof *names->at);
    if (!names->at) {
        ranking_names_free(names);
        return complain(err, NM_ENOMEM, "%s: no memory for %zu lines", path, lines);
    }
    char *rest = (char *)names->text.bytes;
    while (rest && *rest) {
        char *line = strsep(&rest, "\n");
        size_t n = strlen(line);
        if (n && line[n - 1] == '\r') {
            line[n - 1] = '\0';
        }
        names->at[names->n++] = line;
    }
    return NM_OK;
}

void ranking_names_free(struct ranking_names *names)
{
    free(names->at);
    slurp_free(&names->text);
    *names = (struct ranking_names){0};
}

const char *ranking_name(const struct ranking_names *names, size_t class_number)
{
    return class_number < names->n ? names->at[class_number] : NULL;
}
