/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenVINO by its C API, from a library found at run time: with float32 asked for, and as it is by
 * itself (bfloat16 on CPUs that have it). Tensors are the request's own, so that element types need
 * no numbers. https://docs.openvino.ai/2025/api/c_cpp_api/group__ov__c__api.html
 */
#include "examples/nmie/bench/engine.h"
#include "examples/nmie/model_source.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { F32, ITS_OWN };

/* Structs that the API passes by value. */
struct ov_dimension {
    int64_t low, high;
};
struct ov_partial_shape {
    struct ov_dimension rank;
    struct ov_dimension *dims;
};
struct ov_shape {
    int64_t rank;
    int64_t *dims;
};
struct ov_version {
    const char *build, *description;
};

/* Functions, by their names in the library; objects are opaque. They return 0 when all is well. */
struct api {
    const char *(*ov_get_last_err_msg)(void);
    int (*ov_get_openvino_version)(struct ov_version *);
    int (*ov_core_create)(void **core);
    int (*ov_core_read_model)(const void *core, const char *path, const char *bin, void **model);
    int (*ov_partial_shape_create_static)(int64_t rank, const int64_t *dims,
                                          struct ov_partial_shape *shape);
    int (*ov_model_reshape_input_by_name)(const void *model, const char *name,
                                          struct ov_partial_shape shape);
    int (*ov_core_compile_model)(const void *core, const void *model, const char *device,
                                 size_t words, void **compiled, ...);
    int (*ov_compiled_model_get_property)(const void *compiled, const char *key, char **value);
    int (*ov_compiled_model_create_infer_request)(const void *compiled, void **request);
    int (*ov_infer_request_get_tensor)(const void *request, const char *name, void **tensor);
    int (*ov_infer_request_infer)(void *request);
    int (*ov_tensor_data)(const void *tensor, void **data);
    int (*ov_tensor_get_byte_size)(const void *tensor, size_t *bytes);
    int (*ov_tensor_get_shape)(const void *tensor, struct ov_shape *shape);
    void (*ov_tensor_free)(void *tensor);
};

struct openvino {
    const struct engine_job *job;
    struct api api;
    void *core, *model, *compiled, *request;
};

static nm_status find_functions(struct api *api, void *library, nm_error *err)
{
#define FIND(name)                                                                                 \
    {                                                                                              \
#name, (void (**)(void)) & api->name                                                       \
    }
    const struct {
        const char *name;
        void (**function)(void);
    } wanted[] = {FIND(ov_get_last_err_msg),
                  FIND(ov_get_openvino_version),
                  FIND(ov_core_create),
                  FIND(ov_core_read_model),
                  FIND(ov_partial_shape_create_static),
                  FIND(ov_model_reshape_input_by_name),
                  FIND(ov_core_compile_model),
                  FIND(ov_compiled_model_get_property),
                  FIND(ov_compiled_model_create_infer_request),
                  FIND(ov_infer_request_get_tensor),
                  FIND(ov_infer_request_infer),
                  FIND(ov_tensor_data),
                  FIND(ov_tensor_get_byte_size),
                  FIND(ov_tensor_get_shape),
                  FIND(ov_tensor_free)};
    nm_status status = NM_OK;
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted && !status; i++) {
        status = engine_symbol(library, wanted[i].name, wanted[i].function, err);
    }
    return status;
}

static nm_status verdict(const struct openvino *o, int code, const char *what, nm_error *err)
{
    if (code == 0) {
        return NM_OK;
    }
    const char *said = o->api.ov_get_last_err_msg();
    return complain(err, NM_EINTERNAL, "%s: %.800s", what, said && *said ? said : "failed");
}

