/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors in memory and in files. */
#include "examples/nmie/host_tensor.h"

#include "examples/nmie/nmie.h"
#include "examples/nmie/npy.h"
#include "examples/nmie/pb.h"
#include "examples/nmie/slurp.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool host_count(const int64_t *dims, int32_t rank, size_t *count)
{
    size_t n = 1;
    for (int32_t i = 0; i < rank; i++) {
        if (dims[i] < 0 || __builtin_mul_overflow(n, (size_t)dims[i], &n)) {
            return false;
        }
    }
    *count = n;
    return true;
}

nm_status host_make(struct host_tensor *h, nm_error *err)
{
    size_t count, bytes, size = nm_type_size(h->t.type);
    if (size == 0) {
        return complain(err, NM_ETYPE, "element type %d is not known", (int)h->t.type);
    }
    if (!host_count(h->t.dims, h->t.rank, &count) || __builtin_mul_overflow(count, size, &bytes) ||
        bytes > PTRDIFF_MAX - 64) {
        return complain(err, NM_ELIMIT, "a tensor of impossible size");
    }
    size_t room = (bytes + 64) / 64 * 64;
    h->t.data = aligned_alloc(64, room);
    if (!h->t.data) {
        return complain(err, NM_ENOMEM, "no memory for a tensor of %zu bytes", bytes);
    }
    memset(h->t.data, 0, room);
    h->t.capacity = bytes;
    return NM_OK;
}

nm_status host_name(struct host_tensor *h, const char *name, nm_error *err)
{
    char *copy = strdup(name);
    if (!copy) {
        return complain(err, NM_ENOMEM, "no memory for a name");
    }
    free(h->name);
    h->name = copy;
    h->t.name = copy;
    return NM_OK;
}

void host_free(struct host_tensor *h)
{
    free(h->t.data);
    free(h->name);
    *h = (struct host_tensor){0};
}

/* The dims of a bare file: wanted's, where one free dim follows from the number of elements. */
static nm_status bin_dims(const char *path, const nm_value_info *wanted, size_t elements,
                          nm_tensor *t, nm_error *err)
{
    int32_t free_dim = -1;
    size_t known = 1;
    for (int32_t i = 0; i < wanted->rank; i++) {
        t->dims[i] = wanted->dims[i];
        if (t->dims[i] >= 0) {
            known *=
                (size_t)t->dims[i]; /* a wrapped product cannot pass the test below: host_make */
        } else if (free_dim >= 0) {
            return complain(err, NM_ESHAPE,
                            "%s: input %s has more than one free dimension; use .npy or .pb", path,
                            wanted->name);
        } else {
            free_dim = i;
        }
    }
    if (free_dim >= 0) {
        t->dims[free_dim] = known ? (int64_t)(elements / known) : 0;
        known *= (size_t)t->dims[free_dim];
    }
    if (known != elements) {
        return complain(err, NM_ESHAPE, "%s: %zu elements do not fill the dims of input %s", path,
                        elements, wanted->name);
    }
    return NM_OK;
}

static nm_status bin_parse(const struct slurp *file, const char *path, const nm_value_info *wanted,
                           struct host_tensor *h, nm_error *err)
{
    if (!wanted || wanted->rank < 0 || wanted->rank > NM_MAX_DIMS || !nm_type_size(wanted->type)) {
        return complain(err, NM_ESHAPE, "%s: a bare file needs a model that tells type and dims",
                        path);
    }
    size_t size = nm_type_size(wanted->type);
    if (file->size % size) {
        return complain(err, NM_ESHAPE, "%s: %zu bytes are not a whole number of %s elements", path,
                        file->size, nm_type_name(wanted->type));
    }
    h->t.type = wanted->type;
    h->t.rank = wanted->rank;
    nm_status status = bin_dims(path, wanted, file->size / size, &h->t, err);
    if (!status) {
        status = host_make(h, err);
    }
    if (!status && h->t.capacity != file->size) {
        status = complain(err, NM_ESHAPE, "%s: has the wrong size", path);
    }
    if (!status) {
        memcpy(h->t.data, file->bytes, file->size);
    }
    return status;
}

static bool ends_with(const char *path, const char *end)
{
    size_t n = strlen(path), m = strlen(end);
    return n > m && strcmp(path + n - m, end) == 0;
}

