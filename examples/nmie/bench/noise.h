/* SPDX-License-Identifier: Apache-2.0 */
/* noise.h - was the machine quiet while we measured? Time stolen by a hypervisor, other programs on
 * the same CPUs, and a clock that drifts. */
#ifndef NMIE_BENCH_NOISE_H
#define NMIE_BENCH_NOISE_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>

struct noise {
    cpu_set_t cores;
    double start, stolen, busy; /* at the beginning: clock; seconds of all cores */
    double fastest, slowest;    /* of the calibration loop, one for each round */
    /* the verdict: shares of the cores' time; slowest / fastest - 1 */
    double steal, other, drift;
    bool noisy;
};

void noise_begin(struct noise *n, const cpu_set_t *cores);
/* Times the calibration loop on the core that it runs on: some milliseconds. */
void noise_calibrate(struct noise *n);
/* own: CPU seconds that we and our children have used since the beginning. */
void noise_end(struct noise *n, double own);

/* One line about a noisy machine; "" for a quiet one. */
const char *noise_line(const struct noise *n, char text[static 256]);

#endif
