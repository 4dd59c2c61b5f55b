/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing text with a JSON writer on top: what the describe functions return. Errors are sticky:
 * write on, and ask nmi_text_take once at the end.
 */
#ifndef NM_BASE_TEXT_H
#define NM_BASE_TEXT_H

#include "lib/base/status.h"
#include <stdbool.h>

struct nmi_text {
    char *bytes;
    size_t size, capacity;
    bool failed;
    bool comma; /* the next JSON value needs a comma before it */
};

void nmi_text_put(struct nmi_text *t, const char *s);
void nmi_text_printf(struct nmi_text *t, const char *format, ...) NMI_PRINTF(2, 3);

/* JSON: key may be NULL (inside an array). */
void nmi_json_open(struct nmi_text *t, const char *key, char bracket);
void nmi_json_close(struct nmi_text *t, char bracket);
void nmi_json_string(struct nmi_text *t, const char *key, const char *value);
void nmi_json_int(struct nmi_text *t, const char *key, int64_t value);
void nmi_json_real(struct nmi_text *t, const char *key, double value); /* NaN, Inf: null */
void nmi_json_bool(struct nmi_text *t, const char *key, bool value);
void nmi_json_ints(struct nmi_text *t, const char *key, const int64_t *values, int32_t n);

/* Hands the text over (nmi_free) or frees it and fails with NM_ENOMEM. */
nm_status nmi_text_take(struct nmi_text *t, char **out, nm_error *err);
void nmi_text_free(struct nmi_text *t);

#endif
