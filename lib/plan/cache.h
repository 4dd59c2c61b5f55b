/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measured times, kept between runs. A key hashes everything a time depends on: CPU model, libnm
 * and oneDNN version, kernel, descriptor, nonzeros, rows alike, threads, effort. The file is
 * checksummed and replaced atomically; a damaged one counts as empty, with one line of log.
 */
#ifndef NM_PLAN_CACHE_H
#define NM_PLAN_CACHE_H

#include "lib/base/log.h"

#include <stdbool.h>
#include <stdint.h>

struct nmi_cache_entry {
    uint64_t key;
    double seconds;
};

struct nmi_cache {
    struct nmi_cache_entry *entries; /* sorted by key */
    size_t count, capacity;
    bool changed;
};

/* Reads path (NULL or missing: empty). */
void nmi_cache_load(struct nmi_cache *cache, const char *path, const struct nmi_log *log);
/* Merges with what the file holds by now and replaces it, when something was added. Failing to
 * write is a line of log, not an error: the cache is a convenience. */
void nmi_cache_save(struct nmi_cache *cache, const char *path, const struct nmi_log *log);
void nmi_cache_free(struct nmi_cache *cache);

/* The time with this key; false when there is none. */
bool nmi_cache_find(const struct nmi_cache *cache, uint64_t key, double *seconds);
/* Out of memory: forgets it. */
void nmi_cache_add(struct nmi_cache *cache, uint64_t key, double seconds);

#endif
