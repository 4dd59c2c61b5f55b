/* SPDX-License-Identifier: Apache-2.0 */
/* profile.h - where a network's time goes: the library's profile over several runs, the median of
 * each layer, and what the session holds in memory. */
#ifndef NMIE_PROFILE_H
#define NMIE_PROFILE_H

#include "examples/nmie/json_out.h"
#include "examples/nmie/nmie.h"

#include <stdbool.h>

#define PROFILE_RUNS 15

struct profile {
    nm_profile *last;     /* of the newest run */
    struct cJSON *memory; /* what the session holds */
    bool cached;          /* planning measured nothing */
    double *samples; /* PROFILE_RUNS of each number: ms, moving_ms of each layer, ms of the run */
    size_t runs;
};

/* Adds the session's last run. */
nm_status profile_add(struct profile *p, nm_session *session, nm_error *err);

/* PROFILE_RUNS have been added. */
bool profile_full(const struct profile *p);

/* Median ms of layer i, and of what it moved; of the whole run. */
double profile_ms(const struct profile *p, size_t i);
double profile_moving_ms(const struct profile *p, size_t i);
double profile_total_ms(const struct profile *p);

/* The keys of docs/cli.md, nmie bench, from plan_cached to layers. */
void profile_tell(const struct profile *p, struct json *j);

void profile_free(struct profile *p);

#endif
