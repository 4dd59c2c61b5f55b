/* SPDX-License-Identifier: Apache-2.0 */
/* npy.h - NumPy's .npy format, versions 1 to 3: little-endian numbers in C order. */
#ifndef NMIE_NPY_H
#define NMIE_NPY_H

#include "examples/nmie/host_tensor.h"
#include "examples/nmie/slurp.h"

/* Type and dims from the start of a file of size bytes; its elements, as many as the dims say, begin
 * behind *header bytes. path is for the sentence only. */
nm_status npy_header(const struct slurp *start, uint64_t size, const char *path, nm_tensor *t,
                     size_t *header, nm_error *err);

/* Makes h from the bytes of a file; path is for the sentence only. */
nm_status npy_parse(const struct slurp *file, const char *path, struct host_tensor *h,
                    nm_error *err);

/* Writes version 1.0. bfloat16, which NumPy lacks, is NM_ETYPE. */
nm_status npy_save(const char *path, const nm_tensor *t, nm_error *err);

#endif
