/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NumPy's .npy files: magic, version, header length, a Python dict of three keys, the elements.
 * The dict is read with a cursor that never passes its end; anything unexpected refuses the file.
 */
#include "examples/nmie/npy.h"

#include "examples/nmie/nmie.h"

#include <stdio.h>
#include <string.h>

static const struct {
    char descr[4]; /* without the byte-order mark */
    nm_type type;
} types[] = {
    {"f4", NM_F32}, {"f8", NM_F64}, {"f2", NM_F16}, {"i1", NM_I8},  {"u1", NM_U8},  {"i2", NM_I16},
    {"u2", NM_U16}, {"i4", NM_I32}, {"u4", NM_U32}, {"i8", NM_I64}, {"u8", NM_U64}, {"b1", NM_BOOL},
};

struct cursor {
    const char *at, *end;
};

static void skip_space(struct cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' || *c->at == '\t')) {
        c->at++;
    }
}

/* Takes the character if it is next. */
static bool take(struct cursor *c, char wanted)
{
    skip_space(c);
    if (c->at < c->end && *c->at == wanted) {
        c->at++;
        return true;
    }
    return false;
}

static bool take_string(struct cursor *c, char text[static 24])
{
    skip_space(c);
    char quote = c->at < c->end ? *c->at : '\0';
    if (!(quote == '\'' || quote == '"') || !take(c, quote)) {
        return false;
    }
    for (size_t n = 0; n < 23 && c->at < c->end; n++) {
        text[n] = *c->at++;
        if (text[n] == quote) {
            text[n] = '\0';
            return true;
        }
    }
    return false;
}

static bool take_word(struct cursor *c, const char *word)
{
    size_t n = strlen(word);
    skip_space(c);
    if ((size_t)(c->end - c->at) < n || memcmp(c->at, word, n) != 0) {
        return false;
    }
    c->at += n;
    return true;
}

static bool take_number(struct cursor *c, int64_t *value)
{
    skip_space(c);
    const char *start = c->at;
    int64_t v = 0;
    for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++) {
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, *c->at - '0', &v)) {
            return false;
        }
    }
    *value = v;
    return c->at > start;
}

static bool take_shape(struct cursor *c, nm_tensor *t)
{
    if (!take(c, '(')) {
        return false;
    }
    for (t->rank = 0; !take(c, ')'); t->rank++) {
        if (t->rank == NM_MAX_DIMS || !take_number(c, &t->dims[t->rank])) {
            return false;
        }
        if (!take(c, ',') && c->at < c->end && *c->at != ')') {
            return false;
        }
    }
    return true;
}

static bool take_type(struct cursor *c, nm_tensor *t)
{
    char descr[24];
    if (!take_string(c, descr) || (descr[0] != '<' && descr[0] != '|' && descr[0] != '=')) {
        return false;
    }
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strcmp(descr + 1, types[i].descr) == 0) {
            t->type = types[i].type;
            return true;
        }
    }
    return false;
}

/* NULL, or what is wrong with the dict. */
static const char *parse_dict(struct cursor *c, nm_tensor *t)
{
    bool descr = false, shape = false, fortran = false;
    if (!take(c, '{')) {
        return "has no header";
    }
    while (!take(c, '}')) {
        char key[24];
        if (!take_string(c, key) || !take(c, ':')) {
            return "has a damaged header";
        }
        if (strcmp(key, "descr") == 0) {
            if (descr || !take_type(c, t)) {
                return "has an element type that is not little-endian numbers or bool";
            }
            descr = true;
        } else if (strcmp(key, "shape") == 0) {
            if (shape || !take_shape(c, t)) {
                return "has a damaged shape or more than 8 dimensions";
            }
            shape = true;
        } else if (strcmp(key, "fortran_order") == 0) {
            fortran = take_word(c, "True");
            if (!fortran && !take_word(c, "False")) {
                return "has a damaged header";
            }
        } else {
            return "has an unknown key in its header";
        }
        take(c, ',');
    }
    if (fortran && t->rank > 1) {
        return "is in Fortran order; save numpy.ascontiguousarray of it";
    }
    return descr && shape ? NULL : "has a header without descr or shape";
}

