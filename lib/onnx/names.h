/* SPDX-License-Identifier: Apache-2.0 */
/* A map from names to ids, of a size that is known beforehand. Keys are kept by reference. */
#ifndef NM_ONNX_NAMES_H
#define NM_ONNX_NAMES_H

#include "lib/base/mem.h"
#include <stdbool.h>
#include <stdint.h>

struct nmi_name_slot {
    const char *key; /* NULL: free */
    int32_t id;
};
struct nmi_names {
    struct nmi_name_slot *slots;
    size_t mask;   /* slots - 1 */
    uint64_t seed; /* a file can't know it, so it can't choose names that collide */
};

/* Room for `most` names, in arena; false when out of memory. */
bool nmi_names_init(struct nmi_names *names, struct nmi_arena *arena, size_t most);
/* The id of a name, or -1. */
int32_t nmi_names_find(const struct nmi_names *names, const char *key);
/* false: the name is there already (and keeps its id). */
bool nmi_names_add(struct nmi_names *names, const char *key, int32_t id);

#endif
