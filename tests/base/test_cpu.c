/* SPDX-License-Identifier: Apache-2.0 */
/* What can be said of any CPU: agreement with the compiler's own detection, sane sizes, affinity.
 */
#include "lib/base/cpu.h"

#include <check.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <xmmintrin.h>

START_TEST(isa_agrees_with_the_compilers_detection)
{
    __builtin_cpu_init();
    nm_isa expected = NM_ISA_REF;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        expected = NM_ISA_AVX2;
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
            __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
            expected = NM_ISA_AVX512;
        }
    }
    ck_assert_int_eq(nmi_cpu_info()->best, expected);
}
END_TEST

START_TEST(bf16_agrees_with_the_compilers_detection)
{
    const struct nmi_cpu *cpu = nmi_cpu_info();
    __builtin_cpu_init();
    if (cpu->best == NM_ISA_AVX512 && __builtin_cpu_supports("avx512bf16")) {
        ck_assert(cpu->bf16);
    }
    ck_assert(!(cpu->bf16 || cpu->fp16) || cpu->best == NM_ISA_AVX512);
}
END_TEST

START_TEST(info_is_sane_and_constant)
{
    const struct nmi_cpu *cpu = nmi_cpu_info();
    ck_assert_ptr_eq(cpu, nmi_cpu_info());
    ck_assert(cpu->l1d >= 4096);
    ck_assert(cpu->l1d < (size_t)1 << 20);
    ck_assert_uint_ge(cpu->l2, cpu->l1d);
    ck_assert_uint_ge(cpu->l3, (size_t)1 << 18);
    ck_assert_uint_lt(strlen(cpu->model), sizeof cpu->model);
    ck_assert(cpu->model[0] != ' ');
}
END_TEST

START_TEST(threads_follow_the_affinity_mask)
{
    cpu_set_t old, one;
    ck_assert_int_eq(sched_getaffinity(0, sizeof old, &old), 0);
    ck_assert_int_ge(nmi_cpu_threads(), 1);
    ck_assert_int_le(nmi_cpu_threads(), CPU_COUNT(&old));
    CPU_ZERO(&one);
    for (size_t i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++) {
        if (CPU_ISSET(i, &old)) {
            CPU_SET(i, &one);
        }
    }
    ck_assert_int_eq(sched_setaffinity(0, sizeof one, &one), 0);
    ck_assert_int_eq(nmi_cpu_threads(), 1);
    ck_assert_int_eq(sched_setaffinity(0, sizeof old, &old), 0);
}
END_TEST

START_TEST(memory_is_more_than_a_little)
{
    ck_assert_uint_gt(nmi_memory_available(), (uint64_t)16 << 20);
}
END_TEST

START_TEST(clock_never_goes_back)
{
    double last = nmi_now();
    for (int i = 0; i < 1000; i++) {
        double now = nmi_now();
        ck_assert(now >= last);
        last = now;
    }
}
END_TEST

START_TEST(fp_state_is_ours_inside_and_the_callers_after)
{
    uint32_t strange = 0x1f80u | 0x6000u; /* round towards zero */
    _mm_setcsr(strange);
    uint32_t state = nmi_fp_enter();
    volatile float tiny = 1e-39f;
    ck_assert(tiny * 1.0f == 0.0f);
    volatile float third = 1.0f / 3;
    volatile float sum = third + 1e-9f;
    (void)sum;
    nmi_fp_restore(state);
    ck_assert_uint_eq(_mm_getcsr(), strange);
    _mm_setcsr(0x1f80u);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("cpu");
    TCase *t = tcase_create("cpu");
    tcase_add_test(t, isa_agrees_with_the_compilers_detection);
    tcase_add_test(t, bf16_agrees_with_the_compilers_detection);
    tcase_add_test(t, info_is_sane_and_constant);
    tcase_add_test(t, threads_follow_the_affinity_mask);
    tcase_add_test(t, memory_is_more_than_a_little);
    tcase_add_test(t, clock_never_goes_back);
    tcase_add_test(t, fp_state_is_ours_inside_and_the_callers_after);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
