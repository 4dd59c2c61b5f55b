/* SPDX-License-Identifier: Apache-2.0 */
/* Whole networks at their full size: minutes, nearly all of them in the reference. */
#include "tests/support/net_case.h"

#include <check.h>
#include <stdio.h>

static const double sparsities[] = {0, 0.5, 0.8, 0.95};
static const char *const names[] = {"resnet18", "resnet50", "vgg16", "mobilenet_v1",
                                    "mobilenet_v2"};

START_TEST(network_as_the_reference)
{
    for (size_t i = 0; i < sizeof sparsities / sizeof *sparsities; i++) {
        char what[64];
        snprintf(what, sizeof what, "%s at %g %% zeros", names[_i], 100 * sparsities[i]);
        printf("%s\n", what);
        nm_model *model = net_synth(names[_i], 224, 1000, sparsities[i]);
        net_check(model, (const int64_t[]){1, 3, 0}, what);
        nm_model_free(model);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("slow_nets");
    TCase *t = tcase_create("slow_nets");
    tcase_set_timeout(t, 3600);
    tcase_add_loop_test(t, network_as_the_reference, 0, (int)(sizeof names / sizeof *names));
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
