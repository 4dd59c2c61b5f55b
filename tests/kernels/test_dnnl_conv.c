/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution and deconvolution on oneDNN against the reference: shapes, layouts, activations. */
#include "kernels/kernel.h"
#include "lib/base/parallel.h"
#include "tests/support/dnnl_case.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const uint8_t layouts[] = {NMI_PLAIN, NMI_NHWC, NMI_BLOCK8, NMI_BLOCK16};

static const struct nmi_act acts[] = {{NMI_ACT_NONE, 0, 0},       {NMI_ACT_RELU, 0, 0},
                                      {NMI_ACT_CLIP, 0.0f, 6.0f}, {NMI_ACT_LEAKY, 0.1f, 0},
                                      {NMI_ACT_SIGMOID, 0, 0},    {NMI_ACT_HARDSWISH, 0, 0},
                                      {NMI_ACT_SWISH, 0, 0},      {NMI_ACT_GELU, 0, 0},
                                      {NMI_ACT_CLIP, -3.0f, 4.0f}};

/* A case in plain layouts, its data and what must come out. */
struct conv_case {
    int32_t kind;
    union nmi_desc desc;
    float *x, *w, *bias, *res, *want;
};

static int32_t out_size(int32_t in, int32_t k, int32_t s, int32_t d, int32_t pads)
{
    return (in + pads - ((k - 1) * d + 1)) / s + 1;
}

static struct nmi_conv_desc random_conv(void)
{
    static const int32_t channels[] = {1, 3, 8, 16, 17, 32, 33, 64};
    struct nmi_conv_desc d = {.groups = 1, .stride_h = dc_pick(1, 2), .stride_w = dc_pick(1, 2)};
    d.kh = dc_pick(1, 3);
    d.kw = dc_pick(0, 2) ? d.kh : dc_pick(1, 5);
    d.dil_h = d.dil_w = dc_pick(0, 3) ? 1 : 2;
    for (int i = 0; i < 4; i++) {
        d.pad[i] = dc_pick(0, 1);
    }
    int32_t n = dc_pick(1, 5), kind = dc_pick(0, 3);
    int32_t ic = channels[dc_pick(0, 7)], oc = channels[dc_pick(0, 7)];
    if (kind == 0) { /* depthwise */
        d.groups = oc = ic;
    } else if (kind == 1) {
        d.groups = dc_pick(2, 3);
        ic *= d.groups;
        oc *= d.groups;
    }
    d.x = (struct nmi_image){.n = n, .c = ic, .h = dc_pick(9, 16), .w = dc_pick(9, 16)};
    d.y = (struct nmi_image){.n = n, .c = oc};
    d.act = acts[dc_pick(0, (int32_t)NMI_COUNT(acts) - 1)];
    d.bias = dc_pick(0, 1);
    /* a residual is refused when a window may lie in the pad alone */
    d.residual = dc_pick(0, 1) && d.kh > 1 && d.kw > 1;
    return d;
}

static void size_output(struct conv_case *c)
{
    struct nmi_conv_desc *d = &c->desc.conv;
    int32_t rows = d->pad[0] + d->pad[2], cols = d->pad[1] + d->pad[3];
    if (c->kind == NMI_KIND_CONV) {
        d->y.h = out_size(d->x.h, d->kh, d->stride_h, d->dil_h, rows);
        d->y.w = out_size(d->x.w, d->kw, d->stride_w, d->dil_w, cols);
        return;
    }
    d->y.h = (d->x.h - 1) * d->stride_h + (d->kh - 1) * d->dil_h + 1 - rows;
    d->y.w = (d->x.w - 1) * d->stride_w + (d->kw - 1) * d->dil_w + 1 - cols;
    d->y.h += d->stride_h > 1 ? dc_pick(0, 1) : 0; /* output padding */
    d->y.w += d->stride_w > 1 ? dc_pick(0, 1) : 0;
}

static struct conv_case make_case(int32_t kind, struct nmi_conv_desc d)
{
    struct conv_case c = {.kind = kind};
    c.desc.conv = d;
    size_output(&c);
    d = c.desc.conv;
    c.x = dc_floats(dc_elems(&d.x));
    c.w = dc_floats((size_t)d.x.c * (size_t)d.y.c / (size_t)d.groups * (size_t)(d.kh * d.kw));
    c.bias = d.bias ? dc_floats((size_t)d.y.c) : NULL;
    c.res = d.residual ? dc_floats(dc_elems(&d.y)) : NULL;
    c.want = dc_filled(dc_elems(&d.y), NAN);
    dc_reference(
        kind, &c.desc,
        &(struct nmi_kargs){.x = c.x, .w = c.w, .bias = c.bias, .res = c.res, .y = c.want});
    return c;
}

