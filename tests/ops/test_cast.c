/* SPDX-License-Identifier: Apache-2.0 */
/* Cast between all types, and the 16-bit floats that it rests on. */
#include "lib/base/half.h"
#include "tests/support/op_case.h"

#include <check.h>
#include <math.h>
#include <string.h>

static void cast(struct op_case *c, nm_type from, int64_t n, const void *data, nm_type to)
{
    op_case_start(c, NMI_OP_Cast, 13);
    op_case_in(c, from, 1, &n, data);
    *(int64_t *)c->attrs = to; /* its only field */
    ck_assert_int_eq(op_case_run(c, 1), NM_OK);
    ck_assert_int_eq(c->out[0].type, to);
}

START_TEST(half_every_number_survives_the_way_through_float64)
{
    for (uint32_t h = 0; h < 65536; h++) {
        float f = nmi_f16_to_f32((uint16_t)h);
        uint16_t back = nmi_f64_to_f16((double)f);
        if (isnan(f)) {
            ck_assert((back & 0x7c00) == 0x7c00 && (back & 1023) != 0);
        } else {
            ck_assert_uint_eq(back, h);
        }
        float b = nmi_bf16_to_f32((uint16_t)h);
        ck_assert(isnan(b) || nmi_f32_to_bf16(b) == h);
    }
    ck_assert(isnan(nmi_bf16_to_f32(nmi_f32_to_bf16(NAN))));
}
END_TEST

/* Between two neighbours the nearer one wins, and on a tie the even one. */
START_TEST(half_rounds_to_nearest_even)
{
    for (uint32_t h = 0; h < 0x7bff; h++) {
        double a = (double)nmi_f16_to_f32((uint16_t)h),
               b = (double)nmi_f16_to_f32((uint16_t)(h + 1));
        double middle = (a + b) / 2;
        ck_assert_uint_eq(nmi_f64_to_f16(middle), h % 2 == 0 ? h : h + 1);
        ck_assert_uint_eq(nmi_f64_to_f16(nextafter(middle, 1e9)), h + 1);
        ck_assert_uint_eq(nmi_f64_to_f16(-nextafter(middle, 0)), 0x8000u | h);
    }
    ck_assert_uint_eq(nmi_f64_to_f16(65504), 0x7bff);
    ck_assert_uint_eq(nmi_f64_to_f16(65519.99), 0x7bff);
    ck_assert_uint_eq(nmi_f64_to_f16(65520), 0x7c00);
    ck_assert_uint_eq(nmi_f64_to_f16(1e300), 0x7c00);
    ck_assert_uint_eq(nmi_f64_to_f16(-1e-300), 0x8000);
}
END_TEST

START_TEST(cast_floats_cut_towards_zero_and_stop_at_the_ends)
{
    const float x[] = {1.9f, -1.9f, 300, -300, NAN, INFINITY, -INFINITY, 1e30f};
    struct op_case c;
    cast(&c, NM_F32, 8, x, NM_I8);
    OP_LONGS(&c, 1, -1, 127, -128, 0, 127, -128, 127);
    op_case_end(&c);
    cast(&c, NM_F32, 8, x, NM_U8);
    OP_LONGS(&c, 1, 0, 255, 0, 0, 255, 0, 255);
    op_case_end(&c);
    cast(&c, NM_F32, 8, x, NM_I64);
    OP_LONGS(&c, 1, -1, 300, -300, 0, INT64_MAX, INT64_MIN, INT64_MAX);
    op_case_end(&c);
    cast(&c, NM_F32, 8, x, NM_U64);
    OP_LONGS(&c, 1, 0, 300, 0, 0, -1, 0, -1);
    op_case_end(&c);
    cast(&c, NM_F32, 8, x, NM_BOOL);
    OP_LONGS(&c, 1, 1, 1, 1, 1, 1, 1, 1);
    op_case_end(&c);
}
END_TEST

START_TEST(cast_integers_wrap)
{
    struct op_case c;
    cast(&c, NM_I64, 3, (const int64_t[]){INT64_MIN, -1, 4294967298}, NM_I32);
    OP_LONGS(&c, 0, -1, 2);
    op_case_end(&c);
    cast(&c, NM_I8, 2, (const int8_t[]){-1, 1}, NM_U64);
    OP_LONGS(&c, -1, 1);
    op_case_end(&c);
    cast(&c, NM_U64, 1, (const uint64_t[]){UINT64_MAX}, NM_F32);
    OP_VALUES(&c, 18446744073709551616.0f);
    op_case_end(&c);
    cast(&c, NM_I64, 1, (const int64_t[]){16777217}, NM_F32);
    OP_VALUES(&c, 16777216.0f);
    op_case_end(&c);
}
END_TEST

START_TEST(cast_small_numbers_survive_every_pair_of_types)
{
    static const nm_type types[] = {NM_F32, NM_U8,  NM_I8,  NM_U16, NM_I16, NM_I32,
                                    NM_I64, NM_F16, NM_F64, NM_U32, NM_U64, NM_BF16};
    enum { N = 600 }; /* more than two blocks */
    float x[N];
    for (int i = 0; i < N; i++) {
        x[i] = (float)(i % 100);
    }
    for (size_t a = 0; a < NMI_COUNT(types); a++) {
        for (size_t b = 0; b < NMI_COUNT(types); b++) {
            struct op_case first, second, third;
            cast(&first, NM_F32, N, x, types[a]);
            cast(&second, types[a], N, first.out[0].data, types[b]);
            cast(&third, types[b], N, second.out[0].data, NM_F32);
            op_case_values(&third, x, N);
            op_case_end(&first);
            op_case_end(&second);
            op_case_end(&third);
        }
    }
}
END_TEST

START_TEST(cast_to_string_or_nonsense_is_refused_by_type)
{
    const int64_t refused[] = {0, 8, 14, 17, 64};
    for (size_t i = 0; i < NMI_COUNT(refused); i++) {
        struct op_case c;
        op_case_start(&c, NMI_OP_Cast, 19);
        OP_IN(&c, NULL, 1);
        *(int64_t *)c.attrs = refused[i];
        ck_assert_int_eq(op_case_infer(&c, 1), NM_EUNSUPPORTED);
        ck_assert_ptr_nonnull(strstr(c.err.message, "type"));
        op_case_end(&c);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cast");
    TCase *t = tcase_create("cast");
    tcase_add_test(t, half_every_number_survives_the_way_through_float64);
    tcase_add_test(t, half_rounds_to_nearest_even);
    tcase_add_test(t, cast_floats_cut_towards_zero_and_stop_at_the_ends);
    tcase_add_test(t, cast_integers_wrap);
    tcase_add_test(t, cast_small_numbers_survive_every_pair_of_types);
    tcase_add_test(t, cast_to_string_or_nonsense_is_refused_by_type);
    suite_add_tcase(suite, t);
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
