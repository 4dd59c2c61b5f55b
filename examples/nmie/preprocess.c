/* SPDX-License-Identifier: Apache-2.0 */
/* Options and arithmetic of preprocessing. */
#include "examples/nmie/preprocess.h"

#include "examples/nmie/args.h"
#include "examples/nmie/nmie.h"

#include <stdlib.h>
#include <string.h>

static bool parse_filter(const char *word, enum resize_filter *filter)
{
    static const char *const names[] = {"nearest", "bilinear", "area"};
    for (int i = 0; i < 3; i++) {
        if (strcmp(word, names[i]) == 0) {
            *filter = (enum resize_filter)i;
            return true;
        }
    }
    return false;
}

static bool parse_step(struct preprocess *p, char *word)
{
    char *size = strchr(word, ':');
    int64_t n;
    if (!size || p->n_steps == PREPROCESS_STEPS_MAX) {
        return false;
    }
    *size++ = '\0';
    p->step[p->n_steps].crop = strcmp(word, "crop") == 0;
    p->step[p->n_steps].filter = RESIZE_BILINEAR;
    if (strcmp(word, "resize") == 0) {
        char *filter = strchr(size, ':');
        if (filter) {
            *filter++ = '\0';
        }
        if (filter && !parse_filter(filter, &p->step[p->n_steps].filter)) {
            return false;
        }
    } else if (!p->step[p->n_steps].crop) {
        return false;
    }
    if (!args_int(size, 1, IMAGE_SIDE_MAX, &n)) {
        return false;
    }
    p->step[p->n_steps++].size = (int32_t)n;
    return true;
}

static bool parse_steps(struct preprocess *p, const char *word)
{
    char *copy = strdup(word), *rest = copy, *item;
    bool good = copy;
    p->n_steps = 0;
    while (good && *rest && (item = strsep(&rest, ","))) {
        good = parse_step(p, item);
        if (!rest) {
            break;
        }
    }
    free(copy);
    return good;
}

void preprocess_init(struct preprocess *p, const char *steps)
{
    *p = (struct preprocess){.multiply = 1.0f,
                             .divide = 255.0f,
                             .mean = {0.485f, 0.456f, 0.406f},
                             .std = {0.229f, 0.224f, 0.225f}};
    parse_steps(p, steps);
}

static bool parse_three(const char *word, float to[static 3], bool may_be_zero)
{
    double v[3];
    if (!args_doubles(word, 3, v)) {
        return false;
    }
    for (int i = 0; i < 3; i++) {
        to[i] = (float)v[i];
        if (to[i] == 0.0f && !may_be_zero) {
            return false;
        }
    }
    return true;
}

static bool parse_scale(struct preprocess *p, const char *word)
{
    double numerator, denominator;
    if (!args_fraction(word, &numerator, &denominator)) {
        return false;
    }
    p->multiply = (float)numerator;
    p->divide = (float)denominator;
    p->given_scale = true;
    for (int i = 0; i < 3; i++) {
        p->mean[i] = p->given_mean ? p->mean[i] : 0.0f;
        p->std[i] = p->given_std ? p->std[i] : 1.0f;
    }
    return p->divide != 0.0f;
}

int preprocess_option(struct preprocess *p, int code, const char *word, const char **wrong)
{
    switch (code) {
    case OPT_PRE:
        *wrong = "--pre wants steps such as resize:256,crop:224 or resize:32:area";
        return parse_steps(p, word) ? 1 : -1;
    case OPT_LAYOUT:
        *wrong = "--layout is rgb or bgr";
        p->bgr = strcmp(word, "bgr") == 0;
        return p->bgr || strcmp(word, "rgb") == 0 ? 1 : -1;
    case OPT_SCALE:
        *wrong = "--scale wants a number or a fraction such as 1/255";
        return parse_scale(p, word) ? 1 : -1;
    case OPT_MEAN:
        *wrong = "--mean wants three numbers such as 0.485,0.456,0.406";
        p->given_mean = true;
        return parse_three(word, p->mean, true) ? 1 : -1;
    case OPT_STD:
        *wrong = "--std wants three numbers that are not 0, such as 0.229,0.224,0.225";
        p->given_std = true;
        return parse_three(word, p->std, false) ? 1 : -1;
    default:
        return 0;
    }
}

static nm_status crop(struct image *image, int32_t size, const char *name, nm_error *err)
{
    if (size > image->width || size > image->height) {
        return complain(err, NM_EINVAL, "%s: crop:%d of a picture of %d x %d", name, size,
                        image->width, image->height);
    }
    size_t left = (size_t)(image->width - size) / 2, top = (size_t)(image->height - size) / 2;
    for (size_t y = 0; y < (size_t)size; y++) {
        memmove(image->rgb + y * (size_t)size * 3,
                image->rgb + ((y + top) * (size_t)image->width + left) * 3, (size_t)size * 3);
    }
    image->width = image->height = size;
    return NM_OK;
}

nm_status preprocess_steps(const struct preprocess *p, struct image *image, const char *name,
                           nm_error *err)
{
    nm_status status = NM_OK;
    for (size_t i = 0; i < p->n_steps && !status; i++) {
        int32_t size = p->step[i].size;
        if (p->step[i].crop) {
            status = crop(image, size, name, err);
            continue;
        }
        int64_t w = image->width, h = image->height;
        int64_t width = w <= h ? size : size * w / h, height = w <= h ? size * h / w : size;
        if (width > IMAGE_SIDE_MAX || height > IMAGE_SIDE_MAX) {
            return complain(err, NM_ELIMIT, "%s: resize:%d makes a picture of more than %d pixels",
                            name, size, IMAGE_SIDE_MAX);
        }
        status = resize_image(image, (int32_t)width, (int32_t)height, p->step[i].filter, err);
    }
    return status;
}

void preprocess_planes(const struct preprocess *p, const struct image *image, float *planes)
{
    size_t pixels = (size_t)image->width * (size_t)image->height;
    for (int c = 0; c < 3; c++) {
        const uint8_t *from = image->rgb + (p->bgr ? 2 - c : c);
        float table[256];
        for (int b = 0; b < 256; b++) {
            table[b] = ((float)b * p->multiply / p->divide - p->mean[c]) / p->std[c];
        }
        for (size_t i = 0; i < pixels; i++) {
            planes[(size_t)c * pixels + i] = table[from[3 * i]];
        }
    }
}
