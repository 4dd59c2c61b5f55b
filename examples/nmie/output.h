/* SPDX-License-Identifier: Apache-2.0 */
/* output.h - a file that a function fills. */
#ifndef NMIE_OUTPUT_H
#define NMIE_OUTPUT_H

#include <nm/nm.h>

#include <stdio.h>

/* NM_EIO: it could not be written. */
nm_status output_file(const char *path, void (*fill)(FILE *to, const void *context),
                      const void *context, nm_error *err);

#endif
