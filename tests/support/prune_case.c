/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/prune_case.h"

#include "lib/base/mem.h"
#include "lib/sparse/csr.h"
#include "tests/support/scratch.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

float prune_uniform(uint64_t *state)
{
    *state = *state * 6364136223846793005ull + 1442695040888963407ull;
    return (float)(*state >> 40) / 8388608.0f - 1.0f;
}

float *prune_floats(size_t n, uint64_t seed)
{
    float *v = malloc(n * sizeof *v + 1);
    ck_assert_ptr_nonnull(v);
    for (size_t i = 0; i < n; i++) {
        v[i] = prune_uniform(&seed);
    }
    return v;
}

/* ---- data ----------------------------------------------------------------------------------- */

static nm_status read_items(void *user, int64_t first, int64_t count, float *into, nm_error *error)
{
    struct prune_data *d = user;
    d->reads++;
    ck_assert(first >= 0 && count > 0 && first + count <= d->data.items);
    if (d->fails_at >= first && d->fails_at < first + count) {
        snprintf(error->message, sizeof error->message, "the tape is torn");
        return NM_EIO;
    }
    memcpy(into, d->x + first * d->elems, (size_t)(count * d->elems) * sizeof *into);
    return NM_OK;
}

void prune_data_make(struct prune_data *d, int64_t items, int32_t rank, const int64_t *dims,
                     uint64_t seed)
{
    *d = (struct prune_data){.data = NM_DATA_INIT, .elems = 1, .fails_at = -1};
    d->data.items = items;
    d->data.rank = rank;
    for (int32_t i = 0; i < rank; i++) {
        d->data.dims[i] = dims[i];
        d->elems *= dims[i];
    }
    d->x = prune_floats((size_t)(items * d->elems), seed);
    for (int64_t i = 1; i < items * d->elems; i++) {
        d->x[i] = 0.7f * d->x[i - 1] + d->x[i];
    }
    d->data.read = read_items;
    d->data.user = d;
}

void prune_data_free(struct prune_data *d)
{
    free(d->x);
    d->x = NULL;
}

/* ---- networks ------------------------------------------------------------------------------- */

void prune_put_weight(struct onnx_build *b, const char *name, const char *shape, size_t n,
                      float largest)
{
    uint64_t seed = n;
    for (const char *c = name; *c; c++) {
        seed = seed * 31 + (unsigned char)*c;
    }
    float *w = prune_floats(n, seed);
    for (size_t i = 0; i < n; i++) {
        w[i] *= largest * fabsf(w[i]); /* many small ones, as after training */
    }
    onnx_build_tensor(b, name, NM_F32, shape, w, n * sizeof *w);
    free(w);
}

/* "in,name.w" or "in,name.w,name.b", whose bias is put. */
static void put_inputs(struct onnx_build *b, const char *name, const char *in, int bias, char list[96])
{
    char text[40], shape[16];
    snprintf(list, 96, "%s,%s.w%s%s%s", in, name, bias > 0 ? "," : "", bias > 0 ? name : "",
             bias > 0 ? ".b" : "");
    if (bias > 0) {
        snprintf(text, sizeof text, "%s.b", name);
        snprintf(shape, sizeof shape, "%d", bias);
        prune_put_weight(b, text, shape, (size_t)bias, 0.3f);
    }
}

void prune_put_conv(struct onnx_build *b, const char *name, const char *in, struct prune_conv c)
{
    char weight[40], shape[64], list[96], pads[64];
    const int cols = c.in * c.kernel * c.kernel;
    snprintf(weight, sizeof weight, "%s.w", name);
    snprintf(shape, sizeof shape, "%d,%d,%d,%d", c.out, c.in, c.kernel, c.kernel);
    prune_put_weight(b, weight, shape, (size_t)(c.out * cols), 3.0f / sqrtf((float)cols));
    put_inputs(b, name, in, c.bias ? c.out : 0, list);
    onnx_build_open(b, "Conv", list, name);
    nmi_put_string(&b->w, 3, name);
    onnx_build_int(b, "group", c.groups);
    snprintf(pads, sizeof pads, "%d,%d,%d,%d", c.kernel / 2, c.kernel / 2, c.kernel / 2,
             c.kernel / 2);
    onnx_build_ints(b, "pads", pads);
    snprintf(pads, sizeof pads, "%d,%d", c.stride, c.stride);
    onnx_build_ints(b, "strides", pads);
    onnx_build_close(b);
}

