/* SPDX-License-Identifier: Apache-2.0 */
/* The reference kernels that move or combine elements: CONVERT, HALO, ELTWISE. */
#include "kernels/kernel.h"
#include "lib/base/mem.h"
#include "tests/support/lanes_case.h"
#include "tests/support/op_case.h"

#include <check.h>
#include <math.h>
#include <string.h>

static float *floats(int64_t n)
{
    float *p = nmi_alloc((size_t)n * sizeof *p);
    ck_assert_ptr_nonnull(p);
    for (int64_t i = 0; i < n; i++) {
        p[i] = op_case_float();
    }
    return p;
}

static void run(int32_t kind, const union nmi_desc *desc, struct nmi_kargs args, int parts)
{
    case_run(case_reference(kind, desc), desc, &args, parts);
}

static int32_t pick(int32_t low, int32_t high)
{
    return (int32_t)op_case_random(low, high);
}

/* ---- layouts -----------------------------------------------------------------------------------
 */

static struct nmi_layout layout_random(const struct nmi_image *image)
{
    static const int32_t vls[] = {4, 8, 16};
    int32_t kind = pick(NMI_PLAIN, NMI_LANES);
    if (kind != NMI_LANES) {
        return (struct nmi_layout){.kind = (uint8_t)kind};
    }
    int32_t halo[4] = {pick(0, 3), pick(0, 3), pick(0, 3), pick(0, 3)};
    int32_t vl = vls[pick(0, 2)], gy = 1 << pick(0, 1), gx = 1 << pick(0, 1);
    return nmi_layout_lanes(vl, image->h, image->w, gy, gx, halo);
}

static struct nmi_image image_random(void)
{
    return (struct nmi_image){.n = pick(1, 6), .c = pick(1, 20), .h = pick(1, 9), .w = pick(1, 9)};
}

static float *image_memory(const struct nmi_image *image)
{
    size_t bytes = nmi_image_bytes(image);
    float *p = nmi_alloc(bytes);
    ck_assert(bytes > 0 && p != NULL);
    memset(p, 0xff, bytes); /* NaN */
    return p;
}

static void convert(const struct nmi_image *from, const float *x, const struct nmi_image *to,
                    float *y, float fill)
{
    union nmi_desc desc = {.convert = {.from = *from, .to = *to, .fill = fill}};
    run(NMI_KIND_CONVERT, &desc, (struct nmi_kargs){.x = x, .y = y}, pick(1, 5));
}

START_TEST(convert_there_and_back_changes_nothing)
{
    op_case_seed();
    for (int round = 0; round < 200; round++) {
        struct nmi_image plain = image_random(), there = plain;
        there.layout = layout_random(&plain);
        int64_t count = (int64_t)plain.n * plain.c * plain.h * plain.w;
        float *x = floats(count), *y = image_memory(&there), *z = image_memory(&plain);
        convert(&plain, x, &there, y, 7);
        convert(&there, y, &plain, z, 0);
        ck_assert(memcmp(x, z, (size_t)count * sizeof(float)) == 0);
        nmi_free(x);
        nmi_free(y);
        nmi_free(z);
    }
}
END_TEST

START_TEST(convert_to_blocks_makes_surplus_channels_zero)
{
    struct nmi_image plain = {.n = 2, .c = 3, .h = 2, .w = 2}, there = plain;
    there.layout.kind = NMI_BLOCK8;
    float *x = floats(24), *y = image_memory(&there);
    convert(&plain, x, &there, y, 7);
    for (int i = 0; i < 2 * 4 * 8; i++) {
        ck_assert(i % 8 < 3 ? y[i] != 0 : y[i] == 0);
    }
    nmi_free(x);
    nmi_free(y);
}
END_TEST

