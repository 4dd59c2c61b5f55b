/* SPDX-License-Identifier: Apache-2.0 */
/* Open addressing, at most half full. */
#include "lib/onnx/names.h"
#include "lib/base/checked.h"
#include "lib/base/hash.h"

#include <string.h>

bool nmi_names_init(struct nmi_names *names, struct nmi_arena *arena, size_t most)
{
    size_t slots = 16;
    while (slots / 2 < most) {
        if (!nmi_mul(slots, 2, &slots)) {
            return false;
        }
    }
    names->slots = nmi_arena_array(arena, slots, sizeof *names->slots);
    names->mask = slots - 1;
    uintptr_t where = (uintptr_t)names->slots;
    names->seed = nmi_hash(NMI_HASH_START, &where, sizeof where);
    return names->slots != NULL;
}

/* The slot that holds the key, or the free one where it belongs. */
static struct nmi_name_slot *find_slot(const struct nmi_names *names, const char *key)
{
    uint64_t hash = nmi_hash(names->seed, key, strlen(key));
    size_t at = (size_t)((hash ^ hash >> 32) * 0x9e3779b97f4a7c15ull >> 32) & names->mask;
    while (names->slots[at].key != NULL && strcmp(names->slots[at].key, key) != 0) {
        at = (at + 1) & names->mask;
    }
    return &names->slots[at];
}

int32_t nmi_names_find(const struct nmi_names *names, const char *key)
{
    const struct nmi_name_slot *slot = find_slot(names, key);
    return slot->key != NULL ? slot->id : -1;
}

bool nmi_names_add(struct nmi_names *names, const char *key, int32_t id)
{
    struct nmi_name_slot *slot = find_slot(names, key);
    if (slot->key != NULL) {
        return false;
    }
    *slot = (struct nmi_name_slot){.key = key, .id = id};
    return true;
}
