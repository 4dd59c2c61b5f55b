/* SPDX-License-Identifier: Apache-2.0 */
/* sha256.h - SHA-256 (FIPS 180-4), to name data by. */
#ifndef NMIE_SHA256_H
#define NMIE_SHA256_H

#include <stddef.h>
#include <stdint.h>

struct sha256 {
    uint32_t state[8];
    uint64_t size; /* bytes so far */
    uint8_t block[64];
};

void sha256_start(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *bytes, size_t n);

/* The sum in hexadecimal. */
#define SHA256_TEXT 65
void sha256_end(struct sha256 *s, char text[static SHA256_TEXT]);

#endif
