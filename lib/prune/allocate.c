/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/prune/allocate.h"

#include "lib/base/mem.h"

#include <math.h>
#include <stdbool.h>

enum { BUCKETS = 4000, WIDTH = BUCKETS + 1 };

/* What a layer takes by this choice, behind one of that mode. Nothing is behind the first. */
static double time_of(const struct nmi_costs *k, int32_t layer, int32_t choice, int32_t before)
{
    const int32_t at = layer * k->m + choice;
    return k->time[at] + (layer > 0 && k->mode[at] != before ? k->change[layer] : 0);
}

double nmi_costs_time(const struct nmi_costs *k, const int32_t *pick)
{
    double sum = 0;
    for (int32_t i = 0, mode = 0; i < k->n; i++) {
        sum += time_of(k, i, pick[i], mode);
        mode = k->mode[i * k->m + pick[i]];
    }
    return sum;
}

/* Layers so far in at most b buckets, the last in one mode: least error, and how. */
struct cell {
    uint8_t choice, before; /* of the last; the mode of the one before it */
};
struct table {
    double *best[2];   /* [NMI_MODES][WIDTH]: before a layer and behind it, in turns */
    struct cell *from; /* [n][NMI_MODES][WIDTH] */
    double bucket;
};

static int32_t buckets(const struct table *t, double time)
{
    const double need = ceil(time / t->bucket);
    return need <= BUCKETS ? (int32_t)need : WIDTH;
}

static void add_choice(const struct nmi_costs *k, const struct table *t, int32_t layer,
                       int32_t choice, int32_t before)
{
    const int32_t at = layer * k->m + choice, mode = k->mode[at];
    const int32_t need = buckets(t, time_of(k, layer, choice, before));
    const double *old = t->best[layer % 2] + before * WIDTH;
    double *best = t->best[1 - layer % 2] + mode * WIDTH;
    struct cell *from = t->from + ((int64_t)layer * NMI_MODES + mode) * WIDTH;
    for (int32_t b = need; b <= BUCKETS; b++) {
        if (old[b - need] + k->error[at] < best[b]) {
            best[b] = old[b - need] + k->error[at];
            from[b] = (struct cell){(uint8_t)choice, (uint8_t)before};
        }
    }
}

static void fill(const struct nmi_costs *k, const struct table *t)
{
    for (int32_t i = 0; i < k->n; i++) {
        for (int32_t b = 0; b < NMI_MODES * WIDTH; b++) {
            t->best[1 - i % 2][b] = INFINITY;
        }
        for (int32_t before = 0; before < NMI_MODES; before++) {
            for (int32_t c = 0; c < k->m; c++) {
                add_choice(k, t, i, c, before);
            }
        }
    }
}

/* False when nothing fits. */
static bool trace(const struct nmi_costs *k, const struct table *t, int32_t *pick)
{
    const double *best = t->best[k->n % 2];
    int32_t mode = 0, at = BUCKETS;
    for (int32_t i = 1; i < NMI_MODES; i++) {
        mode = best[i * WIDTH + at] < best[mode * WIDTH + at] ? i : mode;
    }
    if (!isfinite(best[mode * WIDTH + at])) {
        return false;
    }
    for (int32_t i = k->n; i-- > 0;) {
        const struct cell from = t->from[((int64_t)i * NMI_MODES + mode) * WIDTH + at];
        pick[i] = from.choice;
        at -= buckets(t, time_of(k, i, from.choice, from.before));
        mode = from.before;
    }
    return true;
}

/* The fastest of each mode, with what leads to it: shortest path. */
static void fastest(const struct nmi_costs *k, const struct table *t, int32_t *pick)
{
    double sum[NMI_MODES] = {0}; /* of the layers before, the last in that mode */
    for (int32_t i = 0; i < k->n; i++) {
        double next[NMI_MODES] = {INFINITY, INFINITY};
        for (int32_t c = 0; c < k->m * NMI_MODES; c++) {
            const int32_t choice = c / NMI_MODES, before = c % NMI_MODES;
            const int32_t mode = k->mode[i * k->m + choice];
            const double time = sum[before] + time_of(k, i, choice, before);
            if (time < next[mode]) {
                next[mode] = time;
                t->from[((int64_t)i * NMI_MODES + mode) * WIDTH] =
                    (struct cell){(uint8_t)choice, (uint8_t)before};
            }
        }
        sum[0] = next[0];
        sum[1] = next[1];
    }
    for (int32_t i = k->n, mode = sum[1] < sum[0]; i-- > 0;) {
        const struct cell from = t->from[((int64_t)i * NMI_MODES + mode) * WIDTH];
        pick[i] = from.choice;
        mode = from.before;
    }
}

nm_status nmi_allocate(const struct nmi_costs *k, double budget, int32_t *pick, double *reached,
                       nm_error *err)
{
    const size_t cells = (size_t)k->n * NMI_MODES * WIDTH + 1;
    struct table t = {.bucket = budget > 0 ? budget / BUCKETS : 1};
    t.best[0] = nmi_calloc(2 * NMI_MODES * WIDTH, sizeof *t.best[0]);
    t.from = nmi_calloc(cells, sizeof *t.from);
    if (t.best[0] == NULL || t.from == NULL) {
        nmi_free(t.best[0]);
        nmi_free(t.from);
        return nmi_fail_memory(err, cells * sizeof *t.from, "a profile");
    }
    t.best[1] = t.best[0] + NMI_MODES * WIDTH;
    fill(k, &t);
    if (budget <= 0 || !trace(k, &t, pick)) {
        fastest(k, &t, pick);
    }
    *reached = nmi_costs_time(k, pick);
    nmi_free(t.best[0]);
    nmi_free(t.from);
    return NM_OK;
}
