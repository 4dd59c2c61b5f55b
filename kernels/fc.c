/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/fc.h"

#include <string.h>

enum { L1_FLOATS = 8192 };

int32_t nmi_fc_width(int32_t n, int32_t vl)
{
    return n <= vl ? 1 : n <= 2 * vl ? 2 : 4;
}

static uint64_t aligned(uint64_t bytes)
{
    return (bytes + 63) & ~(uint64_t)63;
}

/* One image: its inputs are floats. More: vectors. Either way a block of them fits L1. */
static struct nmi_fc_packed head_of(const struct nmi_fc_desc *d, const struct nmi_csr *w,
                                    int32_t vl, uint64_t *end)
{
    const int32_t most = d->n > 1 ? L1_FLOATS / (vl * nmi_fc_width(d->n, vl)) : NMI_FC_BLOCK;
    const uint64_t entries = (uint64_t)w->nnz + NMI_FC_SLACK;
    struct nmi_fc_packed head = {.blocks = w->cols / most + (w->cols % most != 0)};
    head.block = w->cols / head.blocks + (w->cols % head.blocks != 0);
    const uint64_t starts = (uint64_t)head.blocks * ((uint64_t)w->rows + 1);
    head.row_start = aligned(sizeof head);
    head.col = aligned(head.row_start + starts * sizeof(int32_t));
    head.val = aligned(head.col + entries * sizeof(uint16_t));
    *end = head.val + entries * sizeof(float);
    return head;
}

size_t nmi_fc_packed_bytes(const union nmi_desc *desc, const struct nmi_csr *w, int32_t vl)
{
    uint64_t end;
    (void)head_of(&desc->fc, w, vl, &end);
    return (size_t)end;
}

/* The first entry in [from, to) whose column is not below col. */
static int32_t entry_at(const struct nmi_csr *w, int32_t from, int32_t to, int64_t col)
{
    while (from < to) {
        const int32_t mid = from + (to - from) / 2;
        if (w->col[mid] < col) {
            from = mid + 1;
        } else {
            to = mid;
        }
    }
    return from;
}

void nmi_fc_pack(const union nmi_desc *desc, const struct nmi_csr *w, int32_t vl, void *packed)
{
    uint64_t end;
    char *blob = packed;
    const struct nmi_fc_packed head = head_of(&desc->fc, w, vl, &end);
    int32_t *start = (int32_t *)(void *)(blob + head.row_start);
    uint16_t *col = (uint16_t *)(void *)(blob + head.col);
    float *val = (float *)(void *)(blob + head.val);
    int32_t used = 0;
    memset(blob, 0, (size_t)end);
    memcpy(blob, &head, sizeof head);
    for (int32_t b = 0; b < head.blocks; b++) {
        const int64_t first = (int64_t)b * head.block;
        for (int32_t r = 0; r < w->rows; r++) {
            const int32_t stop = w->row_start[r + 1];
            int32_t i = entry_at(w, w->row_start[r], stop, first);
            *start++ = used;
            for (; i < stop && w->col[i] < first + head.block; i++) {
                col[used] = (uint16_t)(w->col[i] - first);
                val[used++] = w->val[i];
            }
        }
        *start++ = used;
    }
}
