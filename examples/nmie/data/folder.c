/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures in folders. */
#include "examples/nmie/data/folder.h"

#include "examples/nmie/nmie.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

static bool is_picture(const char *name)
{
    static const char *const ends[] = {".png", ".jpg", ".jpeg", ".pgm", ".ppm"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof ends / sizeof *ends; i++) {
        if (strcasecmp(dot, ends[i]) == 0) {
            return true;
        }
    }
    return false;
}

static int not_hidden(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Adds path, which becomes the folder's own. */
static nm_status add(struct folder *f, char *path, int64_t class, nm_error *err)
{
    if ((f->n & (f->n - 1)) == 0) { /* full: 0, 1, 2, 4, 8... */
        size_t room = f->n ? 2 * (size_t)f->n : 1;
        char **paths = realloc(f->paths, room * sizeof *paths);
        f->paths = paths ? paths : f->paths;
        int64_t *classes = paths ? realloc(f->classes, room * sizeof *classes) : NULL;
        f->classes = classes ? classes : f->classes;
        if (!classes) {
            free(path);
            return complain(err, NM_ENOMEM, "no memory for the names of %zu pictures", room);
        }
    }
    f->paths[f->n] = path;
    f->classes[f->n++] = class;
    return NM_OK;
}

/* The names in a folder, sorted (each malloc'd); NM_EIO when it cannot be read. */
static nm_status names_of(const char *path, struct dirent ***names, int *n, nm_error *err)
{
    *n = scandir(path, names, not_hidden, by_bytes);
    return *n < 0 ? complain(err, NM_EIO, "%s: %s", path, strerror(errno)) : NM_OK;
}

static void free_names(struct dirent **names, int n)
{
    for (int i = 0; i < n; i++) {
        free(names[i]);
    }
    free(names);
}

static char *joined(const char *path, const struct dirent *name, nm_error *err)
{
    char *inner = NULL;
    if (asprintf(&inner, "%s/%s", path, name->d_name) < 0) {
        complain(err, NM_ENOMEM, "%s: no memory for its names", path);
        return NULL;
    }
    return inner;
}

static nm_status add_pictures(struct folder *f, const char *path, int64_t class, nm_error *err)
{
    struct dirent **names;
    int n;
    nm_status status = names_of(path, &names, &n, err);
    if (status) {
        return status;
    }
    for (int i = 0; i < n && !status; i++) {
        if (is_picture(names[i]->d_name)) {
            char *inner = joined(path, names[i], err);
            status = inner ? add(f, inner, class, err) : NM_ENOMEM;
        }
    }
    free_names(names, n);
    return status;
}

static nm_status add_classes(struct folder *f, const char *path, nm_error *err)
{
    struct dirent **names;
    int n;
    nm_status status = names_of(path, &names, &n, err);
    if (status) {
        return status;
    }
    f->by_class = true;
    for (int i = 0, class = 0; i < n && !status; i++) {
        char *inner = joined(path, names[i], err);
        status = inner ? NM_OK : NM_ENOMEM;
        if (inner && is_folder(inner)) {
            status = add_pictures(f, inner, class++, err);
        }
        free(inner);
    }
    free_names(names, n);
    return status;
}

nm_status folder_open(const char *path, struct folder *folder, nm_error *err)
{
    *folder = (struct folder){0};
    nm_status status = add_pictures(folder, path, 0, err);
    if (!status && folder->n == 0) {
        status = add_classes(folder, path, err);
    }
    if (!status && folder->n == 0) {
        status = complain(err, NM_EINVAL, "%s: holds no .png, .jpg, .jpeg, .pgm or .ppm", path);
    }
    if (status) {
        folder_close(folder);
    }
    return status;
}

void folder_close(struct folder *folder)
{
    for (int64_t i = 0; i < folder->n; i++) {
        free(folder->paths[i]);
    }
    free(folder->paths);
    free(folder->classes);
    *folder = (struct folder){0};
}
