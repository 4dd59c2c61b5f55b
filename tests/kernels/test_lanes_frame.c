/* SPDX-License-Identifier: Apache-2.0 */
/* Frames and conversions in lanes: the bits of the reference, for every split. */
#include "tests/support/lanes_case.h"

#include <math.h>
#include <string.h>

enum { CASES = 150 };

static struct nmi_image random_image(int32_t most)
{
    return case_plain(case_random(0, 2) ? case_random(1, 3) : case_random(1, 33),
                      case_random(1, 20), case_random(1, most), case_random(1, most));
}

static float random_fill(void)
{
    return case_random(0, 1) ? 0.0f : -INFINITY;
}

/* Lanes of its layout. */
static int32_t lanes_of(const struct nmi_kernel *kernel)
{
    return strncmp(kernel->name, "f16", 3) == 0 ? NMI_HALVES : nmi_isa_lanes(kernel->isa);
}

/* ---- halo --------------------------------------------------------------------------------- */

static void halo_case(const struct nmi_kernel *kernel)
{
    struct nmi_image image = random_image(20);
    image.layout = case_layout(lanes_of(kernel), image.h, image.w, 5);
    union nmi_desc desc = {.halo = {.x = image, .fill = random_fill()}};
    ck_assert_ptr_null(kernel->refuse(&desc));
    const bool at_end = case_random(0, 1);
    struct case_image x = case_image_make(image, at_end), want = case_image_make(image, at_end);
    case_image_fill(&want, -1.0f, 1.0f);
    for (int parts = 1; parts <= 8; parts++) {
        memset(x.data, 0xff, x.memory.bytes);
        case_image_copy(&want, &x);
        if (parts == 1) {
            case_halo(&want, desc.halo.fill);
        }
        const struct nmi_kargs args = {.x = x.data, .y = x.data};
        case_run(kernel, &desc, &args, parts);
        case_same_cells(&x, &want);
    }
    case_image_free(&x);
    case_image_free(&want);
}

static void halo_cases(const struct nmi_kernel *kernel)
{
    for (int i = 0; i < CASES; i++) {
        halo_case(kernel);
    }
}

START_TEST(halo_random_layout_matches_reference)
{
    case_each(NMI_KIND_HALO, halo_cases);
}
END_TEST

/* ---- convert ------------------------------------------------------------------------------ */

static struct nmi_layout random_layout(const struct nmi_image *image, int32_t vl)
{
    const uint8_t kind = (uint8_t)case_random(NMI_PLAIN, NMI_LANES);
    return kind == NMI_LANES ? case_layout(vl, image->h, image->w, 3)
                             : (struct nmi_layout){.kind = kind};
}

/* Of floats, one side at least in lanes. */
static union nmi_desc convert_floats(int32_t vl, int32_t most)
{
    struct nmi_image plain = random_image(most), from = plain, to = plain;
    from.layout = random_layout(&plain, vl);
    to.layout = from.layout.kind != NMI_LANES || case_random(0, 3) == 0
                    ? case_layout(vl, plain.h, plain.w, 3)
                    : random_layout(&plain, vl);
    if (from.layout.kind == NMI_LANES && case_random(0, 3) == 0) {
        const int32_t halo[4] = {1, 0, 2, 3};
        to.layout = nmi_layout_input(&from.layout, 1, 1, halo);
    }
    return (union nmi_desc){.convert = {.from = from, .to = to, .fill = random_fill()}};
}

static struct nmi_layout lanes_of_images(int32_t vl, const struct nmi_image *image, int32_t ipv)
{
    const int32_t halo[4] = {case_random(0, 3), case_random(0, 3), case_random(0, 3), 1};
    const int32_t most = 1 << case_random(0, 5), cells = vl / ipv, gy = most < cells ? most : cells;
    return nmi_layout_lanes(vl, image->h, image->w, gy, cells / gy, halo);
}

