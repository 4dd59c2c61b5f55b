/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of an export share. Only for lib/onnx. */
#ifndef NM_ONNX_EXPORTER_H
#define NM_ONNX_EXPORTER_H

#include "lib/graph/graph.h"
#include "lib/onnx/writer.h"
#include "lib/ops/op.h"

struct nmi_exporter {
    const struct nmi_graph *g;
    bool sparse;
    struct nmi_writer w;
    struct nmi_arena scratch;
    const char **names; /* of values, each unlike all others */
    int32_t *uses;      /* of values */
    nm_error *err;
};

/* NM_ENOMEM. */
nm_status nmi_exporter_memory(const struct nmi_exporter *x, size_t bytes);

/* The fields of a TensorProto; name may be NULL. The data are kept by reference. */
void nmi_export_tensor(struct nmi_writer *w, const char *name, const struct nmi_constant *c);

/* An initializer of the graph, sparse where that is asked for and smaller. */
nm_status nmi_export_constant(struct nmi_exporter *x, const char *name,
                              const struct nmi_constant *c);

/* The attributes of a node that are required or not their defaults. */
void nmi_export_attributes(struct nmi_exporter *x, const struct nmi_node *node);

#endif
