/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/small_net.h"
#include "lib/base/checked.h"
#include "lib/base/mem.h"
#include "tests/support/onnx_build.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static float uniform(uint64_t *state)
{
    *state = *state * 6364136223846793005ull + 1442695040888963407ull;
    return (float)(*state >> 40) / 8388608.0f - 1.0f;
}

/* Random order of n magnitudes that all differ, between low and high; random signs. */
static void put_weights(struct onnx_build *b, const char *name, const char *shape, size_t n,
                        const float range[2])
{
    float *w = malloc(n * sizeof *w);
    uint64_t state = n;
    for (const char *c = name; *c; c++) {
        state = state * 31 + (unsigned char)*c;
    }
    for (size_t i = 0; i < n; i++) {
        w[i] = range[0] + (range[1] - range[0]) * ((float)i + 0.5f) / (float)n;
    }
    for (size_t i = n; i > 1; i--) {
        const size_t k = (size_t)((uniform(&state) + 1) / 2 * (float)i) % i;
        const float t = w[i - 1];
        w[i - 1] = w[k];
        w[k] = range[0] < 0.1f && uniform(&state) < 0 ? -t : t;
    }
    onnx_build_tensor(b, name, NM_F32, shape, w, n * sizeof *w);
    free(w);
}

static const float scale_range[2] = {0.5f, 1.5f};

static void put_conv(struct onnx_build *b, const char *name, const char *io, const char *shape,
                     const int ick[3])
{
    char weight[32], in[64];
    const size_t n = (size_t)(ick[0] * ick[1] * ick[2] * ick[2]);
    snprintf(weight, sizeof weight, "%s.w", name);
    put_weights(b, weight, shape, n, (const float[]){0.001f, 1.5f / (float)(ick[1] * ick[2])});
    snprintf(in, sizeof in, "%s,%s", io, weight);
    onnx_build_open(b, "Conv", in, name);
    nmi_put_string(&b->w, 3, name);
    onnx_build_int(b, "group", ick[1] == 1 ? ick[0] : 1);
    onnx_build_ints(b, "pads", ick[2] == 3 ? "1,1,1,1" : "0,0,0,0");
    onnx_build_close(b);
}

static void put_bn(struct onnx_build *b, const char *x, const char *y, const char *channels)
{
    static const char *const parts[] = {"scale", "shift", "mean", "var"};
    char in[160];
    int at = snprintf(in, sizeof in, "%s", x);
    for (int i = 0; i < 4; i++) {
        char name[40];
        snprintf(name, sizeof name, "%s.%s", y, parts[i]);
        put_weights(b, name, channels, (size_t)atoi(channels), scale_range);
        at += snprintf(in + at, sizeof in - (size_t)at, ",%s", name);
    }
    onnx_build_node(b, "BatchNormalization", in, y);
}

void *small_net(const char *shape, size_t *size)
{
    struct onnx_build b;
    onnx_build_start(&b, 13);
    onnx_build_input(&b, "x", NM_F32, shape);
    put_conv(&b, "stem", "x", "8,3,3,3", (const int[]){8, 3, 3});
    put_bn(&b, "stem", "stem.bn", "8");
    onnx_build_node(&b, "Relu", "stem.bn", "stem.y");
    put_conv(&b, "dw", "stem.y", "8,1,3,3", (const int[]){8, 1, 3});
    put_bn(&b, "dw", "dw.bn", "8");
    onnx_build_node(&b, "Relu", "dw.bn", "dw.y");
    put_conv(&b, "point", "dw.y", "16,8,1,1", (const int[]){16, 8, 1});
    onnx_build_node(&b, "Relu", "point", "point.y");
    put_conv(&b, "mid", "point.y", "16,16,3,3", (const int[]){16, 16, 3});
    put_bn(&b, "mid", "mid.bn", "16");
    onnx_build_node(&b, "Add", "mid.bn,point.y", "sum");
    onnx_build_node(&b, "Relu", "sum", "inner");
    onnx_build_node(&b, "GlobalAveragePool", "inner", "mean");
    onnx_build_node(&b, "Flatten", "mean", "flat");
    put_weights(&b, "fc.w", "5,16", 80, (const float[]){0.001f, 0.5f});
    put_weights(&b, "fc.b", "5", 5, scale_range);
    onnx_build_open(&b, "Gemm", "flat,fc.w,fc.b", "y");
    nmi_put_string(&b.w, 3, "fc");
    onnx_build_int(&b, "transB", 1);
    onnx_build_close(&b);
    onnx_build_output(&b, "y", NM_F32, "N,5");
    onnx_build_output(&b, "inner", NM_F32, NULL);
    return onnx_build_finish(&b, size);
}

nm_model *small_model(const char *shape, const nm_load_options *options)
{
    size_t size;
    nm_error err = {NM_OK, ""};
    nm_model *model = NULL;
    void *bytes = small_net(shape, &size);
    nm_status status = nm_model_load_memory(bytes, size, options, &model, &err);
    ck_assert_msg(status == NM_OK, "%s", err.message);
    nmi_free(bytes);
    return model;
}

nm_session *small_session(nm_model *model, const nm_session_options *options)
{
    nm_session_options o = NM_SESSION_OPTIONS_INIT;
    o.fixed_plan = 1;
    nm_error err = {NM_OK, ""};
    nm_session *session = NULL;
    nm_status status = nm_session_create(model, options != NULL ? options : &o, &session, &err);
    ck_assert_msg(status == NM_OK, "%s", err.message);
    return session;
}

nm_tensor small_input(int64_t n, int64_t h, int64_t w)
{
    nm_tensor in = {.type = NM_F32, .rank = 4, .dims = {n, 3, h, w}};
    uint64_t state = (uint64_t)(n * 1000003 + h * 1009 + w);
    const size_t count = (size_t)(n * 3 * h * w);
    float *x = malloc(count * sizeof *x + 1);
    for (size_t i = 0; i < count; i++) {
        x[i] = uniform(&state);
    }
    in.data = x;
    in.capacity = count * sizeof *x;
    return in;
}

float *small_reference(const nm_model *model, const nm_tensor *in)
{
    nm_session_options o = NM_SESSION_OPTIONS_INIT;
    o.isa = NM_ISA_REF;
    o.threads = 1;
    nm_model *shared;
    memcpy(&shared, &model, sizeof shared);
    nm_session *session = small_session(shared, &o);
    nm_tensor out = {.name = "y"};
    nm_error err = {NM_OK, ""};
    ck_assert_msg(nm_run(session, in, 1, &out, 1, &err) == NM_OK, "%s", err.message);
    const size_t bytes = (size_t)(out.dims[0] * SMALL_CLASSES) * sizeof(float);
    float *y = malloc(bytes + 1);
    memcpy(y, out.data, bytes);
    nm_session_free(session);
    return y;
}

void small_close(const float *a, const float *b, size_t n)
{
    float largest = 0;
    for (size_t i = 0; i < n; i++) {
        largest = fmaxf(largest, fabsf(b[i]));
    }
    for (size_t i = 0; i < n; i++) {
        ck_assert_msg(fabsf(a[i] - b[i]) <= 1e-4f * largest, "element %zu: %g, expected %g", i,
                      (double)a[i], (double)b[i]);
    }
}
