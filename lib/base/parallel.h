/* SPDX-License-Identifier: Apache-2.0 */
/* The only user of OpenMP. */
#ifndef NM_BASE_PARALLEL_H
#define NM_BASE_PARALLEL_H

#include "lib/base/status.h"
#include <stdint.h>

typedef void (*nmi_part_fn)(void *context, int part, int parts);

/* Calls fn(context, part, parts) for every part in [0, parts), on at most `threads` threads, and
 * returns when all are done. Denormals are zero inside. After a fork the child runs all parts on
 * one thread (GNU OpenMP's pool does not survive a fork). */
void nmi_parallel_for(int threads, int parts, nmi_part_fn fn, void *context);

/* oneDNN takes its team from OpenMP's per-thread setting: set it for this thread, put it back. */
int nmi_threads_enter(int threads);
void nmi_threads_restore(int old);

/* True in a child process that was forked after this library had run a team. */
int nmi_forked(void);

#endif
