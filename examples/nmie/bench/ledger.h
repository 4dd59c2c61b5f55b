/* SPDX-License-Identifier: Apache-2.0 */
/* ledger.h - objects of JSON collected one by one, and the document that they make in the end. */
#ifndef NMIE_BENCH_LEDGER_H
#define NMIE_BENCH_LEDGER_H

#include "examples/nmie/json_out.h"

#include <nm/nm.h>

struct ledger {
    char **rows, **skipped; /* keys and values of each, without the braces */
    size_t n_rows, n_skipped;
    FILE *to; /* between begin and end */
    char *text;
    size_t size;
};

/* Opens a new row or skipped engine; false: no memory. */
bool ledger_begin(struct ledger *l, struct json *j);
bool ledger_end(struct ledger *l, bool skipped);

/* The document, malloc. `tell` (with its context) writes the keys before the rows. One row and
 * nothing else: the row's keys are the document's; else they are in "cases". NULL: no memory. */
char *ledger_document(const struct ledger *l, void (*tell)(struct json *j, const void *context),
                      const void *context);
void ledger_free(struct ledger *l);

#endif
