/* SPDX-License-Identifier: Apache-2.0 */
/* Whole networks of exact architecture on small pictures, dense and sparse. */
#include "tests/support/net_case.h"

#include <check.h>
#include <stdio.h>

/* sparsities ends with a negative one. */
static void check_net(const char *name, int size, const double *sparsities, const int64_t *batches)
{
    for (const double *sparsity = sparsities; *sparsity >= 0; sparsity++) {
        char what[64];
        snprintf(what, sizeof what, "%s at %g %% zeros", name, 100 * *sparsity);
        nm_model *model = net_synth(name, size, 10, *sparsity);
        net_check(model, batches, what);
        nm_model_free(model);
    }
}

START_TEST(resnet18_as_the_reference)
{
    check_net("resnet18", 32, (const double[]){0, 0.5, 0.8, 0.95, -1}, (const int64_t[]){1, 3, 0});
}
END_TEST

START_TEST(resnet50_as_the_reference)
{
    check_net("resnet50", 32, (const double[]){0, 0.8, -1}, (const int64_t[]){1, 3, 0});
}
END_TEST

START_TEST(vgg16_as_the_reference)
{
    check_net("vgg16", 32, (const double[]){0.5, 0.95, -1}, (const int64_t[]){1, 3, 0});
}
END_TEST

START_TEST(mobilenet_v1_as_the_reference)
{
    check_net("mobilenet_v1", 64, (const double[]){0, 0.5, 0.8, 0.95, -1},
              (const int64_t[]){1, 3, 16, 0});
}
END_TEST

START_TEST(mobilenet_v2_as_the_reference)
{
    check_net("mobilenet_v2", 32, (const double[]){0, 0.95, -1}, (const int64_t[]){1, 16, 64, 0});
}
END_TEST

START_TEST(half_precision_near_float32)
{
    static const char *const names[] = {"resnet18", "vgg16", "mobilenet_v1", "mobilenet_v2"};
    for (int i = 0; i < 8; i++) {
        nm_model *model = net_synth(names[i % 4], 32, 10, i < 4 ? 0 : 0.8);
        net_check_half(model, 1 + i % 3, names[i % 4]);
        nm_model_free(model);
    }
}
END_TEST

static void add(Suite *s, const char *name, const TTest *test)
{
    TCase *t = tcase_create(name);
    tcase_set_timeout(t, 600);
    tcase_add_test(t, test);
    suite_add_tcase(s, t);
}

int main(void)
{
    Suite *s = suite_create("nets");
    add(s, "resnet18", resnet18_as_the_reference);
    add(s, "resnet50", resnet50_as_the_reference);
    add(s, "vgg16", vgg16_as_the_reference);
    add(s, "mobilenet_v1", mobilenet_v1_as_the_reference);
    add(s, "mobilenet_v2", mobilenet_v2_as_the_reference);
    add(s, "half precision", half_precision_near_float32);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