/* Between LANES_F16 and any layout of floats, or others of its kind. */
static union nmi_desc convert_halves(int32_t most)
{
    struct nmi_image a = random_image(most), b = a;
    a.layout = case_layout(NMI_HALVES, a.h, a.w, 3);
    const int32_t ipv = nmi_layout_ipv(&a.layout), halo[4] = {1, 0, 2, 3};
    switch (case_random(0, 3)) {
    case 0:
        b.layout.kind = (uint8_t)case_random(NMI_PLAIN, NMI_BLOCK16);
        break;
    case 1:
        b.layout = nmi_layout_input(&a.layout, 1, 1, halo);
        break;
    case 2:
        b.layout = lanes_of_images(NMI_HALVES, &b, ipv);
        break;
    default:
        b.layout = ipv <= 16 ? lanes_of_images(16, &b, ipv) : b.layout;
    }
    const bool back = case_random(0, 1);
    return (union nmi_desc){
        .convert = {.from = back ? b : a, .to = back ? a : b, .fill = random_fill()}};
}

/* float16 has subnormal numbers and an end. */
static void fill_range(struct case_image *x)
{
    static const float most[] = {1.0f, 1.0f, 70000.0f, 1e-6f};
    const float m = most[case_random(0, 3)];
    case_image_fill(x, -m, m);
}

static void convert_case(const struct nmi_kernel *kernel, int32_t most)
{
    const int32_t vl = lanes_of(kernel);
    const union nmi_desc desc =
        vl == NMI_HALVES ? convert_halves(most) : convert_floats(vl, most);
    ck_assert_ptr_null(kernel->refuse(&desc));
    const struct nmi_image from = desc.convert.from, to = desc.convert.to;
    const bool at_end = case_random(0, 1);
    struct case_image x = case_image_make(from, at_end), y = case_image_make(to, at_end);
    struct case_image want = case_image_make(to, at_end);
    fill_range(&x);
    const struct nmi_kargs reference = {.x = x.data, .y = want.data};
    case_run(case_reference(NMI_KIND_CONVERT, &desc), &desc, &reference, 1);
    for (int parts = 1; parts <= 8; parts++) {
        const struct nmi_kargs args = {.x = x.data, .y = y.data};
        memset(y.data, 0xff, y.memory.bytes);
        case_run(kernel, &desc, &args, parts);
        case_same_cells(&y, &want);
    }
    case_image_free(&x);
    case_image_free(&y);
    case_image_free(&want);
}

static void convert_cases(const struct nmi_kernel *kernel)
{
    for (int i = 0; i < CASES; i++) {
        convert_case(kernel, i % 10 ? 18 : 60);
    }
}

START_TEST(convert_random_layouts_match_reference)
{
    case_each(NMI_KIND_CONVERT, convert_cases);
}
END_TEST

static void refuses_float16(const struct nmi_kernel *kernel)
{
    const int32_t none[4] = {0};
    union nmi_desc desc = {.convert = {.from = case_plain(2, 3, 8, 8), .to = case_plain(2, 3, 8, 8)}};
    desc.convert.to.layout = nmi_layout_best(NMI_HALVES, 8, 8, 2, none);
    if (lanes_of(kernel) != NMI_HALVES) {
        ck_assert_ptr_nonnull(kernel->refuse(&desc));
        return;
    }
    ck_assert_ptr_null(kernel->refuse(&desc));
    desc.convert.from.layout.kind = NMI_BLOCK16_BF16;
    ck_assert_ptr_nonnull(kernel->refuse(&desc));
    desc.convert.from.layout = nmi_layout_best(16, 8, 8, 1, none);
    ck_assert_ptr_nonnull(kernel->refuse(&desc));
    desc.convert.from.layout = nmi_layout_best(8, 8, 8, 2, none);
    ck_assert_ptr_nonnull(kernel->refuse(&desc));
    desc.convert.to.layout = nmi_layout_best(16, 8, 8, 2, none);
    ck_assert_ptr_nonnull(kernel->refuse(&desc));
}

START_TEST(convert_float16_refuses_bfloat16_and_other_images_a_vector)
{
    case_each(NMI_KIND_CONVERT, refuses_float16);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {halo_random_layout_matches_reference,
                                  convert_random_layouts_match_reference,
                                  convert_float16_refuses_bfloat16_and_other_images_a_vector};
    return case_main("lanes_frame", tests, NMI_COUNT(tests));
}
