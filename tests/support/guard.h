/* SPDX-License-Identifier: Apache-2.0 */
/* Memory between two pages that nobody may touch. */
#ifndef NM_TESTS_SUPPORT_GUARD_H
#define NM_TESTS_SUPPORT_GUARD_H

#include <stdbool.h>
#include <stddef.h>

struct guard {
    void *data; /* 64-byte aligned */
    size_t bytes;
    void *map;
    size_t map_bytes;
};

/* At the end: the last byte (of bytes rounded up to 64) lies before an unmapped page, else the
 * first lies behind one. Fails the program when there is no memory. */
struct guard guard_make(size_t bytes, bool at_end);
void guard_free(struct guard *guard);

#endif
