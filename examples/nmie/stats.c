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

/* Outside the k-th value from either end lie, with independent values, less than k of n fair coins.
 */
struct interval interval_of(double *values, size_t n)
{
    qsort(values, n, sizeof *values, ascending);
    size_t k = 0;
    double term = 1.0, outside = 0.0, next;
    for (size_t i = 0; i < n; i++) { /* term: the chance that none of n coins falls there */
        term *= 0.5;
    }
    next = 2.0 * term;
    outside = next;
    while (k + 1 < (n + 1) / 2) { /* one further in, while 95 % are left */
        term *= (double)(n - k) / (double)(k + 1);
        next += 2.0 * term;
        if (next > 0.05) {
            break;
        }
        outside = next;
        k++;
    }
    return (struct interval){quantile(values, n, 0.5), values[k], values[n - 1 - k],
                             n > 1 ? 1.0 - outside : 0.0};
}
