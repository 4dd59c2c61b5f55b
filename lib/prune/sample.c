/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/prune/sample.h"

#include "lib/base/checked.h"
#include "lib/ops/attrs.h"
#include "lib/prune/random.h"

#include <string.h>

/* ---- positions ------------------------------------------------------------------------------ */

/* The first per_item entries of `at` become positions without repetition (Fisher and Yates). */
static void draw(const struct nmi_samples *s, int64_t item, int32_t *at)
{
    uint64_t state = s->seed ^ (uint64_t)item * 0xd1342543de82ef95u;
    nmi_random_next(&state);
    for (int64_t i = 0; i < s->positions; i++) {
        at[i] = (int32_t)i;
    }
    for (int64_t i = 0; i < s->per_item && s->per_item < s->positions; i++) {
        const uint64_t left = (uint64_t)(s->positions - i);
        const int64_t k = i + (int64_t)(nmi_random_next(&state) % left);
        const int32_t swap = at[i];
        at[i] = at[k];
        at[k] = swap;
    }
}

/* ---- room ----------------------------------------------------------------------------------- */

nm_status nmi_samples_create(const struct nmi_target *target, const struct nmi_node *node,
                             int64_t items, int64_t positions, int64_t per_item, bool skip,
                             uint64_t seed, struct nmi_samples *samples, nm_error *err)
{
    const int32_t rows = target->groups * target->rows;
    *samples = (struct nmi_samples){.target = target,
                                    .node = node,
                                    .items = items,
                                    .positions = positions,
                                    .per_item = per_item < positions ? per_item : positions,
                                    .seed = seed,
                                    .rows = rows};
    samples->n = items * samples->per_item;
    size_t x = 0, y = 0;
    if (!nmi_mul((size_t)samples->n * sizeof(float), (size_t)target->cols, &x) ||
        !nmi_mul(x, (size_t)target->groups, &x) ||
        !nmi_mul((size_t)samples->n * sizeof(float), (size_t)rows, &y)) {
        return nmi_fail_memory(err, SIZE_MAX, "samples");
    }
    samples->x = nmi_alloc(x);
    samples->full = nmi_alloc(y);
    samples->skip = skip ? nmi_alloc(y) : NULL;
    if (samples->x == NULL || samples->full == NULL || (skip && samples->skip == NULL)) {
        nmi_samples_free(samples);
        return nmi_fail_memory(err, x + y, "samples");
    }
    return NM_OK;
}

void nmi_samples_free(struct nmi_samples *samples)
{
    nmi_free(samples->x);
    nmi_free(samples->full);
    nmi_free(samples->skip);
    samples->x = samples->full = samples->skip = NULL;
}

/* ---- a batch -------------------------------------------------------------------------------- */

/* One row of im2col: the inputs under the window at (y, x), zeros outside the map. */
static void gather(const struct nmi_conv_desc *d, const float *image, int32_t at, int32_t channels,
                   float *to)
{
    const int32_t y0 = at / d->y.w * d->stride_h - d->pad[0];
    const int32_t x0 = at % d->y.w * d->stride_w - d->pad[1];
    for (int32_t c = 0; c < channels; c++, image += (int64_t)d->x.h * d->x.w) {
        for (int32_t ky = 0; ky < d->kh; ky++) {
            const int32_t y = y0 + ky * d->dil_h;
            for (int32_t kx = 0; kx < d->kw; kx++) {
                const int32_t x = x0 + kx * d->dil_w;
                const bool in = y >= 0 && y < d->x.h && x >= 0 && x < d->x.w;
                *to++ = in ? image[(int64_t)y * d->x.w + x] : 0;
            }
        }
    }
}

/* Geometry of the layer for this batch; a fully connected layer has one position a row of x. */
struct view {
    struct nmi_conv_desc conv;
    bool is_conv;
    int64_t x_item, y_item; /* elements of an item */
};

