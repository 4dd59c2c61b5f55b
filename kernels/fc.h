/* SPDX-License-Identifier: Apache-2.0 */
/* The packed form of fully connected sparse weights, for kernels/simd/fc.inc: CSR with columns of 16
 * bits where they fit. Both arrays end in FC_SLACK readable entries. */
#ifndef NM_KERNELS_FC_H
#define NM_KERNELS_FC_H

#include "kernels/kernel.h"

enum { NMI_FC_SLACK = 16 };

struct nmi_fc_packed {
    int64_t wide;                 /* columns take 32 bits */
    uint64_t row_start, col, val; /* bytes from the blob's start */
};

size_t nmi_fc_packed_bytes(const union nmi_desc *desc, const struct nmi_csr *w);
void nmi_fc_pack(const union nmi_desc *desc, const struct nmi_csr *w, void *packed);

#endif
