/* SPDX-License-Identifier: Apache-2.0 */
/* publish.h - a result as tables, charts and pages. */
#ifndef NMIE_BENCH_PUBLISH_H
#define NMIE_BENCH_PUBLISH_H

#include "examples/nmie/args.h"
#include "examples/nmie/bench/rows.h"

struct publish {
    const char *html, *svg, *csv;     /* files, or NULL */
    const char *pages[ARGS_LIST_MAX]; /* Markdown files with marks */
    size_t n_pages;
    struct args_list cores; /* --predict-cores */
    bool quiet;             /* predictions go into the document alone */
    bool json;              /* the document goes to stdout */
};

/* Predicts when asked, prints and writes what is asked for. */
nm_status publish(const struct publish *p, struct rows *rows, nm_error *err);

/* One document of several files: the first's head, the rows of all. */
nm_status rows_merge(const char *const *paths, size_t n, struct rows *rows, nm_error *err);

#endif
