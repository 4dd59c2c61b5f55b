/* SPDX-License-Identifier: Apache-2.0 */
/* environment.h - what a measurement was made on: the object "environment" of every result. */
#ifndef NMIE_BENCH_ENVIRONMENT_H
#define NMIE_BENCH_ENVIRONMENT_H

#include "examples/nmie/json_out.h"

#include <sched.h>

/* What cannot be read is null. */
void environment_tell(struct json *j);

/* The CPUs that a case of so many threads is pinned to: the last allowed ones, one of each core
 * while there are enough cores. False: fewer are allowed, nothing is pinned. */
bool environment_cores(int threads, cpu_set_t *cores);

#endif
