/* SPDX-License-Identifier: Apache-2.0 */
/* analysis.h - what nm_model_analyze found, and its ways to readers. */
#ifndef NMIE_PRUNE_ANALYSIS_H
#define NMIE_PRUNE_ANALYSIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <nm/nm.h>

#define ANALYSIS_GRID_MAX 32

struct analysis_layer {
    char *node, *weight;
    double macs, elems;
    double error[ANALYSIS_GRID_MAX]; /* relative squared error of the output; NAN: not known */
    double ms[ANALYSIS_GRID_MAX];    /* NAN: not known */
};

struct analysis {
    double grid[ANALYSIS_GRID_MAX]; /* sparsities, from 0 up */
    size_t n_grid, n_layers;
    struct analysis_layer *layers;
    double dense_ms, other_ms; /* of the network; of what is not in layers */
    bool has_error;
    const char *model;
};

/* Reads the library's JSON. model is a name for titles. */
nm_status analysis_read(const char *json, const char *model, struct analysis *a, nm_error *err);
void analysis_free(struct analysis *a);

/* The place in the grid of the largest sparsity that is at most this. */
size_t analysis_at(const struct analysis *a, double sparsity);

/* The network's time with this sparsity (a place in the grid) in all layers. */
double analysis_total_ms(const struct analysis *a, size_t at);

/* A name in so many characters; of a longer one the end, which tells more. */
const char *analysis_name(const char *name, size_t most, char text[static 80]);

void analysis_text(const struct analysis *a, FILE *to);

/* For output_file: a page that needs nothing beside itself, and its charts alone. context is the
 * struct analysis. */
void analysis_html(FILE *to, const void *context);
void analysis_svg(FILE *to, const void *context);

/* The charts, each an <svg> at (0, y) of an outer one; their height is returned. */
int analysis_heat(FILE *to, const struct analysis *a, int y);
int analysis_curve(FILE *to, const struct analysis *a, int y);
#define ANALYSIS_WIDTH 1140
int analysis_heat_height(const struct analysis *a);
#define ANALYSIS_CURVE_HEIGHT 280

#endif
