/* SPDX-License-Identifier: Apache-2.0 */
/* A list of blocks under one mutex: planning is rare and has few dozen entries. */
#include "lib/plan/weights.h"

#include "lib/base/mem.h"

#include <pthread.h>
#include <stdint.h>

struct entry {
    uint64_t key;
    size_t bytes;
    void *packed;
};

struct nmi_weights {
    pthread_mutex_t mutex;
    struct entry *entries;
    size_t count, capacity;
    size_t bytes;
};

nm_status nmi_weights_create(struct nmi_weights **weights, nm_error *err)
{
    struct nmi_weights *w = nmi_calloc(1, sizeof *w);
    if (w == NULL) {
        return nmi_fail_memory(err, sizeof *w, "the store of packed weights");
    }
    if (pthread_mutex_init(&w->mutex, NULL) != 0) {
        nmi_free(w);
        return nmi_fail(err, NM_EINTERNAL, "the store of packed weights: no mutex could be had");
    }
    *weights = w;
    return NM_OK;
}

void nmi_weights_free(struct nmi_weights *w)
{
    if (w == NULL) {
        return;
    }
    for (size_t i = 0; i < w->count; i++) {
        nmi_free(w->entries[i].packed);
    }
    nmi_free(w->entries);
    pthread_mutex_destroy(&w->mutex);
    nmi_free(w);
}

static nm_status add(struct nmi_weights *w, uint64_t key, size_t bytes, void *packed, nm_error *err)
{
    if (w->count == w->capacity) {
        size_t capacity = w->capacity ? 2 * w->capacity : 64;
        struct entry *grown =
            nmi_realloc(w->entries, w->capacity * sizeof *grown, capacity * sizeof *grown);
        if (grown == NULL) {
            return nmi_fail_memory(err, capacity * sizeof *grown, "the store of packed weights");
        }
        w->entries = grown;
        w->capacity = capacity;
    }
    w->entries[w->count++] = (struct entry){key, bytes, packed};
    w->bytes += bytes;
    return NM_OK;
}

static nm_status get(struct nmi_weights *w, uint64_t key, size_t bytes, nmi_pack_fn pack,
                     void *context, const void **packed, nm_error *err)
{
    for (size_t i = 0; i < w->count; i++) {
        if (w->entries[i].key == key && w->entries[i].bytes == bytes) {
            *packed = w->entries[i].packed;
            return NM_OK;
        }
    }
    void *fresh = nmi_alloc(bytes);
    if (fresh == NULL) {
        return nmi_fail_memory(err, bytes, "packed weights");
    }
    nm_status status = pack(context, fresh, err);
    if (status == NM_OK) {
        status = add(w, key, bytes, fresh, err);
    }
    if (status != NM_OK) {
        nmi_free(fresh);
        return status;
    }
    *packed = fresh;
    return NM_OK;
}

nm_status nmi_weights_get(struct nmi_weights *w, uint64_t key, size_t bytes, nmi_pack_fn pack,
                          void *context, const void **packed, nm_error *err)
{
    pthread_mutex_lock(&w->mutex);
    nm_status status = get(w, key, bytes, pack, context, packed, err);
    pthread_mutex_unlock(&w->mutex);
    return status;
}

size_t nmi_weights_bytes(struct nmi_weights *w)
{
    pthread_mutex_lock(&w->mutex);
    size_t bytes = w->bytes;
    pthread_mutex_unlock(&w->mutex);
    return bytes;
}
