/* SPDX-License-Identifier: Apache-2.0 */
/* File: header {magic, count, checksum of the entries}, then sorted entries. Native byte order: a
 * file from another machine would not fit its keys anyway. */
#include "lib/plan/cache.h"

#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/mem.h"

#include <string.h>
#include <unistd.h>

#define MAX_BYTES (16u << 20)
#define HOLD_SECONDS 2.0 /* writing takes milliseconds; a folder may be held for other reasons */

struct header {
    char magic[8];
    uint64_t count, checksum;
};
static const char magic[8] = {'n', 'm', 'p', 'l', 'a', 'n', '0', '1'};

/* The first entry whose key is not below key. */
static size_t lower_bound(const struct nmi_cache *c, uint64_t key)
{
    size_t low = 0, high = c->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (c->entries[middle].key < key) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

bool nmi_cache_find(const struct nmi_cache *c, uint64_t key, double *seconds)
{
    size_t i = lower_bound(c, key);
    if (i == c->count || c->entries[i].key != key) {
        return false;
    }
    *seconds = c->entries[i].seconds;
    return true;
}

static bool usable(double seconds)
{
    return seconds > 0 && seconds < 1e6; /* false for NaN */
}

void nmi_cache_add(struct nmi_cache *c, uint64_t key, double seconds)
{
    size_t i = lower_bound(c, key);
    if ((i < c->count && c->entries[i].key == key) || !usable(seconds)) {
        return;
    }
    if (c->count == c->capacity) {
        size_t capacity = c->capacity ? 2 * c->capacity : 256;
        struct nmi_cache_entry *grown =
            nmi_realloc(c->entries, c->capacity * sizeof *grown, capacity * sizeof *grown);
        if (grown == NULL) {
            return;
        }
        c->entries = grown;
        c->capacity = capacity;
    }
    memmove(c->entries + i + 1, c->entries + i, (c->count - i) * sizeof *c->entries);
    c->entries[i] = (struct nmi_cache_entry){key, seconds};
    c->count++;
    c->changed = true;
}

static bool valid(const void *bytes, size_t size)
{
    struct header h;
    if (size < sizeof h) {
        return false;
    }
    memcpy(&h, bytes, sizeof h);
    const size_t body = size - sizeof h;
    return memcmp(h.magic, magic, sizeof magic) == 0 &&
           body % sizeof(struct nmi_cache_entry) == 0 &&
           h.count == body / sizeof(struct nmi_cache_entry) &&
           h.checksum == nmi_hash(NMI_HASH_START, (const char *)bytes + sizeof h, body);
}

void nmi_cache_load(struct nmi_cache *c, const char *path, const struct nmi_log *log)
{
    void *bytes = NULL;
    size_t size = 0;
    if (path == NULL || access(path, F_OK) != 0) {
        return;
    }
    nm_error err = {NM_OK, ""};
    if (nmi_file_read(path, MAX_BYTES, &bytes, &size, &err) != NM_OK) {
        nmi_log(log, 0, "plan cache not used: %s", err.message);
        return;
    }
    if (!valid(bytes, size)) {
        nmi_log(log, 0, "plan cache %s is damaged or of another version: ignored", path);
    } else {
        const bool changed = c->changed;
        for (size_t at = sizeof(struct header); at < size; at += sizeof(struct nmi_cache_entry)) {
            struct nmi_cache_entry e;
            memcpy(&e, (const char *)bytes + at, sizeof e);
            nmi_cache_add(c, e.key, e.seconds);
        }
        c->changed = changed;
    }
    nmi_free(bytes);
}

static void merge_and_write(struct nmi_cache *c, const char *path, const struct nmi_log *log)
{
    nmi_cache_load(c, path, NULL); /* what others wrote meanwhile */
    const size_t body = c->count * sizeof *c->entries;
    struct header h = {.count = c->count, .checksum = nmi_hash(NMI_HASH_START, c->entries, body)};
    memcpy(h.magic, magic, sizeof magic);
    if (sizeof h + body > MAX_BYTES) {
        nmi_log(log, 0, "plan cache %s is full: not written", path);
        return;
    }
    struct nmi_span parts[] = {{&h, sizeof h}, {c->entries, body}};
    nm_error err = {NM_OK, ""};
    if (nmi_file_write(path, parts, 2, &err) != NM_OK) {
        nmi_log(log, 0, "plan cache not written: %s", err.message);
        return;
    }
    c->changed = false;
}

/* Without the hold a file is still whole, but may lack what another writes in this moment. */
void nmi_cache_save(struct nmi_cache *c, const char *path, const struct nmi_log *log)
{
    if (path == NULL || !c->changed) {
        return;
    }
    const int hold = nmi_file_hold_folder(path, HOLD_SECONDS);
    merge_and_write(c, path, log);
    nmi_file_close(hold);
}

void nmi_cache_free(struct nmi_cache *c)
{
    nmi_free(c->entries);
    *c = (struct nmi_cache){0};
}
