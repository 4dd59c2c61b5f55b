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

/* Whether it is time for a line; its start is then written. *spent: seconds so far. */
static bool due(struct progress *p, double *spent)
{
    double now = source_now();
    *spent = now - p->start;
    if (*spent < 2.0 || now - p->last < (p->terminal ? 0.2 : 10.0)) {
        return false;
    }
    p->last = now;
    p->shown = true;
    fputs(p->terminal ? "\r\033[K" : "nmie: ", stderr);
    return true;
}

void progress_step(struct progress *p, int64_t done)
{
    double spent;
    if (done >= 1 && done < p->total && due(p, &spent)) {
        fprintf(stderr, "%" PRId64 " of %" PRId64 " %s, %.1f per second, %.0f s left%s", done,
                p->total, p->what, (double)done / spent,
                spent / (double)done * (double)(p->total - done), p->terminal ? "" : "\n");
    }
}

void progress_share(struct progress *p, double done, const char *what)
{
    double spent;
    if (done > 0.0 && done < 1.0 && due(p, &spent)) {
        fprintf(stderr, "%.0f %%, %.0f s left: %.60s%s", 100.0 * done, spent / done * (1.0 - done),
                what, p->terminal ? "" : "\n");
    }
}

void progress_end(struct progress *p)
{
    if (p->shown && p->terminal) {
        fputs("\r\033[K", stderr);
    }
}
