/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Single-precision matrix product, for those that build matrices rather than run layers.
 *
 * oneDNN's generated code keeps its stack pointer in a work buffer on the heap: the frame of a signal
 * that arrives meanwhile would be written over the blocks before it. So signals wait for its end.
 */
#include "kernels/kernel.h"

#include <dnnl.h>
#include <pthread.h>
#include <signal.h>

static void hold_signals(sigset_t *before)
{
    static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP}; /* of the code itself */
    sigset_t all;
    sigfillset(&all);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        sigdelset(&all, own[i]);
    }
    pthread_sigmask(SIG_SETMASK, &all, before);
}

nm_status nmi_sgemm(const struct nmi_sgemm *g, nm_error *err)
{
    sigset_t before;
    if (g->m == 0 || g->n == 0) {
        return NM_OK;
    }
    hold_signals(&before);
    dnnl_status_t status =
        dnnl_sgemm(g->trans_a ? 'T' : 'N', g->trans_b ? 'T' : 'N', g->m, g->n, g->k, g->alpha, g->a,
                   g->lda, g->b, g->ldb, g->beta, g->c, g->ldc);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status == dnnl_success
               ? NM_OK
               : nmi_fail(err, NM_EINTERNAL,
                          "oneDNN's sgemm of %lld x %lld x %lld failed with status %d",
                          (long long)g->m, (long long)g->n, (long long)g->k, (int)status);
}
