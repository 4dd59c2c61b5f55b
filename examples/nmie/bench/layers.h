/* SPDX-License-Identifier: Apache-2.0 */
/* layers.h - the profile of one network for readers: table, JSON, trace, page. */
#ifndef NMIE_BENCH_LAYERS_H
#define NMIE_BENCH_LAYERS_H

#include "examples/nmie/profile.h"

struct layers {
    const char *model, *profile; /* profile: of a recipe, NULL: none */
    double sparsity;
    int64_t batch;
    const char *isa, *precision;
    double ms, dense_ms; /* of a run by the clock; dense_ms 0: the dense session was not run */
    double bandwidth;    /* of its threads together, bytes/s */
    struct profile own, dense;
};

/* What a layer is to the eye. */
enum layer_kind { LAYER_SPARSE, LAYER_DENSE, LAYER_OTHER };
enum layer_kind layers_kind(const nm_layer_profile *layer);

/* The dense session's ms of layer i; 0: not known. */
double layers_dense_ms(const struct layers *l, size_t i);

/* A table for people. */
nm_status layers_text(FILE *to, const struct layers *l, nm_error *err);
/* The document of docs/cli.md. */
void layers_json(FILE *to, const struct layers *l);
/* For output_file; context: struct layers. Events of Chrome's trace viewer and Perfetto; a page. */
void layers_trace(FILE *to, const void *context);
void layers_html(FILE *to, const void *context);

/* The parts of the page (layers_chart.c). */
void layers_timeline(FILE *to, const struct layers *l);
void layers_roofline(FILE *to, const struct layers *l);
void layers_bars(FILE *to, const struct layers *l);

#endif
