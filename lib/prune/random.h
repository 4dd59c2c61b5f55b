/* SPDX-License-Identifier: Apache-2.0 */
/* SplitMix64 (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators"). */
#ifndef NM_PRUNE_RANDOM_H
#define NM_PRUNE_RANDOM_H

#include <stdint.h>

static inline uint64_t nmi_random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* In [0, 1). */
static inline double nmi_random_unit(uint64_t *state)
{
    return (double)(nmi_random_next(state) >> 11) * 0x1p-53;
}

#endif
