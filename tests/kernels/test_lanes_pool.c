/* SPDX-License-Identifier: Apache-2.0 */
/* Pooling in lanes against the reference on plain images. */
#include "tests/support/lanes_case.h"

#include <math.h>
#include <string.h>

enum { CASES = 300 };

static int32_t larger(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

static int32_t halo_after(int32_t k, int32_t stride, int32_t dil, int32_t before)
{
    return larger((k - 1) * dil - before - (stride - 1), 0);
}

static int32_t out_extent(int32_t in, int32_t k, int32_t stride, int32_t dil, int32_t pads,
                          bool ceil)
{
    const int32_t room = in + pads - dil * (k - 1) - 1;
    return room < 0 ? 0 : (room + (ceil ? stride - 1 : 0)) / stride + 1;
}

static struct nmi_pool_desc random_pool(int32_t vl)
{
    struct nmi_pool_desc d = {.average = case_random(0, 1), .include_pad = case_random(0, 1)};
    do {
        const bool ceil = case_random(0, 1);
        d.kh = case_random(1, 5);
        d.kw = case_random(1, 5);
        d.stride_h = case_random(1, 3);
        d.stride_w = case_random(1, 3);
        d.dil_h = case_random(0, 2) ? 1 : case_random(1, 3);
        d.dil_w = case_random(0, 2) ? 1 : case_random(1, 3);
        for (int i = 0; i < 4; i++) {
            d.pad[i] = case_random(0, (i % 2 ? d.kw : d.kh) - 1);
        }
        d.x = case_plain(case_random(0, 2) ? case_random(1, 2) : case_random(1, 33),
                         case_random(1, 20), case_random(1, 30), case_random(1, 30));
        d.y = d.x;
        d.y.h = out_extent(d.x.h, d.kh, d.stride_h, d.dil_h, d.pad[0] + d.pad[2], ceil);
        d.y.w = out_extent(d.x.w, d.kw, d.stride_w, d.dil_w, d.pad[1] + d.pad[3], ceil);
    } while (d.y.h < 1 || d.y.w < 1);
    const int32_t h = larger(d.y.h, (d.x.h + d.stride_h - 1) / d.stride_h);
    const int32_t w = larger(d.y.w, (d.x.w + d.stride_w - 1) / d.stride_w);
    const int32_t more = case_random(0, 1);
    const int32_t halo[4] = {d.pad[0] + more, d.pad[1],
                             halo_after(d.kh, d.stride_h, d.dil_h, d.pad[0]),
                             more + halo_after(d.kw, d.stride_w, d.dil_w, d.pad[1])};
    d.y.layout = case_layout(vl, h, w, 2);
    d.x.layout = nmi_layout_input(&d.y.layout, d.stride_h, d.stride_w, halo);
    return d;
}

static void pool_case(const struct nmi_kernel *kernel)
{
    const union nmi_desc desc = {.pool = random_pool(nmi_isa_lanes(kernel->isa))};
    const struct nmi_pool_desc *d = &desc.pool;
    ck_assert_ptr_null(kernel->refuse(&desc));
    union nmi_desc plain = desc;
    plain.pool.x.layout = plain.pool.y.layout = (struct nmi_layout){0};
    const bool at_end = case_random(0, 1);
    struct case_image in = case_image_make(plain.pool.x, at_end);
    struct case_image want = case_image_make(plain.pool.y, at_end);
    struct case_image x = case_image_make(d->x, at_end), y = case_image_make(d->y, at_end);
    struct case_image first = case_image_make(d->y, at_end);
    case_image_fill(&in, -1.0f, 1.0f);
    case_image_copy(&in, &x);
    case_halo(&x, d->average ? 0.0f : -INFINITY);
    const struct nmi_kargs reference = {.x = in.data, .y = want.data};
    case_run(case_reference(NMI_KIND_POOL, &plain), &plain, &reference, 1);
    for (int parts = 1; parts <= 8; parts++) {
        const struct nmi_kargs args = {.x = x.data, .y = parts == 1 ? first.data : y.data};
        case_run(kernel, &desc, &args, parts);
        ck_assert_double_le(case_difference(parts == 1 ? &first : &y, &want), 1e-5);
        if (parts > 1) {
            ck_assert_mem_eq(first.data, y.data, y.memory.bytes);
        }
    }
    case_image_free(&in);
    case_image_free(&want);
    case_image_free(&x);
    case_image_free(&y);
    case_image_free(&first);
}

static void pool_cases(const struct nmi_kernel *kernel)
{
    for (int i = 0; i < CASES; i++) {
        pool_case(kernel);
    }
}

START_TEST(pool_random_window_matches_reference)
{
    case_each(NMI_KIND_POOL, pool_cases);
}
END_TEST

static void gpool_case(const struct nmi_kernel *kernel)
{
    union nmi_desc desc = {.gpool = {.average = case_random(0, 1)}}, plain;
    struct nmi_image *x = &desc.gpool.x;
    *x = case_plain(case_random(1, 33), case_random(1, 20), case_random(1, 20), case_random(1, 20));
    plain = desc;
    x->layout = case_layout(nmi_isa_lanes(kernel->isa), x->h, x->w, 2);
    ck_assert_ptr_null(kernel->refuse(&desc));
    const bool at_end = case_random(0, 1);
    const struct nmi_image out = case_plain(x->n, x->c, 1, 1);
    struct case_image in = case_image_make(plain.gpool.x, at_end),
                      lanes = case_image_make(*x, at_end);
    struct case_image y = case_image_make(out, at_end), want = case_image_make(out, at_end);
    case_image_fill(&in, -1.0f, 1.0f);
    case_image_copy(&in, &lanes); /* frame and surplus lanes stay NaN */
    const struct nmi_kargs reference = {.x = in.data, .y = want.data};
    case_run(case_reference(NMI_KIND_GPOOL, &plain), &plain, &reference, 1);
    struct case_image first = case_image_make(out, at_end);
    for (int parts = 1; parts <= 8; parts++) {
        const struct nmi_kargs args = {.x = lanes.data, .y = parts == 1 ? first.data : y.data};
        case_run(kernel, &desc, &args, parts);
        ck_assert_double_le(case_difference(parts == 1 ? &first : &y, &want), 1e-5);
        ck_assert(parts == 1 || memcmp(first.data, y.data, y.memory.bytes) == 0);
    }
    case_image_free(&in);
    case_image_free(&lanes);
    case_image_free(&y);
    case_image_free(&want);
    case_image_free(&first);
}

static void gpool_cases(const struct nmi_kernel *kernel)
{
    for (int i = 0; i < CASES; i++) {
        gpool_case(kernel);
    }
}

START_TEST(gpool_random_map_matches_reference)
{
    case_each(NMI_KIND_GPOOL, gpool_cases);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {pool_random_window_matches_reference,
                                  gpool_random_map_matches_reference};
    return case_main("lanes_pool", tests, NMI_COUNT(tests));
}
