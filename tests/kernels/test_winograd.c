/* SPDX-License-Identifier: Apache-2.0 */
/* Dense convolutions of our own against the reference's convolution and pool. */
#include "tests/support/lanes_case.h"

#include "lib/base/mem.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { CASES = 250 };

static double worst;

static int32_t vl;

static struct nmi_act random_act(void)
{
    static const struct nmi_act acts[] = {
        {NMI_ACT_NONE, 0, 0},       {NMI_ACT_RELU, 0, 0},    {NMI_ACT_CLIP, 0.5f, 20.0f},
        {NMI_ACT_LEAKY, 0.1f, 0},   {NMI_ACT_SIGMOID, 0, 0}, {NMI_ACT_HARDSWISH, 0, 0},
        {NMI_ACT_SWISH, 0, 0}};
    return acts[case_random(0, (int32_t)NMI_COUNT(acts) - 1)];
}

static struct nmi_conv_desc random_conv(void)
{
    struct nmi_conv_desc d = {.groups = 1, .kh = 3, .kw = 3, .stride_h = 1, .stride_w = 1,
                              .dil_h = 1, .dil_w = 1, .act = random_act()};
    const int32_t most = case_random(0, 3) ? 40 : 150, size = case_random(0, 3) ? 12 : 30;
    int32_t h, w;
    do {
        for (int i = 0; i < 4; i++) {
            d.pad[i] = case_random(0, 2);
        }
        d.x = case_plain(case_random(0, 2) ? 1 : case_random(2, 4), case_random(1, most),
                         case_random(1, size), case_random(1, size));
        h = d.x.h + d.pad[0] + d.pad[2] - 2;
        w = d.x.w + d.pad[1] + d.pad[3] - 2;
        d.pool = (struct nmi_conv_pool){0};
        if (case_random(0, 2) == 0) {
            d.pool = (struct nmi_conv_pool){.kh = 2, .kw = 2, .stride_h = 2, .stride_w = 2};
            h /= 2;
            w /= 2;
        }
    } while (h < 1 || w < 1);
    d.y = case_plain(d.x.n, case_random(1, most), h, w);
    d.bias = case_random(0, 1);
    d.residual = !d.pool.kh && case_random(0, 1);
    d.blocking = (struct nmi_blocking){.tr = (int16_t)(case_random(0, 1) ? 4 : 2),
                                       .tc = (int16_t)case_random(1, 40),
                                       .icb = vl * case_random(1, 4)};
    return d;
}

/* Every extent along the way is at least one. */
static bool stem_fits(const struct nmi_conv_desc *d)
{
    const int32_t h = d->x.h + d->pad[0] + d->pad[2] - d->kh;
    const int32_t w = d->x.w + d->pad[1] + d->pad[3] - d->kw;
    const struct nmi_conv_pool *p = &d->pool;
    return h >= 0 && w >= 0 && d->y.h >= 1 && d->y.w >= 1 &&
           (!p->kh || (h / 2 + 1 + p->pad[0] + p->pad[2] >= p->kh &&
                       w / 2 + 1 + p->pad[1] + p->pad[3] >= p->kw));
}

/* A first layer of stride 2 from plain images, with any pool that keeps every window in the map. */
static struct nmi_conv_desc random_stem(void)
{
    struct nmi_conv_desc d = {.groups = 1, .stride_h = 2, .stride_w = 2, .dil_h = 1, .dil_w = 1,
                              .act = random_act(), .bias = case_random(0, 1)};
    const int32_t size = case_random(0, 3) ? 40 : 90, even = 2 * case_random(3, 4);
    struct nmi_conv_pool *p = &d.pool;
    int32_t h, w;
    do {
        d.kh = even - case_random(0, 1);
        d.kw = even - case_random(0, 1);
        for (int i = 0; i < 4; i++) {
            d.pad[i] = case_random(0, (i % 2 ? d.kw : d.kh) - 1);
        }
        d.x = case_plain(case_random(0, 2) ? 1 : case_random(2, 4), case_random(1, 4),
                         case_random(1, size), case_random(1, size));
        h = (d.x.h + d.pad[0] + d.pad[2] - d.kh) / 2 + 1;
        w = (d.x.w + d.pad[1] + d.pad[3] - d.kw) / 2 + 1;
        *p = (struct nmi_conv_pool){0};
        if (case_random(0, 1)) {
            const bool usual = case_random(0, 1);
            p->kh = usual ? 3 : case_random(1, 4);
            p->kw = usual ? 3 : case_random(1, 4);
            p->stride_h = case_random(1, p->kh);
            p->stride_w = case_random(1, p->kw);
            for (int i = 0; i < 4; i++) {
                p->pad[i] = case_random(0, (i % 2 ? p->kw : p->kh) - 1);
            }
            h = (h + p->pad[0] + p->pad[2] - p->kh) / p->stride_h + 1;
            w = (w + p->pad[1] + p->pad[3] - p->kw) / p->stride_w + 1;
        }
        d.y = case_plain(d.x.n, case_random(1, case_random(0, 1) ? 70 : 130), h, w);
    } while (!stem_fits(&d));
    d.blocking = (struct nmi_blocking){.tr = 4, .tc = (int16_t)case_random(1, 14)};
    return d;
}

