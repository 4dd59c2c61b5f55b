/* SPDX-License-Identifier: Apache-2.0 */
/* Steps and arithmetic of preprocessing. Bilinear figures are Pillow's for the same bytes. */
#include "examples/nmie/preprocess.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* R = 16 y + x, G = 255 - R, B = (7 R) mod 256. */
static struct image picture(int32_t width, int32_t height)
{
    struct image image = {0};
    ck_assert_int_eq(image_make(&image, "test", (uint64_t)width, (uint64_t)height, NULL), NM_OK);
    for (int32_t i = 0; i < width * height; i++) {
        int32_t r = 16 * (i / width) + i % width;
        image.rgb[3 * i] = (uint8_t)r;
        image.rgb[3 * i + 1] = (uint8_t)(255 - r);
        image.rgb[3 * i + 2] = (uint8_t)(7 * r);
    }
    return image;
}

static void apply(struct image *image, const char *steps)
{
    struct preprocess p;
    preprocess_init(&p, steps);
    ck_assert_int_gt((int)p.n_steps, 0);
    ck_assert_int_eq(preprocess_steps(&p, image, "test", NULL), NM_OK);
}

START_TEST(crop_of_odd_difference_floors)
{
    struct image image = picture(7, 6);
    apply(&image, "crop:3");
    ck_assert_int_eq(image.width, 3);
    ck_assert_int_eq(image.rgb[0], 16 * 1 + 2);
    ck_assert_int_eq(image.rgb[3 * 8], 16 * 3 + 4);
    image_free(&image);
}
END_TEST

START_TEST(crop_beyond_the_picture_refused)
{
    struct preprocess p;
    struct image image = picture(7, 6);
    preprocess_init(&p, "crop:7");
    ck_assert_int_eq(preprocess_steps(&p, &image, "test", NULL), NM_EINVAL);
    image_free(&image);
}
END_TEST

START_TEST(resize_nearest_takes_the_pixel_below_the_centre)
{
    for (int32_t n = 1; n <= 12; n++) {
        struct image image = picture(7, 7);
        char steps[32];
        snprintf(steps, sizeof steps, "resize:%d:nearest", n);
        apply(&image, steps);
        for (int32_t i = 0; i < n; i++) {
            int32_t at = (2 * i + 1) * 7 / (2 * n);
            ck_assert_int_eq(image.rgb[3 * (i * n + i)], 16 * at + at);
        }
        image_free(&image);
    }
}
END_TEST

START_TEST(resize_keeps_the_ratio_by_the_short_side)
{
    struct image image = picture(10, 7);
    apply(&image, "resize:3");
    ck_assert_int_eq(image.height, 3);
    ck_assert_int_eq(image.width, 4); /* floor(3 x 10 / 7) */
    apply(&image, "resize:3");
    ck_assert_int_eq(image.width, 4);
    image_free(&image);
}
END_TEST

START_TEST(resize_bilinear_gives_pillows_bytes)
{
    static const uint8_t smaller[4][3] = {
        {21, 234, 117}, {24, 231, 118}, {61, 194, 141}, {64, 191, 150}};
    struct image image = picture(6, 6);
    apply(&image, "resize:2");
    ck_assert_mem_eq(image.rgb, smaller, sizeof smaller);
    image_free(&image);
}
END_TEST

START_TEST(resize_area_is_the_mean_of_what_is_covered)
{
    struct image image = picture(6, 4);
    apply(&image, "resize:2:area"); /* 3 x 2: each the mean of 2 x 2 */
    ck_assert_int_eq(image.width, 3);
    for (int32_t y = 0; y < 2; y++) {
        for (int32_t x = 0; x < 3; x++) {
            double mean = 16 * (2 * y + 0.5) + 2 * x + 0.5;
            ck_assert(abs(image.rgb[3 * (3 * y + x)] - (int)(mean + 0.5)) <= 1);
        }
    }
    image_free(&image);
    image = picture(5, 5);
    memset(image.rgb, 200, 75);
    apply(&image, "resize:3:area"); /* fractions still add up to one */
    for (int i = 0; i < 27; i++) {
        ck_assert_int_eq(image.rgb[i], 200);
    }
    image_free(&image);
}
END_TEST

