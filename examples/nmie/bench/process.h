/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process.h - a child process that answers one line of JSON for each line it is told. It is stopped
 * whenever it has nothing to do, so that its threads cannot spin in another's turn, and dies with
 * its parent. A child that crashes, ends or hangs is an nm_error, not the end of the parent.
 */
#ifndef NMIE_BENCH_PROCESS_H
#define NMIE_BENCH_PROCESS_H

#include "examples/nmie/json_out.h"
#include "examples/nmie/nmie.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/types.h>

#include <cjson/cJSON.h>

struct process {
    pid_t pid; /* 0: none */
    int to, from;
    char *line; /* what has been read and not been used */
    size_t filled, room;
};

/* What the child does, its stdin and stdout being the parent's: read lines of `in`, answer each by
 * one process_answer or process_refuse on `out`. The child ends when it returns. */
typedef void (*process_main)(void *context, FILE *in, FILE *out);

/* Starts a child pinned to cores (NULL: not pinned). The parent's stdout must have been flushed. */
nm_status process_start(struct process *p, const cpu_set_t *cores, process_main run, void *context,
                        nm_error *err);

/* Sends a line (NULL: just waits) and returns the answer, freed by cJSON_Delete. An answer of
 * process_refuse, an end, no answer in time, or an interrupt (interrupt.h): an error, and in all but
 * the first case the child is gone. */
nm_status process_ask(struct process *p, const char *line, double timeout, cJSON **answer,
                      nm_error *err);

/* Seconds of CPU time that it and what it has started and waited for have used. */
double process_cpu_seconds(const struct process *p);

void process_end(struct process *p);

/* In the child: opens and ends an answer; between them its keys. */
void process_answer(struct json *j, FILE *out);
void process_answered(struct json *j);
void process_refuse(FILE *out, const nm_error *err);

#endif