void prune_put_bn(struct onnx_build *b, const char *name, const char *in, int channels)
{
    static const char *const parts[] = {"scale", "shift", "mean", "var"};
    char list[160], text[40], shape[16];
    int at = snprintf(list, sizeof list, "%s", in);
    snprintf(shape, sizeof shape, "%d", channels);
    for (int i = 0; i < 4; i++) {
        uint64_t seed = (uint64_t)(channels + i);
        float *v = prune_floats((size_t)channels, seed);
        for (int k = 0; k < channels; k++) {
            v[k] = i == 1 || i == 2 ? 0.2f * v[k] : 1 + 0.5f * v[k];
        }
        snprintf(text, sizeof text, "%s.%s", name, parts[i]);
        onnx_build_tensor(b, text, NM_F32, shape, v, (size_t)channels * sizeof *v);
        at += snprintf(list + at, sizeof list - (size_t)at, ",%s", text);
        free(v);
    }
    onnx_build_node(b, "BatchNormalization", list, name);
}

void prune_put_gemm(struct onnx_build *b, const char *name, const char *in, int out, int cols,
                    bool trans_b)
{
    char weight[40], shape[32], list[96];
    snprintf(weight, sizeof weight, "%s.w", name);
    snprintf(shape, sizeof shape, "%d,%d", trans_b ? out : cols, trans_b ? cols : out);
    prune_put_weight(b, weight, shape, (size_t)(out * cols), 3.0f / sqrtf((float)cols));
    put_inputs(b, name, in, out, list);
    onnx_build_open(b, "Gemm", list, name);
    nmi_put_string(&b->w, 3, name);
    onnx_build_int(b, "transB", trans_b);
    onnx_build_close(b);
}

nm_model *prune_load(struct onnx_build *b)
{
    size_t size;
    nm_model *model = NULL;
    nm_error err = {NM_OK, ""};
    void *bytes = onnx_build_finish(b, &size);
    ck_assert_msg(nm_model_load_memory(bytes, size, NULL, &model, &err) == NM_OK, "%s",
                  err.message);
    nmi_free(bytes);
    return model;
}

nm_model *prune_net(void)
{
    struct onnx_build b;
    onnx_build_start(&b, 13);
    onnx_build_input(&b, "x", NM_F32, "N,3,8,8");
    prune_put_conv(&b, "stem", "x", (struct prune_conv){8, 3, 3, 1, false, 1});
    prune_put_bn(&b, "stem.n", "stem", 8);
    onnx_build_node(&b, "Relu", "stem.n", "stem.y");
    prune_put_conv(&b, "a", "stem.y", (struct prune_conv){16, 8, 3, 1, false, 1});
    prune_put_bn(&b, "a.n", "a", 16);
    onnx_build_node(&b, "Relu", "a.n", "a.y");
    prune_put_conv(&b, "b", "a.y", (struct prune_conv){16, 16, 3, 1, true, 1});
    prune_put_bn(&b, "b.n", "b", 16);
    onnx_build_node(&b, "Add", "b.n,a.y", "sum");
    onnx_build_node(&b, "Relu", "sum", "b.y");
    prune_put_conv(&b, "dw", "b.y", (struct prune_conv){16, 1, 3, 16, true, 1});
    onnx_build_node(&b, "Relu", "dw", "dw.y");
    prune_put_conv(&b, "grp", "dw.y", (struct prune_conv){16, 4, 3, 4, true, 1});
    onnx_build_node(&b, "Relu", "grp", "grp.y");
    onnx_build_node(&b, "GlobalAveragePool", "grp.y", "mean");
    onnx_build_node(&b, "Flatten", "mean", "flat");
    prune_put_gemm(&b, "f1", "flat", 24, 16, true);
    onnx_build_node(&b, "Relu", "f1", "f1.y");
    prune_put_gemm(&b, "f2", "f1.y", 16, 24, false);
    onnx_build_node(&b, "Relu", "f2", "f2.y");
    prune_put_weight(&b, "mm.w", "16,12", 16 * 12, 0.8f);
    onnx_build_open(&b, "MatMul", "f2.y,mm.w", "mm");
    nmi_put_string(&b.w, 3, "mm");
    onnx_build_close(&b);
    onnx_build_node(&b, "Relu", "mm", "mm.y");
    prune_put_gemm(&b, "fc", "mm.y", 5, 12, true);
    onnx_build_output(&b, "fc", NM_F32, NULL);
    return prune_load(&b);
}

