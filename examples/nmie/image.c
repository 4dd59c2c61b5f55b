/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures: the choice of decoder, and PGM/PPM, which needs none. */
#include "examples/nmie/image.h"

#include "examples/nmie/nmie.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX ((size_t)1 << 29)

nm_status image_make(struct image *image, const char *name, uint64_t width, uint64_t height,
                     nm_error *err)
{
    if (width < 1 || height < 1 || width > IMAGE_SIDE_MAX || height > IMAGE_SIDE_MAX ||
        width * height > IMAGE_PIXELS_MAX) {
        return complain(err, NM_ELIMIT,
                        "%s: a picture of %llu x %llu; sides up to %d and %d pixels are accepted",
                        name, (unsigned long long)width, (unsigned long long)height, IMAGE_SIDE_MAX,
                        IMAGE_PIXELS_MAX);
    }
    image->width = (int32_t)width;
    image->height = (int32_t)height;
    image->rgb = malloc(width * height * 3);
    return image->rgb ? NM_OK : complain(err, NM_ENOMEM, "%s: no memory for the picture", name);
}

void image_free(struct image *image)
{
    free(image->rgb);
    *image = (struct image){0};
}

/* The next number of a PNM header; -1 when there is none. Comments run from '#' to the line's
 * end.*/
static int64_t pnm_number(const struct slurp *file, size_t *at)
{
    const uint8_t *b = file->bytes;
    while (*at < file->size && (b[*at] == '#' || isspace(b[*at]))) {
        if (b[*at] == '#') {
            while (*at < file->size && b[*at] != '\n') {
                (*at)++;
            }
        } else {
            (*at)++;
        }
    }
    int64_t value = -1;
    for (; *at < file->size && b[*at] >= '0' && b[*at] <= '9' && value < 1000000; (*at)++) {
        value = (value < 0 ? 0 : value * 10) + (b[*at] - '0');
    }
    return value;
}

static nm_status image_pnm(const struct slurp *file, const char *name, struct image *image,
                           nm_error *err)
{
    size_t at = 2, channels = file->bytes[1] == '6' ? 3 : 1;
    int64_t width = pnm_number(file, &at), height = pnm_number(file, &at);
    int64_t most = pnm_number(file, &at);
    at++; /* one white space */
    if (width < 1 || height < 1 || most != 255 || at > file->size) {
        return complain(err, NM_EFORMAT, "%s: is not a PGM or PPM file with 255 levels", name);
    }
    nm_status status = image_make(image, name, (uint64_t)width, (uint64_t)height, err);
    if (status) {
        return status;
    }
    size_t pixels = (size_t)(width * height);
    if (file->size - at < pixels * channels) {
        return complain(err, NM_EFORMAT, "%s: ends before its last pixel", name);
    }
    const uint8_t *from = file->bytes + at;
    if (channels == 3) {
        memcpy(image->rgb, from, pixels * 3);
        return NM_OK;
    }
    for (size_t i = 0; i < pixels; i++) {
        memset(image->rgb + 3 * i, from[i], 3);
    }
    return NM_OK;
}

nm_status image_load(const char *path, struct image *image, nm_error *err)
{
    struct slurp file;
    *image = (struct image){0};
    nm_status status = slurp_read(path, FILE_MAX, &file, err);
    if (status) {
        return status;
    }
    const uint8_t *b = file.bytes;
    if (file.size >= 8 && memcmp(b, "\x89PNG\r\n\x1a\n", 8) == 0) {
        status = image_png(&file, path, image, err);
    } else if (file.size >= 3 && memcmp(b, "\xff\xd8\xff", 3) == 0) {
        status = image_jpeg(&file, path, image, err);
    } else if (file.size >= 3 && b[0] == 'P' && (b[1] == '5' || b[1] == '6')) {
        status = image_pnm(&file, path, image, err);
    } else {
        status = complain(err, NM_EFORMAT, "%s: is not a PNG, JPEG or binary PGM/PPM file", path);
    }
    slurp_free(&file);
    if (status) {
        image_free(image);
    }
    return status;
}
