/* SPDX-License-Identifier: Apache-2.0 */
/* page.h - a result of bench for readers. */
#ifndef NMIE_BENCH_PAGE_H
#define NMIE_BENCH_PAGE_H

#include "examples/nmie/bench/rows.h"

/* For output_file, whose context is a struct rows: a page with a chart and a table for each model
 * and number of threads, and of predictions; the charts alone, one below the other; RFC 4180, a
 * line for each row. */
void page_html(FILE *to, const void *context);
void page_svg(FILE *to, const void *context);
void page_csv(FILE *to, const void *context);
/* The document's predictions as text. */
void page_predictions(FILE *to, const struct rows *rows);

/* Tables between the marks of a Markdown file (markdown.c): bench, all of them; speed, a short one;
 * and before them the chart, an SVG file, unless it is NULL. A file without either is refused, and
 * left alone. */
nm_status page_markdown(const char *path, const char *chart, const struct rows *rows,
                        nm_error *err);

#endif
