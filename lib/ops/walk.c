/* SPDX-License-Identifier: Apache-2.0 */
/* Loop nests over strided tensors: see helpers.h. */
#include "lib/ops/helpers.h"
#include <string.h>

void nmi_walk_start(struct nmi_walk *w, int32_t rank, const int64_t *dims)
{
    *w = (struct nmi_walk){.rank = rank};
    for (int32_t i = 0; i < rank; i++) {
        w->dims[i] = dims[i];
    }
}

void nmi_walk_add(struct nmi_walk *w, const int64_t *steps)
{
    for (int32_t i = 0; i < w->rank; i++) {
        w->step[w->operands][i] = steps[i];
    }
    w->operands++;
}

void nmi_walk_broadcast(struct nmi_walk *w, int32_t rank, const int64_t *dims)
{
    int64_t strides[NMI_MAX_DIMS], steps[NMI_MAX_DIMS] = {0};
    nmi_strides(rank, dims, strides);
    for (int32_t i = 0; i < rank; i++) {
        steps[w->rank - rank + i] = dims[i] == 1 ? 0 : strides[i];
    }
    nmi_walk_add(w, steps);
}

/* Whether axis b can run on as a continuation of axis a (a before b) for every operand. */
static bool joins(const struct nmi_walk *w, int32_t a, int32_t b)
{
    for (int32_t k = 0; k < w->operands; k++) {
        if (w->step[k][a] != w->step[k][b] * w->dims[b]) {
            return false;
        }
    }
    return true;
}

static void move_axis(struct nmi_walk *w, int32_t to, int32_t from)
{
    w->dims[to] = w->dims[from];
    for (int32_t k = 0; k < w->operands; k++) {
        w->step[k][to] = w->step[k][from];
    }
}

/* Drops axes of 1 and joins neighbours; leaves rank >= 1. */
static void simplify(struct nmi_walk *w)
{
    int32_t kept = 0;
    for (int32_t i = 0; i < w->rank; i++) {
        if (w->dims[i] == 1) {
            continue;
        }
        if (kept > 0 && joins(w, kept - 1, i)) {
            int64_t outer = w->dims[kept - 1];
            move_axis(w, kept - 1, i);
            w->dims[kept - 1] *= outer;
        } else {
            move_axis(w, kept++, i);
        }
    }
    if (kept == 0) {
        w->dims[0] = 1;
        for (int32_t k = 0; k < w->operands; k++) {
            w->step[k][0] = 0;
        }
        kept = 1;
    }
    w->rank = kept;
}

bool nmi_walk_begin(struct nmi_walk *w, struct nmi_walk_at *at)
{
    *at = (struct nmi_walk_at){.index = {0}};
    if (nmi_span_count(w->dims, 0, w->rank) == 0) {
        return false;
    }
    simplify(w);
    w->inner = w->dims[w->rank - 1];
    return true;
}

bool nmi_walk_next(const struct nmi_walk *w, struct nmi_walk_at *at)
{
    for (int32_t i = w->rank - 2; i >= 0; i--) {
        bool carry = ++at->index[i] == w->dims[i];
        int64_t steps = carry ? 1 - w->dims[i] : 1;
        for (int32_t k = 0; k < w->operands; k++) {
            at->offset[k] += steps * w->step[k][i];
        }
        if (!carry) {
            return true;
        }
        at->index[i] = 0;
    }
    return false;
}

#define COPY_LOOP(T)                                                                               \
    do {                                                                                           \
        T *o = out;                                                                                \
        const T *x = in;                                                                           \
        for (int64_t i = 0; i < n; i++, o += out_step, x += in_step) {                             \
            *o = *x;                                                                               \
        }                                                                                          \
    } while (0)

static void copy_run(void *out, int64_t out_step, const void *in, int64_t in_step, int64_t n,
                     size_t size)
{
    if (out_step == 1 && in_step == 1) {
        memcpy(out, in, (size_t)n * size);
        return;
    }
    switch (size) {
    case 1:
        COPY_LOOP(uint8_t);
        break;
    case 2:
        COPY_LOOP(uint16_t);
        break;
    case 4:
        COPY_LOOP(uint32_t);
        break;
    default:
        COPY_LOOP(uint64_t);
    }
}

void nmi_walk_copy(struct nmi_walk *w, void *out, const void *in, size_t size)
{
    struct nmi_walk_at at;
    for (bool go = nmi_walk_begin(w, &at); go; go = nmi_walk_next(w, &at)) {
        copy_run((char *)out + at.offset[0] * (int64_t)size, nmi_walk_step(w, 0),
                 (const char *)in + at.offset[1] * (int64_t)size, nmi_walk_step(w, 1), w->inner,
                 size);
    }
}
