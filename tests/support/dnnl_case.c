/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/dnnl_case.h"
#include "lib/base/mem.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { GUARD = 16 }; /* floats before and behind each buffer */
static const float canary = 12345.678f;
static uint64_t state = 1;

uint64_t dc_start(const char *suite)
{
    const char *text = getenv("NM_SEED");
    state = text ? strtoull(text, NULL, 0) : 1;
    const char *cap = getenv("DNNL_MAX_CPU_ISA");
    printf("%s: NM_SEED=%llu, oneDNN up to %s\n", suite, (unsigned long long)state,
           cap ? cap : "what there is");
    return state;
}

int dc_finish(int failed)
{
    static char name[] = "dnnl_avx2";
    char *argv[] = {name, NULL};
    if (failed > 0 || getenv("DNNL_MAX_CPU_ISA")) {
        return failed > 0;
    }
    setenv("DNNL_MAX_CPU_ISA", "AVX2", 1);
    fflush(NULL);
    execv("/proc/self/exe", argv);
    return 1;
}

static uint32_t next(void)
{
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(state >> 33);
}

int32_t dc_pick(int32_t low, int32_t high)
{
    return low + (int32_t)(next() % (uint32_t)(high - low + 1));
}

/* ---- buffers --------------------------------------------------------------------------------- */

static float *allocate(size_t count)
{
    float *base = nmi_alloc((count + 3 * GUARD) * sizeof *base);
    ck_assert_ptr_nonnull(base);
    memcpy(base, &count, sizeof count);
    for (size_t i = 0; i < GUARD; i++) {
        base[GUARD + i - GUARD / 2] = canary;
        base[2 * GUARD + count + i - GUARD] = canary;
    }
    return base + GUARD;
}

float *dc_filled(size_t count, float value)
{
    float *p = allocate(count);
    for (size_t i = 0; i < count; i++) {
        p[i] = value;
    }
    return p;
}

float *dc_floats(size_t count)
{
    float *p = allocate(count);
    for (size_t i = 0; i < count; i++) {
        p[i] = (float)next() / 1073741824.0f - 1.0f;
    }
    return p;
}

void dc_free(float *p)
{
    size_t count;
    if (!p) {
        return;
    }
    memcpy(&count, p - GUARD, sizeof count);
    for (size_t i = 1; i <= GUARD / 2; i++) {
        ck_assert_msg(p[-(ptrdiff_t)i] == canary, "written before a buffer");
        ck_assert_msg(p[count + i - 1] == canary, "written behind a buffer");
    }
    nmi_free(p - GUARD);
}

/* ---- layouts --------------------------------------------------------------------------------- */

size_t dc_elems(const struct nmi_image *image)
{
    return (size_t)image->n * (size_t)image->c * (size_t)image->h * (size_t)image->w;
}

size_t dc_stored(const struct nmi_image *image)
{
    size_t block = (size_t)nmi_layout_block(image->layout.kind);
    size_t c = ((size_t)image->c + block - 1) / block * block;
    return (size_t)image->n * c * (size_t)image->h * (size_t)image->w;
}

void dc_round(float *p, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, p + i, sizeof bits);
        bits &= 0xffff0000u;
        memcpy(p + i, &bits, sizeof bits);
    }
}

