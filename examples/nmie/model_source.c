/* SPDX-License-Identifier: Apache-2.0 */
/* Models by name, and inputs for them. */
#include "examples/nmie/model_source.h"

#include "examples/nmie/args.h"
#include "examples/nmie/synth.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BUILTIN "builtin:"

double source_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

bool source_shape_parse(const char *word, struct source_shape *shape)
{
    struct args_list dims;
    if (!args_ints(word, 'x', 1 << 20, &dims) || dims.n >= NM_MAX_DIMS) {
        return false;
    }
    shape->rank = (int32_t)dims.n;
    memcpy(shape->dims, dims.at, dims.n * sizeof *dims.at);
    return true;
}

static nm_status load_builtin(const char *name, const nm_load_options *options,
                              const struct source_shape *shape, nm_model **model, nm_error *err)
{
    struct synth_options so = SYNTH_OPTIONS_INIT;
    struct synth *net;
    uint8_t *bytes = NULL;
    size_t size;
    if (shape->rank) {
        int64_t side = shape->dims[shape->rank - 1];
        so.size = side <= 4096 ? (int32_t)side : -1;
    }
    nm_status status = synth_make(name, &so, &net, err);
    if (status) {
        return status;
    }
    status = synth_bytes(net, &bytes, &size, err);
    synth_free(net);
    if (!status) {
        status = nm_model_load_memory(bytes, size, options, model, err);
    }
    free(bytes);
    return status;
}

nm_status source_load(const char *name, const struct settings *s, const struct source_shape *shape,
                      nm_model **model, double *seconds, nm_error *err)
{
    double start = source_now();
    nm_load_options options = NM_LOAD_OPTIONS_INIT;
    options.log = s->session.log;
    options.log_user = s->session.log_user;
    size_t n = strlen(BUILTIN);
    nm_status status = strncmp(name, BUILTIN, n) == 0
                           ? load_builtin(name + n, &options, shape, model, err)
                           : nm_model_load(name, &options, model, err);
    *seconds = source_now() - start;
    return status;
}

nm_status source_bind(const nm_value_info *input, int64_t batch, const struct source_shape *shape,
                      nm_tensor *t, nm_error *err)
{
    char text[256];
    if (input->rank < 0 || input->rank > NM_MAX_DIMS) {
        return complain(err, NM_ESHAPE, "input %s: the model does not tell its rank", input->name);
    }
    *t = (nm_tensor){.name = input->name, .type = input->type, .rank = input->rank};
    for (int32_t i = 0; i < input->rank; i++) {
        t->dims[i] = input->dims[i];
        if (t->dims[i] < 0 && i == 0) {
            t->dims[i] = batch;
        } else if (t->dims[i] < 0 && shape->rank == input->rank - 1) {
            t->dims[i] = shape->dims[i - 1];
        } else if (t->dims[i] < 0) {
            return complain(err, NM_ESHAPE, "input %s is %s: give its free dimensions by --shape",
                            input->name,
                            host_dims_text(input->dims, input->symbols, input->rank, text));
        }
    }
    return NM_OK;
}

nm_status source_fits(const nm_value_info *in, int32_t rank, const int64_t *dims, nm_error *err)
{
    char text[256], wanted[256];
    bool fits = in->rank == rank + 1;
    for (int32_t i = 0; i < rank && fits; i++) {
        fits = in->dims[i + 1] < 0 || in->dims[i + 1] == dims[i];
    }
    return fits ? NM_OK
                : complain(err, NM_ESHAPE,
                           "the data are %s each after preprocessing, the model's input is %s; "
                           "see --pre",
                           host_dims_text(dims, NULL, rank, text),
                           host_dims_text(in->dims, in->symbols, in->rank, wanted));
}

/* Counter-based: the sum of four uniform 16-bit numbers is close to normal. */
static float normal(uint64_t i)
{
    uint64_t z = (i + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    int32_t sum = (int32_t)((z & 0xffff) + (z >> 16 & 0xffff) + (z >> 32 & 0xffff) + (z >> 48));
    return (float)(sum - 131070) / 37837.0f;
}

static void fill_normal(nm_tensor *t)
{
    size_t count = 0;
    host_count(t->dims, t->rank, &count);
    for (size_t i = 0; i < count; i++) {
        if (t->type == NM_F32) {
            ((float *)t->data)[i] = normal(i);
        } else if (t->type == NM_F64) {
            ((double *)t->data)[i] = (double)normal(i);
        }
    }
}

nm_status source_inputs(const nm_model *model, int64_t batch, const struct source_shape *shape,
                        struct host_tensor **inputs, nm_error *err)
{
    size_t n = nm_model_inputs(model);
    struct host_tensor *h = calloc(n + 1, sizeof *h);
    if (!h) {
        return complain(err, NM_ENOMEM, "no memory for %zu inputs", n);
    }
    nm_status status = NM_OK;
    for (size_t i = 0; i < n && !status; i++) {
        status = source_bind(nm_model_input(model, i), batch, shape, &h[i].t, err);
        if (!status) {
            status = host_make(&h[i], err);
        }
        if (!status) {
            fill_normal(&h[i].t);
        }
    }
    if (status) {
        source_free(h, n);
        return status;
    }
    *inputs = h;
    return NM_OK;
}

void source_free(struct host_tensor *inputs, size_t n)
{
    for (size_t i = 0; inputs && i < n; i++) {
        host_free(&inputs[i]);
    }
    free(inputs);
}

nm_tensor *source_tensors(const struct host_tensor *hosts, size_t n)
{
    nm_tensor *t = calloc(n + 1, sizeof *t);
    for (size_t i = 0; t && i < n; i++) {
        t[i] = hosts[i].t;
    }
    return t;
}
