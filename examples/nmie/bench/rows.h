/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows.h - results of bench: one row for each case and engine, as JSON (docs/cli.md has the
 * schema), and read back from it. Tables, charts and comparisons are made from what is read, so
 * that they are the same for a result of now and for one of a file.
 */
#ifndef NMIE_BENCH_ROWS_H
#define NMIE_BENCH_ROWS_H

#include "examples/nmie/bench/contest.h"

#define ROWS_SCHEMA "nmie-bench/1"

/* What a case has beside its contest. */
struct rows_case {
    const char *model, *profile; /* profile: a recipe's file name, NULL: none */
    double sparsity, prune_seconds;
};

/* Keys of the row of an engine that ran; dense: --compare's other one, told as "compare" at the
 * end, or NULL. */
void rows_tell(struct json *j, const struct contest *c, const struct rows_case *about,
               const struct contestant *a, const struct contestant *dense);
/* Keys of an element of "skipped": an engine that did not run. */
void rows_tell_skipped(struct json *j, const struct contest *c, const struct rows_case *about,
                       const struct contestant *a);

/* A row as it was read; strings belong to the document. Numbers that are not there: NAN. */
struct row {
    size_t network, place; /* of its model and of itself, in the order in which they came */
    const char *model, *engine, *precision;
    const char *profile; /* NULL: the same share in all layers */
    double sparsity;
    int64_t batch;
    int32_t threads;
    double rate; /* items per second */
    double ms, p90, p99, best, spread;
    double load_seconds, plan_seconds, peak_mib;
    double ratio, low, high; /* speed over the baseline's */
    const char *baseline;
    double error;
    bool agrees;
    double rate_low, rate_high; /* of the slowest and the fastest round */
    bool predicted;
    const cJSON *json;
};

/* Sorted: networks as they came, of each zeros, batches and threads ascending, engines as they
 * came. */
struct rows {
    cJSON *document;
    struct row *at;
    size_t n;
};

/* Reads one object; false: a number or the model that every row has is not there. */
bool row_read(const cJSON *json, struct row *row);

/* Takes the document, also when it fails. path: for the sentence. */
nm_status rows_of(cJSON *document, const char *path, struct rows *rows, nm_error *err);
nm_status rows_read(const char *path, struct rows *rows, nm_error *err);
void rows_free(struct rows *rows);

/* A model's file name without folder and ending, or builtin's name. */
const char *row_model(const struct row *row, char text[static 64]);
/* "90 % zeros, batch 1, 2 threads": the case without its model and engine. */
const char *row_case(const struct row *row, char text[static 96]);
/* "none", "90 %" or "fast.recipe: 87.5 %". */
const char *row_zeros(const struct row *row, char text[static 64]);
/* "90 % zeros, batch 1": the case without its threads. */
const char *row_zeros_batch(const struct row *row, char text[static 96]);
/* The same model, zeros, batch and threads. */
bool row_same_case(const struct row *a, const struct row *b);

/* A number of a JSON object, NAN when it is not there. */
double json_number(const cJSON *object, const char *key);

#endif
