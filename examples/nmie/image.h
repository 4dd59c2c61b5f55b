/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image.h - pictures as bytes, R,G,B, row by row. Files are PNG, JPEG or binary PGM/PPM, told apart
 * by their first bytes. PNG: 16-bit and palettes become 8-bit RGB, transparency is laid on black.
 * EXIF rotation is not applied.
 */
#ifndef NMIE_IMAGE_H
#define NMIE_IMAGE_H

#include "examples/nmie/slurp.h"

#include <stdint.h>

#include <nm/nm.h>

#define IMAGE_SIDE_MAX 32768
#define IMAGE_PIXELS_MAX 100000000

struct image {
    uint8_t *rgb; /* owned: width * height * 3 bytes */
    int32_t width, height;
};

/* Memory for a picture, refused beyond the limits above. name is for the sentence. */
nm_status image_make(struct image *image, const char *name, uint64_t width, uint64_t height,
                     nm_error *err);

nm_status image_load(const char *path, struct image *image, nm_error *err);
void image_free(struct image *image);

/* One decoder each; name is for the sentence. On failure *image may be half made: free it. */
nm_status image_png(const struct slurp *file, const char *name, struct image *image, nm_error *err);
nm_status image_jpeg(const struct slurp *file, const char *name, struct image *image,
                     nm_error *err);

#endif
