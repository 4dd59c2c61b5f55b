/* SPDX-License-Identifier: Apache-2.0 */
/* Pooling and conversion of layouts on oneDNN against the reference. */
#include "kernels/kernel.h"
#include "lib/base/cpu.h"
#include "tests/support/dnnl_case.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t layouts[] = {NMI_PLAIN,   NMI_NHWC,      NMI_BLOCK8,
                                  NMI_BLOCK16, NMI_NHWC_BF16, NMI_BLOCK16_BF16};

/* Where it is not, oneDNN may do it all the same, more slowly. */
static bool bf16_here(void)
{
    return nmi_cpu_info()->bf16 && getenv("DNNL_MAX_CPU_ISA") == NULL;
}

static int32_t windows(int32_t in, int32_t pads, int32_t span, int32_t stride, bool ceil)
{
    return (in + pads - span + (ceil ? stride - 1 : 0)) / stride + 1;
}

static struct nmi_pool_desc random_pool(void)
{
    struct nmi_pool_desc d = {.average = dc_pick(0, 1), .include_pad = dc_pick(0, 1)};
    bool ceil = dc_pick(0, 1);
    d.kh = dc_pick(1, 4);
    d.kw = dc_pick(1, 4);
    d.stride_h = dc_pick(1, 3);
    d.stride_w = dc_pick(1, 3);
    d.dil_h = d.dil_w = dc_pick(0, 4) ? 1 : 2;
    d.pad[0] = dc_pick(0, d.kh / 2);
    d.pad[1] = dc_pick(0, d.kw / 2);
    d.pad[2] = dc_pick(0, d.kh / 2);
    d.pad[3] = dc_pick(0, d.kw / 2);
    d.x = (struct nmi_image){.n = dc_pick(1, 3), .c = dc_pick(1, 33), .h = dc_pick(8, 15)};
    d.x.w = dc_pick(8, 15);
    d.y = d.x;
    d.y.h = windows(d.x.h, d.pad[0] + d.pad[2], (d.kh - 1) * d.dil_h + 1, d.stride_h, ceil);
    d.y.w = windows(d.x.w, d.pad[1] + d.pad[3], (d.kw - 1) * d.dil_w + 1, d.stride_w, ceil);
    if (ceil && (d.y.h - 1) * d.stride_h >= d.x.h + d.pad[0]) { /* as ONNX does */
        d.y.h--;
    }
    if (ceil && (d.y.w - 1) * d.stride_w >= d.x.w + d.pad[1]) {
        d.y.w--;
    }
    return d;
}

/* A window reaches beyond the pads. */
static bool overhangs(const struct nmi_pool_desc *d)
{
    int32_t h = (d->y.h - 1) * d->stride_h + (d->kh - 1) * d->dil_h + 1;
    int32_t w = (d->y.w - 1) * d->stride_w + (d->kw - 1) * d->dil_w + 1;
    return h > d->x.h + d->pad[0] + d->pad[2] || w > d->x.w + d->pad[1] + d->pad[3];
}

static bool check_pool(const struct nmi_pool_desc *plain, uint8_t kind, const float *x,
                       const float *want)
{
    union nmi_desc desc = {.pool = *plain};
    struct nmi_pool_desc *d = &desc.pool;
    d->x.layout.kind = d->y.layout.kind = kind;
    float *in = dc_place(x, &d->x, 0.0f), *out = dc_image(&d->y, NAN);
    nm_status s = dc_run(NMI_KIND_POOL, &desc, NMI_DNNL_DIRECT,
                         &(struct nmi_kargs){.x = in, .y = out}, false);
    if (s == NM_OK) {
        double error = dc_image_error(out, &d->y, want);
        /* x is what bfloat16 holds: of the maximum exactly, of an average rounded once */
        ck_assert_msg(error <= (nmi_layout_bf16(kind) && d->average ? 0x1p-8 : 1e-6),
                      "error %g: average %d, pads counted %d, %dx%dx%dx%d -> %dx%d, window %dx%d, "
                      "stride %d %d, dilation %d, pads %d %d %d %d, layout %d",
                      error, d->average, d->include_pad, d->x.n, d->x.c, d->x.h, d->x.w, d->y.h,
                      d->y.w, d->kh, d->kw, d->stride_h, d->stride_w, d->dil_h, d->pad[0],
                      d->pad[1], d->pad[2], d->pad[3], kind);
    }
    dc_free(in);
    dc_free(out);
    return s == NM_OK;
}

