/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JPEG by libjpeg(-turbo). Its errors come back by longjmp; a file that ends early, or that has
 * more scans than any real one (each costs a pass over the picture), is an error here too.
 */
#include "examples/nmie/image.h"

#include "examples/nmie/nmie.h"

#include <setjmp.h>
#include <stdio.h>

#include <jerror.h>
#include <jpeglib.h>

#define SCANS_MAX 100
#define DECODER_BYTES (1L << 30)

struct trap {
    struct jpeg_error_mgr base; /* first: libjpeg hands this pointer back */
    jmp_buf back;
    char message[JMSG_LENGTH_MAX];
};

static void on_error(j_common_ptr c)
{
    struct trap *trap = (struct trap *)c->err;
    trap->base.format_message(c, trap->message);
    longjmp(trap->back, 1);
}

static void on_message(j_common_ptr c, int level)
{
    if (level < 0 && (c->err->msg_code == JWRN_JPEG_EOF || c->err->msg_code == JWRN_HIT_MARKER)) {
        on_error(c);
    }
}

static void on_progress(j_common_ptr c)
{
    if (c->is_decompressor && ((j_decompress_ptr)c)->input_scan_number > SCANS_MAX) {
        struct trap *trap = (struct trap *)c->err;
        snprintf(trap->message, sizeof trap->message, "more than %d scans", SCANS_MAX);
        longjmp(trap->back, 1);
    }
}

/* All that may longjmp; what it makes lives in the caller's objects. */
static nm_status decode(struct jpeg_decompress_struct *c, const char *name, struct image *image,
                        nm_error *err)
{
    jpeg_read_header(c, TRUE);
    if (c->jpeg_color_space == JCS_CMYK || c->jpeg_color_space == JCS_YCCK) {
        return complain(err, NM_EUNSUPPORTED, "%s: a CMYK picture; convert it to RGB", name);
    }
    c->out_color_space = JCS_RGB;
    nm_status status = image_make(image, name, c->image_width, c->image_height, err);
    if (status) {
        return status;
    }
    jpeg_start_decompress(c);
    while (c->output_scanline < c->output_height) {
        JSAMPROW row = image->rgb + (size_t)c->output_scanline * (size_t)image->width * 3;
        jpeg_read_scanlines(c, &row, 1);
    }
    jpeg_finish_decompress(c);
    return NM_OK;
}

nm_status image_jpeg(const struct slurp *file, const char *name, struct image *image, nm_error *err)
{
    struct jpeg_decompress_struct c;
    struct jpeg_progress_mgr progress = {.progress_monitor = on_progress};
    struct trap trap;
    c.err = jpeg_std_error(&trap.base);
    trap.base.error_exit = on_error;
    trap.base.emit_message = on_message;
    if (setjmp(trap.back)) {
        jpeg_destroy_decompress(&c);
        return complain(err, NM_EFORMAT, "%s: %s", name, trap.message);
    }
    jpeg_create_decompress(&c);
    c.mem->max_memory_to_use = DECODER_BYTES;
    c.progress = &progress;
    jpeg_mem_src(&c, file->bytes, file->size);
    nm_status status = decode(&c, name, image, err);
    jpeg_destroy_decompress(&c);
    return status;
}
