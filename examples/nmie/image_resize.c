/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resampling, one direction after the other. A filter is a table: for each output position the
 * first source position, and weights in fixed point that add up to one.
 */
#include "examples/nmie/image_resize.h"

#include "examples/nmie/nmie.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define PRECISION 22 /* bits behind the point: 8-bit pixels times weights stay within 31 bits */

struct taps {
    int32_t *first;  /* per output position */
    int32_t *count;  /* weights used */
    int32_t *weight; /* width of them per output position */
    int32_t width;
};

static void free_taps(struct taps *t)
{
    free(t->first);
    free(t->count);
    free(t->weight);
}

static bool make_room(struct taps *t, int32_t from, int32_t to)
{
    double scale = (double)from / to;
    t->width = 2 * (int32_t)ceil(fmax(scale, 1.0)) + 1;
    t->first = calloc((size_t)to, sizeof *t->first);
    t->count = calloc((size_t)to, sizeof *t->count);
    t->weight = calloc((size_t)to * (size_t)t->width, sizeof *t->weight);
    return t->first && t->count && t->weight;
}

/* The weight of the source pixel [at, at + 1) for the output pixel number i, not normalised. */
static double weigh(enum resize_filter filter, double scale, int32_t i, int32_t at)
{
    if (filter == RESIZE_AREA) {
        return fmin((i + 1) * scale, at + 1.0) - fmax(i * scale, at);
    }
    double distance = (at - (i + 0.5) * scale + 0.5) * (1.0 / fmax(scale, 1.0));
    return fmax(0.0, 1.0 - fabs(distance));
}

/* The table row of output position i. */
static void fill_row(struct taps *t, enum resize_filter filter, double scale, int32_t from,
                     int32_t i)
{
    double low = i * scale, high = (i + 1) * scale;
    if (filter == RESIZE_BILINEAR) {
        double centre = (i + 0.5) * scale, support = fmax(scale, 1.0);
        low = floor(fmax(centre - support + 0.5, 0.0));
        high = floor(fmin(centre + support + 0.5, from));
    }
    int32_t first = (int32_t)floor(low), end = (int32_t)ceil(high);
    end = end > from ? from : end;
    end = end > first + t->width ? first + t->width : end;
    double sum = 0.0;
    for (int32_t at = first; at < end; at++) {
        sum += fmax(weigh(filter, scale, i, at), 0.0);
    }
    t->first[i] = first;
    t->count[i] = end - first;
    for (int32_t k = 0; k < end - first; k++) {
        double w = fmax(weigh(filter, scale, i, first + k), 0.0) / sum;
        t->weight[(size_t)i * (size_t)t->width + (size_t)k] =
            (int32_t)floor(w * (1 << PRECISION) + 0.5);
    }
}

static uint8_t clip(int32_t v)
{
    v >>= PRECISION;
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

/* One line of `to` pixels from one of `from`; pixels are `step` bytes apart. */
static void filter_line(const struct taps *t, const uint8_t *from, uint8_t *to, int32_t n,
                        size_t step)
{
    for (int32_t i = 0; i < n; i++) {
        const int32_t *w = t->weight + (size_t)i * (size_t)t->width;
        const uint8_t *p = from + (size_t)t->first[i] * step;
        int32_t sum[3] = {1 << (PRECISION - 1), 1 << (PRECISION - 1), 1 << (PRECISION - 1)};
        for (int32_t k = 0; k < t->count[i]; k++, p += step) {
            sum[0] += w[k] * p[0];
            sum[1] += w[k] * p[1];
            sum[2] += w[k] * p[2];
        }
        for (int c = 0; c < 3; c++) {
            to[(size_t)i * step + (size_t)c] = clip(sum[c]);
        }
    }
}

/* Resamples one direction: along the rows, or down the columns. */
static nm_status one_way(struct image *image, int32_t to, bool down, enum resize_filter filter,
                         nm_error *err)
{
    int32_t from = down ? image->height : image->width;
    if (from == to) {
        return NM_OK;
    }
    struct image out = {0};
    struct taps t = {0};
    int32_t width = down ? image->width : to, height = down ? to : image->height;
    nm_status status = image_make(&out, "resize", (uint64_t)width, (uint64_t)height, err);
    if (!status && !make_room(&t, from, to)) {
        status = complain(err, NM_ENOMEM, "no memory to resize a picture");
    }
    for (int32_t i = 0; !status && i < to; i++) {
        fill_row(&t, filter, (double)from / to, from, i);
    }
    size_t old_row = (size_t)image->width * 3, new_row = (size_t)width * 3;
    for (int32_t i = 0; !status && i < (down ? width : height); i++) {
        size_t at = (size_t)i;
        filter_line(&t, image->rgb + at * (down ? 3 : old_row), out.rgb + at * (down ? 3 : new_row),
                    to, down ? new_row : 3);
    }
    free_taps(&t);
    if (status) {
        image_free(&out);
        return status;
    }
    image_free(image);
    *image = out;
    return NM_OK;
}

static nm_status nearest(struct image *image, int32_t width, int32_t height, nm_error *err)
{
    struct image out = {0};
    nm_status status = image_make(&out, "resize", (uint64_t)width, (uint64_t)height, err);
    if (status) {
        image_free(&out);
        return status;
    }
    for (int64_t y = 0; y < height; y++) {
        const uint8_t *row =
            image->rgb + (2 * y + 1) * image->height / (2 * (int64_t)height) * image->width * 3;
        for (int64_t x = 0; x < width; x++) {
            memcpy(out.rgb + (y * width + x) * 3,
                   row + (2 * x + 1) * image->width / (2 * (int64_t)width) * 3, 3);
        }
    }
    image_free(image);
    *image = out;
    return NM_OK;
}

nm_status resize_image(struct image *image, int32_t width, int32_t height,
                       enum resize_filter filter, nm_error *err)
{
    if (filter == RESIZE_NEAREST) {
        return nearest(image, width, height, err);
    }
    nm_status status = one_way(image, width, false, filter, err);
    return status ? status : one_way(image, height, true, filter, err);
}
