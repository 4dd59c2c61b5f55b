/* SPDX-License-Identifier: Apache-2.0 */
/* Columns of CSR weights: where a range of them begins, and which rows have the same. */
#include "kernels/kernel.h"

#include <string.h>

int32_t nmi_csr_entry(const struct nmi_csr *w, int32_t row, int64_t col)
{
    int32_t low = w->row_start[row], high = w->row_start[row + 1];
    while (low < high) {
        const int32_t mid = low + (high - low) / 2;
        if (w->col[mid] < col) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

int32_t nmi_csr_alike(const struct nmi_csr *w, int32_t row, int32_t most, int64_t from, int64_t to)
{
    const int32_t first = nmi_csr_entry(w, row, from);
    const int32_t n = nmi_csr_entry(w, row, to) - first;
    int32_t alike = 1;
    for (; alike < most; alike++) {
        const int32_t other = nmi_csr_entry(w, row + alike, from);
        if (nmi_csr_entry(w, row + alike, to) - other != n ||
            memcmp(w->col + other, w->col + first, (size_t)n * sizeof *w->col) != 0) {
            break;
        }
    }
    return alike;
}
