/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels of plain floats: fully connected and element by element. */
#include "tests/support/lanes_case.h"

#include <math.h>
#include <string.h>

enum { CASES = 150 };

static struct nmi_act random_act(int32_t kind)
{
    const bool clip = kind == NMI_ACT_CLIP;
    return (struct nmi_act){.kind = kind, .alpha = clip ? -0.5f : 0.1f, .beta = 0.5f};
}

/* Floats that end at a guard page to the byte. */
struct floats {
    struct guard memory;
    float *data;
};

static struct floats floats_make(int64_t count, float range)
{
    const size_t bytes = (size_t)count * sizeof(float), rounded = (bytes + 63) & ~(size_t)63;
    struct floats made = {.memory = guard_make(bytes, true)};
    made.data = (float *)(void *)((char *)made.memory.data + rounded - bytes);
    for (int64_t i = 0; i < count; i++) {
        made.data[i] = case_float() * range;
    }
    return made;
}

/* ---- fully connected ---------------------------------------------------------------------- */

static void fc_case(const struct nmi_kernel *kernel, struct nmi_fc_desc d, double density)
{
    const union nmi_desc desc = {.fc = d};
    const struct nmi_kernel *reference = case_reference(NMI_KIND_FC, &desc);
    ck_assert_ptr_null(kernel->refuse(&desc));
    struct case_csr w = case_csr_make(d.m, d.k, density, 1);
    struct guard packed = guard_make(kernel->packed_bytes(&desc, &w.csr), true);
    struct guard expected = guard_make(reference->packed_bytes(&desc, &w.csr), true);
    kernel->pack(&desc, &w.csr, packed.data);
    reference->pack(&desc, &w.csr, expected.data);
    struct floats x = floats_make((int64_t)d.n * d.k, 1.0f), bias = floats_make(d.m, 1.0f);
    const struct nmi_image out = case_plain(1, 1, d.n, d.m);
    struct case_image want = case_image_make(out, true), y = case_image_make(out, true);
    struct case_image first = case_image_make(out, true);
    struct nmi_kargs args = {.x = x.data, .y = want.data, .packed = expected.data};
    args.bias = d.bias ? bias.data : NULL;
    case_run(reference, &desc, &args, 1);
    args.packed = packed.data;
    for (int parts = 1; parts <= 8; parts++) {
        args.y = parts == 1 ? first.data : y.data;
        case_run(kernel, &desc, &args, parts);
        ck_assert_double_le(case_difference(parts == 1 ? &first : &y, &want), 1e-5);
        ck_assert(parts == 1 || memcmp(first.data, y.data, y.memory.bytes) == 0);
    }
    case_csr_free(&w);
    guard_free(&packed);
    guard_free(&expected);
    guard_free(&x.memory);
    guard_free(&bias.memory);
    case_image_free(&want);
    case_image_free(&y);
    case_image_free(&first);
}

static void fc_cases(const struct nmi_kernel *kernel)
{
    static const double densities[] = {0.0, 0.05, 0.2, 1.0};
    for (int i = 0; i < CASES; i++) {
        const struct nmi_fc_desc d = {.n = case_random(0, 1) ? 1 : case_random(1, 70),
                                      .m = case_random(1, 60),
                                      .k = case_random(1, 300),
                                      .bias = case_random(0, 1),
                                      .act = random_act(case_random(0, NMI_ACT_GELU))};
        fc_case(kernel, d, densities[i % 4]);
    }
}

START_TEST(fc_random_size_matches_reference)
{
    case_each(NMI_KIND_FC, fc_cases);
}
END_TEST

static void fc_wide(const struct nmi_kernel *kernel)
{
    for (int32_t n = 1; n < 40; n += 19) {
        const struct nmi_fc_desc d = {.n = n, .m = 9, .k = 70001, .bias = true};
        fc_case(kernel, d, 0.01);
        const struct nmi_fc_desc border = {.n = n, .m = 5, .k = 65536};
        fc_case(kernel, border, 0.01);
    }
}

START_TEST(fc_more_than_65536_columns_matches_reference)
{
    case_each(NMI_KIND_FC, fc_wide);
}
END_TEST

