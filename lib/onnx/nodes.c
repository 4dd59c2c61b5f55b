/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nodes, in three walks: every operator is known (all that are not go into one sentence), every
 * output has a name of its own, every input has a definition. So nodes may stand in any order.
 */
#include "lib/onnx/importer.h"

#include <stdio.h>
#include <string.h>

#define LISTED 16 /* operators that the sentence about unsupported ones names */

/* How sentences call a node: its name, or its place. */
struct label {
    char text[128];
};

static struct label label_of(const Onnx__GraphProto *g, size_t i)
{
    struct label label;
    const char *name = g->node[i]->name;
    if (name != NULL && name[0] != '\0') {
        snprintf(label.text, sizeof label.text, "\"%.120s\"", name);
    } else {
        snprintf(label.text, sizeof label.text, "#%zu", i);
    }
    return label;
}

static const char *text_or_empty(const char *s)
{
    return s != NULL ? s : "";
}

static bool is_constant(const Onnx__NodeProto *node)
{
    const char *domain = text_or_empty(node->domain);
    return strcmp(text_or_empty(node->op_type), "Constant") == 0 &&
           (domain[0] == '\0' || strcmp(domain, "ai.onnx") == 0);
}

/* ---- operators that libnm does not have ------------------------------------------------------ */

struct missing {
    const char *domain, *op;
    size_t count, first; /* nodes; index of the first */
};

struct survey {
    struct missing list[LISTED];
    size_t n, nodes; /* kinds in the list; nodes in all */
    bool more;       /* kinds that found no room */
};

static void note_missing(struct survey *s, const Onnx__NodeProto *node, size_t i)
{
    const char *domain = text_or_empty(node->domain), *op = text_or_empty(node->op_type);
    s->nodes++;
    for (size_t k = 0; k < s->n; k++) {
        if (strcmp(s->list[k].op, op) == 0 && strcmp(s->list[k].domain, domain) == 0) {
            s->list[k].count++;
            return;
        }
    }
    if (s->n == LISTED) {
        s->more = true;
        return;
    }
    s->list[s->n++] = (struct missing){.domain = domain, .op = op, .count = 1, .first = i};
}

static nm_status fail_missing(const struct nmi_importer *im, const struct survey *s)
{
    char list[900];
    size_t used = 0, k = 0;
    for (; k < s->n; k++) {
        const struct missing *m = &s->list[k];
        struct label first = label_of(im->decoded.model->graph, m->first);
        char item[320];
        int n = snprintf(item, sizeof item, "%s%.60s%s%.60s x %zu (first: node %.60s)",
                         k > 0 ? ", " : "", m->domain, m->domain[0] != '\0' ? "." : "", m->op,
                         m->count, first.text);
        if (n < 0 || used + (size_t)n >= sizeof list - sizeof ", ...") {
            break;
        }
        memcpy(list + used, item, (size_t)n);
        used += (size_t)n;
    }
    snprintf(list + used, sizeof list - used, "%s", s->more || k < s->n ? ", ..." : "");
    return nmi_fail(im->err, NM_EUNSUPPORTED,
                    "operators that libnm does not have (opset %d), %zu nodes in all: %s",
                    im->graph->opset, s->nodes, list);
}

/* ops[n_node]: the operator of every node. */
static nm_status find_operators(struct nmi_importer *im, uint16_t *ops)
{
    const Onnx__GraphProto *g = im->decoded.model->graph;
    struct survey survey = {.n = 0};
    for (size_t i = 0; i < g->n_node; i++) {
        const Onnx__NodeProto *node = g->node[i];
        const char *type = text_or_empty(node->op_type);
        if (type[0] == '\0') {
            return nmi_fail(im->err, NM_EFORMAT, "node %s has no operator", label_of(g, i).text);
        }
        int32_t op = nmi_op_find(text_or_empty(node->domain), type, im->graph->opset);
        if (op == NMI_NONE) {
            note_missing(&survey, node, i);
        } else {
            ops[i] = (uint16_t)op;
        }
    }
    return survey.nodes > 0 ? fail_missing(im, &survey) : NM_OK;
}

/* ---- outputs --------------------------------------------------------------------------------- */

static nm_status define_value(struct nmi_importer *im, const char *name, const char *label)
{
    int32_t id = nmi_graph_add_value(im->graph, name);
    if (id == NMI_NONE) {
        return nmi_importer_memory(im, sizeof(struct nmi_value), "a value");
    }
    if (!nmi_names_add(&im->names, im->graph->values[id].name, id)) {
        return nmi_fail(im->err, NM_EFORMAT,
                        "node %s: its output \"%.200s\" has the name of another value", label,
                        name);
    }
    return NM_OK;
}