#define TRY(function, ...)                                                                         \
    do {                                                                                           \
        nm_status try_status = verdict(o, o->api.function(__VA_ARGS__), #function, err);           \
        if (try_status) {                                                                          \
            return try_status;                                                                     \
        }                                                                                          \
    } while (0)

/* The library is left to the end of the process. */
static void close_openvino(void *self)
{
    free(self);
}

static nm_status copy_input(const struct openvino *o, const nm_tensor *from, nm_error *err)
{
    void *tensor, *data;
    size_t bytes;
    TRY(ov_infer_request_get_tensor, o->request, from->name, &tensor);
    TRY(ov_tensor_data, tensor, &data);
    TRY(ov_tensor_get_byte_size, tensor, &bytes);
    if (bytes != from->capacity) {
        return complain(err, NM_ESHAPE, "input %s takes %zu bytes, %zu were expected", from->name,
                        bytes, from->capacity);
    }
    memcpy(data, from->data, bytes);
    o->api.ov_tensor_free(tensor);
    return NM_OK;
}

/* One stream of so many threads; each pair of words is one property. */
static nm_status compile(struct openvino *o, nm_error *err)
{
    char threads[16];
    snprintf(threads, sizeof threads, "%d", (int)o->job->threads);
#define COMMON "PERFORMANCE_HINT", "LATENCY", "NUM_STREAMS", "1", "INFERENCE_NUM_THREADS", threads
    if (o->job->spec->kind->variant == F32) {
        TRY(ov_core_compile_model, o->core, o->model, "CPU", (size_t)8, &o->compiled, COMMON,
            "INFERENCE_PRECISION_HINT", "f32");
    } else {
        TRY(ov_core_compile_model, o->core, o->model, "CPU", (size_t)6, &o->compiled, COMMON);
    }
    return NM_OK;
}

static nm_status load(struct openvino *o, struct engine_info *info, nm_error *err)
{
    const struct engine_job *job = o->job;
    struct ov_version version = {0};
    char *precision = NULL;
    TRY(ov_get_openvino_version, &version);
    snprintf(info->version, sizeof info->version, "%.*s", (int)strcspn(version.build, "-"),
             version.build);
    double start = source_now();
    TRY(ov_core_create, &o->core);
    TRY(ov_core_read_model, o->core, job->model, NULL, &o->model);
    for (size_t i = 0; i < job->n_in; i++) {
        struct ov_partial_shape shape;
        TRY(ov_partial_shape_create_static, job->in[i].rank, job->in[i].dims, &shape);
        TRY(ov_model_reshape_input_by_name, o->model, job->in[i].name, shape);
    }
    nm_status status = compile(o, err);
    if (status) {
        return status;
    }
    TRY(ov_compiled_model_create_infer_request, o->compiled, &o->request);
    info->load_seconds = source_now() - start;
    TRY(ov_compiled_model_get_property, o->compiled, "INFERENCE_PRECISION_HINT", &precision);
    snprintf(info->precision, sizeof info->precision, "%s", precision);
    for (size_t i = 0; i < job->n_in && !status; i++) {
        status = copy_input(o, &job->in[i], err);
    }
    return status;
}

static nm_status open_openvino(const struct engine_job *job, void **self, struct engine_info *info,
                               nm_error *err)
{
    struct openvino *o = calloc(1, sizeof *o);
    if (!o) {
        return complain(err, NM_ENOMEM, "no memory");
    }
    o->job = job;
    nm_status status = find_functions(&o->api, job->library, err);
    if (!status) {
        status = load(o, info, err);
    }
    if (status) {
        close_openvino(o);
        return status;
    }
    *self = o;
    return NM_OK;
}

static nm_status run_openvino(void *self, double *seconds, nm_error *err)
{
    struct openvino *o = self;
    double start = source_now();
    int code = o->api.ov_infer_request_infer(o->request);
    *seconds = source_now() - start;
    return verdict(o, code, "ov_infer_request_infer", err);
}

static nm_status one_output(const struct openvino *o, size_t i, nm_tensor *t, nm_error *err)
{
    void *tensor;
    struct ov_shape shape;
    TRY(ov_infer_request_get_tensor, o->request, o->job->outputs[i], &tensor);
    TRY(ov_tensor_get_shape, tensor, &shape);
    *t = (nm_tensor){.name = o->job->outputs[i], .type = o->job->output_types[i]};
    if (shape.rank > NM_MAX_DIMS) {
        return complain(err, NM_ESHAPE, "output %s has rank %d", t->name, (int)shape.rank);
    }
    size_t bytes, count = 1;
    t->rank = (int32_t)shape.rank;
    for (int32_t k = 0; k < t->rank; k++) {
        t->dims[k] = shape.dims[k];
        count *= (size_t)shape.dims[k];
    }
    TRY(ov_tensor_get_byte_size, tensor, &bytes);
    if (bytes != count * nm_type_size(t->type)) {
        return complain(err, NM_ETYPE, "output %s is not %s", t->name, nm_type_name(t->type));
    }
    TRY(ov_tensor_data, tensor, &t->data);
    return NM_OK;
}

static nm_status outputs_openvino(void *self, nm_tensor *out, nm_error *err)
{
    const struct openvino *o = self;
    nm_status status = NM_OK;
    for (size_t i = 0; i < o->job->n_out && !status; i++) {
        status = one_output(o, i, &out[i], err);
    }
    return status;
}

static const char *const libraries[] = {"libopenvino_c.so", NULL};

#define OPENVINO(kind, text, which, is_rough)                                                      \
    const struct engine_kind kind = {.name = text,                                                 \
                                     .libraries = libraries,                                       \
                                     .variant = which,                                             \
                                     .rough = is_rough,                                            \
                                     .open = open_openvino,                                        \
                                     .run = run_openvino,                                          \
                                     .outputs = outputs_openvino,                                  \
                                     .close = close_openvino}
OPENVINO(engine_openvino, "openvino", F32, false);
OPENVINO(engine_openvino_default, "openvino-default", ITS_OWN, true);
