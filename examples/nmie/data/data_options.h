/* SPDX-License-Identifier: Apache-2.0 */
/*
 * data_options.h - the options that choose a data set, for all commands that read one. A command
 * may take several, each under a prefix of its own ("", "judge-") and a base of codes.
 */
#ifndef NMIE_DATA_OPTIONS_H
#define NMIE_DATA_OPTIONS_H

#include "examples/nmie/data/dataset.h"

enum {
    DATA_PATH,
    DATA_FORMAT,
    DATA_LABELS,
    DATA_COUNT,
    DATA_SKIP,
    DATA_EVERY,
    DATA_CLASS_OFFSET,
    DATA_CODES /* how many there are */
};

/* Rows for getopt_long's table; name is the option that gives the path. */
#define DATA_OPTIONS(name, prefix, base)                                                           \
    {name, 1, NULL, (base) + DATA_PATH}, {prefix "format", 1, NULL, (base) + DATA_FORMAT},         \
        {prefix "labels", 1, NULL, (base) + DATA_LABELS},                                          \
        {prefix "count", 1, NULL, (base) + DATA_COUNT},                                            \
        {prefix "skip", 1, NULL, (base) + DATA_SKIP},                                              \
        {prefix "every", 1, NULL, (base) + DATA_EVERY},                                            \
    {                                                                                              \
        prefix "class-offset", 1, NULL, (base) + DATA_CLASS_OFFSET                                 \
    }

#define DATA_HELP                                                                                  \
    "Data:\n"                                                                                      \
    "  --format F           cifar10: a label byte and 32x32 R, G, B planes for each picture;\n"    \
    "                       u8-hwc:HxWx3: bytes, row by row, R,G,B. Not needed for a folder of\n"  \
    "                       pictures (in the order of their names; or of folders of pictures,\n"   \
    "                       one for each class) and .npy files (float32 N,... is taken as it is,\n"\
    "                       uint8 N,H,W,3 are pictures)\n"                                         \
    "  --labels FILE        the right classes, one integer on each line (FILE:COLUMN: a column\n"  \
    "                       of a tab-separated file with a header; cifar10 files and folders of\n" \
    "                       folders have their own; none: not known)\n"                            \
    "  --class-offset K     the model's class K is the data's class 0 (default 0)\n"               \
    "  --skip J, --every K, -n, --count N\n"                                                       \
    "                       leave out the first J items, take one of K, at most N of them\n"

/* Takes an option (code: one of the above). 1: taken; -1: *wrong says why it makes no sense. */
int data_option(struct data_choice *choice, int code, const char *word, const char **wrong);

#endif
