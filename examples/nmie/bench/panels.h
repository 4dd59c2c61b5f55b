/* SPDX-License-Identifier: Apache-2.0 */
/* panels.h - the charts that a result has: speed by engine, and by cores. */
#ifndef NMIE_BENCH_PANELS_H
#define NMIE_BENCH_PANELS_H

#include "examples/nmie/bench/chart.h"
#include "examples/nmie/bench/rows.h"

/* Fills *c with chart i, and for a page rows[0..*n) with the rows that it shows (room for those of
 * the result). False: there are no more. Charts of one model stand together. */
bool panels_at(const struct rows *rows, size_t i, struct chart *c, const struct row **shown,
               size_t *n);

/* The document's predictions as rows; free with free(). */
struct row *panels_predictions(const struct rows *rows, size_t *n);

#endif
