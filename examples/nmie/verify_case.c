/* SPDX-License-Identifier: Apache-2.0 */
/* One case of the ONNX backend tests. */
#include "examples/nmie/verify_case.h"

#include "examples/nmie/model_source.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_SIZE 4096
#define TENSORS_MAX 256

struct tensors {
    struct host_tensor at[TENSORS_MAX];
    size_t n;
};

bool verify_is_case(const char *folder)
{
    char path[PATH_SIZE];
    int n = snprintf(path, sizeof path, "%s/model.onnx", folder);
    return n > 0 && n < PATH_SIZE && access(path, F_OK) == 0;
}

static void free_tensors(struct tensors *t)
{
    for (size_t i = 0; t && i < t->n; i++) {
        host_free(&t->at[i]);
    }
    free(t);
}

/* Reads KIND_0.pb, KIND_1.pb, ... until one is missing. */
static nm_status load_tensors(const char *set, const char *kind, struct tensors *t, nm_error *err)
{
    char path[PATH_SIZE];
    for (; t->n < TENSORS_MAX; t->n++) {
        int n = snprintf(path, sizeof path, "%s/%s_%zu.pb", set, kind, t->n);
        if (n < 0 || n >= PATH_SIZE || access(path, F_OK) != 0) {
            return NM_OK;
        }
        nm_status status = host_load(path, NULL, &t->at[t->n], err);
        if (status) {
            return status;
        }
    }
    return complain(err, NM_ELIMIT, "%s: more than %d %s files", set, TENSORS_MAX, kind);
}

typedef const nm_value_info *(*info_fn)(const nm_model *model, size_t index);

/* The name of the input or output that file number k is for; NULL: there is none. */
static const char *partner(const nm_model *model, info_fn info, size_t n, const char *name,
                           size_t k)
{
    for (size_t i = 0; i < n && name; i++) {
        if (strcmp(info(model, i)->name, name) == 0) {
            return info(model, i)->name;
        }
    }
    return k < n ? info(model, k)->name : NULL;
}

/* ONNX's test data keeps bfloat16 as uint16, cut off instead of rounded, and with other shapes. */
static nm_status check_types(const nm_model *model, info_fn info, size_t n, const struct tensors *t,
                             nm_error *err)
{
    for (size_t i = 0; i < t->n && i < n; i++) {
        if (info(model, i)->type == NM_BF16 && t->at[i].t.type == NM_U16) {
            return complain(err, NM_EUNSUPPORTED,
                            "%s: the type bfloat16 is kept as uint16 in this test's files",
                            info(model, i)->name);
        }
    }
    return NM_OK;
}

/* Runs the session on in and compares what comes out with ref. */
static nm_status run_and_compare(nm_model *model, nm_session *session, const struct tensors *in,
                                 const struct tensors *ref, const struct tolerance *tolerance,
                                 struct verify_result *r)
{
    nm_tensor feed[TENSORS_MAX], got[TENSORS_MAX] = {0};
    size_t n_in = nm_model_inputs(model), n_out = nm_model_outputs(model);
    nm_status status = check_types(model, nm_model_input, n_in, in, &r->reason);
    status = status ? status : check_types(model, nm_model_output, n_out, ref, &r->reason);
    if (status) {
        return status;
    }
    for (size_t i = 0; i < in->n; i++) {
        feed[i] = in->at[i].t;
        feed[i].name = partner(model, nm_model_input, n_in, in->at[i].name, i);
    }
    for (size_t i = 0; i < ref->n; i++) {
        got[i].name = partner(model, nm_model_output, n_out, ref->at[i].name, i);
        if (!got[i].name) {
            return complain(&r->reason, NM_EFORMAT, "output_%zu.pb: the model has %zu outputs", i,
                            n_out);
        }
    }
    status = nm_run(session, feed, in->n, got, ref->n, &r->reason);
    status = status == NM_EUNSUPPORTED ? NM_EINTERNAL : status; /* loading should have refused it */
    for (size_t i = 0; i < ref->n && !status; i++) {
        status = compare_tensors(got[i].name, &got[i], &ref->at[i].t, tolerance, &r->difference,
                                 &r->reason);
    }
    return status;
}

static nm_status run_set(const char *set, nm_model *model, nm_session *session,
                         const struct tolerance *tolerance, struct verify_result *r)
{
    struct tensors *in = calloc(1, sizeof *in), *ref = calloc(1, sizeof *ref);
    nm_status status = in && ref ? NM_OK : complain(&r->reason, NM_ENOMEM, "no memory");
    if (!status) {
        status = load_tensors(set, "input", in, &r->reason);
    }
    if (!status) {
        status = load_tensors(set, "output", ref, &r->reason);
    }
    if (!status && ref->n == 0) {
        status = complain(&r->reason, NM_EIO, "%s: has no output_0.pb", set);
    }
    if (!status) {
        status = run_and_compare(model, session, in, ref, tolerance, r);
    }
    free_tensors(in);
    free_tensors(ref);
    return status;
}

static int is_set(const struct dirent *entry)
{
    return strncmp(entry->d_name, "test_data_set_", 14) == 0;
}

static nm_status run_sets(const char *folder, nm_model *model, nm_session *session,
                          const struct tolerance *tolerance, struct verify_result *r)
{
    struct dirent **sets = NULL;
    int n = scandir(folder, &sets, is_set, alphasort);
    nm_status status =
        n > 0 ? NM_OK : complain(&r->reason, NM_EIO, "%s: has no test_data_set_*", folder);
    for (int i = 0; i < n; i++) {
        char path[PATH_SIZE];
        int length = snprintf(path, sizeof path, "%s/%s", folder, sets[i]->d_name);
        if (!status && length < PATH_SIZE) {
            status = run_set(path, model, session, tolerance, r);
        }
        free(sets[i]);
    }
    free(sets);
    return status;
}

void verify_case(const char *folder, const struct settings *settings,
                 const struct tolerance *tolerance, struct verify_result *r)
{
    char path[PATH_SIZE];
    nm_model *model = NULL;
    nm_session *session = NULL;
    struct source_shape shape = {0};
    double seconds;
    *r = (struct verify_result){0};
    snprintf(path, sizeof path, "%s/model.onnx", folder);
    nm_status status = source_load(path, settings, &shape, &model, &seconds, &r->reason);
    if (!status) {
        status = nm_session_create(model, &settings->session, &session, &r->reason);
    }
    if (!status) {
        status = run_sets(folder, model, session, tolerance, r);
    }
    nm_session_free(session);
    nm_model_free(model);
    r->verdict = status == NM_OK             ? VERDICT_PASSED
                 : status == NM_EUNSUPPORTED ? VERDICT_UNSUPPORTED
                                             : VERDICT_FAILED;
}