/* The convolution, then its pool, by the reference in plain layouts. */
static void reference(const struct nmi_conv_desc *d, struct nmi_kargs args, float *y)
{
    union nmi_desc conv = {.conv = *d};
    conv.conv.x.layout = conv.conv.y.layout = (struct nmi_layout){0};
    conv.conv.pool.kh = 0;
    if (!d->pool.kh) {
        args.y = y;
        case_run(case_reference(NMI_KIND_CONV, &conv), &conv, &args, 1);
        return;
    }
    conv.conv.y.h = (d->x.h + d->pad[0] + d->pad[2] - d->kh) / d->stride_h + 1;
    conv.conv.y.w = (d->x.w + d->pad[1] + d->pad[3] - d->kw) / d->stride_w + 1;
    struct case_image map = case_image_make(conv.conv.y, false);
    args.y = map.data;
    case_run(case_reference(NMI_KIND_CONV, &conv), &conv, &args, 1);
    union nmi_desc pool = {.pool = {.x = conv.conv.y, .kh = d->pool.kh, .kw = d->pool.kw,
                                    .stride_h = d->pool.stride_h, .stride_w = d->pool.stride_w,
                                    .dil_h = 1, .dil_w = 1}};
    pool.pool.y = d->y;
    pool.pool.y.layout = (struct nmi_layout){0};
    memcpy(pool.pool.pad, d->pool.pad, sizeof pool.pool.pad);
    const struct nmi_kargs more = {.x = map.data, .y = y};
    case_run(case_reference(NMI_KIND_POOL, &pool), &pool, &more, 1);
    case_image_free(&map);
}

/* Blocked images: channels beyond C are zero on input and must be on output. */
static void pad_zero(struct case_image *image)
{
    memset(image->data, 0, image->memory.bytes);
}

static void check_pad(const struct case_image *image)
{
    const struct nmi_image *m = &image->image;
    struct nmi_image whole = *m;
    whole.c = (m->c + vl - 1) / vl * vl;
    for (int32_t n = 0; n < m->n; n++) {
        for (int32_t c = m->c; c < whole.c; c++) {
            for (int32_t i = 0; i < m->h * m->w; i++) {
                ck_assert(image->data[nmi_image_at(&whole, n, c, i / m->w, i % m->w)] == 0.0f);
            }
        }
    }
}

/* Clipped, the largest output says nothing of how large the sums were. */
static bool saturates(struct nmi_act act)
{
    return act.kind == NMI_ACT_CLIP || act.kind == NMI_ACT_SIGMOID;
}

struct conv_case {
    union nmi_desc desc;
    struct case_image x, res, y, first, want, plain_x, plain_res;
    struct guard packed, bias;
};

static struct conv_case conv_make(const struct nmi_kernel *kernel, struct nmi_conv_desc d)
{
    struct conv_case c;
    const bool at_end = case_random(0, 1);
    const struct nmi_layout block = {.kind = vl == 16 ? NMI_BLOCK16 : NMI_BLOCK8};
    c.plain_x = case_image_make(d.x, at_end);
    c.plain_res = case_image_make(d.y, at_end);
    c.want = case_image_make(d.y, at_end);
    d.x.layout.kind = d.stride_h == 2 ? NMI_PLAIN : block.kind;
    d.y.layout = block;
    c.desc.conv = d;
    ck_assert_ptr_null(kernel->refuse(&c.desc));
    c.x = case_image_make(d.x, at_end);
    c.res = case_image_make(d.y, at_end);
    c.y = case_image_make(d.y, at_end);
    c.first = case_image_make(d.y, at_end);
    pad_zero(&c.x);
    pad_zero(&c.res);
    case_image_fill(&c.plain_x, -1.0f, 1.0f);
    case_image_fill(&c.plain_res, -1.0f, 1.0f);
    case_image_copy(&c.plain_x, &c.x);
    case_image_copy(&c.plain_res, &c.res);
    return c;
}

static void conv_free(struct conv_case *c)
{
    struct case_image *const images[] = {&c->x,    &c->res,     &c->y,        &c->first,
                                         &c->want, &c->plain_x, &c->plain_res};
    for (size_t i = 0; i < NMI_COUNT(images); i++) {
        case_image_free(images[i]);
    }
    guard_free(&c->packed);
    guard_free(&c->bias);
}

