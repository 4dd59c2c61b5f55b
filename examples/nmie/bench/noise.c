/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/stat, and a loop that takes as long as its cycles. */
#include "examples/nmie/bench/noise.h"

#include "examples/nmie/model_source.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* From these on a machine is called noisy. */
#define STEAL 0.02
#define OTHER 0.05
#define DRIFT 0.05

#define LOOP 400000 /* dependent multiplications: some 0.5 ms */
#define TRIES 4

static void read_stat(const cpu_set_t *cores, double *busy, double *stolen)
{
    char line[512];
    *busy = *stolen = 0.0;
    const double tick = 1.0 / (double)sysconf(_SC_CLK_TCK);
    FILE *f = fopen("/proc/stat", "re");
    while (f && fgets(line, sizeof line, f)) {
        int cpu;
        double user, nice, system, idle, wait, irq, soft, steal = 0.0;
        if (sscanf(line, "cpu%d %lf %lf %lf %lf %lf %lf %lf %lf", &cpu, &user, &nice, &system,
                   &idle, &wait, &irq, &soft, &steal) >= 8 &&
            cpu < CPU_SETSIZE && CPU_ISSET((size_t)cpu, cores)) {
            *busy += tick * (user + nice + system + irq + soft);
            *stolen += tick * steal;
        }
    }
    if (f) {
        fclose(f);
    }
}

void noise_begin(struct noise *n, const cpu_set_t *cores)
{
    *n = (struct noise){.cores = *cores, .start = source_now()};
    read_stat(&n->cores, &n->busy, &n->stolen);
}

/* The fastest of a few tries: a try that was interrupted says nothing of the clock. */
void noise_calibrate(struct noise *n)
{
    double best = INFINITY;
    static volatile uint64_t sink;
    for (int t = 0; t < TRIES; t++) {
        double start = source_now();
        uint64_t x = 1;
        for (int i = 0; i < LOOP; i++) {
            x = x * 0x9e3779b97f4a7c15u + 1;
        }
        sink = x;
        best = fmin(best, source_now() - start);
    }
    (void)sink;
    n->fastest = n->fastest > 0.0 ? fmin(n->fastest, best) : best;
    n->slowest = fmax(n->slowest, best);
}

void noise_end(struct noise *n, double own)
{
    double busy, stolen;
    read_stat(&n->cores, &busy, &stolen);
    const double time = (source_now() - n->start) * (double)CPU_COUNT(&n->cores);
    n->steal = time > 0.0 ? (stolen - n->stolen) / time : 0.0;
    n->other = time > 0.0 ? fmax(0.0, (busy - n->busy - own) / time) : 0.0;
    n->drift = n->fastest > 0.0 ? n->slowest / n->fastest - 1.0 : 0.0;
    n->noisy = n->steal > STEAL || n->other > OTHER || n->drift > DRIFT;
}

const char *noise_line(const struct noise *n, char text[static 256])
{
    text[0] = '\0';
    if (n->noisy) {
        snprintf(text, 256,
                 "noisy machine: %.1f %% of the time was stolen by the hypervisor, other programs "
                 "took %.1f %%, the clock drifted by %.1f %%",
                 100.0 * n->steal, 100.0 * n->other, 100.0 * n->drift);
    }
    return text;
}
