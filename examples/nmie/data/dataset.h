/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dataset.h - inputs for a network from a file or a folder, by number, read when asked for.
 *
 *   format            the path is                                       one item is
 *   cifar10           a file of a label byte and 32 x 32 R, G, B planes   a picture, 3,H,W
 *   u8-hwc:HxWx3      a file of bytes, row by row, R,G,B                  a picture
 *   npy (*.npy)       NumPy: uint8 N,H,W,3                                a picture
 *                            float32 N,...                                as it is
 *   images (a folder) PNG, JPEG, PGM, PPM, in the order of their names;   a picture
 *                     or folders of them, one for each class
 *
 * Pictures go through the preprocessing. Items are finite float32, all of the same dims.
 */
#ifndef NMIE_DATASET_H
#define NMIE_DATASET_H

#include "examples/nmie/preprocess.h"

/* What the user chose; words belong to the command line. */
struct data_choice {
    const char *path;
    const char *format;          /* NULL: by the path */
    const char *labels;          /* a file of classes; NULL: the data's own; "none": not known */
    int64_t count, skip, every;  /* of the items: skip, then one of every, at most count of them */
    int64_t class_offset;        /* is added to each class */
};
#define DATA_CHOICE_INIT {NULL, NULL, NULL, INT64_MAX, 0, 1, 0}

struct dataset {
    int64_t count; /* items that were chosen */
    int32_t rank;  /* of one item */
    int64_t dims[NM_MAX_DIMS];
    size_t elems;
    int64_t *labels; /* the right class of each item; NULL: not known */
    /* the rest is dataset.c's own */
    const char *path;
    int kind, fd;
    struct folder *folder;
    size_t head, record; /* bytes before the first item, and of one */
    int32_t width, height;
    int64_t skip, every;
    struct preprocess pre;
    uint8_t *buffer; /* of one record */
};

/* Opens, reads the first item and the classes. NM_EINVAL for a format that is none of these. */
nm_status dataset_open(const struct data_choice *choice, const struct preprocess *pre,
                       struct dataset *data, nm_error *err);
void dataset_close(struct dataset *data);

/* The number in the source (from 0) of item i of those chosen. */
int64_t dataset_place(const struct dataset *data, int64_t i);

/* Writes items [first, first + n). A sentence names the file and, in a file of many, the item. */
nm_status dataset_read(struct dataset *data, int64_t first, int64_t n, float *into, nm_error *err);

#endif
