/* SPDX-License-Identifier: Apache-2.0 */
/* args.h - numbers and lists of a command line, read strictly: the whole word or nothing. */
#ifndef NMIE_ARGS_H
#define NMIE_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARGS_LIST_MAX 32

/* An integer within [low, high]. */
bool args_int(const char *word, int64_t low, int64_t high, int64_t *value);

/* A finite number. */
bool args_double(const char *word, double *value);

/* "A" or "A/B": numerator and denominator (1 when absent; never 0). */
bool args_fraction(const char *word, double *numerator, double *denominator);

/* "A,B,C": exactly n numbers. */
bool args_doubles(const char *word, size_t n, double *values);

/* "1,2,16": 1 to ARGS_LIST_MAX integers within [1, high]. */
struct args_list {
    size_t n;
    int64_t at[ARGS_LIST_MAX];
};
bool args_ints(const char *word, char separator, int64_t high, struct args_list *list);

/* Splits "NAME=VALUE" at the first '='. *name is a copy that the caller frees; *value points into
 * word. Without '=': *name is NULL and *value is word. False: no memory, or an empty part. */
bool args_pair(const char *word, char **name, const char **value);

#endif
