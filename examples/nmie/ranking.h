/* SPDX-License-Identifier: Apache-2.0 */
/* ranking.h - which classes a row of scores puts first, and the names of classes. */
#ifndef NMIE_RANKING_H
#define NMIE_RANKING_H

#include "examples/nmie/slurp.h"

#include <stddef.h>

#include <nm/nm.h>

/* The k best of n scores, best first; of equal ones the lower class. NaN ranks last. k <= n. */
void ranking_top(const float *scores, size_t n, size_t k, size_t *classes);

/* Softmax of n scores, unless they already are probabilities (none negative, sum within 1e-3 of
 * one). probabilities may be scores. */
void ranking_probabilities(const float *scores, size_t n, float *probabilities);

/* Names of classes: a text file with one on each line. */
struct ranking_names {
    struct slurp text;
    char **at; /* n lines, pointing into text */
    size_t n;
};
nm_status ranking_names_load(const char *path, struct ranking_names *names, nm_error *err);
void ranking_names_free(struct ranking_names *names);

/* The name of a class, or NULL. */
const char *ranking_name(const struct ranking_names *names, size_t class_number);

#endif
