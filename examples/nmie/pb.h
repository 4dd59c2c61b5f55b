/* SPDX-License-Identifier: Apache-2.0 */
/* pb.h - one tensor in a file as ONNX's TensorProto, as the backend tests have them. */
#ifndef NMIE_PB_H
#define NMIE_PB_H

#include "examples/nmie/host_tensor.h"
#include "examples/nmie/slurp.h"

/* Makes h, with its name when it has one, from the bytes of a file; path is for the sentence only.
 * NM_EUNSUPPORTED for strings and other types that libnm does not have, NM_EFORMAT for what is not
 * a TensorProto or holds less than its dims say. */
nm_status pb_parse(const struct slurp *file, const char *path, struct host_tensor *h,
                   nm_error *err);

nm_status pb_save(const char *path, const nm_tensor *t, nm_error *err);

#endif
