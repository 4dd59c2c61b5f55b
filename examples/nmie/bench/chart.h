/* SPDX-License-Identifier: Apache-2.0 */
/* chart.h - grouped bars as SVG: groups of bars, one of each series; with intervals, and
 * predictions in another look. Every group can be reached by keyboard and is read out whole. */
#ifndef NMIE_BENCH_CHART_H
#define NMIE_BENCH_CHART_H

#include "examples/nmie/markup.h"

#include <stdbool.h>
#include <stddef.h>

enum { CHART_GROUPS = 48, CHART_SERIES = MARKUP_SERIES };

struct bar {
    double value, low, high; /* value 0: none */
    bool predicted;
};

struct chart {
    char title[160], unit[64];
    char groups[CHART_GROUPS][96], series[CHART_SERIES][48];
    struct bar bars[CHART_GROUPS][CHART_SERIES];
    size_t n_groups, n_series, left_out; /* left_out: bars for which there was no room */
};

/* The group or series of this name, a new one when there is none; NULL where there is no room. */
struct bar *chart_bar(struct chart *c, const char *group, const char *series);

/* Size of the SVG element. */
int chart_width(const struct chart *c);
int chart_height(const struct chart *c);

/* An <svg> element at (0, y) of an outer one, or for a page. */
void chart_svg(FILE *to, const struct chart *c, int y);

#endif
