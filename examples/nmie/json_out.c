/* SPDX-License-Identifier: Apache-2.0 */
/* A JSON writer. */
#include "examples/nmie/json_out.h"

#include <inttypes.h>
#include <math.h>

/* Length of the valid UTF-8 sequence at s, or 0. */
static int utf8_length(const unsigned char *s)
{
    if (s[0] < 0x80) {
        return 1;
    }
    int n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4) {
        return 0;
    }
    for (int i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    bool overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    bool surrogate = s[0] == 0xed && s[1] > 0x9f;
    bool beyond = s[0] == 0xf4 && s[1] > 0x8f;
    return overlong || surrogate || beyond ? 0 : n;
}

static void put_string(FILE *out, const char *value)
{
    fputc('"', out);
    for (const unsigned char *s = (const unsigned char *)value; *s;) {
        int n = utf8_length(s);
        if (n == 0) {
            fputs("\\ufffd", out);
        } else if (*s < 0x20 || *s == 0x7f) {
            fprintf(out, "\\u%04x", *s);
        } else if (*s == '"' || *s == '\\') {
            fprintf(out, "\\%c", *s);
        } else {
            fwrite(s, 1, (size_t)n, out);
        }
        s += n ? n : 1;
    }
    fputc('"', out);
}

static void begin(struct json *j, const char *key)
{
    if (j->comma) {
        fputs(", ", j->out);
    }
    if (key) {
        put_string(j->out, key);
        fputs(": ", j->out);
    }
    j->comma = true;
}

void json_open(struct json *j, const char *key, char bracket)
{
    begin(j, key);
    fputc(bracket, j->out);
    j->comma = false;
}

void json_close(struct json *j, char bracket)
{
    fputc(bracket, j->out);
    j->comma = true;
}

void json_string(struct json *j, const char *key, const char *value)
{
    begin(j, key);
    if (value) {
        put_string(j->out, value);
    } else {
        fputs("null", j->out);
    }
}

void json_int(struct json *j, const char *key, int64_t value)
{
    begin(j, key);
    fprintf(j->out, "%" PRId64, value);
}

void json_double(struct json *j, const char *key, double value)
{
    begin(j, key);
    if (isfinite(value)) {
        fprintf(j->out, "%.9g", value);
    } else {
        fputs("null", j->out);
    }
}

void json_bool(struct json *j, const char *key, bool value)
{
    begin(j, key);
    fputs(value ? "true" : "false", j->out);
}

void json_raw(struct json *j, const char *key, const char *value)
{
    begin(j, key);
    fputs(value, j->out);
}

void json_end(struct json *j)
{
    fputc('\n', j->out);
    j->comma = false;
}
