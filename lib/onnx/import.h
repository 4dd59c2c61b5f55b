/* SPDX-License-Identifier: Apache-2.0 */
/* An ONNX model (opset 7 to 21) to a graph. */
#ifndef NM_ONNX_IMPORT_H
#define NM_ONNX_IMPORT_H

#include "lib/base/log.h"
#include "lib/base/status.h"
#include <stddef.h>

struct nmi_graph;

/*
 * Reads a model. The bytes stay the caller's and must outlive the graph, whose large constants
 * point into them: they are used up, because weights move by a few bytes so that they are aligned;
 * they cannot be imported a second time, not even after a failure. external_dir  folder of external
 * data, which cannot lead out of it; NULL: none is read limits        resolved (nmi_limits_resolve)
 *   log           may be NULL
 * Constant nodes become constants; initialisers that are graph inputs, too, are constants. All
 * operators that libnm does not have are refused in one sentence. *graph is set on success only;
 * free it with nmi_graph_free. The graph holds for nmi_graph_verify.
 * Errors: NM_EFORMAT, NM_EUNSUPPORTED, NM_ELIMIT, NM_EIO, NM_ENOMEM.
 */
nm_status nmi_onnx_import(void *bytes, size_t size, const char *external_dir,
                          const nm_limits *limits, const struct nmi_log *log,
                          struct nmi_graph **graph, nm_error *err);

#endif
