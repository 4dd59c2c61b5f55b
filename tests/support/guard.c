/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { PAGE = 4096 };

struct guard guard_make(size_t bytes, bool at_end)
{
    const size_t aligned = (bytes + 63) & ~(size_t)63;
    const size_t pages = (aligned + PAGE - 1) / PAGE * PAGE;
    struct guard guard = {.bytes = bytes, .map_bytes = pages + 2 * PAGE};
    guard.map =
        mmap(NULL, guard.map_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    char *inside = (char *)guard.map + PAGE;
    if (guard.map == MAP_FAILED ||
        (pages && mprotect(inside, pages, PROT_READ | PROT_WRITE) != 0)) {
        perror("guard_make");
        exit(2);
    }
    guard.data = inside + (at_end ? pages - aligned : 0);
    return guard;
}

void guard_free(struct guard *guard)
{
    if (guard->map) {
        munmap(guard->map, guard->map_bytes);
    }
    *guard = (struct guard){0};
}
