/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Made-up weights. Number i of a layer is a function of seed and i alone: the sum of four uniform
 * 16-bit integers, which is near normal and takes one multiplication chain. Being an integer, its
 * magnitude has few values, so the threshold for an exact share of zeros comes from a histogram.
 */
#include "examples/nmie/synth_build.h"

#include <math.h>
#include <string.h>

#define CENTRE 131070    /* 4 x 65535 / 2 */
#define SIGMA 37837.2273 /* sqrt(4 x (65536^2 - 1) / 12) */

static inline int32_t draw(uint64_t seed, uint64_t i)
{
    uint64_t z = seed + (i + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return (int32_t)((z & 0xffff) + (z >> 16 & 0xffff) + (z >> 32 & 0xffff) + (z >> 48)) - CENTRE;
}

static inline uint32_t magnitude(int32_t v)
{
    return (uint32_t)(v < 0 ? -v : v);
}

static void fill_dense(float *w, size_t n, uint64_t seed, float scale)
{
    for (size_t i = 0; i < n; i++) {
        w[i] = scale * (float)draw(seed, i);
    }
}

size_t synth_weights(float *w, size_t n, uint64_t seed, double sparsity, double rms,
                     uint32_t histogram[static SYNTH_BINS])
{
    size_t zeros = (size_t)(sparsity * (double)n), below = 0;
    if (zeros == 0) {
        fill_dense(w, n, seed, (float)(rms / SIGMA));
        return 0;
    }
    memset(histogram, 0, SYNTH_BINS * sizeof *histogram);
    for (size_t i = 0; i < n; i++) {
        histogram[magnitude(draw(seed, i))]++;
    }
    uint32_t threshold = 0;
    while (below + histogram[threshold] <= zeros) {
        below += histogram[threshold++];
    }
    size_t ties = zeros - below; /* of those at the threshold, the first go */
    double energy = (double)(histogram[threshold] - ties) * threshold * threshold;
    for (uint32_t b = threshold + 1; b < SYNTH_BINS; b++) {
        energy += (double)histogram[b] * b * b;
    }
    float scale = (float)(rms / sqrt(energy / (double)n));
    for (size_t i = 0; i < n; i++) {
        int32_t v = draw(seed, i);
        bool tie = magnitude(v) == threshold && ties > 0;
        ties -= tie;
        w[i] = tie || magnitude(v) < threshold ? 0.0f : scale * (float)v;
    }
    return zeros;
}
