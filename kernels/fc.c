/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/fc.h"

#include <string.h>

static uint64_t aligned(uint64_t bytes)
{
    return (bytes + 63) & ~(uint64_t)63;
}

static struct nmi_fc_packed head_of(const struct nmi_csr *w, uint64_t *end)
{
    struct nmi_fc_packed head = {.wide = w->cols > UINT16_MAX + 1};
    const uint64_t entries = (uint64_t)w->nnz + NMI_FC_SLACK;
    head.row_start = aligned(sizeof head);
    head.col = aligned(head.row_start + ((uint64_t)w->rows + 1) * sizeof(int32_t));
    head.val = aligned(head.col + entries * (head.wide ? sizeof(int32_t) : sizeof(uint16_t)));
    *end = head.val + entries * sizeof(float);
    return head;
}

size_t nmi_fc_packed_bytes(const union nmi_desc *desc, const struct nmi_csr *w)
{
    uint64_t end;
    (void)desc;
    (void)head_of(w, &end);
    return (size_t)end;
}

void nmi_fc_pack(const union nmi_desc *desc, const struct nmi_csr *w, void *packed)
{
    uint64_t end;
    char *blob = packed;
    const struct nmi_fc_packed head = head_of(w, &end);
    (void)desc;
    memset(blob, 0, (size_t)end);
    memcpy(blob, &head, sizeof head);
    memcpy(blob + head.row_start, w->row_start, ((size_t)w->rows + 1) * sizeof(int32_t));
    if (head.wide) {
        memcpy(blob + head.col, w->col, (size_t)w->nnz * sizeof(int32_t));
    } else {
        uint16_t *col = (uint16_t *)(void *)(blob + head.col);
        for (int64_t i = 0; i < w->nnz; i++) {
            col[i] = (uint16_t)w->col[i];
        }
    }
    memcpy(blob + head.val, w->val, (size_t)w->nnz * sizeof(float));
}
