/* SPDX-License-Identifier: Apache-2.0 */
/*
 * folder.h - the pictures of a folder in the order of their names (bytes, not the locale), told by
 * .png, .jpg, .jpeg, .pgm, .ppm. A folder without pictures may hold folders of them: one for each
 * class, numbered in the order of their names. Names that start with '.' are passed over.
 */
#ifndef NMIE_FOLDER_H
#define NMIE_FOLDER_H

#include <stdbool.h>
#include <stdint.h>

#include <nm/nm.h>

struct folder {
    char **paths; /* owned, each */
    int64_t *classes;
    int64_t n;
    bool by_class; /* classes are known */
};

/* NM_EINVAL when there are no pictures. */
nm_status folder_open(const char *path, struct folder *folder, nm_error *err);
void folder_close(struct folder *folder);

#endif