static nm_status view_of(const struct nmi_samples *s, const struct nmi_sample_batch *b,
                         struct view *v, nm_error *err)
{
    int64_t x_elems = 0, y_elems = 0;
    const int64_t items = b->y->rank > 0 ? b->y->dims[0] : 0;
    v->is_conv = s->node->op == NMI_OP_Conv;
    if (items < 1 || b->first + items > s->items || !nmi_elems(b->x->rank, b->x->dims, &x_elems) ||
        !nmi_elems(b->y->rank, b->y->dims, &y_elems) || b->x->dims[0] != items ||
        y_elems != items * s->positions * s->rows) {
        return nmi_fail(err, NM_EUNSUPPORTED,
                        "prune: layer %s mixes items of a batch: leave it dense", s->node->name);
    }
    v->x_item = x_elems / items;
    v->y_item = y_elems / items;
    if (v->is_conv) {
        const struct nmi_constant *c = s->target->info.constant;
        struct nmi_tensor w = {.type = NM_F32, .rank = c->rank};
        memcpy(w.dims, c->dims, sizeof w.dims);
        return nmi_conv_describe(s->node->attrs, b->x, &w, b->y, false, s->node->name, &v->conv,
                                 err);
    }
    return NM_OK;
}

static float value_at(const struct nmi_tensor *t, int64_t i)
{
    return t != NULL && t->data != NULL ? ((const float *)t->data)[i] : 0;
}

/* Sample number `to` of this item at position `at`. */
static void take_one(const struct nmi_samples *s, const struct nmi_sample_batch *b,
                     const struct view *v, int64_t item, int32_t at, int64_t to)
{
    const struct nmi_target *t = s->target;
    const float *x = (const float *)b->x->data + item * v->x_item;
    for (int32_t g = 0; g < t->groups; g++) {
        float *row = s->x + ((int64_t)g * s->n + to) * t->cols;
        if (v->is_conv) {
            const int32_t channels = t->cols / t->taps;
            const int64_t plane = (int64_t)v->conv.x.h * v->conv.x.w;
            gather(&v->conv, x + g * channels * plane, at, channels, row);
        } else {
            memcpy(row, x + (int64_t)at * t->cols, (size_t)t->cols * sizeof *row);
        }
    }
    for (int32_t m = 0; m < s->rows; m++) {
        const int64_t i = item * v->y_item +
                          (v->is_conv ? (int64_t)m * s->positions + at : (int64_t)at * s->rows + m);
        s->full[to * s->rows + m] = value_at(b->y, i) + value_at(b->dense_skip, i);
        if (s->skip != NULL) {
            s->skip[to * s->rows + m] = value_at(b->skip, i);
        }
    }
}

static bool skip_fits(const struct nmi_sample_batch *b, const struct nmi_tensor *skip)
{
    int64_t own = 0, other = 0;
    return skip == NULL || skip->data == NULL ||
           (nmi_elems(b->y->rank, b->y->dims, &own) && nmi_elems(skip->rank, skip->dims, &other) &&
            own == other);
}

nm_status nmi_samples_take(const struct nmi_samples *s, const struct nmi_sample_batch *b,
                           nm_error *err)
{
    struct view v = {0};
    NMI_TRY(view_of(s, b, &v, err));
    if (!skip_fits(b, b->dense_skip) || !skip_fits(b, b->skip)) {
        return nmi_fail(err, NM_EUNSUPPORTED, "prune: layer %s adds a map of another shape",
                        s->node->name);
    }
    int32_t *at = nmi_alloc((size_t)s->positions * sizeof *at);
    if (at == NULL) {
        return nmi_fail_memory(err, (size_t)s->positions * sizeof *at, "samples");
    }
    for (int64_t item = 0; item < b->y->dims[0]; item++) {
        draw(s, b->first + item, at);
        for (int64_t i = 0; i < s->per_item; i++) {
            take_one(s, b, &v, item, at[i], (b->first + item) * s->per_item + i);
        }
    }
    nmi_free(at);
    return NM_OK;
}
