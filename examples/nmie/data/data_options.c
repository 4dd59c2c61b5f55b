/* SPDX-License-Identifier: Apache-2.0 */
/* Options of data sets. */
#include "examples/nmie/data/data_options.h"

#include "examples/nmie/args.h"

int data_option(struct data_choice *choice, int code, const char *word, const char **wrong)
{
    switch (code) {
    case DATA_PATH:
        choice->path = word;
        return 1;
    case DATA_FORMAT:
        choice->format = word;
        return 1;
    case DATA_LABELS:
        choice->labels = word;
        return 1;
    case DATA_COUNT:
        *wrong = "--count wants a number of items, at least 1";
        return args_int(word, 1, INT32_MAX, &choice->count) ? 1 : -1;
    case DATA_SKIP:
        *wrong = "--skip wants a number of items";
        return args_int(word, 0, INT32_MAX, &choice->skip) ? 1 : -1;
    case DATA_EVERY:
        *wrong = "--every wants a number, at least 1";
        return args_int(word, 1, INT32_MAX, &choice->every) ? 1 : -1;
    default:
        *wrong = "--class-offset wants a whole number";
        return args_int(word, INT32_MIN, INT32_MAX, &choice->class_offset) ? 1 : -1;
    }
}
