/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ONNX Runtime by its C ABI, from a library found at run time. OrtGetApiBase()->GetApi(version)
 * gives a table of functions to which later versions only append; the slots used here are of its
 * first version. https://onnxruntime.ai/docs/api/c/struct_ort_api.html
 */
#include "examples/nmie/bench/engine.h"
#include "examples/nmie/model_source.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CPU, CUDA };
enum { TABLE_VERSION = 1, LOG_ERRORS = 3, DEVICE_ALLOCATOR = 0, DEFAULT_MEMORY = 0 };

/* Places in the table. */
enum {
    GET_ERROR_MESSAGE = 2,
    CREATE_ENV = 3,
    DISABLE_TELEMETRY = 6,
    CREATE_SESSION = 7,
    RUN = 9,
    CREATE_SESSION_OPTIONS = 10,
    SET_INTRA_OP_THREADS = 24,
    SET_INTER_OP_THREADS = 25,
    CREATE_TENSOR_WITH_DATA = 49,
    GET_TENSOR_DATA = 51,
    GET_ELEMENT_TYPE = 60,
    GET_DIMENSIONS_COUNT = 61,
    GET_DIMENSIONS = 62,
    GET_TENSOR_TYPE_AND_SHAPE = 65,
    CREATE_CPU_MEMORY_INFO = 69,
    RELEASE_STATUS = 93,
    RELEASE_VALUE = 96,
    RELEASE_TYPE_AND_SHAPE = 99
};

typedef void (*slot_fn)(void);
struct api_base {
    const slot_fn *(*get_api)(uint32_t version);
    const char *(*get_version)(void);
};

/* Objects of the library are opaque: void. A status is NULL when all is well. */
typedef const char *(*message_fn)(const void *status);
typedef void (*release_fn)(void *);
typedef void *(*create_env_fn)(int level, const char *id, void **env);
typedef void *(*on_env_fn)(const void *env);
typedef void *(*create_fn)(void **out);
typedef void *(*set_int_fn)(void *options, int n);
typedef void *(*create_session_fn)(const void *env, const char *path, const void *options,
                                   void **session);
typedef void *(*memory_info_fn)(int allocator, int memory, void **info);
typedef void *(*tensor_fn)(const void *info, void *data, size_t bytes, const int64_t *dims,
                           size_t rank, int type, void **value);
typedef void *(*run_fn)(void *session, const void *options, const char *const *in_names,
                        const void *const *in, size_t n_in, const char *const *out_names,
                        size_t n_out, void **out);
typedef void *(*get_pointer_fn)(void *value, void **out);
typedef void *(*get_type_fn)(const void *info, int *type);
typedef void *(*get_count_fn)(const void *info, size_t *n);
typedef void *(*get_dims_fn)(const void *info, int64_t *dims, size_t n);

struct ort {
    const struct engine_job *job;
    const slot_fn *api;
    void *env, *options, *session, *memory;
    const char **names; /* of inputs */
    void **in, **out;
};

#define CALL(o, type, slot) ((type)(o)->api[slot])

/* Takes a status: NM_OK, or its sentence. */
static nm_status verdict(const struct ort *o, void *status, nm_error *err)
{
    if (!status) {
        return NM_OK;
    }
    complain(err, NM_EINTERNAL, "%.900s", CALL(o, message_fn, GET_ERROR_MESSAGE)(status));
    CALL(o, release_fn, RELEASE_STATUS)(status);
    return NM_EINTERNAL;
}

#define TRY(o, call)                                                                               \
    do {                                                                                           \
        nm_status try_status = verdict(o, call, err);                                              \
        if (try_status) {                                                                          \
            return try_status;                                                                     \
        }                                                                                          \
    } while (0)

/* The child that this runs in ends soon after: the library is left to it. */
static void close_ort(void *self)
{
    struct ort *o = self;
    for (size_t i = 0; o->out && i < o->job->n_out; i++) {
        if (o->out[i]) {
            CALL(o, release_fn, RELEASE_VALUE)(o->out[i]);
        }
    }
    free(o->names);
    free(o->in);
    free(o->out);
    free(o);
}

static nm_status find_table(struct ort *o, struct engine_info *info, nm_error *err)
{
    slot_fn get_base;
    nm_status status = engine_symbol(o->job->library, "OrtGetApiBase", &get_base, err);
    if (status) {
        return status;
    }
    const struct api_base *base = ((const struct api_base *(*)(void))get_base)();
    o->api = base->get_api(TABLE_VERSION);
    snprintf(info->version, sizeof info->version, "%s", base->get_version());
    return o->api ? NM_OK
                  : complain(err, NM_EUNSUPPORTED, "it has no table of version %d", TABLE_VERSION);
}

/* Builds with CUDA export this; others do not have it. */
#define APPEND_CUDA "OrtSessionOptionsAppendExecutionProvider_CUDA"

static nm_status use_cuda(struct ort *o, nm_error *err)
{
    slot_fn append;
    nm_status status = engine_symbol(o->job->library, APPEND_CUDA, &append, err);
    return status ? status : verdict(o, ((set_int_fn)append)(o->options, 0), err);
}

