/* SPDX-License-Identifier: Apache-2.0 */
/* Quantiles. */
#include "examples/nmie/stats.h"

#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(const double *sorted, size_t n, double q)
{
    double at = q * (double)(n - 1);
    size_t low = (size_t)at, high = low + 1 < n ? low + 1 : low;
    return sorted[low] + (at - (double)low) * (sorted[high] - sorted[low]);
}

struct stats stats_of(double *times, size_t n)
{
    qsort(times, n, sizeof *times, ascending);
    return (struct stats){quantile(times, n, 0.5), quantile(times, n, 0.9),
                          quantile(times, n, 0.99), times[0]};
}
