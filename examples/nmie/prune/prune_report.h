/* SPDX-License-Identifier: Apache-2.0 */
/* prune_report.h - what was pruned, for people, for programs, and for the model's own metadata. */
#ifndef NMIE_PRUNE_REPORT_H
#define NMIE_PRUNE_REPORT_H

#include "examples/nmie/prune/judging.h"
#include "examples/nmie/data/sha256.h"

#include <stdio.h>

struct prune_report {
    const char *in, *out, *method, *request; /* "sparsity 0.8, seed 0": what was asked for */
    double sparsity; /* of the layers that were pruned, together */
    double seconds;
    char *library; /* JSON of NM_DESCRIBE_PRUNE; from nm_string_free */
    const struct dataset *calib; /* NULL: no data */
    char calib_hash[SHA256_TEXT];
    struct verdict verdict;
};

/* metadata_props for nm_save_options: key, value, key, value... */
#define PRUNE_META_PAIRS 8
struct prune_meta {
    const char *words[2 * PRUNE_META_PAIRS];
    char texts[PRUNE_META_PAIRS][256]; /* what the values point to */
    size_t n;                          /* pairs */
};
void prune_report_meta(const struct prune_report *r, struct prune_meta *meta);

void prune_report_json(const struct prune_report *r, FILE *to);
nm_status prune_report_text(const struct prune_report *r, FILE *to, nm_error *err);

/* Of the layers that the library's report calls pruned: the share of zeros. */
double prune_report_sparsity(const char *library);

/* The recipe in the library's report (malloc'd); NULL: there is none. */
char *prune_report_recipe(const char *library);

#endif
