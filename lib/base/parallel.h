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

/* Prepares the next round of work and returns how many parts it has; 0: there is none. */
typedef int (*nmi_round_fn)(void *context);

/* The same for rounds that follow one another, on one team: until next(context) returns 0, calls fn
 * for each of its parts. next is called by one thread at a time (any of the team), when all parts of
 * the round before are done. In every round a thread first looks for the same share of the parts, so
 * that it finds in its cache what it wrote; what a late thread has not begun, others take over. */
void nmi_parallel_rounds(int threads, nmi_round_fn next, nmi_part_fn fn, void *context);

/* oneDNN takes its team from OpenMP's per-thread setting: set it for this thread, put it back. */
int nmi_threads_enter(int threads);
void nmi_threads_restore(int old);

/* True in a child process that was forked after this library had run a team. */
int nmi_forked(void);

#endif
