/* SPDX-License-Identifier: Apache-2.0 */
/* machine.h - what the memory and the cores of this machine do, measured: for predictions and
 * rooflines. */
#ifndef NMIE_BENCH_MACHINE_H
#define NMIE_BENCH_MACHINE_H

/* Bytes per second that so many threads read from memory together. */
double machine_bandwidth(int threads);

/* Seconds until one thread sees what another one wrote; 0: there is one core only. */
double machine_handover(void);

#endif
