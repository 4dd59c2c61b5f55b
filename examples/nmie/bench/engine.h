/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine.h - what bench knows of an engine: open a model, run it once, show its outputs. Engines
 * are opened in a child process (contest.h) and may do there what they like, crash included.
 *
 * To add one: a file engine_NAME.c with a const struct engine_kind, and its line in engines.c.
 */
#ifndef NMIE_BENCH_ENGINE_H
#define NMIE_BENCH_ENGINE_H

#include "examples/nmie/json_out.h"
#include "examples/nmie/settings.h"

#include <stdbool.h>

struct engine_kind;

/* An engine as the command line names it. */
struct engine_spec {
    const struct engine_kind *kind;
    const char *name;
    char *path;   /* of the shared library, or the command; NULL: the usual one */
    char own[64]; /* name of a command */
};

/* What to open. All outlives the engine. */
struct engine_job {
    const struct engine_spec *spec;
    const struct settings *settings;
    const char *model;  /* an ONNX file */
    const char *folder; /* for temporary files: in-BATCH-K.npy are the inputs */
    int64_t batch;
    int32_t threads;
    double seconds; /* of one turn */
    void *library;  /* of kinds that have one */
    nm_tensor *in;  /* n_in inputs, by name */
    size_t n_in;
    const char *const *outputs; /* names, n_out of them */
    const nm_type *output_types;
    size_t n_out;
};

struct engine_info {
    char version[64], precision[16], isa[16];
    bool dense;
    double load_seconds, plan_seconds; /* plan: until the first run could start */
    double peak_rss_mib;               /* 0: that of this process */
};

struct engine_kind {
    const char *name;
    const char *const *libraries; /* names to look for, ended by NULL; NULL: none is needed */
    const char *symbol;           /* what the library must have to be the right build, or NULL */
    const char *variable;         /* of the environment: set to 1 before it is loaded, or NULL */
    int variant;                  /* the kind's own affair */
    bool whole_turns;             /* one run is a turn of its own, warmed up by itself */
    bool rough;                   /* 16-bit operands: outputs are reported, not required to agree */
    nm_status (*open)(const struct engine_job *job, void **self, struct engine_info *info,
                      nm_error *err);
    /* One run; *seconds is its time. */
    nm_status (*run)(void *self, double *seconds, nm_error *err);
    /* The outputs of the last run in job's order; out[].data == NULL: it cannot show it. */
    nm_status (*outputs)(void *self, nm_tensor *out, nm_error *err);
    /* More keys about the last run; may be NULL. */
    nm_status (*tell)(void *self, struct json *j, nm_error *err);
    /* Notes that are known after a run only; may be NULL. */
    void (*note)(void *self, struct engine_info *info);
    void (*close)(void *self);
};

/* Reads "NAME[=PATH]" into *spec, freed by engine_free. False: no such engine. */
bool engine_parse(const char *word, struct engine_spec *spec);
/* "[NAME=]COMMAND" for --cmd. False: no memory. */
bool engine_command(const char *word, struct engine_spec *spec);
void engine_free(struct engine_spec *spec);

extern const struct engine_kind engine_nm, engine_nm_half, engine_nm_dense, engine_ort,
    engine_ort_cuda, engine_openvino, engine_openvino_default, engine_cmd;

/* Computes in float32 under these settings: its outputs have to agree. */
bool engine_is_exact(const struct engine_spec *spec, const struct settings *settings);

/* Loads what the engine needs, for good: *handle is NULL where that is nothing. Fails when it is
 * not installed. */
nm_status engine_find(const struct engine_spec *spec, void **handle, nm_error *err);
/* A function of it. */
nm_status engine_symbol(void *handle, const char *name, void (**function)(void), nm_error *err);

#endif