nm_model *prune_tiny(void)
{
    struct onnx_build b;
    onnx_build_start(&b, 13);
    onnx_build_input(&b, "x", NM_F32, "N,3,6,6");
    prune_put_conv(&b, "stem", "x", (struct prune_conv){4, 3, 3, 1, true, 1});
    onnx_build_node(&b, "Relu", "stem", "stem.y");
    prune_put_conv(&b, "a", "stem.y", (struct prune_conv){6, 4, 3, 1, true, 1});
    onnx_build_node(&b, "Relu", "a", "a.y");
    onnx_build_node(&b, "GlobalAveragePool", "a.y", "mean");
    onnx_build_node(&b, "Flatten", "mean", "flat");
    prune_put_gemm(&b, "fc", "flat", 3, 6, true);
    onnx_build_output(&b, "fc", NM_F32, NULL);
    return prune_load(&b);
}

/* ---- what comes out ------------------------------------------------------------------------- */

const nm_weight *prune_weight(const nm_model *model, const char *name)
{
    for (size_t i = 0; i < nm_model_weights(model); i++) {
        const nm_weight *w = nm_model_weight(model, i);
        if (strcmp(w->name, name) == 0) {
            return w;
        }
    }
    ck_abort_msg("no weight %s", name);
    return NULL;
}

int64_t prune_elems(const nm_weight *w)
{
    int64_t n = 1;
    for (int32_t i = 0; i < w->rank; i++) {
        n *= w->dims[i];
    }
    return n;
}

int64_t prune_zeros(const nm_weight *w)
{
    return nmi_zeros(w->data, prune_elems(w));
}

float *prune_run(const nm_model *model, const struct prune_data *d, int64_t first, int64_t count,
                 size_t *n)
{
    nm_session_options o = NM_SESSION_OPTIONS_INIT;
    nm_session *session = NULL;
    nm_model *shared;
    nm_error err = {NM_OK, ""};
    nm_tensor out = {0}, in = {.type = NM_F32, .rank = d->data.rank + 1, .dims = {count}};
    memcpy(&shared, &model, sizeof shared);
    memcpy(in.dims + 1, d->data.dims, (size_t)d->data.rank * sizeof *in.dims);
    in.data = d->x + first * d->elems;
    in.capacity = (size_t)(count * d->elems) * sizeof(float);
    o.threads = 1;
    o.fixed_plan = 1;
    ck_assert_msg(nm_session_create(shared, &o, &session, &err) == NM_OK, "%s", err.message);
    ck_assert_msg(nm_run(session, &in, 1, &out, 1, &err) == NM_OK, "%s", err.message);
    *n = 1;
    for (int32_t i = 0; i < out.rank; i++) {
        *n *= (size_t)out.dims[i];
    }
    float *y = malloc(*n * sizeof *y + 1);
    ck_assert_ptr_nonnull(y);
    memcpy(y, out.data, *n * sizeof *y);
    nm_session_free(session);
    return y;
}

char *prune_saved(const nm_model *model, size_t *size)
{
    const char *path = scratch_path("pruned.onnx");
    nm_error err = {NM_OK, ""};
    ck_assert_msg(nm_model_save(model, path, NULL, &err) == NM_OK, "%s", err.message);
    FILE *f = fopen(path, "rb");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fseek(f, 0, SEEK_END), 0);
    *size = (size_t)ftell(f);
    rewind(f);
    char *bytes = malloc(*size + 1);
    ck_assert_ptr_nonnull(bytes);
    ck_assert_uint_eq(fread(bytes, 1, *size, f), *size);
    fclose(f);
    return bytes;
}

double prune_apart(const float *a, const float *b, size_t n)
{
    double off = 0, all = 0;
    for (size_t i = 0; i < n; i++) {
        off += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        all += (double)b[i] * (double)b[i];
    }
    return off / all;
}
