/* SPDX-License-Identifier: Apache-2.0 */
/* Single-precision matrix product, for those that build matrices rather than run layers. */
#include "kernels/kernel.h"

#include <dnnl.h>

nm_status nmi_sgemm(const struct nmi_sgemm *g, nm_error *err)
{
    if (g->m == 0 || g->n == 0) {
        return NM_OK;
    }
    dnnl_status_t status =
        dnnl_sgemm(g->trans_a ? 'T' : 'N', g->trans_b ? 'T' : 'N', g->m, g->n, g->k, g->alpha, g->a,
                   g->lda, g->b, g->ldb, g->beta, g->c, g->ldc);
    return status == dnnl_success
               ? NM_OK
               : nmi_fail(err, NM_EINTERNAL,
                          "oneDNN's sgemm of %lld x %lld x %lld failed with status %d",
                          (long long)g->m, (long long)g->n, (long long)g->k, (int)status);
}