static void free_case(struct conv_case *c)
{
    dc_free(c->x);
    dc_free(c->w);
    dc_free(c->bias);
    dc_free(c->res);
    dc_free(c->want);
}

/* Runs the case with these layouts; false when oneDNN does not do it. */
static bool check(const struct conv_case *c, uint8_t x_kind, uint8_t y_kind,
                  enum nmi_dnnl_algo algo, double bound)
{
    union nmi_desc desc = c->desc;
    desc.conv.x.layout.kind = x_kind;
    desc.conv.y.layout.kind = y_kind;
    const struct nmi_conv_desc *d = &desc.conv;
    float *x = dc_place(c->x, &d->x, 0.0f);
    float *y = d->residual ? dc_place(c->res, &d->y, 0.0f) : dc_filled(dc_stored(&d->y), NAN);
    nm_status s = dc_run(c->kind, &desc, algo,
                         &(struct nmi_kargs){.x = x, .w = c->w, .bias = c->bias, .res = y, .y = y},
                         d->residual);
    if (s == NM_OK) {
        double error = dc_image_error(y, &d->y, c->want);
        ck_assert_msg(error <= bound,
                      "error %g: %dx%dx%dx%d -> %dx%dx%d, kernel %dx%d, stride %d %d, dilation %d, "
                      "pads %d %d %d %d, groups %d, act %d, residual %d, layouts %d %d",
                      error, d->x.n, d->x.c, d->x.h, d->x.w, d->y.c, d->y.h, d->y.w, d->kh, d->kw,
                      d->stride_h, d->stride_w, d->dil_h, d->pad[0], d->pad[1], d->pad[2],
                      d->pad[3], d->groups, d->act.kind, d->residual, x_kind, y_kind);
    }
    dc_free(x);
    dc_free(y);
    return s == NM_OK;
}

/* Plain on both sides always works; what else does, is right. */
static void check_layouts(const struct conv_case *c)
{
    for (size_t i = 0; i < NMI_COUNT(layouts); i++) {
        for (size_t j = 0; j < NMI_COUNT(layouts); j++) {
            bool done = check(c, layouts[i], layouts[j], NMI_DNNL_DIRECT, 1e-5);
            ck_assert(done || layouts[i] != NMI_PLAIN || layouts[j] != NMI_PLAIN);
        }
    }
}

START_TEST(conv_random_shapes_agree)
{
    for (int i = 0; i < 30; i++) {
        struct conv_case c = make_case(NMI_KIND_CONV, random_conv());
        check_layouts(&c);
        free_case(&c);
    }
}
END_TEST

START_TEST(conv_every_activation_agrees)
{
    for (size_t i = 0; i < 2 * NMI_COUNT(acts); i++) {
        struct nmi_conv_desc d = {.groups = 1, .kh = 3, .kw = 3, .stride_h = 1, .stride_w = 1};
        d.dil_h = d.dil_w = 1;
        d.x = (struct nmi_image){.n = 2, .c = 17, .h = 9, .w = 11};
        d.y = (struct nmi_image){.n = 2, .c = 33};
        d.act = acts[i / 2];
        d.bias = true;
        d.residual = i % 2 == 1;
        struct conv_case c = make_case(NMI_KIND_CONV, d);
        check_layouts(&c);
        free_case(&c);
    }
}
END_TEST

START_TEST(conv_layouts_chosen_work)
{
    for (int i = 0; i < 20; i++) {
        uint8_t x = 99, y = 99;
        nm_error err = {NM_OK, ""};
        struct conv_case c = make_case(NMI_KIND_CONV, random_conv());
        nm_status s = nmi_dnnl_conv_layouts(&c.desc.conv, NMI_DNNL_DIRECT, &x, &y, &err);
        ck_assert_msg(s == NM_OK, "%s", err.message);
        ck_assert(x <= NMI_BLOCK16 && y <= NMI_BLOCK16);
        ck_assert(check(&c, x, y, NMI_DNNL_DIRECT, 1e-5));
        free_case(&c);
    }
}
END_TEST

START_TEST(conv_two_threads_agree)
{
    int old = nmi_threads_enter(2);
    for (int i = 0; i < 10; i++) {
        struct conv_case c = make_case(NMI_KIND_CONV, random_conv());
        check_layouts(&c);
        free_case(&c);
    }
    nmi_threads_restore(old);
}
END_TEST

