/* SPDX-License-Identifier: Apache-2.0 */
/* PNG by libpng's simplified interface; the size is known, and bounded, before pixels are made. */
#include "examples/nmie/image.h"

#include "examples/nmie/nmie.h"

#include <png.h>
#include <string.h>

nm_status image_png(const struct slurp *file, const char *name, struct image *image, nm_error *err)
{
    png_image png;
    memset(&png, 0, sizeof png);
    png.version = PNG_IMAGE_VERSION;
    if (!png_image_begin_read_from_memory(&png, file->bytes, file->size)) {
        return complain(err, NM_EFORMAT, "%s: %s", name, png.message);
    }
    nm_status status = image_make(image, name, png.width, png.height, err);
    if (status) {
        png_image_free(&png);
        return status;
    }
    const png_color black = {0, 0, 0};
    png.format = PNG_FORMAT_RGB;
    if (!png_image_finish_read(&png, &black, image->rgb, 0, NULL)) {
        return complain(err, NM_EFORMAT, "%s: %s", name, png.message);
    }
    return NM_OK;
}
