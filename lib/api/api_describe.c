/* SPDX-License-Identifier: Apache-2.0 */
/* Models and sessions as JSON. */
#include "lib/api/api_session.h"
#include "lib/api/model.h"
#include "lib/graph/print.h"
#include "lib/sparse/csr.h"

static const char *op_name(uint16_t op)
{
    return nmi_ops[op]->name;
}

static nm_status describe_sparse(const struct nmi_graph *g, struct nmi_text *t, nm_error *err)
{
    const int32_t n = nmi_weighted_nodes(g, NULL, 0);
    struct nmi_weight_info *weights = nmi_calloc((size_t)n + 1, sizeof *weights);
    int64_t elems = 0, zeros = 0;
    if (weights == NULL) {
        return nmi_fail_memory(err, (size_t)n * sizeof *weights, "a description");
    }
    nmi_weighted_nodes(g, weights, n);
    nmi_json_open(t, NULL, '{');
    nmi_json_open(t, "layers", '[');
    for (int32_t i = 0; i < n; i++) {
        const struct nmi_weight_info *w = &weights[i];
        nmi_json_open(t, NULL, '{');
        nmi_json_string(t, "node", g->nodes[w->node].name);
        nmi_json_string(t, "op", op_name(g->nodes[w->node].op));
        nmi_json_string(t, "weight", g->values[w->value].name);
        nmi_json_ints(t, "shape", w->constant->dims, w->constant->rank);
        nmi_json_int(t, "elements", w->elems);
        nmi_json_int(t, "zeros", w->zeros);
        nmi_json_real(t, "sparsity", w->elems > 0 ? (double)w->zeros / (double)w->elems : 0);
        nmi_json_close(t, '}');
        elems += w->elems;
        zeros += w->zeros;
    }
    nmi_json_close(t, ']');
    nmi_json_int(t, "elements", elems);
    nmi_json_int(t, "zeros", zeros);
    nmi_json_real(t, "sparsity", elems > 0 ? (double)zeros / (double)elems : 0);
    nmi_json_close(t, '}');
    nmi_free(weights);
    return NM_OK;
}

nm_status nm_model_describe(const nm_model *model, nm_describe what, char **json, nm_error *error)
{
    struct nmi_text t = {0};
    nm_status status = NM_OK;
    if (model == NULL || json == NULL) {
        return nmi_fail(error, NM_EINVAL, "nm_model_describe: %s is NULL",
                        model ? "json" : "model");
    }
    switch (what) {
    case NM_DESCRIBE_GRAPH:
        nmi_graph_describe(model->source, op_name, nmi_op_describe_attrs, &t);
        break;
    case NM_DESCRIBE_OPT:
        nmi_graph_describe(model->graph, op_name, nmi_op_describe_attrs, &t);
        break;
    case NM_DESCRIBE_SPARSE:
        status = describe_sparse(model->graph, &t, error);
        break;
    case NM_DESCRIBE_PRUNE:
        if (model->prune_report == NULL) {
            return nmi_fail(error, NM_EINVAL, "the model did not come from nm_model_prune");
        }
        nmi_text_put(&t, model->prune_report);
        break;
    default:
        return nmi_fail(error, NM_EINVAL, "a model describes graph, opt, sparse or prune, not %d",
                        (int)what);
    }
    if (status != NM_OK) {
        nmi_text_free(&t);
        return status;
    }
    return nmi_text_take(&t, json, error);
}

nm_status nm_session_describe(nm_session *session, nm_describe what, char **json, nm_error *error)
{
    struct nmi_text t = {0};
    if (session == NULL || json == NULL) {
        return nmi_fail(error, NM_EINVAL, "nm_session_describe: %s is NULL",
                        session ? "json" : "session");
    }
    nm_status status = nmi_session_describe(session->core, what, &t, error);
    if (status != NM_OK) {
        nmi_text_free(&t);
        return status;
    }
    return nmi_text_take(&t, json, error);
}

void nm_string_free(char *string)
{
    nmi_free(string);
}