/* Random weights, by scale[oc] where wanted; returns them scaled. */
static float *weights(const struct nmi_kernel *kernel, struct conv_case *c)
{
    const struct nmi_conv_desc *d = &c->desc.conv;
    const size_t each = (size_t)(d->x.c * d->kh * d->kw), count = each * (size_t)d->y.c;
    float *w = nmi_alloc(count * sizeof(float)), *scale = nmi_alloc((size_t)d->y.c * sizeof(float));
    const bool scaled = case_random(0, 1);
    for (size_t i = 0; i < count; i++) {
        w[i] = case_float();
    }
    for (int32_t i = 0; i < d->y.c; i++) {
        scale[i] = case_float();
    }
    const size_t bytes = kernel->dense_bytes(&c->desc);
    c->packed = guard_make(bytes, true);
    memset(c->packed.data, 0xff, bytes);
    kernel->pack_dense(&c->desc, w, scaled ? scale : NULL, c->packed.data);
    for (size_t i = 0; scaled && i < count; i++) {
        w[i] *= scale[i / each];
    }
    nmi_free(scale);
    return w;
}

static void conv_case(const struct nmi_kernel *kernel, struct nmi_conv_desc d)
{
    struct conv_case c = conv_make(kernel, d);
    float *w = weights(kernel, &c);
    c.bias = guard_make((size_t)d.y.c * sizeof(float), true);
    float *bias = c.bias.data;
    for (int32_t i = 0; i < d.y.c; i++) {
        bias[i] = case_float();
    }
    struct nmi_kargs args = {.x = c.plain_x.data, .w = w, .bias = d.bias ? bias : NULL,
                             .res = d.residual ? c.plain_res.data : NULL};
    reference(&c.desc.conv, args, c.want.data);
    args.x = c.x.data;
    args.packed = c.packed.data;
    const bool in_place = d.residual && case_random(0, 1);
    for (int parts = 1; parts <= 8; parts++) {
        struct case_image *y = parts == 1 ? &c.first : &c.y;
        if (in_place) {
            memcpy(y->data, c.res.data, c.res.memory.bytes);
        } else {
            memset(y->data, 0xff, y->memory.bytes);
        }
        args.y = y->data;
        args.res = in_place ? y->data : d.residual ? c.res.data : NULL;
        case_run(kernel, &c.desc, &args, parts);
        ck_assert_mem_eq(c.first.data, y->data, y->memory.bytes);
    }
    const double error = case_difference(&c.first, &c.want);
    worst = error > worst ? error : worst;
    ck_assert_double_le(error, saturates(d.act) ? 1e-4 : 2e-5);
    check_pad(&c.first);
    nmi_free(w);
    conv_free(&c);
}

static void conv_cases(const struct nmi_kernel *kernel)
{
    const bool stem = strstr(kernel->name, "stem") != NULL;
    if (strstr(kernel->name, "_block__") == NULL) {
        return; /* in lanes: test_lanes_dwconv */
    }
    vl = nmi_isa_lanes(kernel->isa);
    worst = 0.0;
    for (int i = 0; i < CASES; i++) {
        conv_case(kernel, stem ? random_stem() : random_conv());
    }
    printf("%s: largest error %.1e of the largest output\n", kernel->name, worst);
}

START_TEST(winograd_random_layer_matches_reference)
{
    case_each(NMI_KIND_CONV, conv_cases);
}
END_TEST

static void refuses(const struct nmi_kernel *kernel)
{
    if (strstr(kernel->name, "winograd") == NULL) {
        return;
    }
    vl = nmi_isa_lanes(kernel->isa);
    struct nmi_conv_desc good = random_conv();
    good.residual = false;
    good.x.layout.kind = good.y.layout.kind = vl == 16 ? NMI_BLOCK16 : NMI_BLOCK8;
    union nmi_desc d = {.conv = good};
    ck_assert_ptr_null(kernel->refuse(&d));
#define REFUSED(change)                              \
    d.conv = good;                                   \
    change;                                          \
    ck_assert_msg(kernel->refuse(&d) != NULL, #change)
    REFUSED(d.conv.x.layout.kind = NMI_PLAIN);
    REFUSED(d.conv.y.layout.kind = NMI_NHWC);
    REFUSED(d.conv.kh = 1);
    REFUSED(d.conv.stride_w = 2);
    REFUSED(d.conv.dil_h = 2);
    REFUSED(d.conv.groups = 2);
    REFUSED(d.conv.pad[1] = 3);
    REFUSED(d.conv.pad[2] = -1);
    REFUSED(d.conv.y.h++);
    REFUSED(d.conv.pool.kh = 3);
    REFUSED(d.conv.pool.kh = 2; d.conv.pool.pad[0] = 1);
#undef REFUSED
}

START_TEST(winograd_refuses_what_it_does_not_do)
{
    case_each(NMI_KIND_CONV, refuses);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {winograd_random_layer_matches_reference,
                                  winograd_refuses_what_it_does_not_do};
    return case_main("winograd", tests, NMI_COUNT(tests));
}
