/* SPDX-License-Identifier: Apache-2.0 */
/* JSON, kept as text. */
#include "examples/nmie/bench/ledger.h"

#include <stdlib.h>
#include <string.h>

bool ledger_begin(struct ledger *l, struct json *j)
{
    l->to = open_memstream(&l->text, &l->size);
    *j = (struct json){.out = l->to};
    return l->to != NULL;
}

bool ledger_end(struct ledger *l, bool skipped)
{
    char ***list = skipped ? &l->skipped : &l->rows;
    size_t *n = skipped ? &l->n_skipped : &l->n_rows;
    bool good = fclose(l->to) == 0;
    char **longer = realloc(*list, (*n + 1) * sizeof **list);
    if (longer) {
        *list = longer;
    }
    if (!good || !longer) {
        free(l->text);
        return false;
    }
    (*list)[(*n)++] = l->text;
    return true;
}

static void tell_list(struct json *j, const char *key, char *const *objects, size_t n)
{
    json_open(j, key, '[');
    for (size_t i = 0; i < n; i++) {
        json_open(j, NULL, '{');
        json_raw(j, NULL, objects[i]);
        json_close(j, '}');
    }
    json_close(j, ']');
}

char *ledger_document(const struct ledger *l, void (*tell)(struct json *j, const void *context),
                      const void *context)
{
    char *text = NULL;
    size_t size;
    FILE *to = open_memstream(&text, &size);
    struct json j = {.out = to};
    if (!to) {
        return NULL;
    }
    json_open(&j, NULL, '{');
    tell(&j, context);
    if (l->n_rows == 1 && l->n_skipped == 0) {
        json_raw(&j, NULL, l->rows[0]);
    } else {
        tell_list(&j, "skipped", l->skipped, l->n_skipped);
        tell_list(&j, "cases", l->rows, l->n_rows);
    }
    json_close(&j, '}');
    json_end(&j);
    if (fclose(to)) {
        free(text);
        return NULL;
    }
    return text;
}

void ledger_free(struct ledger *l)
{
    for (size_t i = 0; i < l->n_rows; i++) {
        free(l->rows[i]);
    }
    for (size_t i = 0; i < l->n_skipped; i++) {
        free(l->skipped[i]);
    }
    free(l->rows);
    free(l->skipped);
    *l = (struct ledger){0};
}