START_TEST(conv_winograd_agrees_or_is_refused)
{
    int ran = 0;
    double bound = 1e-4; /* the transforms cost digits */
    for (int i = 0; i < 12; i++) {
        uint8_t x = 0, y = 0;
        nm_error err = {NM_OK, ""};
        struct nmi_conv_desc d = {.groups = 1, .kh = 3, .kw = 3, .stride_h = 1, .stride_w = 1};
        d.dil_h = d.dil_w = d.pad[0] = d.pad[1] = d.pad[2] = d.pad[3] = 1;
        d.x = (struct nmi_image){.n = dc_pick(1, 4), .c = 16 * dc_pick(1, 8), .h = dc_pick(7, 28)};
        d.x.w = d.x.h;
        d.y = (struct nmi_image){.n = d.x.n, .c = 16 * dc_pick(1, 8)};
        d.act = acts[i % 2];
        d.bias = true;
        struct conv_case c = make_case(NMI_KIND_CONV, d);
        nm_status s = nmi_dnnl_conv_layouts(&c.desc.conv, NMI_DNNL_WINOGRAD, &x, &y, &err);
        ck_assert(s == NM_OK || s == NM_EUNSUPPORTED);
        if (s == NM_OK) {
            ran += check(&c, x, y, NMI_DNNL_WINOGRAD, bound);
        }
        free_case(&c);
    }
    printf("Winograd: %d of 12 ran\n", ran);
}
END_TEST

START_TEST(deconv_random_shapes_agree)
{
    int ran = 0;
    for (int i = 0; i < 20; i++) {
        struct nmi_conv_desc d = random_conv();
        d.residual = false;
        d.x.h = dc_pick(3, 8);
        d.x.w = dc_pick(3, 8);
        d.pad[0] = d.pad[2] = d.pad[0] && d.kh > 1;
        d.pad[1] = d.pad[3] = d.pad[1] && d.kw > 1;
        struct conv_case c = make_case(NMI_KIND_DECONV, d);
        ck_assert(check(&c, NMI_PLAIN, NMI_PLAIN, NMI_DNNL_DIRECT, 1e-5));
        for (size_t j = 1; j < NMI_COUNT(layouts); j++) {
            ran += check(&c, layouts[j], layouts[j], NMI_DNNL_DIRECT, 1e-5);
        }
        free_case(&c);
    }
    ck_assert_int_ge(ran, 20);
}
END_TEST

START_TEST(conv_lanes_and_nonsense_refused)
{
    struct conv_case c = make_case(NMI_KIND_CONV, random_conv());
    struct nmi_dnnl *o = NULL;
    nm_error err = {NM_OK, ""};
    union nmi_desc desc = c.desc;
    desc.conv.x.layout.kind = NMI_LANES;
    ck_assert_int_eq(nmi_dnnl_create(NMI_KIND_CONV, &desc, NMI_DNNL_DIRECT, &o, &err),
                     NM_EUNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.message, "oneDNN: convolution"));
    desc = c.desc;
    desc.conv.groups = 0;
    ck_assert_int_eq(nmi_dnnl_create(NMI_KIND_CONV, &desc, NMI_DNNL_DIRECT, &o, NULL), NM_EINVAL);
    desc = c.desc;
    desc.conv.y.h += 5;
    ck_assert_int_eq(nmi_dnnl_create(NMI_KIND_CONV, &desc, NMI_DNNL_DIRECT, &o, NULL),
                     NM_EUNSUPPORTED);
    desc = c.desc;
    ck_assert_int_eq(nmi_dnnl_create(NMI_KIND_DECONV, &desc, NMI_DNNL_WINOGRAD, &o, NULL),
                     NM_EUNSUPPORTED);
    ck_assert_int_eq(nmi_dnnl_create(NMI_KIND_HALO, &desc, NMI_DNNL_DIRECT, &o, NULL),
                     NM_EUNSUPPORTED);
    ck_assert_ptr_null(o);
    nmi_dnnl_free(NULL);
    free_case(&c);
}
END_TEST

int main(void)
{
    dc_start("dnnl_conv");
    Suite *suite = suite_create("dnnl_conv");
    TCase *tc = tcase_create("all");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, conv_random_shapes_agree);
    tcase_add_test(tc, conv_every_activation_agrees);
    tcase_add_test(tc, conv_layouts_chosen_work);
    tcase_add_test(tc, conv_two_threads_agree);
    tcase_add_test(tc, conv_winograd_agrees_or_is_refused);
    tcase_add_test(tc, deconv_random_shapes_agree);
    tcase_add_test(tc, conv_lanes_and_nonsense_refused);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return dc_finish(failed);
}
