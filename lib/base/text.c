/* SPDX-License-Identifier: Apache-2.0 */
/* A growing text, and JSON (RFC 8259) on top. The result is valid UTF-8 whatever the file's names
 * hold, and does not depend on the locale. */
#include "lib/base/text.h"

#include "lib/base/checked.h"
#include "lib/base/mem.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY ((size_t)256)

/* Room for n more bytes and a terminator. */
static bool reserve(struct nmi_text *t, size_t n)
{
    size_t need;
    if (t->failed || !nmi_add(t->size, n, &need) || !nmi_add(need, 1, &need)) {
        t->failed = true;
        return false;
    }
    if (need <= t->capacity) {
        return true;
    }
    size_t capacity = t->capacity ? t->capacity : FIRST_CAPACITY;
    while (capacity < need) {
        capacity = capacity > SIZE_MAX / 2 ? need : 2 * capacity;
    }
    char *bytes = nmi_realloc(t->bytes, t->size, capacity);
    if (!bytes) {
        t->failed = true;
        return false;
    }
    t->bytes = bytes;
    t->capacity = capacity;
    return true;
}

static void put_bytes(struct nmi_text *t, const char *s, size_t n)
{
    if (reserve(t, n)) {
        memcpy(t->bytes + t->size, s, n);
        t->size += n;
    }
}

void nmi_text_put(struct nmi_text *t, const char *s)
{
    put_bytes(t, s, strlen(s));
}

void nmi_text_printf(struct nmi_text *t, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0) {
        t->failed = true;
    } else if (reserve(t, (size_t)n)) {
        vsnprintf(t->bytes + t->size, (size_t)n + 1, format, again);
        t->size += (size_t)n;
    }
    va_end(again);
}

/* Bytes of the UTF-8 sequence at s; 0 when it is none (overlong, surrogate, cut off). */
static size_t utf8_length(const unsigned char *s)
{
    size_t n = s[0] < 0x80   ? 1
               : s[0] < 0xc2 ? 0
               : s[0] < 0xe0 ? 2
               : s[0] < 0xf0 ? 3
               : s[0] < 0xf5 ? 4
                             : 0;
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    bool bad = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] >= 0xa0) ||
               (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] >= 0x90);
    return bad ? 0 : n;
}

static void put_quoted(struct nmi_text *t, const char *value)
{
    put_bytes(t, "\"", 1);
    const unsigned char *s = (const unsigned char *)value;
    while (*s) {
        size_t n = utf8_length(s);
        if (n == 0) {
            nmi_text_put(t, "\\ufffd");
            n = 1;
        } else if (*s == '"' || *s == '\\') {
            nmi_text_printf(t, "\\%c", *s);
        } else if (*s < 0x20 || *s == 0x7f) {
            nmi_text_printf(t, "\\u%04x", *s);
        } else {
            put_bytes(t, (const char *)s, n);
        }
        s += n;
    }
    put_bytes(t, "\"", 1);
}

/* The comma and the key in front of a value. */
static void begin_value(struct nmi_text *t, const char *key)
{
    if (t->comma) {
        put_bytes(t, ",", 1);
    }
    if (key) {
        put_quoted(t, key);
        put_bytes(t, ":", 1);
    }
    t->comma = true;
}

void nmi_json_open(struct nmi_text *t, const char *key, char bracket)
{
    begin_value(t, key);
    put_bytes(t, &bracket, 1);
    t->comma = false;
}

void nmi_json_close(struct nmi_text *t, char bracket)
{
    char closing = bracket == '{' ? '}' : bracket == '[' ? ']' : bracket;
    put_bytes(t, &closing, 1);
    t->comma = true;
}

void nmi_json_string(struct nmi_text *t, const char *key, const char *value)
{
    begin_value(t, key);
    if (value) {
        put_quoted(t, value);
    } else {
        nmi_text_put(t, "null");
    }
}

void nmi_json_int(struct nmi_text *t, const char *key, int64_t value)
{
    begin_value(t, key);
    nmi_text_printf(t, "%lld", (long long)value);
}

void nmi_json_real(struct nmi_text *t, const char *key, double value)
{
    begin_value(t, key);
    if (!isfinite(value)) {
        nmi_text_put(t, "null");
        return;
    }
    char digits[64];
    snprintf(digits, sizeof digits, "%.15g", value);
    if (strtod(digits, NULL) != value) {
        snprintf(digits, sizeof digits, "%.17g", value);
    }
    bool in_point = false; /* the locale's decimal point: one or more bytes */
    for (const char *s = digits; *s; s++) {
        bool plain = strchr("0123456789+-eE", *s) != NULL;
        if (plain || !in_point) {
            put_bytes(t, plain ? s : ".", 1);
        }
        in_point = !plain;
    }
}

void nmi_json_bool(struct nmi_text *t, const char *key, bool value)
{
    begin_value(t, key);
    nmi_text_put(t, value ? "true" : "false");
}

void nmi_json_ints(struct nmi_text *t, const char *key, const int64_t *values, int32_t n)
{
    nmi_json_open(t, key, '[');
    for (int32_t i = 0; i < n; i++) {
        nmi_json_int(t, NULL, values[i]);
    }
    nmi_json_close(t, ']');
}

nm_status nmi_text_take(struct nmi_text *t, char **out, nm_error *err)
{
    if (!reserve(t, 0)) {
        size_t size = t->size;
        nmi_text_free(t);
        return nmi_fail_memory(err, size, "text");
    }
    t->bytes[t->size] = '\0';
    *out = t->bytes;
    *t = (struct nmi_text){0};
    return NM_OK;
}

void nmi_text_free(struct nmi_text *t)
{
    nmi_free(t->bytes);
    *t = (struct nmi_text){0};
}
