/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A library that looks to nmie bench like ONNX Runtime and like OpenVINO, and runs one network:
 * Relu of "x" [N,4] to "y". NM_FAKE decides how: good; wrong (an output is off); error (a run is
 * refused); crash and hang (in the third run); absent (the model is refused when it is loaded).
 */
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

static bool fake_is(const char *how)
{
    const char *wanted = getenv("NM_FAKE");
    return wanted && strcmp(wanted, how) == 0;
}

static int runs;

/* False: the run is refused. */
static bool relu(const float *x, float *y, size_t n)
{
    runs++;
    if (runs >= 3 && fake_is("crash")) {
        abort();
    }
    while (runs >= 3 && fake_is("hang")) {
        pause();
    }
    for (size_t i = 0; i < n; i++) {
        y[i] = fmaxf(x[i], 0.0f) + (fake_is("wrong") && i == 1 ? 0.5f : 0.0f);
    }
    return !fake_is("error");
}

/* ---- ONNX Runtime ---------------------------------------------------------------------------- */

struct value {
    float *data;
    int64_t dims[8];
    size_t rank, count;
    bool own;
};

static char refused[] = "the fake refuses";
static char thing; /* stands for objects without contents */

static const char *error_message(const void *status)
{
    return status;
}

static void release(void *p)
{
    (void)p;
}

static void release_value(void *p)
{
    struct value *v = p;
    if (v->own) {
        free(v->data);
    }
    free(v);
}

static void *create_env(int level, const char *id, void **env)
{
    (void)level;
    (void)id;
    *env = &thing;
    return NULL;
}

static int telemetry = 1;

static void *disable_telemetry(const void *env)
{
    (void)env;
    telemetry = getenv("ORT_DISABLE_TELEMETRY") == NULL;
    return NULL;
}

static void *create_thing(void **out)
{
    *out = &thing;
    return NULL;
}

static void *set_int(void *options, int n)
{
    (void)options;
    return n >= 1 ? NULL : refused;
}

static void *create_session(const void *env, const char *path, const void *options, void **session)
{
    (void)env;
    (void)options;
    *session = &thing;
    return access(path, R_OK) == 0 && !telemetry && !fake_is("absent") ? NULL : refused;
}

static void *create_memory_info(int allocator, int memory, void **info)
{
    (void)allocator;
    (void)memory;
    *info = &thing;
    return NULL;
}

static struct value *new_value(float *data, const int64_t *dims, size_t rank)
{
    struct value *v = calloc(1, sizeof *v);
    v->rank = rank;
    v->count = 1;
    for (size_t i = 0; i < rank; i++) {
        v->dims[i] = dims[i];
        v->count *= (size_t)dims[i];
    }
    v->own = data == NULL;
    v->data = data ? data : calloc(v->count, sizeof *v->data);
    return v;
}

static void *create_tensor(const void *info, void *data, size_t bytes, const int64_t *dims,
                           size_t rank, int type, void **value)
{
    (void)info;
    struct value *v = new_value(data, dims, rank);
    *value = v;
    return type == 1 && bytes == v->count * sizeof(float) ? NULL : refused;
}

static void *run(void *session, const void *options, const char *const *in_names,
                 const void *const *in, size_t n_in, const char *const *out_names, size_t n_out,
                 void **out)
{
    (void)session;
    (void)options;
    if (n_in != 1 || n_out != 1 || strcmp(in_names[0], "x") || strcmp(out_names[0], "y")) {
        return refused;
    }
    const struct value *x = in[0];
    struct value *y = new_value(NULL, x->dims, x->rank);
    out[0] = y;
    return relu(x->data, y->data, x->count) ? NULL : refused;
}

static void *get_data(void *value, void **data)
{
    *data = ((struct value *)value)->data;
    return NULL;
}

static void *get_info(void *value, void **info)
{
    *info = value;
    return NULL;
}

static void *get_type(const void *info, int *type)
{
    (void)info;
    *type = 1;
    return NULL;
}

static void *get_rank(const void *info, size_t *rank)
{
    *rank = ((const struct value *)info)->rank;
    return NULL;
}

static void *get_dims(const void *info, int64_t *dims, size_t n)
{
    memcpy(dims, ((const struct value *)info)->dims, n * sizeof *dims);
    return NULL;
}

/* The places of the table, as onnxruntime_c_api.h orders them. */
typedef void (*slot)(void);
static const slot table[128] = {[2] = (slot)error_message,
                                [3] = (slot)create_env,
                                [6] = (slot)disable_telemetry,
                                [7] = (slot)create_session,
                                [9] = (slot)run,
                                [10] = (slot)create_thing,
                                [24] = (slot)set_int,
                                [25] = (slot)set_int,
                                [49] = (slot)create_tensor,
                                [51] = (slot)get_data,
                                [60] = (slot)get_type,
                                [61] = (slot)get_rank,
                                [62] = (slot)get_dims,
                                [65] = (slot)get_info,
                                [69] = (slot)create_memory_info,
                                [93] = (slot)release,
                                [96] = (slot)release_value,
                                [99] = (slot)release};

