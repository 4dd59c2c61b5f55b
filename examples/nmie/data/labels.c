/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of classes in text files. */
#include "examples/nmie/data/labels.h"

#include "examples/nmie/args.h"
#include "examples/nmie/nmie.h"
#include "examples/nmie/slurp.h"

#include <stdlib.h>
#include <string.h>

#define FILE_MAX ((size_t)1 << 32)

/* The number of the column of this name in a header line, or -1. */
static int find_column(char *header, const char *name)
{
    char *cell;
    for (int i = 0; (cell = strsep(&header, "\t")); i++) {
        if (strcmp(cell, name) == 0) {
            return i;
        }
    }
    return -1;
}

static const char *cell_of(char *line, int column)
{
    char *cell = strsep(&line, "\t");
    for (int i = 0; i < column && cell; i++) {
        cell = strsep(&line, "\t");
    }
    return cell;
}

/* column: a name, or NULL for files without a header. */
static nm_status parse_labels(const char *path, char *text, const char *column,
                              struct labels *labels, nm_error *err)
{
    int at = column ? -1 : 0;
    for (int line_number = 1; text && *text; line_number++) {
        char *line = strsep(&text, "\n");
        size_t n = strlen(line);
        if (n && line[n - 1] == '\r') {
            line[n - 1] = '\0';
        }
        if (!*line || *line == '#') {
            continue;
        }
        if (at < 0) {
            at = find_column(line, column);
            if (at < 0) {
                return complain(err, NM_EINVAL, "%s: line %d names no column %s", path, line_number,
                                column);
            }
            continue;
        }
        const char *cell = cell_of(line, at);
        if (!cell || !args_int(cell, INT32_MIN, INT32_MAX, &labels->at[labels->n])) {
            return complain(err, NM_EFORMAT, "%s: line %d: '%.40s' is not a class number", path,
                            line_number, cell ? cell : "");
        }
        labels->n++;
    }
    return NM_OK;
}

nm_status labels_load(const char *file_and_column, struct labels *labels, nm_error *err)
{
    struct slurp file = {0};
    *labels = (struct labels){0};
    char *path = strdup(file_and_column), *column = NULL;
    if (!path) {
        return complain(err, NM_ENOMEM, "no memory");
    }
    nm_status status = slurp_read(path, FILE_MAX, &file, err);
    if (status == NM_EIO && (column = strrchr(path, ':'))) {
        *column++ = '\0';
        status = slurp_read(path, FILE_MAX, &file, err);
    }
    size_t lines = 1;
    for (size_t i = 0; i < file.size; i++) {
        lines += file.bytes[i] == '\n';
    }
    labels->at = status ? NULL : calloc(lines, sizeof *labels->at);
    if (!status && !labels->at) {
        status = complain(err, NM_ENOMEM, "%s: no memory for %zu lines", path, lines);
    }
    if (!status) {
        status = parse_labels(path, (char *)file.bytes, column, labels, err);
    }
    slurp_free(&file);
    free(path);
    if (status) {
        labels_free(labels);
    }
    return status;
}

void labels_free(struct labels *labels)
{
    free(labels->at);
    *labels = (struct labels){0};
}
