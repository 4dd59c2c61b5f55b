/* SPDX-License-Identifier: Apache-2.0 */
/* page.h - a result of bench for readers. */
#ifndef NMIE_BENCH_PAGE_H
#define NMIE_BENCH_PAGE_H

#include "examples/nmie/bench/rows.h"

/* A page with a chart and a table for each model and number of threads, and of predictions. */
void page_html(FILE *to, const struct rows *rows);
/* The charts alone, one below the other. */
void page_svg(FILE *to, const struct rows *rows);
/* RFC 4180, a line for each row. */
void page_csv(FILE *to, const struct rows *rows);
/* The document's predictions as text. */
void page_predictions(FILE *to, const struct rows *rows);

/* Tables between the marks of a Markdown file (markdown.c): bench, all of them; speed, a short one. A
 * file without either is refused, and left alone. */
nm_status page_markdown(const char *path, const struct rows *rows, nm_error *err);

#endif