/* ---- element by element ------------------------------------------------------------------- */

static const float odd[] = {0.0f,     -0.0f,     1e-30f, -1e-30f, 100.0f, -100.0f, 88.0f,  -88.0f,
                            INFINITY, -INFINITY, NAN,    3.0f,    -3.0f,  1e30f,   -1e30f, 0.5f};

/* near: absolute error on top, where a difference cancels. */
static void same_values(const float *y, const float *want, int64_t count, double near)
{
    for (int64_t i = 0; i < count; i++) {
        const double a = (double)y[i], b = (double)want[i];
        if (isnan(b)) {
            ck_assert_msg(isnan(a), "element %ld: %g, expected NaN", (long)i, a);
        } else if (a != b) { /* -87: where the fast exponential ends */
            ck_assert_msg(fabs(a - b) <= 2e-6 * fabs(b) + near, "element %ld: %.9g, expected %.9g",
                          (long)i, a, b);
        }
    }
}

static void eltwise_case(const struct nmi_kernel *kernel, int32_t op, int32_t act, int64_t count,
                         int32_t in_place)
{
    const union nmi_desc desc = {.eltwise = {.op = op, .act = random_act(act), .count = count}};
    struct floats a = floats_make(count, 20.0f), b = floats_make(count, 2.0f);
    struct floats y = floats_make(count, 1.0f), want = floats_make(count, 1.0f);
    for (int64_t i = 0; i < count && count > 40; i += 3) {
        a.data[i] = odd[i / 3 % (int64_t)NMI_COUNT(odd)];
        b.data[i] = op == NMI_ELT_MAX || op == NMI_ELT_MIN ? odd[i / 7 % (int64_t)NMI_COUNT(odd)]
                                                           : b.data[i];
    }
    ck_assert_ptr_null(kernel->refuse(&desc));
    struct nmi_kargs args = {.x = a.data, .res = b.data, .y = want.data};
    case_run(case_reference(NMI_KIND_ELTWISE, &desc), &desc, &args, 1);
    for (int parts = 1; parts <= 8; parts += in_place ? 8 : 1) {
        args.y = in_place == 1 ? a.data : in_place == 2 ? b.data : y.data;
        case_run(kernel, &desc, &args, parts);
        same_values(args.y, want.data, count,
                    act == NMI_ACT_HARDSWISH || act == NMI_ACT_GELU ? 1e-6 : 1e-35);
    }
    guard_free(&a.memory);
    guard_free(&b.memory);
    guard_free(&y.memory);
    guard_free(&want.memory);
}

static void eltwise_cases(const struct nmi_kernel *kernel)
{
    for (int32_t op = 0; op <= NMI_ELT_MIN; op++) {
        for (int32_t act = 0; act <= NMI_ACT_GELU; act++) {
            for (int64_t count = 0; count <= 2 * nmi_isa_lanes(kernel->isa) + 1; count++) {
                eltwise_case(kernel, op, act, count, (int32_t)(count % 3));
            }
            eltwise_case(kernel, op, act, 5003, 0);
        }
    }
}

START_TEST(eltwise_every_tail_matches_reference)
{
    case_each(NMI_KIND_ELTWISE, eltwise_cases);
}
END_TEST

static void repeated_case(const struct nmi_kernel *kernel, struct nmi_eltwise_desc d)
{
    const union nmi_desc desc = {.eltwise = d};
    struct floats a = floats_make(d.count, 2.0f), y = floats_make(d.count, 1.0f);
    struct floats b = floats_make(d.count / d.repeat, 2.0f), want = floats_make(d.count, 1.0f);
    ck_assert_ptr_null(kernel->refuse(&desc));
    struct nmi_kargs args = {.x = a.data, .res = b.data, .y = want.data};
    case_run(case_reference(NMI_KIND_ELTWISE, &desc), &desc, &args, 1);
    args.y = y.data;
    for (int parts = 1; parts <= 8; parts++) {
        memset(y.data, 0xff, (size_t)d.count * sizeof *y.data);
        case_run(kernel, &desc, &args, parts);
        ck_assert(memcmp(y.data, want.data, (size_t)d.count * sizeof *y.data) == 0);
    }
    guard_free(&a.memory);
    guard_free(&b.memory);
    guard_free(&y.memory);
    guard_free(&want.memory);
}

