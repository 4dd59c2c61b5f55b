/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nmie.h - what every command of the tool shares: exit codes, the command table, and how a failure
 * is spoken of. Functions of the tool fail as the library's do: a status, and one sentence in an
 * nm_error. Only commands print: data on stdout, talk on stderr.
 */
#ifndef NMIE_NMIE_H
#define NMIE_NMIE_H

#include <stdarg.h>
#include <stdbool.h>

#include <nm/nm.h>

enum exit_code {
    EXIT_GOOD = 0,
    EXIT_FAILED = 1,  /* the work was tried and went wrong, or a comparison failed */
    EXIT_USAGE = 2,   /* the command line makes no sense */
    EXIT_REFUSED = 3, /* the model is damaged or not supported */
    GO_ON = -1        /* from option parsers: all is well, go on */
};

struct command {
    const char *name;
    const char *summary; /* half a line for `nmie help` */
    const char *help;    /* the whole page of `nmie help NAME` */
    int (*run)(int argc, char **argv);
};

extern const struct command cmd_run, cmd_verify, cmd_classify, cmd_eval, cmd_bench, cmd_compare,
    cmd_profile, cmd_prune, cmd_analyze, cmd_masks, cmd_synth, cmd_inspect, cmd_version;

/* Fills *err (which may be NULL) with a status and a sentence, and returns the status. */
nm_status complain(nm_error *err, nm_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* One line on stderr, after "nmie: ". */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Says the sentence of *err. Returns EXIT_FAILED. */
int report(const nm_error *err);

/* The same for an error of loading a model: EXIT_REFUSED when it is the model's fault. */
int report_model(const nm_error *err);

/* An error of loading that is the model's fault: it is damaged, or asks for what libnm does not do. */
bool model_at_fault(nm_status status);

/* Says what is wrong with the command line and where help is. Returns EXIT_USAGE. */
int usage(const struct command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Says where help is, after getopt_long has said what is wrong. Returns EXIT_USAGE. */
int usage_hint(const struct command *command);

#endif
