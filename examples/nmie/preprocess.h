/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preprocess.h - from a picture's bytes to a network's input: the options that all commands which
 * read pictures share. Steps on bytes in the order given, then for each channel
 * (byte x scale - mean) / std in float32, in that order of operations, laid out as C,H,W.
 */
#ifndef NMIE_PREPROCESS_H
#define NMIE_PREPROCESS_H

#include "examples/nmie/image_resize.h"

#include <stdbool.h>
#include <stddef.h>

#define PREPROCESS_STEPS_MAX 16

/* Option codes and rows for getopt_long's table. */
enum { OPT_PRE = 300, OPT_LAYOUT, OPT_SCALE, OPT_MEAN, OPT_STD };
#define PREPROCESS_OPTIONS                                                                         \
    {"pre", 1, NULL, OPT_PRE}, {"layout", 1, NULL, OPT_LAYOUT}, {"scale", 1, NULL, OPT_SCALE},     \
        {"mean", 1, NULL, OPT_MEAN},                                                               \
    {                                                                                              \
        "std", 1, NULL, OPT_STD                                                                    \
    }
#define PREPROCESS_HELP                                                                            \
    "Pictures:\n"                                                                                  \
    "  --pre STEP,...       steps in order: resize:N[:nearest|bilinear|area] (short side to N;\n"  \
    "                       bilinear unless said, antialiased as in Pillow), crop:N (centre)\n"    \
    "  --layout rgb|bgr     order of the channels (default rgb)\n"                                 \
    "  --scale S            a number or a fraction such as 1/255 (default 1/255)\n"                \
    "  --mean A,B,C         default 0.485,0.456,0.406 (ImageNet; 0,0,0 once --scale is given)\n"   \
    "  --std A,B,C          default 0.229,0.224,0.225 (ImageNet; 1,1,1 once --scale is given)\n"   \
    "                       input = (byte x S - mean) / std, A,B,C in the order of the layout\n"

struct preprocess {
    struct {
        bool crop;
        int32_t size;
        enum resize_filter filter;
    } step[PREPROCESS_STEPS_MAX];
    size_t n_steps;
    bool bgr;
    float multiply, divide; /* the scale, as a fraction */
    float mean[3], std[3];
    bool given_scale, given_mean, given_std;
};

/* Starts from the ImageNet defaults, with the default steps given ("" for none). */
void preprocess_init(struct preprocess *p, const char *steps);

/* Takes an option. Returns 1 when it is taken, 0 when the code is none of these, -1 when the word
 * makes no sense (then *wrong says why). */
int preprocess_option(struct preprocess *p, int code, const char *word, const char **wrong);

/* Puts the picture through the steps. name is for the sentence. */
nm_status preprocess_steps(const struct preprocess *p, struct image *image, const char *name,
                           nm_error *err);

/* Writes 3 planes of width x height floats. */
void preprocess_planes(const struct preprocess *p, const struct image *image, float *planes);

#endif
