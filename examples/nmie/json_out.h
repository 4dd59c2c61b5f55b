/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_out.h - writes JSON to a stream, one value after another; commas are its own affair. Strings
 * are made valid whatever their bytes: what is not UTF-8 becomes U+FFFD. NaN and infinity: null.
 */
#ifndef NMIE_JSON_OUT_H
#define NMIE_JSON_OUT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
    FILE *out;
    bool comma; /* the next value needs one before it */
};

/* key is NULL inside arrays and at the top. */
void json_open(struct json *j, const char *key, char bracket);
void json_close(struct json *j, char bracket);
void json_string(struct json *j, const char *key, const char *value); /* NULL: null */
void json_int(struct json *j, const char *key, int64_t value);
void json_double(struct json *j, const char *key, double value);
void json_bool(struct json *j, const char *key, bool value);

/* A value that is JSON already. */
void json_raw(struct json *j, const char *key, const char *value);

/* The end of a document: a newline. */
void json_end(struct json *j);

#endif
