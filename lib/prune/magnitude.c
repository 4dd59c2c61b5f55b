/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/prune/magnitude.h"

#include "lib/prune/random.h"
#include "lib/prune/threshold.h"

#include <math.h>

/* Scores of a target's weights in memory's order: what the layer multiplies by, without its sign. */
static void score(const struct nmi_target *t, int64_t first, int64_t n, float *scores)
{
    const float *w = t->info.constant->data;
    for (int64_t i = 0; i < n; i++) {
        const float v = w[first + i];
        scores[i] = fabsf(t->scale != NULL ? v * t->scale[(first + i) / t->cols] : v);
    }
}

/* ---- one threshold over all layers ---------------------------------------------------------- */

enum { PIECE = 4096 };

static void count_all(const struct nmi_targets *all, struct nmi_threshold *threshold)
{
    float scores[PIECE];
    for (int32_t k = 0; k < all->n; k++) {
        const struct nmi_target *t = &all->at[k];
        for (int64_t i = 0; t->chosen && i < t->info.elems; i += PIECE) {
            const int64_t n = t->info.elems - i < PIECE ? t->info.elems - i : PIECE;
            score(t, i, n, scores);
            nmi_threshold_count(threshold, scores, n);
        }
    }
}

static nm_status cut(const struct nmi_target *t, struct nmi_threshold *threshold,
                     struct nmi_graph *pruned, nm_error *err)
{
    float *w;
    NMI_TRY(nmi_target_write(t, pruned, &w, err));
    for (int64_t i = 0; i < t->info.elems; i++) {
        float one;
        score(t, i, 1, &one);
        if (nmi_threshold_goes(threshold, one)) {
            w[i] = 0;
        }
    }
    return NM_OK;
}

static nm_status prune_global(const struct nmi_targets *all, double sparsity,
                              struct nmi_graph *pruned, nm_error *err)
{
    struct nmi_threshold t = {.bins = nmi_alloc(NMI_THRESHOLD_BINS * sizeof *t.bins)};
    int64_t elems = 0;
    nm_status status =
        t.bins != NULL ? NM_OK : nmi_fail_memory(err, sizeof *t.bins * NMI_THRESHOLD_BINS, "pruning");
    for (int32_t k = 0; k < all->n && status == NM_OK; k++) {
        elems += all->at[k].chosen ? all->at[k].info.elems : 0;
        if (all->at[k].chosen && all->at[k].pattern.kind != NMI_PATTERN_ANY) {
            status = nmi_fail(err, NM_EINVAL,
                              "prune: one threshold over all layers knows no pattern of zeros");
        }
    }
    if (status == NM_OK) {
        nmi_threshold_begin(&t, elems, sparsity);
        for (int pass = 0; pass < 2; pass++) {
            count_all(all, &t);
            nmi_threshold_next(&t);
        }
    }
    for (int32_t k = 0; k < all->n && status == NM_OK; k++) {
        status = all->at[k].chosen ? cut(&all->at[k], &t, pruned, err) : NM_OK;
    }
    nmi_free(t.bins);
    return status;
}

/* ---- layer by layer ------------------------------------------------------------------------- */

struct room {
    float *scores;
    uint8_t *mask;
    uint64_t *random; /* scores come from here; NULL: from the weights */
};

static nm_status prune_layer(const struct nmi_target *t, const struct room *room,
                             struct nmi_graph *pruned, nm_error *err)
{
    const int64_t rows = (int64_t)t->groups * t->rows;
    const struct nmi_pattern_shape shape = {(int32_t)rows, t->cols / t->taps, t->taps};
    float *w;
    for (int64_t m = 0; m < rows; m++) {
        for (int64_t k = 0; k < t->cols; k++) {
            float *one = room->scores + m * t->cols + k;
            score(t, nmi_target_place(t, m, k), 1, one);
            *one = room->random != NULL ? (float)nmi_random_unit(room->random) : *one;
        }
    }
    NMI_TRY(nmi_pattern_select(&t->pattern, &shape, room->scores, t->sparsity, room->mask, err));
    NMI_TRY(nmi_target_write(t, pruned, &w, err));
    for (int64_t m = 0; m < rows; m++) {
        for (int64_t k = 0; k < t->cols; k++) {
            if (!room->mask[m * t->cols + k]) {
                w[nmi_target_place(t, m, k)] = 0;
            }
        }
    }
    return NM_OK;
}

static nm_status prune_layers(const struct nmi_targets *targets, uint64_t *random,
                              struct nmi_graph *pruned, nm_error *err)
{
    size_t most = 0;
    for (int32_t k = 0; k < targets->n; k++) {
        const size_t elems = (size_t)targets->at[k].info.elems;
        most = targets->at[k].chosen && elems > most ? elems : most;
    }
    const struct room room = {nmi_alloc(most * sizeof *room.scores), nmi_alloc(most), random};
    nm_status status = room.scores != NULL && room.mask != NULL
                           ? NM_OK
                           : nmi_fail_memory(err, most * sizeof *room.scores, "pruning");
    for (int32_t k = 0; k < targets->n && status == NM_OK; k++) {
        if (targets->at[k].chosen) {
            status = prune_layer(&targets->at[k], &room, pruned, err);
        }
    }
    nmi_free(room.scores);
    nmi_free(room.mask);
    return status;
}

nm_status nmi_prune_magnitude(const struct nmi_targets *targets, bool global, double sparsity,
                              struct nmi_graph *pruned, nm_error *err)
{
    return global ? prune_global(targets, sparsity, pruned, err)
                  : prune_layers(targets, NULL, pruned, err);
}

nm_status nmi_prune_random(const struct nmi_targets *targets, struct nmi_graph *pruned, nm_error *err)
{
    uint64_t random = 1;
    return prune_layers(targets, &random, pruned, err);
}
