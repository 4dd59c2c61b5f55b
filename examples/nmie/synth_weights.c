/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Made-up weights. Number i of a layer is a function of seed and i alone: the sum of four uniform
 * 16-bit integers, which is near normal and takes one multiplication chain. It is made odd, so that
 * it is never zero by itself. Being an integer, its magnitude has few values, so the threshold for
 * an exact share of zeros comes from a histogram.
 */
#include "examples/nmie/synth_build.h"

#include <math.h>
#include <string.h>

#define CENTRE 131070    /* 4 x 65535 / 2 */
#define SIGMA 75674.4546 /* of 2 (sum - CENTRE) + 1: 2 sqrt(4 x (65536^2 - 1) / 12) */

static inline int32_t draw(uint64_t seed, uint64_t i)
{
    uint64_t z = seed + (i + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    int32_t sum = (int32_t)((z & 0xffff) + (z >> 16 & 0xffff) + (z >> 32 & 0xffff) + (z >> 48));
    return 2 * (sum - CENTRE) + 1;
}

/* The bin of an odd number: 2 bin + 1 is its magnitude. */
static inline uint32_t bin_of(int32_t v)
{
    return (uint32_t)(v < 0 ? -v : v) >> 1;
}

static double square_of_bin(uint32_t bin)
{
    double v = 2.0 * bin + 1.0;
    return v * v;
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
        histogram[bin_of(draw(seed, i))]++;
    }
    uint32_t threshold = 0;
    while (below + histogram[threshold] <= zeros) {
        below += histogram[threshold++];
    }
    size_t ties = zeros - below; /* of those at the threshold, the first go */
    double energy = (double)(histogram[threshold] - ties) * square_of_bin(threshold);
    for (uint32_t b = threshold + 1; b < SYNTH_BINS; b++) {
        energy += (double)histogram[b] * square_of_bin(b);
    }
    float scale = (float)(rms / sqrt(energy / (double)n));
    for (size_t i = 0; i < n; i++) {
        int32_t v = draw(seed, i);
        bool tie = bin_of(v) == threshold && ties > 0;
        ties -= tie;
        w[i] = tie || bin_of(v) < threshold ? 0.0f : scale * (float)v;
    }
    return zeros;
}