/* Every vector of the frame holds what lies there in the image, or the fill. */
static void check_frame(const struct nmi_image *image, const float *y, const float *x, float fill)
{
    const struct nmi_layout *l = &image->layout;
    int32_t rows = l->halo[0] + l->sub_h + l->halo[2], cols = l->halo[1] + l->sub_w + l->halo[3];
    int32_t ipv = nmi_layout_ipv(l), planes = (image->n + ipv - 1) / ipv * image->c;
    for (int64_t i = 0; i < (int64_t)planes * rows * cols * l->vl; i++) {
        int32_t lane = (int32_t)(i % l->vl), col = (int32_t)(i / l->vl % cols);
        int32_t row = (int32_t)(i / l->vl / cols % rows);
        int32_t plane = (int32_t)(i / l->vl / cols / rows);
        int32_t n = plane / image->c * ipv + lane / (l->gy * l->gx), c = plane % image->c;
        int32_t iy = lane / l->gx % l->gy * l->sub_h + row - l->halo[0];
        int32_t ix = lane % l->gx * l->sub_w + col - l->halo[1];
        bool inside = n < image->n && iy >= 0 && iy < image->h && ix >= 0 && ix < image->w;
        int64_t from = (((int64_t)n * image->c + c) * image->h + iy) * image->w + ix;
        int64_t at = (((int64_t)plane * l->plane) + (int64_t)row * l->pitch + col) * l->vl + lane;
        ck_assert_float_eq(y[at], inside ? x[from] : fill);
    }
}

START_TEST(halo_and_convert_fill_the_frame_alike)
{
    op_case_seed();
    for (int round = 0; round < 200; round++) {
        struct nmi_image plain = image_random(), there = plain;
        there.layout = layout_random(&plain);
        if (there.layout.kind != NMI_LANES) {
            continue;
        }
        int64_t count = (int64_t)plain.n * plain.c * plain.h * plain.w;
        float *x = floats(count), *y = image_memory(&there), *z = image_memory(&there);
        convert(&plain, x, &there, y, -3);
        check_frame(&there, y, x, -3);
        for (int64_t i = 0; i < count; i++) { /* z: only what the lanes own */
            int32_t w = plain.w, h = plain.h, c = plain.c;
            z[nmi_image_at(&there, (int32_t)(i / w / h / c), (int32_t)(i / w / h % c),
                           (int32_t)(i / w % h), (int32_t)(i % w))] = x[i];
        }
        union nmi_desc desc = {.halo = {.x = there, .fill = -3}};
        run(NMI_KIND_HALO, &desc, (struct nmi_kargs){.x = z, .y = z}, pick(1, 5));
        check_frame(&there, z, x, -3);
        nmi_free(x);
        nmi_free(y);
        nmi_free(z);
    }
}
END_TEST

/* ---- elementwise -------------------------------------------------------------------------------
 */

START_TEST(eltwise_operations_in_place)
{
    static const float want[][3] = {{1, -2, 5},  {3, -3, 1}, {-1, -1, 9},
                                    {2, 2, -20}, {2, -1, 5}, {1, -2, -4}};
    for (int32_t op = NMI_ELT_COPY; op <= NMI_ELT_MIN; op++) {
        float a[] = {1, -2, 5}, b[] = {2, -1, -4};
        union nmi_desc desc = {.eltwise = {.op = op, .count = 3}};
        run(NMI_KIND_ELTWISE, &desc, (struct nmi_kargs){.x = a, .res = b, .y = a}, 2);
        ck_assert(memcmp(a, want[op], sizeof a) == 0);
    }
    float a[] = {1, -2, 5};
    union nmi_desc relu = {.eltwise = {.count = 3, .act = {.kind = NMI_ACT_RELU}}};
    run(NMI_KIND_ELTWISE, &relu, (struct nmi_kargs){.x = a, .y = a}, 1);
    ck_assert_float_eq(a[1], 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ref_move");
    TCase *tc = tcase_create("ref_move");
    tcase_add_test(tc, convert_there_and_back_changes_nothing);
    tcase_add_test(tc, convert_to_blocks_makes_surplus_channels_zero);
    tcase_add_test(tc, halo_and_convert_fill_the_frame_alike);
    tcase_add_test(tc, eltwise_operations_in_place);
    suite_add_tcase(suite, tc);
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? 0 : 1;
}
