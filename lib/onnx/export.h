/* SPDX-License-Identifier: Apache-2.0 */
/* A graph to an ONNX file. */
#ifndef NM_ONNX_EXPORT_H
#define NM_ONNX_EXPORT_H

#include "lib/base/status.h"
#include <stdbool.h>

struct nmi_graph;

/*
 * Writes the graph as ONNX: constants that something uses as initializers (Constant nodes of the
 * file have become such), attributes that are not their defaults, symbols of free dimensions,
 * metadata. The graph is one of an import, not an optimised one: what passes have fused has no
 * attribute in ONNX.
 *   sparse  write constants that are marked sparse as sparse_initializer (COO, linear indices),
 *           where that is smaller
 * The file appears whole or not at all. Weights are not copied, but for the nonzeros of sparse
 * ones. Errors: NM_EIO, NM_ENOMEM, NM_ELIMIT (protobuf's 2 GiB).
 */
nm_status nmi_onnx_export(const struct nmi_graph *graph, bool sparse, const char *path,
                          nm_error *err);

#endif
