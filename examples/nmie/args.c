/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers and lists of a command line. */
#include "examples/nmie/args.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool args_int(const char *word, int64_t low, int64_t high, int64_t *value)
{
    char *end;
    errno = 0;
    long long v = strtoll(word, &end, 10);
    if (end == word || *end || errno || v < low || v > high) {
        return false;
    }
    *value = v;
    return true;
}

/* A number that ends at the character that stop names; *next is behind it. */
static bool double_until(const char *word, char stop, double *value, const char **next)
{
    char *end;
    double v = strtod(word, &end);
    if (end == word || *end != stop || !isfinite(v)) {
        return false;
    }
    *value = v;
    *next = end + (stop != '\0');
    return true;
}

bool args_double(const char *word, double *value)
{
    return double_until(word, '\0', value, &word);
}

bool args_fraction(const char *word, double *numerator, double *denominator)
{
    *denominator = 1.0;
    if (args_double(word, numerator)) {
        return true;
    }
    return double_until(word, '/', numerator, &word) && args_double(word, denominator) &&
           *denominator != 0.0;
}

bool args_doubles(const char *word, size_t n, double *values)
{
    for (size_t i = 0; i < n; i++) {
        if (!double_until(word, i + 1 < n ? ',' : '\0', &values[i], &word)) {
            return false;
        }
    }
    return true;
}

bool args_ints(const char *word, char separator, int64_t high, struct args_list *list)
{
    for (list->n = 0; list->n < ARGS_LIST_MAX;) {
        char *end;
        errno = 0;
        long long v = strtoll(word, &end, 10);
        if (end == word || errno || v < 1 || v > high) {
            return false;
        }
        list->at[list->n++] = v;
        if (*end == '\0') {
            return true;
        }
        if (*end != separator) {
            return false;
        }
        word = end + 1;
    }
    return false;
}

bool args_pair(const char *word, char **name, const char **value)
{
    const char *equals = strchr(word, '=');
    *name = NULL;
    *value = equals ? equals + 1 : word;
    if (!**value || equals == word) {
        return false;
    }
    if (equals) {
        *name = strndup(word, (size_t)(equals - word));
    }
    return !equals || *name;
}
