/* SPDX-License-Identifier: Apache-2.0 */
/* FNV-1a, 64 bits: keys of caches and checksums of files; not against an adversary. */
#ifndef NM_BASE_HASH_H
#define NM_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define NMI_HASH_START 14695981039346656037ull

static inline uint64_t nmi_hash(uint64_t h, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < n; i++) {
        h = (h ^ p[i]) * 1099511628211ull;
    }
    return h;
}

#endif
