/* SPDX-License-Identifier: Apache-2.0 */
/* Every bound in one place: the defaults of nm_limits, and the bounds that are not options. */
#ifndef NM_BASE_LIMITS_H
#define NM_BASE_LIMITS_H

#include "lib/base/status.h"

#define NMI_MAX_DIMS NM_MAX_DIMS
#define NMI_MAX_NAME 4096        /* bytes of a name in the file */
#define NMI_MAX_STRING (1 << 20) /* bytes of a string attribute */
#define NMI_MAX_NODE_INPUTS 4096
#define NMI_MAX_NODE_ATTRS 256
#define NMI_MAX_THREADS 1024
#define NMI_MAX_MESSAGE_DEPTH 256 /* the most that nm_limits.message_depth may ask for */
#define NMI_OPSET_MIN 7
#define NMI_OPSET_MAX 21

/* Copies the caller's limits over the defaults. NM_EINVAL when struct_size is not one we know.
 * decoded_bytes stays 0 when it is not set: 8 x file + 16 MiB is computed from the file's size. */
nm_status nmi_limits_resolve(const nm_limits *user, nm_limits *out, nm_error *err);

/* Copies a caller's option struct of *size bytes over defaults: fields beyond the caller's
 * struct_size keep the default; a struct longer than ours must end in zeros. So a new field never
 * goes into a struct's padding at its end, where older callers leave anything. */
nm_status nmi_options_copy(const char *what, const void *user, size_t size, void *out, nm_error *err);

#endif