static void repeated_cases(const struct nmi_kernel *kernel)
{
    for (int i = 0; i < CASES; i++) {
        const int64_t period = case_random(0, 2) ? case_random(1, 40) : 1;
        const int64_t repeat = case_random(1, 50), outer = case_random(1, 5);
        repeated_case(kernel, (struct nmi_eltwise_desc){.op = case_random(NMI_ELT_ADD, NMI_ELT_MIN),
                                                        .act = {.kind = case_random(0, 1)},
                                                        .count = period * repeat * outer,
                                                        .period = period,
                                                        .repeat = repeat});
    }
    const union nmi_desc odd_count = {.eltwise = {.count = 10, .period = 3, .repeat = 2}};
    ck_assert_ptr_nonnull(kernel->refuse(&odd_count));
}

START_TEST(eltwise_repeated_operand_matches_reference)
{
    case_each(NMI_KIND_ELTWISE, repeated_cases);
}
END_TEST

/* ---- lines -------------------------------------------------------------------------------- */

static void norm_case(const struct nmi_kernel *kernel, struct nmi_norm_desc d, float level,
                      float special)
{
    const union nmi_desc desc = {.norm = d};
    const int64_t count = d.lines * d.count;
    struct floats x = floats_make(count, 3.0f), y = floats_make(count, 1.0f);
    struct floats want = floats_make(count, 1.0f), first = floats_make(count, 1.0f);
    struct floats w = floats_make(d.count, 1.0f), bias = floats_make(d.count, 1.0f);
    for (int64_t i = 0; i < count; i++) {
        x.data[i] += level;
    }
    if (special != 0 && count > 0) {
        x.data[case_random(0, (int32_t)count - 1)] = special;
    }
    struct nmi_kargs args = {.x = x.data, .w = w.data, .bias = bias.data, .y = want.data};
    case_run(case_reference(NMI_KIND_NORM, &desc), &desc, &args, 1);
    for (int parts = 1; parts <= 8; parts++) {
        args.y = parts == 1 ? first.data : parts == 8 ? x.data : y.data;
        case_run(kernel, &desc, &args, parts);
        same_values(args.y, want.data, count, 4e-6 + (double)fabsf(level) * 1e-6);
        ck_assert(memcmp(first.data, args.y, (size_t)count * sizeof(float)) == 0);
    }
    guard_free(&x.memory);
    guard_free(&y.memory);
    guard_free(&want.memory);
    guard_free(&first.memory);
    guard_free(&w.memory);
    guard_free(&bias.memory);
}

static void norm_cases(const struct nmi_kernel *kernel)
{
    static const float levels[] = {0.0f, 100.0f, -50.0f}, special[] = {0, 0, INFINITY, -INFINITY, NAN};
    for (int i = 0; i < CASES; i++) {
        const struct nmi_norm_desc d = {.op = i % 2 ? NMI_NORM_SOFTMAX : NMI_NORM_LAYER,
                                        .lines = case_random(0, 9),
                                        .count = case_random(1, i % 3 ? 40 : 300),
                                        .epsilon = 1e-5f,
                                        .bias = case_random(0, 1)};
        const bool soft = d.op == NMI_NORM_SOFTMAX; /* one element has no variance to speak of */
        norm_case(kernel, d, soft ? levels[i % 3] : 0, soft ? special[i % 5] : i % 7 ? 0 : NAN);
    }
}

START_TEST(norm_random_lines_match_reference)
{
    case_each(NMI_KIND_NORM, norm_cases);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {fc_random_size_matches_reference,
                                  fc_more_than_65536_columns_matches_reference,
                                  eltwise_every_tail_matches_reference,
                                  eltwise_repeated_operand_matches_reference,
                                  norm_random_lines_match_reference};
    return case_main("lanes_flat", tests, NMI_COUNT(tests));
}
