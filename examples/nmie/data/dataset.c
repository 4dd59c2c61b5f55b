/* SPDX-License-Identifier: Apache-2.0 */
/* Items of data sets: what a format's records are, which are chosen, and reading one. */
#include "examples/nmie/data/dataset.h"

#include "examples/nmie/args.h"
#include "examples/nmie/data/folder.h"
#include "examples/nmie/data/labels.h"
#include "examples/nmie/nmie.h"
#include "examples/nmie/npy.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HWC "u8-hwc:"
#define NPY_HEADER_MAX 65536

enum { CIFAR10, HWC_BYTES, FLOATS, FOLDER };

/* ---- files ----------------------------------------------------------------------------------- */

static nm_status open_file(struct dataset *d, uint64_t *size, nm_error *err)
{
    struct stat st;
    d->fd = open(d->path, O_RDONLY | O_CLOEXEC);
    if (d->fd < 0 || fstat(d->fd, &st)) {
        return complain(err, NM_EIO, "%s: %s", d->path, strerror(errno));
    }
    if (!S_ISREG(st.st_mode)) {
        return complain(err, NM_EIO, "%s: is not a file that can be read at any place", d->path);
    }
    *size = (uint64_t)st.st_size;
    return NM_OK;
}

static nm_status read_at(const struct dataset *d, uint64_t offset, uint8_t *to, size_t n,
                         nm_error *err)
{
    while (n > 0) {
        ssize_t got = pread(d->fd, to, n, (off_t)offset);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return complain(err, NM_EIO, "%s: %s", d->path,
                            got < 0 ? strerror(errno) : "has become shorter while it was read");
        }
        to += got;
        offset += (uint64_t)got;
        n -= (size_t)got;
    }
    return NM_OK;
}

/* ---- formats --------------------------------------------------------------------------------- */

/* Files without a header: a whole number of records. */
static nm_status open_raw(struct dataset *d, const char *format, int64_t *stored, nm_error *err)
{
    uint64_t size;
    nm_status status = open_file(d, &size, err);
    if (!status && (size == 0 || size % d->record)) {
        status = complain(err, NM_EFORMAT,
                          "%s: %ju bytes are not a whole number of pictures of %zu bytes (%s)",
                          d->path, (uintmax_t)size, d->record, format);
    }
    *stored = status ? 0 : (int64_t)(size / d->record);
    return status;
}

static nm_status open_hwc(struct dataset *d, const char *format, int64_t *stored, nm_error *err)
{
    struct args_list hwc;
    if (!args_ints(format + strlen(HWC), 'x', IMAGE_SIDE_MAX, &hwc) || hwc.n != 3 ||
        hwc.at[2] != 3) {
        return complain(err, NM_EINVAL, "format %s: expected u8-hwc:HxWx3, such as u8-hwc:224x224x3",
                        format);
    }
    d->kind = HWC_BYTES;
    d->height = (int32_t)hwc.at[0];
    d->width = (int32_t)hwc.at[1];
    d->record = (size_t)hwc.at[0] * (size_t)hwc.at[1] * 3;
    return open_raw(d, format, stored, err);
}

/* What the elements of a .npy file are to us. */
static nm_status take_array(struct dataset *d, const nm_tensor *t, nm_error *err)
{
    bool pictures = t->type == NM_U8 && t->rank == 4 && t->dims[3] == 3;
    size_t count = 0;
    if (!pictures && (t->type != NM_F32 || t->rank < 2)) {
        char text[256];
        return complain(err, NM_EINVAL,
                        "%s: is %s %s, expected float32 [N,...] or uint8 [N,H,W,3]", d->path,
                        nm_type_name(t->type), host_dims_text(t->dims, NULL, t->rank, text));
    }
    if (!host_count(t->dims, t->rank, &count) || count == 0) {
        return complain(err, NM_EINVAL, "%s: is empty", d->path);
    }
    d->kind = pictures ? HWC_BYTES : FLOATS;
    d->record = count / (size_t)t->dims[0] * nm_type_size(t->type);
    if (pictures && t->dims[1] <= IMAGE_SIDE_MAX && t->dims[2] <= IMAGE_SIDE_MAX) {
        d->height = (int32_t)t->dims[1];
        d->width = (int32_t)t->dims[2];
    }
    d->rank = t->rank - 1;
    memcpy(d->dims, t->dims + 1, (size_t)d->rank * sizeof *d->dims);
    return NM_OK;
}

