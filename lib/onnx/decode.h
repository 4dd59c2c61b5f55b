/* SPDX-License-Identifier: Apache-2.0 */
/* From bytes to messages: the walk of wire.h, then protobuf-c on the slim message, in an arena. */
#ifndef NM_ONNX_DECODE_H
#define NM_ONNX_DECODE_H

#include "lib/base/mem.h"
#include "lib/onnx/wire.h"
#include "onnx.pb-c.h"

struct nmi_decoded {
    Onnx__ModelProto *model; /* in the arena */
    struct nmi_wire wire;    /* its edits are what TensorProto.note counts */
    struct nmi_arena arena;  /* scratch of the import, too */
};

/* limits are resolved. On success *decoded is to be freed with nmi_decode_free. */
nm_status nmi_decode(const void *bytes, size_t size, const nm_limits *limits,
                     struct nmi_decoded *decoded, nm_error *err);
void nmi_decode_free(struct nmi_decoded *decoded);

#endif
