/* SPDX-License-Identifier: Apache-2.0 */
/* Files: read whole or in ranges into aligned memory, contained in a folder, written atomically. */
#ifndef NM_BASE_FILE_H
#define NM_BASE_FILE_H

#include "lib/base/status.h"
#include <stdint.h>

/* Reads a regular file of at most limit bytes into nmi_alloc'd memory (the caller frees it). */
nm_status nmi_file_read(const char *path, uint64_t limit, void **bytes, size_t *size, nm_error *err);

/* A file below dir that no "..", absolute path, symbolic or hard link, device or FIFO can lead out
 * of (reliability: openat2 RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS, or component by component with
 * O_NOFOLLOW). *fd is closed with nmi_file_close. */
nm_status nmi_file_open_beneath(const char *dir, const char *relative, int *fd, uint64_t *size,
                                nm_error *err);
/* Exactly size bytes at offset; a shorter file is NM_EIO. */
nm_status nmi_file_read_at(int fd, uint64_t offset, void *bytes, size_t size, const char *name,
                           nm_error *err);
void nmi_file_close(int fd);

/* Writes the parts one after the other to a temporary file beside path, syncs, renames: the file is
 * there whole or not at all. */
struct nmi_span {
    const void *bytes;
    size_t size;
};
nm_status nmi_file_write(const char *path, const struct nmi_span *parts, size_t n, nm_error *err);

/* The folder part of path ("." when it has none), in dir[size]. */
nm_status nmi_file_dir(const char *path, char *dir, size_t size, nm_error *err);

/* Waits, at most so many seconds, until nobody else holds the folder of path, and holds it until
 * nmi_file_close: readers that write again take turns. -1: not to be had; go on without. */
int nmi_file_hold_folder(const char *path, double seconds);

#endif
