/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/prune/allocate.h"

#include "lib/base/mem.h"

#include <math.h>
#include <stdbool.h>

enum { BUCKETS = 4000 };

static void fastest(int32_t n, int32_t m, const double *time, int32_t *pick)
{
    for (int32_t i = 0; i < n; i++) {
        pick[i] = 0;
        for (int32_t c = 1; c < m; c++) {
            pick[i] = time[i * m + c] < time[i * m + pick[i]] ? c : pick[i];
        }
    }
}

/* best[b]: least error of the layers so far in b buckets; from[i][b]: the choice of layer i. */
static void add_layer(int32_t m, const double *error, const double *time, double bucket,
                      const double *before, double *best, uint8_t *from)
{
    for (int32_t b = 0; b <= BUCKETS; b++) {
        best[b] = INFINITY;
        from[b] = 0;
        for (int32_t c = 0; c < m; c++) {
            const double need = ceil(time[c] / bucket);
            if (need <= b && before[b - (int32_t)need] + error[c] < best[b]) {
                best[b] = before[b - (int32_t)need] + error[c];
                from[b] = (uint8_t)c;
            }
        }
    }
}

nm_status nmi_allocate(int32_t n, int32_t m, const double *error, const double *time, double budget,
                       int32_t *pick, double *reached, nm_error *err)
{
    const double bucket = budget > 0 ? budget / BUCKETS : 1;
    const size_t width = BUCKETS + 1;
    double *rows = nmi_calloc(2 * width, sizeof *rows);
    uint8_t *from = nmi_calloc((size_t)n * width + 1, 1);
    if (rows == NULL || from == NULL) {
        nmi_free(rows);
        nmi_free(from);
        return nmi_fail_memory(err, (size_t)n * width, "a profile");
    }
    for (int32_t i = 0; i < n; i++) {
        add_layer(m, error + i * m, time + i * m, bucket, rows + (i % 2 == 0 ? 0 : width),
                  rows + (i % 2 == 0 ? width : 0), from + (size_t)i * width);
    }
    const bool fits = budget > 0 && isfinite(rows[(n % 2 == 0 ? 0 : width) + BUCKETS]);
    int32_t at = BUCKETS;
    for (int32_t i = n; fits && i-- > 0;) {
        pick[i] = from[(size_t)i * width + (size_t)at];
        at -= (int32_t)ceil(time[i * m + pick[i]] / bucket);
    }
    if (!fits) {
        fastest(n, m, time, pick);
    }
    *reached = 0;
    for (int32_t i = 0; i < n; i++) {
        *reached += time[i * m + pick[i]];
    }
    nmi_free(rows);
    nmi_free(from);
    return NM_OK;
}
