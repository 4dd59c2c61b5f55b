/* SPDX-License-Identifier: Apache-2.0 */
/* Files of raw pictures. */
#include "examples/nmie/dataset.h"

#include "examples/nmie/args.h"
#include "examples/nmie/nmie.h"

#include <stdlib.h>
#include <string.h>

#define FILE_MAX ((size_t)1 << 36)
#define HWC "u8-hwc:"

static nm_status parse_format(const char *format, struct dataset *d, nm_error *err)
{
    struct args_list hwc;
    if (strcmp(format, "cifar10") == 0) {
        d->planes = true;
        d->width = d->height = 32;
        d->record = 1 + 3 * 32 * 32;
        return NM_OK;
    }
    size_t n = strlen(HWC);
    if (strncmp(format, HWC, n) != 0 || !args_ints(format + n, 'x', IMAGE_SIDE_MAX, &hwc) ||
        hwc.n != 3 || hwc.at[2] != 3) {
        return complain(err, NM_EINVAL,
                        "--format %s: expected cifar10 or u8-hwc:HxWx3, such as u8-hwc:224x224x3",
                        format);
    }
    d->height = (int32_t)hwc.at[0];
    d->width = (int32_t)hwc.at[1];
    d->record = (size_t)hwc.at[0] * (size_t)hwc.at[1] * 3;
    return NM_OK;
}

nm_status dataset_open(const char *path, const char *format, struct dataset *d, nm_error *err)
{
    *d = (struct dataset){0};
    nm_status status = parse_format(format, d, err);
    if (!status) {
        status = slurp_read(path, FILE_MAX, &d->file, err);
    }
    if (!status && (d->file.size == 0 || d->file.size % d->record)) {
        status = complain(err, NM_EFORMAT,
                          "%s: %zu bytes are not a whole number of pictures of %zu bytes (%s)",
                          path, d->file.size, d->record, format);
        dataset_close(d);
    }
    d->count = status ? 0 : (int64_t)(d->file.size / d->record);
    return status;
}

void dataset_close(struct dataset *d)
{
    slurp_free(&d->file);
}

nm_status dataset_picture(const struct dataset *d, int64_t i, struct image *image, nm_error *err)
{
    *image = (struct image){0};
    nm_status status =
        image_make(image, "a picture of the data", (uint64_t)d->width, (uint64_t)d->height, err);
    if (status) {
        return status;
    }
    const uint8_t *from = d->file.bytes + (size_t)i * d->record;
    if (!d->planes) {
        memcpy(image->rgb, from, d->record);
        return NM_OK;
    }
    size_t pixels = (size_t)d->width * (size_t)d->height;
    for (size_t p = 0; p < pixels; p++) {
        for (size_t c = 0; c < 3; c++) {
            image->rgb[3 * p + c] = from[1 + c * pixels + p];
        }
    }
    return NM_OK;
}

nm_status labels_of_dataset(const struct dataset *d, struct labels *labels, nm_error *err)
{
    *labels = (struct labels){0};
    if (!d->planes) {
        return complain(err, NM_EINVAL,
                        "this format carries no classes: give --labels or --reference");
    }
    labels->at = calloc((size_t)d->count, sizeof *labels->at);
    if (!labels->at) {
        return complain(err, NM_ENOMEM, "no memory for labels");
    }
    for (; labels->n < d->count; labels->n++) {
        labels->at[labels->n] = d->file.bytes[(size_t)labels->n * d->record];
    }
    return NM_OK;
}

/* The number of the column of this name in a header line, or -1. */
static int find_column(char *header, const char *name)
{
    char *cell;
    for (int i = 0; (cell = strsep(&header, "\t")); i++) {
        if (strcmp(cell, name) == 0) {
            return i;
        }
    }
    return -1;
}

static const char *cell_of(char *line, int column)
{
    char *cell = strsep(&line, "\t");
    for (int i = 0; i < column && cell; i++) {
        cell = strsep(&line, "\t");
    }
    return cell;
}

/* column: a name, or NULL for files without a header. */
static nm_status parse_labels(const char *path, char *text, const char *column,
                              struct labels *labels, nm_error *err)
{
    int at = column ? -1 : 0;
    for (int line_number = 1; text && *text; line_number++) {
        char *line = strsep(&text, "\n");
        size_t n = strlen(line);
        if (n && line[n - 1] == '\r') {
            line[n - 1] = '\0';
        }
        if (!*line || *line == '#') {
            continue;
        }
        if (at < 0) {
            at = find_column(line, column);
            if (at < 0) {
                return complain(err, NM_EINVAL, "%s: line %d names no column %s", path, line_number,
                                column);
            }
            continue;
        }
        const char *cell = cell_of(line, at);
        if (!cell || !args_int(cell, INT32_MIN, INT32_MAX, &labels->at[labels->n])) {
            return complain(err, NM_EFORMAT, "%s: line %d: '%.40s' is not a class number", path,
                            line_number, cell ? cell : "");
        }
        labels->n++;
    }
    return NM_OK;
}

nm_status labels_load(const char *file_and_column, struct labels *labels, nm_error *err)
{
    struct slurp file = {0};
    *labels = (struct labels){0};
    char *path = strdup(file_and_column), *column = NULL;
    if (!path) {
        return complain(err, NM_ENOMEM, "no memory");
    }
    nm_status status = slurp_read(path, FILE_MAX, &file, err);
    if (status == NM_EIO && (column = strrchr(path, ':'))) {
        *column++ = '\0';
        status = slurp_read(path, FILE_MAX, &file, err);
    }
    size_t lines = 1;
    for (size_t i = 0; i < file.size; i++) {
        lines += file.bytes[i] == '\n';
    }
    labels->at = status ? NULL : calloc(lines, sizeof *labels->at);
    if (!status && !labels->at) {
        status = complain(err, NM_ENOMEM, "%s: no memory for %zu lines", path, lines);
    }
    if (!status) {
        status = parse_labels(path, (char *)file.bytes, column, labels, err);
    }
    slurp_free(&file);
    free(path);
    if (status) {
        labels_free(labels);
    }
    return status;
}

void labels_free(struct labels *labels)
{
    free(labels->at);
    *labels = (struct labels){0};
}
