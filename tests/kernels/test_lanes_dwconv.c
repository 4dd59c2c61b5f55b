/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolution in lanes against the reference on plain images. The input's frame and
 * surplus lanes are NaN. */
#include "tests/support/lanes_case.h"

#include "lib/base/mem.h"

#include <string.h>

enum { CASES = 400 };

static int32_t larger(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

static int32_t out_extent(int32_t in, int32_t k, int32_t stride, int32_t dil, int32_t pads)
{
    const int32_t room = in + pads - dil * (k - 1) - 1;
    return room < 0 ? 0 : room / stride + 1;
}

/* Half of them are of those that kernels know: square, 3 or 5 wide, stride 1 or 2. */
static void random_window(struct nmi_conv_desc *d)
{
    const bool known = case_random(0, 1);
    d->kh = known ? case_random(1, 2) * 2 + 1 : case_random(1, 7);
    d->kw = known ? d->kh : case_random(1, 7);
    d->stride_h = case_random(1, known ? 2 : 4);
    d->stride_w = known ? d->stride_h : case_random(1, 4);
    d->dil_h = case_random(0, 2) ? 1 : case_random(1, 4);
    d->dil_w = known || case_random(0, 2) ? 1 : case_random(1, 4);
    for (int i = 0; i < 4; i++) {
        d->pad[i] = case_random(0, 1) ? (i % 2 ? d->kw : d->kh) / 2 : case_random(0, 9);
    }
}

static struct nmi_conv_desc random_conv(int32_t vl)
{
    struct nmi_conv_desc d = {.bias = case_random(0, 1), .residual = case_random(0, 2) == 0};
    d.act = (struct nmi_act){.kind = case_random(0, NMI_ACT_GELU), .alpha = -0.1f, .beta = 6.0f};
    do {
        const int32_t most = case_random(0, 3) ? 30 : 120;
        random_window(&d);
        d.x = case_plain(case_random(0, 2) ? case_random(1, 2) : case_random(1, 33),
                         case_random(1, 20), case_random(1, most), case_random(1, most));
        d.y = d.x;
        d.groups = d.x.c;
        d.y.c *= case_random(0, 3) ? 1 : case_random(1, 3);
        d.y.h = out_extent(d.x.h, d.kh, d.stride_h, d.dil_h, d.pad[0] + d.pad[2]);
        d.y.w = out_extent(d.x.w, d.kw, d.stride_w, d.dil_w, d.pad[1] + d.pad[3]);
    } while (d.y.h < 1 || d.y.w < 1);
    const int32_t h = larger(d.y.h, (d.x.h + d.stride_h - 1) / d.stride_h);
    const int32_t w = larger(d.y.w, (d.x.w + d.stride_w - 1) / d.stride_w);
    int32_t halo[4];
    for (int i = 0; i < 4; i++) {
        halo[i] = case_random(0, 1) ? 0 : case_random(0, 2);
    }
    d.y.layout = case_layout(vl, h, w, 2);
    d.x.layout = nmi_layout_input(&d.y.layout, d.stride_h, d.stride_w, halo);
    return d;
}

struct buffers {
    struct case_image x, y, first, res, plain_x, plain_res, want;
    struct guard w, scale, bias, packed;
};

static struct guard floats(size_t count)
{
    const struct guard g = guard_make(count * sizeof(float), true);
    for (size_t i = 0; i < count; i++) {
        ((float *)g.data)[i] = case_float();
    }
    return g;
}

static struct buffers prepare(const struct nmi_kernel *kernel, const union nmi_desc *desc)
{
    const struct nmi_conv_desc *d = &desc->conv;
    const bool at_end = case_random(0, 1), scaled = case_random(0, 1);
    const size_t taps = (size_t)(d->kh * d->kw), count = taps * (size_t)d->y.c;
    const size_t bytes = kernel->dense_bytes(desc);
    struct nmi_image x = d->x, y = d->y;
    x.layout = y.layout = (struct nmi_layout){0};
    struct buffers b = {.x = case_image_make(d->x, at_end),
                        .y = case_image_make(d->y, at_end),
                        .first = case_image_make(d->y, at_end),
                        .res = case_image_make(d->y, at_end),
                        .plain_x = case_image_make(x, at_end),
                        .plain_res = case_image_make(y, at_end),
                        .want = case_image_make(y, at_end),
                        .w = floats(count),
                        .scale = floats((size_t)d->y.c),
                        .bias = floats((size_t)d->y.c),
                        .packed = guard_make(bytes, true)};
    case_image_fill(&b.plain_x, -1.0f, 1.0f);
    case_image_fill(&b.plain_res, -1.0f, 1.0f);
    case_image_copy(&b.plain_x, &b.x);
    case_image_copy(&b.plain_res, &b.res);
    kernel->pack_dense(desc, b.w.data, scaled ? b.scale.data : NULL, b.packed.data);
    for (size_t i = 0; scaled && i < count; i++) {
        ((float *)b.w.data)[i] *= ((float *)b.scale.data)[i / taps];
    }
    return b;
}

static void release(struct buffers *b)
{
    struct case_image *const images[] = {&b->x,       &b->y,         &b->first, &b->res,
                                         &b->plain_x, &b->plain_res, &b->want};
    struct guard *const guards[] = {&b->w, &b->scale, &b->bias, &b->packed};
    for (size_t i = 0; i < NMI_COUNT(images); i++) {
        case_image_free(images[i]);
    }
    for (size_t i = 0; i < NMI_COUNT(guards); i++) {
        guard_free(guards[i]);
    }
}

static void dwconv_case(const struct nmi_kernel *kernel)
{
    const union nmi_desc desc = {.conv = random_conv(nmi_isa_lanes(kernel->isa))};
    const struct nmi_conv_desc *d = &desc.conv;
    ck_assert_ptr_null(kernel->refuse(&desc));
    union nmi_desc plain = desc;
    plain.conv.x.layout = plain.conv.y.layout = (struct nmi_layout){0};
    struct buffers b = prepare(kernel, &desc);
    const struct nmi_kargs reference = {.x = b.plain_x.data,
                                        .w = b.w.data,
                                        .bias = d->bias ? b.bias.data : NULL,
                                        .res = d->residual ? b.plain_res.data : NULL,
                                        .y = b.want.data};
    case_run(case_reference(NMI_KIND_CONV, &plain), &plain, &reference, 1);
    const bool in_place = d->residual && case_random(0, 1);
    for (int parts = 1; parts <= 8; parts++) {
        struct case_image *y = parts == 1 ? &b.first : &b.y;
        memset(y->data, 0xff, y->memory.bytes);
        if (in_place) {
            case_image_copy(&b.plain_res, y);
        }
        const struct nmi_kargs args = {.x = b.x.data,
                                       .packed = b.packed.data,
                                       .bias = d->bias ? b.bias.data : NULL,
                                       .res = in_place ? y->data : d->residual ? b.res.data : NULL,
                                       .y = y->data};
        case_run(kernel, &desc, &args, parts);
        ck_assert_mem_eq(b.first.data, y->data, y->memory.bytes);
    }
    ck_assert_double_le(case_difference(&b.first, &b.want), 1e-5);
    release(&b);
}

static bool depthwise(const struct nmi_kernel *kernel)
{
    return strstr(kernel->name, "dwconv") != NULL;
}

static void dwconv_cases(const struct nmi_kernel *kernel)
{
    for (int i = 0; depthwise(kernel) && i < CASES; i++) {
        dwconv_case(kernel);
    }
}

START_TEST(dwconv_random_layer_matches_reference)
{
    case_each(NMI_KIND_CONV, dwconv_cases);
}
END_TEST

static void refuses(const struct nmi_kernel *kernel)
{
    if (!depthwise(kernel)) {
        return;
    }
    const int32_t none[4] = {0}, vl = nmi_isa_lanes(kernel->isa);
    struct nmi_conv_desc good = {.x = case_plain(1, 8, 28, 28), .y = case_plain(1, 8, 14, 14),
                                 .groups = 8, .kh = 3, .kw = 3, .stride_h = 2, .stride_w = 2,
                                 .dil_h = 1, .dil_w = 1, .pad = {1, 1, 1, 1}};
    good.y.layout = nmi_layout_best(vl, 14, 14, 1, none);
    good.x.layout = nmi_layout_input(&good.y.layout, 2, 2, none);
    union nmi_desc d = {.conv = good};
    ck_assert_ptr_null(kernel->refuse(&d));
#define REFUSED(change)                              \
    d.conv = good;                                   \
    change;                                          \
    ck_assert_msg(kernel->refuse(&d) != NULL, #change)
    REFUSED(d.conv.x.layout.kind = NMI_PLAIN);
    REFUSED(d.conv.y.layout.kind = NMI_BLOCK16);
    REFUSED(d.conv.x.layout.vl = (uint8_t)(24 - vl));
    REFUSED(d.conv.groups = 4);
    REFUSED(d.conv.y.c = 12);
    REFUSED(d.conv.y.n = 2);
    REFUSED(d.conv.pool.kh = 2);
    REFUSED(d.conv.stride_h = 1);
    REFUSED(d.conv.pad[0] = -1);
    REFUSED(d.conv.pad[1] = 1 << 16);
    REFUSED(d.conv.dil_h = 1 << 20);
    REFUSED(d.conv.x.layout = nmi_layout_lanes(vl, 28, 28, 1, 1, none));
#undef REFUSED
}

START_TEST(dwconv_refuses_what_it_does_not_do)
{
    case_each(NMI_KIND_CONV, refuses);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {dwconv_random_layer_matches_reference,
                                  dwconv_refuses_what_it_does_not_do};
    return case_main("lanes_dwconv", tests, NMI_COUNT(tests));
}
