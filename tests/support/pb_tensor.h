/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors in files of ONNX's own tests: one TensorProto each. */
#ifndef NM_TESTS_SUPPORT_PB_TENSOR_H
#define NM_TESTS_SUPPORT_PB_TENSOR_H

#include "lib/base/mem.h"
#include "lib/ops/op.h"

/* Reads the file into arena. NM_EIO: there is no such file; NM_EUNSUPPORTED: a type (strings) or an
 * encoding that is not read here. */
nm_status pb_tensor_read(const char *path, struct nmi_arena *arena, struct nmi_tensor *tensor,
                         nm_error *err);

/* Whether each |a - b| <= atol + rtol |b|; NaN equals NaN. Types and dims must be the same. False:
 * a sentence about the first difference in why. */
bool pb_tensor_close(const struct nmi_tensor *a, const struct nmi_tensor *b, double rtol,
                     double atol, char *why, size_t size);

#endif