static nm_status define_constant(struct nmi_importer *im, const Onnx__NodeProto *node,
                                 const char *label)
{
    struct nmi_constant c;
    int32_t id;
    if (node->n_output != 1 || node->output[0][0] == '\0' || node->n_input != 0) {
        return nmi_fail(im->err, NM_EFORMAT,
                        "node %s (Constant): it has %zu inputs and %zu outputs, expected 0 and 1",
                        label, node->n_input, node->n_output);
    }
    nm_status status = nmi_onnx_constant(im, node, &c);
    if (status == NM_OK) {
        status = nmi_onnx_add_constant(im, node->output[0], &c, &id);
    }
    return status == NM_OK ? NM_OK : nmi_fail_in(im->err, status, "node %s (Constant)", label);
}

static nm_status define_outputs(struct nmi_importer *im)
{
    const Onnx__GraphProto *g = im->decoded.model->graph;
    for (size_t i = 0; i < g->n_node; i++) {
        const Onnx__NodeProto *node = g->node[i];
        struct label label = label_of(g, i);
        if (is_constant(node)) {
            NMI_TRY(define_constant(im, node, label.text));
            continue;
        }
        for (size_t k = 0; k < node->n_output; k++) {
            if (node->output[k][0] != '\0') {
                NMI_TRY(define_value(im, node->output[k], label.text));
            }
        }
    }
    return NM_OK;
}

/* ---- nodes ----------------------------------------------------------------------------------- */

/* Names to ids; "" to NMI_NONE. */
static nm_status resolve(const struct nmi_importer *im, char *const *names, size_t n, int32_t *ids,
                         const char *label)
{
    for (size_t k = 0; k < n; k++) {
        ids[k] = names[k][0] != '\0' ? nmi_names_find(&im->names, names[k]) : NMI_NONE;
        if (ids[k] == NMI_NONE && names[k][0] != '\0') {
            return nmi_fail(im->err, NM_EFORMAT,
                            "node %s: its input \"%.200s\" is made by no node, and is no input or "
                            "initializer of the graph",
                            label, names[k]);
        }
    }
    return NM_OK;
}

/* ids: room for 2 x NMI_MAX_NODE_INPUTS. */
static nm_status add_node(struct nmi_importer *im, size_t i, uint16_t op, int32_t *ids)
{
    const Onnx__NodeProto *node = im->decoded.model->graph->node[i];
    struct label label = label_of(im->decoded.model->graph, i);
    struct nmi_graph *g = im->graph;
    void *attrs = NULL;
    if (node->n_input > NMI_MAX_NODE_INPUTS || node->n_output > NMI_MAX_NODE_INPUTS) {
        return nmi_fail(im->err, NM_ELIMIT,
                        "node %s: it has %zu inputs and %zu outputs, at most %d are accepted (a "
                        "fixed bound)",
                        label.text, node->n_input, node->n_output, NMI_MAX_NODE_INPUTS);
    }
    int32_t *outputs = ids + NMI_MAX_NODE_INPUTS;
    NMI_TRY(resolve(im, node->input, node->n_input, ids, label.text));
    NMI_TRY(resolve(im, node->output, node->n_output, outputs, label.text));
    NMI_TRY(nmi_onnx_attributes(im, node, op, label.text, &attrs));
    if (nmi_graph_add_node(g, op, (uint16_t)g->opset, text_or_empty(node->name), ids,
                           (int32_t)node->n_input, outputs, (int32_t)node->n_output,
                           attrs) == NMI_NONE) {
        return nmi_importer_memory(im, sizeof(struct nmi_node), "a node");
    }
    return NM_OK;
}

nm_status nmi_onnx_nodes(struct nmi_importer *im)
{
    const Onnx__GraphProto *g = im->decoded.model->graph;
    struct nmi_arena *scratch = &im->decoded.arena;
    uint16_t *ops = nmi_arena_array(scratch, g->n_node, sizeof *ops);
    int32_t *ids = nmi_arena_array(scratch, 2 * NMI_MAX_NODE_INPUTS, sizeof *ids);
    if (ops == NULL || ids == NULL) {
        return nmi_importer_memory(im, g->n_node * sizeof *ops, "the nodes");
    }
    NMI_TRY(find_operators(im, ops));
    NMI_TRY(define_outputs(im));
    for (size_t i = 0; i < g->n_node; i++) {
        if (!is_constant(g->node[i])) {
            NMI_TRY(add_node(im, i, ops[i], ids));
        }
    }
    return NM_OK;
}
