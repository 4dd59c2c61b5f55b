/* SPDX-License-Identifier: Apache-2.0 */
/* The bound of a core is a rate: there is one for each instruction set that the CPU has. */
#include "kernels/kernel.h"
#include "lib/base/cpu.h"

#include <check.h>

START_TEST(bound_is_a_rate_where_there_are_vectors)
{
    ck_assert(nmi_bound_gflops(NM_ISA_REF) == 0);
    for (int isa = NM_ISA_AVX2; isa <= (int)nmi_cpu_info()->best; isa++) {
        const double gflops = nmi_bound_gflops((nm_isa)isa);
        ck_assert_msg(gflops > 0.1 && gflops < 1e4, "%s: %g GFLOP/s", nm_isa_name((nm_isa)isa),
                      gflops);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("bound");
    TCase *t = tcase_create("bound");
    tcase_add_test(t, bound_is_a_rate_where_there_are_vectors);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
