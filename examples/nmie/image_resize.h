/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image_resize.h - pictures made smaller or larger.
 *   nearest   the source pixel under the centre of each pixel: floor((2i + 1) n / 2m)
 *   bilinear  a triangle filter as wide as the reduction (antialiased), in Pillow's fixed-point
 *             arithmetic: the same bytes as Pillow's and so as most training pipelines'
 *   area      the mean over the exact area that each pixel covers
 * Bilinear and area go along the rows first and round to bytes after each direction.
 */
#ifndef NMIE_IMAGE_RESIZE_H
#define NMIE_IMAGE_RESIZE_H

#include "examples/nmie/image.h"

enum resize_filter { RESIZE_NEAREST, RESIZE_BILINEAR, RESIZE_AREA };

/* Replaces the picture by one of width x height. */
nm_status resize_image(struct image *image, int32_t width, int32_t height,
                       enum resize_filter filter, nm_error *err);

#endif
