/* SPDX-License-Identifier: Apache-2.0 */
/* Progress with the time that is left. */
#include "examples/nmie/progress.h"

#include "examples/nmie/model_source.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

void progress_begin(struct progress *p, const char *what, int64_t total)
{
    double now = source_now();
    *p = (struct progress){what, total, now, now, isatty(STDERR_FILENO) == 1, false};
}

void progress_step(struct progress *p, int64_t done)
{
    double now = source_now(), spent = now - p->start;
    if (spent < 2.0 || now - p->last < (p->terminal ? 0.2 : 10.0) || done < 1 || done >= p->total) {
        return;
    }
    p->last = now;
    p->shown = true;
    fprintf(stderr, "%s%" PRId64 " of %" PRId64 " %s, %.1f per second, %.0f s left%s",
            p->terminal ? "\r\033[K" : "nmie: ", done, p->total, p->what, (double)done / spent,
            spent / (double)done * (double)(p->total - done), p->terminal ? "" : "\n");
}

void progress_end(struct progress *p)
{
    if (p->shown && p->terminal) {
        fputs("\r\033[K", stderr);
    }
}