START_TEST(pool_random_shapes_agree)
{
    for (int i = 0; i < 200; i++) {
        struct nmi_pool_desc d = random_pool();
        union nmi_desc desc = {.pool = d};
        float *x = dc_floats(dc_elems(&d.x)), *want = dc_filled(dc_elems(&d.y), NAN);
        dc_round(x, dc_elems(&d.x));
        dc_reference(NMI_KIND_POOL, &desc, &(struct nmi_kargs){.x = x, .y = want});
        for (size_t j = 0; j < NMI_COUNT(layouts); j++) {
            bool refused = d.average && d.include_pad && overhangs(&d);
            bool done = check_pool(&d, layouts[j], x, want);
            ck_assert(!done || !refused);
            bool avx512 = nmi_layout_block(layouts[j]) == 16 || nmi_layout_bf16(layouts[j]);
            ck_assert(done || refused || d.dil_h > 1 || avx512);
        }
        dc_free(x);
        dc_free(want);
    }
}
END_TEST

START_TEST(pool_window_in_pad_alone_refused)
{
    union nmi_desc desc = {.pool = random_pool()};
    struct nmi_dnnl *o = NULL;
    nm_error err = {NM_OK, ""};
    desc.pool.pad[0] = (desc.pool.kh - 1) * desc.pool.dil_h + 1;
    ck_assert_int_eq(nmi_dnnl_create(NMI_KIND_POOL, &desc, NMI_DNNL_DIRECT, &o, &err),
                     NM_EUNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.message, "pad alone"));
}
END_TEST

START_TEST(convert_every_pair_agrees)
{
    const int32_t n = (int32_t)NMI_COUNT(layouts);
    for (int i = 0; i < n * n * 8; i++) {
        struct nmi_image image = {.n = dc_pick(1, 3), .c = dc_pick(1, 40), .h = dc_pick(1, 9)};
        image.w = dc_pick(1, 9);
        union nmi_desc desc = {.convert = {.from = image, .to = image}};
        desc.convert.from.layout.kind = layouts[i % n];
        desc.convert.to.layout.kind = layouts[i / n % n];
        bool half = nmi_layout_bf16(layouts[i % n]) || nmi_layout_bf16(layouts[i / n % n]);
        float *plain = dc_floats(dc_elems(&image));
        if (half) {
            dc_round(plain, dc_elems(&image));
        }
        float *from = dc_place(plain, &desc.convert.from, 0.0f);
        float *to = dc_image(&desc.convert.to, NAN);
        nm_status s = dc_run(NMI_KIND_CONVERT, &desc, NMI_DNNL_DIRECT,
                             &(struct nmi_kargs){.x = from, .y = to}, false);
        ck_assert(s == NM_OK || (half && !bf16_here()));
        ck_assert(s != NM_OK || dc_image_error(to, &desc.convert.to, plain) == 0);
        dc_free(plain);
        dc_free(from);
        dc_free(to);
    }
}
END_TEST

START_TEST(convert_to_bfloat16_rounds_to_nearest)
{
    struct nmi_image image = {.n = 2, .c = 19, .h = 5, .w = 7};
    union nmi_desc desc = {.convert = {.from = image, .to = image}};
    desc.convert.to.layout.kind = NMI_NHWC_BF16;
    float *plain = dc_floats(dc_elems(&image)), *to = dc_image(&desc.convert.to, NAN);
    if (dc_run(NMI_KIND_CONVERT, &desc, NMI_DNNL_DIRECT, &(struct nmi_kargs){.x = plain, .y = to},
               false) == NM_OK) {
        ck_assert(dc_image_error(to, &desc.convert.to, plain) <= 0x1p-9);
    }
    dc_free(plain);
    dc_free(to);
}
END_TEST

int main(void)
{
    dc_start("dnnl_pool");
    Suite *suite = suite_create("dnnl_pool");
    TCase *tc = tcase_create("all");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, pool_random_shapes_agree);
    tcase_add_test(tc, pool_window_in_pad_alone_refused);
    tcase_add_test(tc, convert_every_pair_agrees);
    tcase_add_test(tc, convert_to_bfloat16_rounds_to_nearest);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return dc_finish(failed);
}