static nm_status open_npy(struct dataset *d, int64_t *stored, nm_error *err)
{
    uint8_t start[NPY_HEADER_MAX];
    uint64_t size;
    nm_tensor t = {0};
    nm_status status = open_file(d, &size, err);
    struct slurp head = {start, size < sizeof start ? (size_t)size : sizeof start};
    if (!status) {
        status = read_at(d, 0, start, head.size, err);
    }
    if (!status) {
        status = npy_header(&head, size, d->path, &t, &d->head, err);
    }
    if (!status) {
        status = take_array(d, &t, err);
    }
    *stored = t.dims[0];
    return status;
}

static nm_status open_folder(struct dataset *d, int64_t *stored, nm_error *err)
{
    d->kind = FOLDER;
    d->folder = calloc(1, sizeof *d->folder);
    if (!d->folder) {
        return complain(err, NM_ENOMEM, "%s: no memory", d->path);
    }
    nm_status status = folder_open(d->path, d->folder, err);
    *stored = d->folder->n;
    return status;
}

static const char *guess_format(const char *path)
{
    struct stat st;
    const char *dot = strrchr(path, '.');
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        return "images";
    }
    return dot && strcmp(dot, ".npy") == 0 ? "npy" : "";
}

static nm_status open_format(struct dataset *d, const char *format, int64_t *stored, nm_error *err)
{
    format = format ? format : guess_format(d->path);
    if (strcmp(format, "images") == 0) {
        return open_folder(d, stored, err);
    }
    if (strcmp(format, "npy") == 0) {
        return open_npy(d, stored, err);
    }
    if (strncmp(format, HWC, strlen(HWC)) == 0) {
        return open_hwc(d, format, stored, err);
    }
    if (strcmp(format, "cifar10") == 0) {
        d->kind = CIFAR10;
        d->width = d->height = 32;
        d->record = 1 + 3 * 32 * 32;
        return open_raw(d, format, stored, err);
    }
    return *format ? complain(err, NM_EINVAL,
                              "format %s: is none of images, npy, cifar10, u8-hwc:HxWx3", format)
                   : complain(err, NM_EINVAL,
                              "%s: of which format? cifar10 and u8-hwc:HxWx3 must be said, folders "
                              "and .npy files speak for themselves",
                              d->path);
}

/* ---- one item -------------------------------------------------------------------------------- */

int64_t dataset_place(const struct dataset *d, int64_t i)
{
    return d->skip + i * d->every;
}

static nm_status read_record(struct dataset *d, int64_t at, nm_error *err)
{
    return read_at(d, d->head + (uint64_t)at * d->record, d->buffer, d->record, err);
}

static nm_status load_picture(struct dataset *d, int64_t at, struct image *image, nm_error *err)
{
    nm_status status = read_record(d, at, err);
    if (!status) {
        status = image_make(image, d->path, (uint64_t)d->width, (uint64_t)d->height, err);
    }
    if (!status && d->kind == HWC_BYTES) {
        memcpy(image->rgb, d->buffer, d->record);
    }
    size_t pixels = (size_t)d->width * (size_t)d->height;
    for (size_t p = 0; p < pixels && d->kind == CIFAR10 && !status; p++) {
        for (size_t c = 0; c < 3; c++) {
            image->rgb[3 * p + c] = d->buffer[1 + c * pixels + p];
        }
    }
    return status;
}

/* A picture after its steps on bytes. The first one says how large all are. */
static nm_status prepared(struct dataset *d, int64_t at, struct image *image, nm_error *err)
{
    const char *name = d->folder ? d->folder->paths[at] : d->path;
    nm_status status =
        d->folder ? image_load(name, image, err) : load_picture(d, at, image, err);
    if (!status) {
        status = preprocess_steps(&d->pre, image, name, err);
    }
    if (status || d->elems == 0) {
        return status;
    }
    if (image->height != d->dims[1] || image->width != d->dims[2]) {
        return complain(err, NM_ESHAPE,
                        "%s: is %d x %d after preprocessing, the first picture is %d x %d; see "
                        "--pre",
                        name, image->width, image->height, (int)d->dims[2], (int)d->dims[1]);
    }
    return NM_OK;
}

static nm_status read_floats(struct dataset *d, int64_t at, float *into, nm_error *err)
{
    nm_status status = read_record(d, at, err);
    if (status) {
        return status;
    }
    memcpy(into, d->buffer, d->record);
    for (size_t i = 0; i < d->elems; i++) {
        if (!isfinite(into[i])) {
            return complain(err, NM_EINVAL, "%s: item %lld has %s at element %zu", d->path,
                            (long long)at, isnan(into[i]) ? "a NaN" : "an infinity", i);
        }
    }
    return NM_OK;
}

