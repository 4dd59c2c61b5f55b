/* SPDX-License-Identifier: Apache-2.0 */
/* slurp.h - a whole file in memory, with a bound on its size. */
#ifndef NMIE_SLURP_H
#define NMIE_SLURP_H

#include <stddef.h>
#include <stdint.h>

#include <nm/nm.h>

struct slurp {
    uint8_t *bytes; /* size bytes and one NUL behind them; freed with slurp_free */
    size_t size;
};

/* Reads a regular file or a pipe of at most limit bytes. Errors: NM_EIO, NM_ELIMIT, NM_ENOMEM. */
nm_status slurp_read(const char *path, size_t limit, struct slurp *file, nm_error *err);

void slurp_free(struct slurp *file);

/* Writes head and then body to path. Errors: NM_EIO. */
nm_status slurp_write(const char *path, const struct slurp *head, const struct slurp *body,
                      nm_error *err);

#endif