/* A file may hold any byte for a bool; inside it is 0 or 1. */
static void normalise_bools(nm_tensor *t)
{
    uint8_t *b = t->data;
    for (size_t i = 0; t->type == NM_BOOL && i < t->capacity; i++) {
        b[i] = b[i] != 0;
    }
}

nm_status host_load(const char *path, const nm_value_info *wanted, struct host_tensor *h,
                    nm_error *err)
{
    struct slurp file;
    *h = (struct host_tensor){0};
    nm_status status = slurp_read(path, HOST_TENSOR_FILE_MAX, &file, err);
    if (status) {
        return status;
    }
    if (ends_with(path, ".npy")) {
        status = npy_parse(&file, path, h, err);
    } else if (ends_with(path, ".pb")) {
        status = pb_parse(&file, path, h, err);
    } else if (ends_with(path, ".bin")) {
        status = bin_parse(&file, path, wanted, h, err);
    } else {
        status = complain(err, NM_EINVAL, "%s: expected a .npy, .pb or .bin file", path);
    }
    slurp_free(&file);
    if (status) {
        host_free(h);
    } else {
        normalise_bools(&h->t);
    }
    return status;
}

nm_status host_save(const char *path, const nm_tensor *t, nm_error *err)
{
    if (ends_with(path, ".npy")) {
        return npy_save(path, t, err);
    }
    if (ends_with(path, ".pb")) {
        return pb_save(path, t, err);
    }
    if (ends_with(path, ".bin")) {
        size_t count = 0;
        host_count(t->dims, t->rank, &count);
        struct slurp none = {0}, body = {t->data, count * nm_type_size(t->type)};
        return slurp_write(path, &none, &body, err);
    }
    return complain(err, NM_EINVAL, "%s: expected a name that ends in .npy, .pb or .bin", path);
}

static double from_half(uint16_t bits)
{
    int exponent = (bits >> 10) & 31;
    double fraction = bits & 1023, v;
    if (exponent == 31) {
        v = fraction != 0.0 ? (double)NAN : (double)INFINITY;
    } else if (exponent == 0) {
        v = ldexp(fraction, -24);
    } else {
        v = ldexp(1024.0 + fraction, exponent - 25);
    }
    return bits & 0x8000 ? -v : v;
}

static double from_bfloat(uint16_t bits)
{
    uint32_t word = (uint32_t)bits << 16;
    float v;
    memcpy(&v, &word, sizeof v);
    return (double)v;
}

double host_at(const nm_tensor *t, size_t i)
{
    switch (t->type) {
    case NM_F32:
        return (double)((const float *)t->data)[i];
    case NM_F64:
        return ((const double *)t->data)[i];
    case NM_F16:
        return from_half(((const uint16_t *)t->data)[i]);
    case NM_BF16:
        return from_bfloat(((const uint16_t *)t->data)[i]);
    case NM_I8:
        return ((const int8_t *)t->data)[i];
    case NM_U8:
    case NM_BOOL:
        return ((const uint8_t *)t->data)[i];
    case NM_I16:
        return ((const int16_t *)t->data)[i];
    case NM_U16:
        return ((const uint16_t *)t->data)[i];
    case NM_I32:
        return ((const int32_t *)t->data)[i];
    case NM_U32:
        return ((const uint32_t *)t->data)[i];
    case NM_I64:
        return (double)((const int64_t *)t->data)[i];
    case NM_U64:
        return (double)((const uint64_t *)t->data)[i];
    default:
        return (double)NAN;
    }
}

bool host_is_float(nm_type type)
{
    return type == NM_F32 || type == NM_F64 || type == NM_F16 || type == NM_BF16;
}

const char *host_dims_text(const int64_t *dims, const char *const *symbols, int32_t rank,
                           char text[static 256])
{
    int at = snprintf(text, 256, "[");
    for (int32_t i = 0; i < rank && at < 250; i++) {
        const char *comma = i ? "," : "";
        size_t room = (size_t)(256 - at);
        if (dims[i] >= 0) {
            at += snprintf(text + at, room, "%s%lld", comma, (long long)dims[i]);
        } else {
            at += snprintf(text + at, room, "%s%.24s", comma,
                           symbols && symbols[i] ? symbols[i] : "?");
        }
    }
    snprintf(text + (at < 254 ? at : 254), 2, "]");
    return text;
}