static const slot *get_api(uint32_t version)
{
    return version <= 1 ? table : NULL;
}

static const char *get_version(void)
{
    return "0.fake";
}

struct base {
    const slot *(*get_api)(uint32_t);
    const char *(*get_version)(void);
};
EXPORT const struct base *OrtGetApiBase(void);
EXPORT const struct base *OrtGetApiBase(void)
{
    static const struct base base = {get_api, get_version};
    return &base;
}

/* ---- OpenVINO -------------------------------------------------------------------------------- */

struct dimension {
    int64_t low, high;
};
struct partial_shape {
    struct dimension rank, *dims;
};
struct shape {
    int64_t rank, *dims;
};
struct version {
    const char *build, *description;
};
static int64_t dims[8];
static int64_t rank;
static float *tensors[2]; /* x, y */
static char precision[16] = "bf16";

/* A function that is found by its name alone. */
#define API(type, name, ...)                                                                       \
    EXPORT type name(__VA_ARGS__);                                                                 \
    EXPORT type name(__VA_ARGS__)

API(const char *, ov_get_last_err_msg, void)
{
    return refused;
}

API(int, ov_get_openvino_version, struct version *v)
{
    *v = (struct version){"0.fake-1", "fake"};
    return 0;
}

API(int, ov_core_create, void **core)
{
    *core = &thing;
    return 0;
}

API(int, ov_core_read_model, const void *core, const char *path, const char *bin, void **model)
{
    (void)core;
    (void)bin;
    *model = &thing;
    return access(path, R_OK) || fake_is("absent");
}

API(int, ov_partial_shape_create_static, int64_t n, const int64_t *of, struct partial_shape *shape)
{
    *shape = (struct partial_shape){{n, n}, calloc((size_t)n, sizeof *shape->dims)};
    for (int64_t i = 0; i < n; i++) {
        shape->dims[i] = (struct dimension){of[i], of[i]};
    }
    return 0;
}

static size_t count(void)
{
    size_t n = 1;
    for (int64_t i = 0; i < rank; i++) {
        n *= (size_t)dims[i];
    }
    return n;
}

API(int, ov_model_reshape_input_by_name, const void *model, const char *name,
    struct partial_shape shape)
{
    (void)model;
    rank = shape.rank.low;
    for (int64_t i = 0; i < rank; i++) {
        dims[i] = shape.dims[i].high;
    }
    tensors[0] = calloc(count(), sizeof **tensors);
    tensors[1] = calloc(count(), sizeof **tensors);
    return strcmp(name, "x") != 0;
}

API(int, ov_core_compile_model, const void *core, const void *model, const char *device,
    size_t words, void **compiled, ...)
{
    (void)core;
    (void)model;
    va_list list;
    va_start(list, compiled);
    for (size_t i = 0; i < words; i += 2) {
        const char *key = va_arg(list, const char *), *value = va_arg(list, const char *);
        if (strcmp(key, "INFERENCE_PRECISION_HINT") == 0) {
            strncpy(precision, value, sizeof precision - 1);
        }
    }
    va_end(list);
    *compiled = &thing;
    return strcmp(device, "CPU") != 0;
}

API(int, ov_compiled_model_get_property, const void *compiled, const char *key, char **value)
{
    (void)compiled;
    *value = precision;
    return strcmp(key, "INFERENCE_PRECISION_HINT") != 0;
}

API(int, ov_compiled_model_create_infer_request, const void *compiled, void **request)
{
    (void)compiled;
    *request = &thing;
    return 0;
}

API(int, ov_infer_request_get_tensor, const void *request, const char *name, void **tensor)
{
    (void)request;
    *tensor = &tensors[strcmp(name, "y") == 0];
    return strcmp(name, "x") && strcmp(name, "y");
}

API(int, ov_infer_request_infer, void *request)
{
    (void)request;
    return !relu(tensors[0], tensors[1], count());
}

API(int, ov_tensor_data, const void *tensor, void **data)
{
    *data = *(float *const *)tensor;
    return 0;
}

API(int, ov_tensor_get_byte_size, const void *tensor, size_t *bytes)
{
    (void)tensor;
    *bytes = count() * sizeof(float);
    return 0;
}

API(int, ov_tensor_get_shape, const void *tensor, struct shape *shape)
{
    (void)tensor;
    *shape = (struct shape){rank, dims};
    return 0;
}

API(void, ov_tensor_free, void *tensor)
{
    (void)tensor;
}
