/* SPDX-License-Identifier: Apache-2.0 */
/* Data in another file: named by the model, so contained in the folder that the caller named. */
#include "lib/base/checked.h"
#include "lib/base/file.h"
#include "lib/onnx/importer.h"

#include <string.h>

struct location {
    const char *path, *offset, *length; /* as they stand in the file; NULL when they don't */
};

static nm_status read_location(const struct nmi_importer *im, const Onnx__TensorProto *t,
                               struct location *at)
{
    *at = (struct location){0};
    for (size_t i = 0; i < t->n_external_data; i++) {
        const char *key = t->external_data[i]->key, *value = t->external_data[i]->value;
        const char **to = NULL;
        if (key != NULL && strcmp(key, "location") == 0) {
            to = &at->path;
        } else if (key != NULL && strcmp(key, "offset") == 0) {
            to = &at->offset;
        } else if (key != NULL && strcmp(key, "length") == 0) {
            to = &at->length;
        }
        if (to == NULL) {
            continue; /* a checksum, or what somebody added */
        }
        if (*to != NULL || value == NULL) {
            return nmi_fail(im->err, NM_EFORMAT, "its external data give %s %s", key,
                            value == NULL ? "no value" : "twice");
        }
        *to = value;
    }
    if (at->path == NULL || at->path[0] == '\0') {
        return nmi_fail(im->err, NM_EFORMAT, "its data are external, but no location is given");
    }
    return NM_OK;
}

/* Digits only: no sign, no space, no overflow. */
static nm_status read_number(const struct nmi_importer *im, const char *what, const char *text,
                             uint64_t *value)
{
    const char *p = text;
    *value = 0;
    for (; *p >= '0' && *p <= '9'; p++) {
        if (__builtin_mul_overflow(*value, 10u, value) ||
            __builtin_add_overflow(*value, (uint64_t)(*p - '0'), value)) {
            break;
        }
    }
    if (p == text || *p != '\0') {
        return nmi_fail(im->err, NM_EFORMAT,
                        "the %s of its external data is \"%.40s\", expected a decimal number", what,
                        text);
    }
    return NM_OK;
}

static nm_status read_range(const struct nmi_importer *im, const struct location *at,
                            const struct nmi_constant *out, uint64_t *offset)
{
    uint64_t length = out->bytes;
    if (at->offset != NULL) {
        NMI_TRY(read_number(im, "offset", at->offset, offset));
    }
    if (at->length != NULL) {
        NMI_TRY(read_number(im, "length", at->length, &length));
    }
    if (length != out->bytes) {
        return nmi_fail(im->err, NM_EFORMAT,
                        "its external data have %llu bytes, expected %zu by its type and shape",
                        (unsigned long long)length, out->bytes);
    }
    return NM_OK;
}

static nm_status charge(struct nmi_importer *im, uint64_t bytes)
{
    im->external += bytes;
    if (im->external > im->limits->external_bytes) {
        return nmi_fail(im->err, NM_ELIMIT,
                        "the model's external data have more than %llu bytes in all: beyond "
                        "nm_limits.external_bytes, which can be raised",
                        (unsigned long long)im->limits->external_bytes);
    }
    return nmi_importer_grant(im, (size_t)bytes, "external data");
}

static nm_status read_file(struct nmi_importer *im, int fd, uint64_t file_size,
                           const struct location *at, struct nmi_arena *arena,
                           struct nmi_constant *out)
{
    uint64_t offset = 0;
    NMI_TRY(read_range(im, at, out, &offset));
    if (offset > file_size || out->bytes > file_size - offset) {
        return nmi_fail(im->err, NM_EFORMAT,
                        "its external data end beyond the %llu bytes of the file \"%.200s\"",
                        (unsigned long long)file_size, at->path);
    }
    NMI_TRY(charge(im, out->bytes));
    void *to = nmi_arena_alloc(arena, out->bytes);
    if (to == NULL) {
        return nmi_importer_memory(im, out->bytes, "external data");
    }
    out->data = to;
    return nmi_file_read_at(fd, offset, to, out->bytes, at->path, im->err);
}

nm_status nmi_onnx_external(struct nmi_importer *im, const Onnx__TensorProto *t,
                            struct nmi_arena *arena, struct nmi_constant *out)
{
    struct location at;
    if (t->data_location != 1) {
        return nmi_fail(im->err, NM_EFORMAT, "its data location is %d, expected 0 or 1",
                        t->data_location);
    }
    NMI_TRY(read_location(im, t, &at));
    if (im->external_dir == NULL) {
        return nmi_fail(im->err, NM_EIO,
                        "its data are in the file \"%.200s\", but no folder is given for external "
                        "data (nm_load_options.external_dir)",
                        at.path);
    }
    int fd = -1;
    uint64_t file_size = 0;
    NMI_TRY(nmi_file_open_beneath(im->external_dir, at.path, &fd, &file_size, im->err));
    nm_status status = read_file(im, fd, file_size, &at, arena, out);
    nmi_file_close(fd);
    return status;
}