/* A default for each option of a command line. */
static struct preprocess with(const int *codes, const char *const *words, int n)
{
    struct preprocess p;
    const char *wrong;
    preprocess_init(&p, "");
    for (int i = 0; i < n; i++) {
        ck_assert_int_eq(preprocess_option(&p, codes[i], words[i], &wrong), 1);
    }
    return p;
}

START_TEST(planes_follow_the_formula_to_the_bit)
{
    struct image image = picture(16, 16);
    struct preprocess p;
    float planes[3 * 256], mean[3] = {0.485f, 0.456f, 0.406f}, std[3] = {0.229f, 0.224f, 0.225f};
    preprocess_init(&p, "");
    preprocess_planes(&p, &image, planes);
    for (int c = 0; c < 3; c++) {
        for (int i = 0; i < 256; i++) {
            float x = (float)image.rgb[3 * i + c] / 255.0f;
            ck_assert(planes[256 * c + i] == (x - mean[c]) / std[c]);
        }
    }
    p = with((int[]){OPT_LAYOUT, OPT_SCALE, OPT_MEAN}, (const char *[]){"bgr", "1", "104,117,123"},
             3);
    preprocess_planes(&p, &image, planes);
    ck_assert(planes[5] == (float)image.rgb[3 * 5 + 2] - 104.0f);
    ck_assert(planes[2 * 256 + 5] == (float)image.rgb[3 * 5] - 123.0f);
    image_free(&image);
}
END_TEST

START_TEST(scale_alone_means_no_mean_and_no_std)
{
    struct preprocess p = with((int[]){OPT_SCALE}, (const char *[]){"1/255"}, 1);
    ck_assert(p.mean[0] == 0.0f && p.std[2] == 1.0f && p.divide == 255.0f);
    p = with((int[]){OPT_STD, OPT_SCALE}, (const char *[]){"2,3,4", "1"}, 2);
    ck_assert(p.mean[0] == 0.0f && p.std[2] == 4.0f);
}
END_TEST

START_TEST(options_without_sense_refused)
{
    static const struct {
        int code;
        const char *word;
    } bad[] = {{OPT_PRE, "crop"},          {OPT_PRE, "crop:0"},
               {OPT_PRE, "crop:-3"},       {OPT_PRE, "resize:3:cubic"},
               {OPT_PRE, "turn:90"},       {OPT_PRE, "crop:3,,crop:2"},
               {OPT_PRE, "crop:99999999"}, {OPT_SCALE, "1/0"},
               {OPT_SCALE, "one"},         {OPT_SCALE, ""},
               {OPT_MEAN, "1,2"},          {OPT_MEAN, "1,2,3,4"},
               {OPT_MEAN, "1,2,nan"},      {OPT_STD, "1,0,1"},
               {OPT_STD, "1e-60,1,1"},     {OPT_LAYOUT, "hwc"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct preprocess p;
        const char *wrong = NULL;
        preprocess_init(&p, "");
        ck_assert_msg(preprocess_option(&p, bad[i].code, bad[i].word, &wrong) == -1, "accepted: %s",
                      bad[i].word);
        ck_assert_ptr_nonnull(wrong);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("preprocess");
    TCase *t = tcase_create("preprocess");
    tcase_add_test(t, crop_of_odd_difference_floors);
    tcase_add_test(t, crop_beyond_the_picture_refused);
    tcase_add_test(t, resize_nearest_takes_the_pixel_below_the_centre);
    tcase_add_test(t, resize_keeps_the_ratio_by_the_short_side);
    tcase_add_test(t, resize_bilinear_gives_pillows_bytes);
    tcase_add_test(t, resize_area_is_the_mean_of_what_is_covered);
    tcase_add_test(t, planes_follow_the_formula_to_the_bit);
    tcase_add_test(t, scale_alone_means_no_mean_and_no_std);
    tcase_add_test(t, options_without_sense_refused);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
