/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/source.h"

#include <ctype.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_FILES = 2000 };
static char (*found)[256];
static int n_found;

bool starts_with(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool ends_with(const char *s, const char *suffix)
{
    size_t n = strlen(s), k = strlen(suffix);
    return n >= k && strcmp(s + n - k, suffix) == 0;
}

int source_line(const char *text, const char *at)
{
    int line = 1;
    for (const char *s = text; s < at; s++) {
        line += *s == '\n';
    }
    return line;
}

static int visit(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info;
    (void)where;
    if (kind == FTW_F && n_found < MOST_FILES && strlen(path) < sizeof *found &&
        (ends_with(path, ".c") || ends_with(path, ".h") || ends_with(path, ".inc") ||
         ends_with(path, ".def"))) {
        strcpy(found[n_found++], path);
    }
    return 0;
}

static char *read_all(const char *path)
{
    FILE *f = fopen(path, "rb");
    char *text = NULL;
    if (f && fseek(f, 0, SEEK_END) == 0) {
        size_t size = (size_t)ftell(f);
        rewind(f);
        text = calloc(size + 1, 1);
        if (text && fread(text, 1, size, f) != size) {
            text[0] = '\0';
        }
    }
    if (f) {
        fclose(f);
    }
    return text;
}

/* Blanks one comment or literal that starts at s; returns where it ends. */
static char *blank_one(char *s)
{
    char quote = *s == '/' ? '\0' : *s;
    bool line = s[0] == '/' && s[1] == '/';
    char *end = s + (quote ? 1 : 2);
    while (*end) {
        if (quote && *end == '\\' && end[1]) {
            end++;
        } else if (quote ? *end == quote : line ? *end == '\n' : end[0] == '*' && end[1] == '/') {
            break;
        }
        end++;
    }
    for (char *p = quote ? s + 1 : s; p < end; p++) {
        *p = *p == '\n' ? '\n' : ' ';
    }
    if (!quote && !line && *end) {
        end[0] = end[1] = ' ';
        end++;
    }
    return *end ? end + 1 : end;
}

static char *code_of(const char *text)
{
    char *code = strdup(text);
    char *s = code;
    while (*s) {
        bool comment = s[0] == '/' && (s[1] == '*' || s[1] == '/');
        s = comment || *s == '"' || *s == '\'' ? blank_one(s) : s + 1;
    }
    return code;
}

int sources_read(const char *const *folders, struct source **sources)
{
    found = calloc(MOST_FILES, sizeof *found);
    n_found = 0;
    for (; *folders; folders++) {
        nftw(*folders, visit, 16, FTW_PHYS);
    }
    qsort(found, (size_t)n_found, sizeof *found, (int (*)(const void *, const void *))strcmp);
    struct source *all = calloc((size_t)n_found + 1, sizeof *all);
    for (int i = 0; i < n_found; i++) {
        strcpy(all[i].path, found[i]);
        all[i].text = read_all(found[i]);
        all[i].code = code_of(all[i].text);
    }
    free(found);
    *sources = all;
    return n_found;
}

void sources_free(struct source *sources, int n)
{
    for (int i = 0; i < n; i++) {
        free(sources[i].text);
        free(sources[i].code);
    }
    free(sources);
}
