/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of an import share. Only for lib/onnx. */
#ifndef NM_ONNX_IMPORTER_H
#define NM_ONNX_IMPORTER_H

#include "lib/base/log.h"
#include "lib/graph/graph.h"
#include "lib/onnx/decode.h"
#include "lib/onnx/names.h"
#include "lib/ops/op.h"

struct nmi_importer {
    unsigned char *bytes; /* the file */
    size_t size;
    const char *external_dir; /* NULL: none */
    const nm_limits *limits;
    struct nmi_decoded decoded;
    struct nmi_graph *graph;
    struct nmi_names names;   /* name -> value id */
    uint64_t external, dense; /* bytes of external data, and of sparse tensors made dense, so far */
    nm_error *err;
};

/* NM_ENOMEM, or NM_ELIMIT when it is the graph's arena that refused. */
nm_status nmi_importer_memory(const struct nmi_importer *im, size_t bytes, const char *what);

/* Lets the graph's arena grow by what another limit has granted. */
nm_status nmi_importer_grant(struct nmi_importer *im, size_t bytes, const char *what);

/* ---- tensor.c -------------------------------------------------------------------------------- */

/* Decodes a tensor. Its data lie in the file's bytes (moved to be aligned for the type) or in
 * `arena`. Sentences do not name the tensor: callers put it in front. */
nm_status nmi_onnx_tensor(struct nmi_importer *im, const Onnx__TensorProto *t,
                          struct nmi_arena *arena, struct nmi_constant *out);

/* Rank and dims from a message, with their limits. */
nm_status nmi_onnx_dims(const struct nmi_importer *im, size_t n, const int64_t *dims,
                        struct nmi_constant *out);

/* ---- external.c: data in another file -------------------------------------------------------- */

/* Reads out->bytes bytes of t's external data to out->data, in arena. */
nm_status nmi_onnx_external(struct nmi_importer *im, const Onnx__TensorProto *t,
                            struct nmi_arena *arena, struct nmi_constant *out);

/* ---- sparse.c: COO to dense ------------------------------------------------------------------ */

nm_status nmi_onnx_sparse(struct nmi_importer *im, const Onnx__SparseTensorProto *t,
                          struct nmi_constant *out);

/* ---- attributes.c ---------------------------------------------------------------------------- */

/* The typed attribute struct of a node, in the graph's arena; NULL when the operator has none. */
nm_status nmi_onnx_attributes(struct nmi_importer *im, const Onnx__NodeProto *node, uint16_t op,
                              const char *label, void **attrs);

/* The tensor of a Constant node. */
nm_status nmi_onnx_constant(struct nmi_importer *im, const Onnx__NodeProto *node,
                            struct nmi_constant *out);

/* ---- values.c -------------------------------------------------------------------------------- */

/* Adds initialisers, then inputs to the graph. */
nm_status nmi_onnx_initializers(struct nmi_importer *im);
nm_status nmi_onnx_inputs(struct nmi_importer *im);
/* Resolves the graph's outputs; all nodes are there. */
nm_status nmi_onnx_outputs(struct nmi_importer *im);
/* Adds a constant under a new name; its value's id in *id. */
nm_status nmi_onnx_add_constant(struct nmi_importer *im, const char *name,
                                const struct nmi_constant *c, int32_t *id);

/* ---- nodes.c --------------------------------------------------------------------------------- */

nm_status nmi_onnx_nodes(struct nmi_importer *im);

#endif
