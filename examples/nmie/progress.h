/* SPDX-License-Identifier: Apache-2.0 */
/*
 * progress.h - how far a long job is, on stderr: a line that is overwritten on a terminal, a plain
 * line every 10 seconds otherwise; nothing for jobs of less than two seconds.
 */
#ifndef NMIE_PROGRESS_H
#define NMIE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *what; /* "images" */
    int64_t total;
    double start, last;
    bool terminal, shown;
};

void progress_begin(struct progress *p, const char *what, int64_t total);
void progress_step(struct progress *p, int64_t done);
/* The same for work that is not counted: done is in 0..1, what is at work now. */
void progress_share(struct progress *p, double done, const char *what);
void progress_end(struct progress *p);

#endif
