/* SPDX-License-Identifier: Apache-2.0 */
/* stats.h - order statistics of measured times. */
#ifndef NMIE_STATS_H
#define NMIE_STATS_H

#include <stddef.h>

struct stats {
    double median, p90, p99, best;
};

/* Sorts the n >= 1 times. Quantiles are interpolated linearly between neighbours. */
struct stats stats_of(double *times, size_t n);

/* A median and an interval that holds the true one with this probability, whatever the
 * distribution: two of the values themselves (order statistics), the outermost where n < 9. */
struct interval {
    double median, low, high, confidence;
};
/* Sorts the n >= 1 values. */
struct interval interval_of(double *values, size_t n);

#endif
