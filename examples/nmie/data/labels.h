/* SPDX-License-Identifier: Apache-2.0 */
/* labels.h - what class each picture of a data set is of, from a text file. */
#ifndef NMIE_LABELS_H
#define NMIE_LABELS_H

#include <stdint.h>

#include <nm/nm.h>

struct labels {
    int64_t *at; /* owned */
    int64_t n;
};

/* "FILE" has one integer on each line; "FILE:COLUMN" is tab-separated, its first line names the
 * columns. Empty lines and lines that start with '#' are skipped. */
nm_status labels_load(const char *file_and_column, struct labels *labels, nm_error *err);
void labels_free(struct labels *labels);

#endif