static nm_status load(struct ort *o, nm_error *err)
{
    const struct engine_job *job = o->job;
    TRY(o, CALL(o, create_env_fn, CREATE_ENV)(LOG_ERRORS, "nmie", &o->env));
    TRY(o, CALL(o, on_env_fn, DISABLE_TELEMETRY)(o->env));
    TRY(o, CALL(o, create_fn, CREATE_SESSION_OPTIONS)(&o->options));
    TRY(o, CALL(o, set_int_fn, SET_INTRA_OP_THREADS)(o->options, job->threads));
    TRY(o, CALL(o, set_int_fn, SET_INTER_OP_THREADS)(o->options, 1));
    if (job->spec->kind->variant == CUDA) {
        nm_status status = use_cuda(o, err);
        if (status) {
            return status;
        }
    }
    TRY(o, CALL(o, create_session_fn, CREATE_SESSION)(o->env, job->model, o->options, &o->session));
    TRY(o, CALL(o, memory_info_fn, CREATE_CPU_MEMORY_INFO)(DEVICE_ALLOCATOR, DEFAULT_MEMORY,
                                                           &o->memory));
    for (size_t i = 0; i < job->n_in; i++) {
        const nm_tensor *t = &job->in[i];
        o->names[i] = t->name;
        TRY(o,
            CALL(o, tensor_fn, CREATE_TENSOR_WITH_DATA)(o->memory, t->data, t->capacity, t->dims,
                                                        (size_t)t->rank, (int)t->type, &o->in[i]));
    }
    return NM_OK;
}

static nm_status open_ort(const struct engine_job *job, void **self, struct engine_info *info,
                          nm_error *err)
{
    struct ort *o = calloc(1, sizeof *o);
    if (!o) {
        return complain(err, NM_ENOMEM, "no memory");
    }
    o->job = job;
    o->names = calloc(job->n_in + 1, sizeof *o->names);
    o->in = calloc(job->n_in + 1, sizeof *o->in);
    o->out = calloc(job->n_out + 1, sizeof *o->out);
    nm_status status = o->names && o->in && o->out ? find_table(o, info, err)
                                                   : complain(err, NM_ENOMEM, "no memory");
    double start = source_now();
    if (!status) {
        status = load(o, err);
    }
    info->load_seconds = source_now() - start;
    strcpy(info->precision, "f32");
    if (status) {
        close_ort(o);
        return status;
    }
    *self = o;
    return NM_OK;
}

static nm_status run_ort(void *self, double *seconds, nm_error *err)
{
    struct ort *o = self;
    const struct engine_job *job = o->job;
    for (size_t i = 0; i < job->n_out; i++) {
        if (o->out[i]) {
            CALL(o, release_fn, RELEASE_VALUE)(o->out[i]);
            o->out[i] = NULL;
        }
    }
    double start = source_now();
    void *status = CALL(o, run_fn, RUN)(o->session, NULL, o->names, (const void *const *)o->in,
                                        job->n_in, job->outputs, job->n_out, o->out);
    *seconds = source_now() - start;
    return verdict(o, status, err);
}

static nm_status one_output(const struct ort *o, size_t i, nm_tensor *t, nm_error *err)
{
    void *info;
    int type;
    size_t rank;
    *t = (nm_tensor){.name = o->job->outputs[i]};
    TRY(o, CALL(o, get_pointer_fn, GET_TENSOR_TYPE_AND_SHAPE)(o->out[i], &info));
    TRY(o, CALL(o, get_type_fn, GET_ELEMENT_TYPE)(info, &type)); /* ONNX's numbers, as nm_type */
    TRY(o, CALL(o, get_count_fn, GET_DIMENSIONS_COUNT)(info, &rank));
    if (rank > NM_MAX_DIMS) {
        return complain(err, NM_ESHAPE, "output %s has rank %zu", t->name, rank);
    }
    TRY(o, CALL(o, get_dims_fn, GET_DIMENSIONS)(info, t->dims, rank));
    CALL(o, release_fn, RELEASE_TYPE_AND_SHAPE)(info);
    t->type = (nm_type)type;
    t->rank = (int32_t)rank;
    TRY(o, CALL(o, get_pointer_fn, GET_TENSOR_DATA)(o->out[i], &t->data));
    return NM_OK;
}

static nm_status outputs_ort(void *self, nm_tensor *out, nm_error *err)
{
    const struct ort *o = self;
    nm_status status = NM_OK;
    for (size_t i = 0; i < o->job->n_out && !status; i++) {
        status = one_output(o, i, &out[i], err);
    }
    return status;
}

static const char *const libraries[] = {"libonnxruntime.so", "libonnxruntime.so.1", NULL};

#define ORT(kind, text, which, needs, is_rough)                                                    \
    const struct engine_kind kind = {.name = text,                                                 \
                                     .libraries = libraries,                                       \
                                     .symbol = needs,                                              \
                                     .variable = "ORT_DISABLE_TELEMETRY",                          \
                                     .variant = which,                                             \
                                     .rough = is_rough,                                            \
                                     .open = open_ort,                                             \
                                     .run = run_ort,                                               \
                                     .outputs = outputs_ort,                                       \
                                     .close = close_ort}
ORT(engine_ort, "onnxruntime", CPU, NULL, false);
/* On a GPU float32 products may be rounded to TF32. */
ORT(engine_ort_cuda, "onnxruntime-cuda", CUDA, APPEND_CUDA, true);
