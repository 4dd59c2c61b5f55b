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

#define TILE 16 /* one cache line of float32; wider tiles of a power of two share cache sets */

/* rows x cols elements; one of the operands runs along rows, the other along columns, so that tiles
 * keep both within the cache. Steps: [operand][row, column]. */
static void copy_tiles(char *out, const char *in, const int64_t extent[2], int64_t step[2][2],
                       size_t size)
{
    for (int64_t r = 0; r < extent[0]; r += TILE) {
        int64_t rows = extent[0] - r < TILE ? extent[0] - r : TILE;
        for (int64_t c = 0; c < extent[1]; c += TILE) {
            int64_t cols = extent[1] - c < TILE ? extent[1] - c : TILE;
            int along = cols >= rows ? 1 : 0; /* the longer side is the inner loop */
            for (int64_t i = 0; i < (along == 1 ? rows : cols); i++) {
                int64_t row = r + (along == 1 ? i : 0), col = c + (along == 1 ? 0 : i);
                copy_run(out + (row * step[0][0] + col * step[0][1]) * (int64_t)size,
                         step[0][along], in + (row * step[1][0] + col * step[1][1]) * (int64_t)size,
                         step[1][along], along == 1 ? cols : rows, size);
            }
        }
    }
}

/* The axis along which operand 1 is contiguous, when that is not the last one; -1: none. */
static int32_t crossing_axis(const struct nmi_walk *w)
{
    int32_t axis = w->rank - 2;
    while (axis >= 0 && w->step[1][axis] != 1) {
        axis--;
    }
    return w->step[1][w->rank - 1] > 1 ? axis : -1;
}

/* Takes `axis` and the last one out of the walk and copies these planes tile by tile. */
static void copy_crossing(const struct nmi_walk *w, int32_t axis, char *out, const char *in,
                          size_t size)
{
    int32_t last = w->rank - 1;
    const int64_t extent[2] = {w->dims[axis], w->dims[last]};
    int64_t step[2][2];
    struct nmi_walk rest = *w;
    struct nmi_walk_at at;
    for (int k = 0; k < 2; k++) {
        step[k][0] = w->step[k][axis];
        step[k][1] = w->step[k][last];
    }
    rest.dims[axis] = rest.dims[last] = 1;
    for (bool go = nmi_walk_begin(&rest, &at); go; go = nmi_walk_next(&rest, &at)) {
        for (int64_t i = 0; i < rest.inner; i++) {
            copy_tiles(out + (at.offset[0] + i * nmi_walk_step(&rest, 0)) * (int64_t)size,
                       in + (at.offset[1] + i * nmi_walk_step(&rest, 1)) * (int64_t)size, extent,
                       step, size);
        }
    }
}

void nmi_walk_copy(struct nmi_walk *w, void *out, const void *in, size_t size)
{
    struct nmi_walk_at at;
    bool go = nmi_walk_begin(w, &at);
    int32_t axis = go ? crossing_axis(w) : -1;
    if (axis >= 0) {
        copy_crossing(w, axis, out, in, size);
        return;
    }
    for (; go; go = nmi_walk_next(w, &at)) {
        copy_run((char *)out + at.offset[0] * (int64_t)size, nmi_walk_step(w, 0),
                 (const char *)in + at.offset[1] * (int64_t)size, nmi_walk_step(w, 1), w->inner,
                 size);
    }
}