nm_status dataset_read(struct dataset *d, int64_t first, int64_t n, float *into, nm_error *err)
{
    nm_status status = NM_OK;
    for (int64_t i = 0; i < n && !status; i++, into += d->elems) {
        struct image image = {0};
        if (d->kind == FLOATS) {
            status = read_floats(d, dataset_place(d, first + i), into, err);
            continue;
        }
        status = prepared(d, dataset_place(d, first + i), &image, err);
        if (!status) {
            preprocess_planes(&d->pre, &image, into);
        }
        image_free(&image);
    }
    return status;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static nm_status choose(struct dataset *d, const struct data_choice *c, int64_t stored,
                        nm_error *err)
{
    d->skip = c->skip;
    d->every = c->every;
    d->count = stored > c->skip ? (stored - c->skip - 1) / c->every + 1 : 0;
    d->count = d->count < c->count ? d->count : c->count;
    return d->count > 0 ? NM_OK
                        : complain(err, NM_EINVAL, "%s: holds %lld items, none is left after "
                                                   "leaving out %lld",
                                   d->path, (long long)stored, (long long)c->skip);
}

/* The dims of one item, by the first one. */
static nm_status measure(struct dataset *d, nm_error *err)
{
    d->buffer = d->record ? malloc(d->record) : NULL;
    if (d->record && !d->buffer) {
        return complain(err, NM_ENOMEM, "%s: no memory for an item of %zu bytes", d->path,
                        d->record);
    }
    nm_status status = NM_OK;
    if (d->kind != FLOATS) {
        struct image image = {0};
        status = prepared(d, dataset_place(d, 0), &image, err);
        d->rank = 3;
        d->dims[0] = 3;
        d->dims[1] = image.height;
        d->dims[2] = image.width;
        image_free(&image);
    }
    return !status && !host_count(d->dims, d->rank, &d->elems)
               ? complain(err, NM_ELIMIT, "%s: an item has too many elements", d->path)
               : status;
}

static nm_status own_class(struct dataset *d, int64_t at, int64_t *class, nm_error *err)
{
    uint8_t byte = 0;
    nm_status status = NM_OK;
    if (d->kind == CIFAR10) {
        status = read_at(d, (uint64_t)at * d->record, &byte, 1, err);
    }
    *class = d->kind == CIFAR10 ? byte : d->folder->classes[at];
    return status;
}

static nm_status take_labels(struct dataset *d, const struct data_choice *c, nm_error *err)
{
    struct labels list = {0};
    bool own = d->kind == CIFAR10 || (d->folder && d->folder->by_class);
    if ((c->labels && strcmp(c->labels, "none") == 0) || (!c->labels && !own)) {
        return NM_OK;
    }
    nm_status status = c->labels ? labels_load(c->labels, &list, err) : NM_OK;
    if (!status && c->labels && list.n <= dataset_place(d, d->count - 1)) {
        status = complain(err, NM_EINVAL, "%s: %lld classes for item %lld of %s", c->labels,
                          (long long)list.n, (long long)dataset_place(d, d->count - 1), d->path);
    }
    d->labels = status ? NULL : calloc((size_t)d->count, sizeof *d->labels);
    if (!status && !d->labels) {
        status = complain(err, NM_ENOMEM, "%s: no memory for classes", d->path);
    }
    for (int64_t i = 0; i < d->count && !status; i++) {
        if (c->labels) {
            d->labels[i] = list.at[dataset_place(d, i)];
        } else {
            status = own_class(d, dataset_place(d, i), &d->labels[i], err);
        }
        d->labels[i] += c->class_offset;
    }
    labels_free(&list);
    return status;
}

nm_status dataset_open(const struct data_choice *choice, const struct preprocess *pre,
                       struct dataset *d, nm_error *err)
{
    int64_t stored = 0;
    *d = (struct dataset){.path = choice->path, .fd = -1, .pre = *pre};
    nm_status status = open_format(d, choice->format, &stored, err);
    if (!status) {
        status = choose(d, choice, stored, err);
    }
    if (!status) {
        status = measure(d, err);
    }
    if (!status) {
        status = take_labels(d, choice, err);
    }
    if (status) {
        dataset_close(d);
    }
    return status;
}

void dataset_close(struct dataset *d)
{
    if (d->path && d->fd >= 0) {
        close(d->fd);
    }
    if (d->folder) {
        folder_close(d->folder);
    }
    free(d->folder);
    free(d->labels);
    free(d->buffer);
    *d = (struct dataset){.fd = -1};
}
