/* SPDX-License-Identifier: Apache-2.0 */
/* dataset.h - many pictures of one size in one file, and what class each is of. */
#ifndef NMIE_DATASET_H
#define NMIE_DATASET_H

#include "examples/nmie/image.h"
#include "examples/nmie/slurp.h"

#include <stdbool.h>

struct dataset {
    struct slurp file;
    bool planes;   /* cifar10: a label byte, then the R, G and B planes. Else bytes H x W x RGB */
    size_t record; /* bytes of one picture, with its label */
    int32_t width, height;
    int64_t count;
};

/* format: "cifar10" or "u8-hwc:HxWxC" with C = 3. NM_EINVAL for another format. */
nm_status dataset_open(const char *path, const char *format, struct dataset *data, nm_error *err);
void dataset_close(struct dataset *data);

/* A copy of picture i, to be freed by image_free. */
nm_status dataset_picture(const struct dataset *data, int64_t i, struct image *image,
                          nm_error *err);

/* Classes: one integer per picture. */
struct labels {
    int64_t *at; /* owned */
    int64_t n;
};

/* The labels inside a cifar10 file. */
nm_status labels_of_dataset(const struct dataset *data, struct labels *labels, nm_error *err);

/* From a text file: "FILE" has one integer on each line; "FILE:COLUMN" is tab-separated, its first
 * line names the columns. Empty lines and lines that start with '#' are skipped. */
nm_status labels_load(const char *file_and_column, struct labels *labels, nm_error *err);
void labels_free(struct labels *labels);

#endif
