/* SPDX-License-Identifier: Apache-2.0 */
/* scratch.h - files that tests write: a folder of the process's own, removed when it ends. */
#ifndef NM_SUPPORT_SCRATCH_H
#define NM_SUPPORT_SCRATCH_H

#include <stddef.h>

/* The path of a file of this name in the folder. Valid until the 64th next call. */
const char *scratch_path(const char *name);

/* Writes a file there and returns its path. Fails the test when it cannot. */
const char *scratch_write(const char *name, const void *bytes, size_t size);

#endif
