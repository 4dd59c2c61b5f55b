/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures: each kind is read, and damaged ones are refused or read, never worse. */
#include "examples/nmie/image.h"
#include "tests/support/scratch.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <png.h>

#define W 37
#define H 23

static uint8_t pixels[H][W][3];

static void paint(void)
{
    for (int y = 0; y < H; y++) {
        for (int x = 0; x < W; x++) {
            pixels[y][x][0] = (uint8_t)(6 * x);
            pixels[y][x][1] = (uint8_t)(10 * y);
            pixels[y][x][2] = (uint8_t)(3 * x + 4 * y);
        }
    }
}

static const char *write_png(void)
{
    png_image png = {
        .version = PNG_IMAGE_VERSION, .width = W, .height = H, .format = PNG_FORMAT_RGB};
    const char *path = scratch_path("a.png");
    ck_assert(png_image_write_to_file(&png, path, 0, pixels, 0, NULL));
    return path;
}

static const char *write_jpeg(boolean progressive)
{
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr err;
    const char *path = scratch_path("a.jpg");
    FILE *f = fopen(path, "wb");
    c.err = jpeg_std_error(&err);
    jpeg_create_compress(&c);
    jpeg_stdio_dest(&c, f);
    c.image_width = W;
    c.image_height = H;
    c.input_components = 3;
    c.in_color_space = JCS_RGB;
    jpeg_set_defaults(&c);
    jpeg_set_quality(&c, 95, TRUE);
    if (progressive) {
        jpeg_simple_progression(&c);
    }
    jpeg_start_compress(&c, TRUE);
    for (int y = 0; y < H; y++) {
        JSAMPROW row = pixels[y][0];
        jpeg_write_scanlines(&c, &row, 1);
    }
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    fclose(f);
    return path;
}

static void expect_near(const struct image *image, int most)
{
    ck_assert_int_eq(image->width, W);
    ck_assert_int_eq(image->height, H);
    for (size_t i = 0; i < sizeof pixels; i++) {
        ck_assert_int_le(abs(image->rgb[i] - ((uint8_t *)pixels)[i]), most);
    }
}

START_TEST(image_load_png_is_exact)
{
    struct image image;
    paint();
    ck_assert_int_eq(image_load(write_png(), &image, NULL), NM_OK);
    expect_near(&image, 0);
    image_free(&image);
}
END_TEST

START_TEST(image_load_jpeg_is_near)
{
    for (int progressive = 0; progressive < 2; progressive++) {
        struct image image;
        paint();
        ck_assert_int_eq(image_load(write_jpeg(progressive), &image, NULL), NM_OK);
        expect_near(&image, 40);
        image_free(&image);
    }
}
END_TEST

START_TEST(image_load_ppm_and_pgm)
{
    struct image image;
    char file[64];
    int n = snprintf(file, sizeof file, "P6 # a comment\n2 1\n255\nabcdef");
    ck_assert_int_eq(image_load(scratch_write("a.ppm", file, (size_t)n), &image, NULL), NM_OK);
    ck_assert_mem_eq(image.rgb, "abcdef", 6);
    image_free(&image);
    n = snprintf(file, sizeof file, "P5\n2 1 255 ab");
    ck_assert_int_eq(image_load(scratch_write("a.pgm", file, (size_t)n), &image, NULL), NM_OK);
    ck_assert_mem_eq(image.rgb, "aaabbb", 6);
    image_free(&image);
}
END_TEST

START_TEST(image_load_that_lies_about_its_size_refused)
{
    static const char *const files[] = {
        "P6\n2 1\n255\nabcde",
        "P6\n99999 99999\n255\n",
        "P6\n-1 1\n255\nabc",
        "P6\n2 1\n65535\nabcdef",
        "P6\n99999999999999999999 1\n255\n",
        "P6\n0 5\n255\n",
        "P6",
        "P6\n1 1\n255",
        "P7\n1 1\n255\nabc",
        "\x89PNG\r\n\x1a\n",
        "\xff\xd8\xff",
        "",
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct image image;
        const char *path = scratch_write("bad", files[i], strlen(files[i]));
        ck_assert_msg(image_load(path, &image, NULL) != NM_OK, "accepted: %s", files[i]);
        ck_assert_ptr_null(image.rgb);
    }
}
END_TEST

START_TEST(image_cut_is_refused_and_changed_is_safe)
{
    paint();
    const char *paths[2] = {write_png(), write_jpeg(TRUE)};
    for (int k = 0; k < 2; k++) {
        struct slurp file;
        struct image image;
        ck_assert_int_eq(slurp_read(paths[k], 1 << 20, &file, NULL), NM_OK);
        size_t step = file.size / 60 + 1;
        for (size_t n = 0; n + 16 < file.size; n += step) {
            const char *cut = scratch_write("cut", file.bytes, n);
            ck_assert_int_ne(image_load(cut, &image, NULL), NM_OK);
        }
        for (size_t i = 0; i < file.size; i += step / 8 + 1) {
            file.bytes[i] ^= 0xff;
            image_load(scratch_write("changed", file.bytes, file.size), &image, NULL);
            image_free(&image);
            file.bytes[i] ^= 0xff;
        }
        slurp_free(&file);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("image");
    TCase *t = tcase_create("image");
    tcase_add_test(t, image_load_png_is_exact);
    tcase_add_test(t, image_load_jpeg_is_near);
    tcase_add_test(t, image_load_ppm_and_pgm);
    tcase_add_test(t, image_load_that_lies_about_its_size_refused);
    tcase_add_test(t, image_cut_is_refused_and_changed_is_safe);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