static float get(const float *p, const struct nmi_image *image, size_t i)
{
    uint16_t half;
    uint32_t bits;
    float v;
    if (!nmi_layout_bf16(image->layout.kind)) {
        return p[i];
    }
    memcpy(&half, (const char *)p + 2 * i, sizeof half);
    bits = (uint32_t)half << 16;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* v must be one that bfloat16 can hold when the image is in it. */
static void put(float *p, const struct nmi_image *image, size_t i, float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    const uint16_t half = (uint16_t)(bits >> 16);
    if (nmi_layout_bf16(image->layout.kind)) {
        memcpy((char *)p + 2 * i, &half, sizeof half);
    } else {
        p[i] = v;
    }
}

float *dc_image(const struct nmi_image *image, float value)
{
    size_t stored = dc_stored(image);
    bool half = nmi_layout_bf16(image->layout.kind);
    float *p = dc_filled(half ? (stored + 1) / 2 : stored, 0.0f);
    for (size_t i = 0; i < stored; i++) {
        put(p, image, i, value);
    }
    return p;
}

static size_t at(const struct nmi_image *image, size_t i)
{
    size_t x = i % (size_t)image->w, y = i / (size_t)image->w % (size_t)image->h;
    size_t plane = i / ((size_t)image->w * (size_t)image->h);
    return nmi_image_at(image, (int32_t)(plane / (size_t)image->c),
                        (int32_t)(plane % (size_t)image->c), (int32_t)y, (int32_t)x);
}

float *dc_place(const float *plain, const struct nmi_image *image, float surplus)
{
    float *p = dc_image(image, surplus);
    for (size_t i = 0; i < dc_elems(image); i++) {
        put(p, image, at(image, i), plain[i]);
    }
    return p;
}

double dc_error(const float *y, const float *want, size_t count)
{
    double most = 0, worst = 0;
    for (size_t i = 0; i < count; i++) {
        double off = fabs((double)y[i] - (double)want[i]);
        most = fmax(most, fabs((double)want[i]));
        worst = off <= worst ? worst : isnan(off) ? INFINITY : off;
    }
    return worst == 0 ? 0 : worst / fmax(most, 1e-30);
}

double dc_image_error(const float *y, const struct nmi_image *image, const float *want)
{
    size_t count = dc_elems(image), stored = dc_stored(image);
    float *plain = dc_filled(count, 0.0f);
    unsigned char *seen = nmi_calloc(stored, 1);
    double error = 0;
    for (size_t i = 0; i < count; i++) {
        plain[i] = get(y, image, at(image, i));
        seen[at(image, i)] = 1;
    }
    for (size_t i = 0; i < stored; i++) {
        error = seen[i] || get(y, image, i) == 0.0f ? error : INFINITY;
    }
    error = fmax(error, dc_error(plain, want, count));
    nmi_free(seen);
    dc_free(plain);
    return error;
}

/* ---- runs ------------------------------------------------------------------------------------ */

void dc_reference(int32_t kind, const union nmi_desc *desc, const struct nmi_kargs *args)
{
    const struct nmi_kernel *k = nmi_kernel_find(kind, NM_ISA_REF, desc, NULL);
    ck_assert_ptr_nonnull(k);
    struct nmi_kargs with = *args;
    with.scratch = nmi_alloc(k->scratch_bytes ? k->scratch_bytes(desc, 1) : 0);
    k->run(desc, &with, 0, 1);
    nmi_free(with.scratch);
}

static void run_on(struct nmi_dnnl *o, const struct nmi_kargs *args)
{
    struct nmi_kargs with = *args;
    float *scratch = dc_filled(nmi_dnnl_scratch_bytes(o) / sizeof(float) + 1, NAN);
    with.scratch = scratch;
    ck_assert_int_eq(nmi_dnnl_run(o, &with), NM_OK);
    dc_free(scratch);
}

nm_status dc_run(int32_t kind, const union nmi_desc *desc, enum nmi_dnnl_algo algo,
                 const struct nmi_kargs *args, bool once)
{
    nm_error err = {NM_OK, ""};
    struct nmi_dnnl *o = NULL;
    struct nmi_kargs with = *args;
    nm_status s = nmi_dnnl_create(kind, desc, algo, &o, &err);
    if (s != NM_OK) {
        ck_assert_msg(s == NM_EUNSUPPORTED, "%s", err.message);
        ck_assert_ptr_null(o);
        return s;
    }
    float *packed = NULL;
    if (nmi_dnnl_packed_bytes(o) > 0) {
        packed = dc_filled(nmi_dnnl_packed_bytes(o) / sizeof(float) + 1, NAN);
        ck_assert_msg(nmi_dnnl_pack(o, args->w, packed, &err) == NM_OK, "%s", err.message);
        with.packed = packed;
        with.w = NULL;
    }
    for (int i = 0; i < (once ? 1 : 2); i++) {
        run_on(o, &with);
    }
    dc_free(packed);
    nmi_dnnl_free(o);
    return NM_OK;
}
