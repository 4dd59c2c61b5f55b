/* SPDX-License-Identifier: Apache-2.0 */
/* The tree's own source files, for tests that hold it to its law. Run from the top of the tree. */
#ifndef NM_SUPPORT_SOURCE_H
#define NM_SUPPORT_SOURCE_H

#include <stdbool.h>

struct source {
    char path[256]; /* from the top: "lib/base/mem.c" */
    char *text;     /* as it is */
    char *code;     /* the same length; comments, and what stands in quotes, are blanks */
};

/* Every *.c, *.h, *.inc and *.def file below these folders (NULL ends the list), sorted. */
int sources_read(const char *const *folders, struct source **sources);
void sources_free(struct source *sources, int n);

/* Line number of a place in text. */
int source_line(const char *text, const char *at);

bool starts_with(const char *s, const char *prefix);
bool ends_with(const char *s, const char *suffix);

#endif