/* Where the header's text begins and ends; false when the file is not .npy or too short. */
static bool find_header(const struct slurp *file, struct cursor *c)
{
    const uint8_t *b = file->bytes;
    if (file->size < 12 || memcmp(b, "\x93NUMPY", 6) != 0 || b[6] < 1 || b[6] > 3) {
        return false;
    }
    size_t start = b[6] == 1 ? 10 : 12;
    size_t length = (size_t)b[8] | (size_t)b[9] << 8;
    if (b[6] > 1) {
        length |= (size_t)b[10] << 16 | (size_t)b[11] << 24;
    }
    if (length > file->size - start) {
        return false;
    }
    c->at = (const char *)b + start;
    c->end = c->at + length;
    return true;
}

nm_status npy_header(const struct slurp *start, uint64_t size, const char *path, nm_tensor *t,
                     size_t *header, nm_error *err)
{
    struct cursor c;
    if (!find_header(start, &c)) {
        return complain(err, NM_EFORMAT, "%s: is not a whole .npy file", path);
    }
    *header = (size_t)((const uint8_t *)c.end - start->bytes);
    uint64_t bytes = size - *header;
    size_t count, needed;
    const char *wrong = parse_dict(&c, t);
    if (wrong) {
        return complain(err, NM_EFORMAT, "%s: %s", path, wrong);
    }
    if (!host_count(t->dims, t->rank, &count) ||
        __builtin_mul_overflow(count, nm_type_size(t->type), &needed) || needed != bytes) {
        return complain(err, NM_EFORMAT, "%s: has %ju bytes of elements, which its shape does not",
                        path, (uintmax_t)bytes);
    }
    return NM_OK;
}

nm_status npy_parse(const struct slurp *file, const char *path, struct host_tensor *h,
                    nm_error *err)
{
    size_t header;
    nm_status status = npy_header(file, file->size, path, &h->t, &header, err);
    if (!status) {
        status = host_make(h, err);
    }
    if (!status && file->size > header) {
        memcpy(h->t.data, file->bytes + header, file->size - header);
    }
    return status;
}

nm_status npy_save(const char *path, const nm_tensor *t, nm_error *err)
{
    const char *descr = NULL;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        descr = types[i].type == t->type ? types[i].descr : descr;
    }
    size_t count;
    if (!descr || !host_count(t->dims, t->rank, &count)) {
        return complain(err, NM_ETYPE, "%s: .npy has no type for %s", path, nm_type_name(t->type));
    }
    char text[512];
    char order = nm_type_size(t->type) == 1 ? '|' : '<';
    int n = snprintf(text, sizeof text, "{'descr': '%c%s', 'fortran_order': False, 'shape': (",
                     order, descr);
    for (int32_t i = 0; i < t->rank; i++) {
        n += snprintf(text + n, sizeof text - (size_t)n, "%lld,%s", (long long)t->dims[i],
                      i + 1 < t->rank ? " " : "");
    }
    n += snprintf(text + n, sizeof text - (size_t)n, "), }");
    size_t length = ((size_t)n + 11 + 63) / 64 * 64 - 10; /* the elements start on a 64-byte line */
    char head[640];
    memset(head, ' ', sizeof head);
    memcpy(head, "\x93NUMPY\x01\x00", 8);
    head[8] = (char)(length & 255);
    head[9] = (char)(length >> 8);
    memcpy(head + 10, text, (size_t)n);
    head[9 + length] = '\n';
    struct slurp top = {(uint8_t *)head, 10 + length};
    struct slurp body = {t->data, count * nm_type_size(t->type)};
    return slurp_write(path, &top, &body, err);
}
