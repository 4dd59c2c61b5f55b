/* SPDX-License-Identifier: Apache-2.0 */
/* Made-up networks: exact sizes, exact shares of zeros, sane scale, loadable. */
#include "examples/nmie/synth_build.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <nm/nm.h>

static struct synth *make(const char *name, struct synth_options options)
{
    struct synth *net = NULL;
    nm_error err = {NM_OK, ""};
    ck_assert_msg(synth_make(name, &options, &net, &err) == NM_OK, "%s", err.message);
    return net;
}

START_TEST(parameters_are_the_architectures_own)
{
    /* torchvision's counts (V1: the paper's with batch normalisation), where each batch
     * normalisation of n channels has 2n and our bias has n */
    static const struct {
        const char *name;
        int64_t parameters, channels;
        double giga_macs;
    } nets[] = {{"resnet18", 11689512, 4800, 1.814},
                {"resnet50", 25557032, 26560, 4.089},
                {"mobilenet_v1", 4231976, 10944, 0.569},
                {"mobilenet_v2", 3504872, 17056, 0.301}};
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
        struct synth *net = make(nets[i].name, (struct synth_options)SYNTH_OPTIONS_INIT);
        const struct synth_report *r = synth_about(net);
        ck_assert_int_eq(r->parameters, nets[i].parameters - nets[i].channels);
        ck_assert(fabs(1e-9 * (double)r->macs - nets[i].giga_macs) < 6e-4);
        ck_assert_int_eq(r->zeros, 0);
        synth_free(net);
    }
}
END_TEST

START_TEST(weights_have_the_share_of_zeros_and_the_scale)
{
    enum { N = 100000 };
    float *w = malloc(N * sizeof *w);
    uint32_t *bins = malloc(SYNTH_BINS * sizeof *bins);
    for (int s = 0; s < 100; s += 9) {
        size_t wanted = (size_t)(s / 100.0 * N), zeros = 0;
        double square = 0.0, sum = 0.0;
        float least = 1.0f;
        ck_assert_uint_eq(synth_weights(w, N, 42, s / 100.0, 0.05, bins), wanted);
        for (int i = 0; i < N; i++) {
            zeros += w[i] == 0.0f;
            square += (double)w[i] * (double)w[i];
            sum += (double)w[i];
            least = w[i] != 0.0f && fabsf(w[i]) < least ? fabsf(w[i]) : least;
        }
        ck_assert_uint_eq(zeros, wanted);
        ck_assert(fabs(sqrt(square / N) / 0.05 - 1.0) < 0.01);
        ck_assert(fabs(sum / N) < 0.05 * 0.02);
        ck_assert(s < 10 || least > 0.003f); /* the smallest went, not any */
    }
    free(w);
    free(bins);
}
END_TEST

START_TEST(seed_decides_the_bytes)
{
    uint8_t *bytes[3];
    size_t size[3];
    for (int i = 0; i < 3; i++) {
        struct synth *net = make("resnet18", (struct synth_options){0.5, i == 2, 32, 10});
        ck_assert_int_eq(synth_bytes(net, &bytes[i], &size[i], NULL), NM_OK);
        synth_free(net);
    }
    ck_assert_uint_eq(size[0], size[1]);
    ck_assert_mem_eq(bytes[0], bytes[1], size[0]);
    ck_assert(size[0] != size[2] || memcmp(bytes[0], bytes[2], size[0]) != 0);
    for (int i = 0; i < 3; i++) {
        free(bytes[i]);
    }
}
END_TEST

START_TEST(every_network_loads_with_its_shapes)
{
    for (int i = 0; synth_names[i]; i++) {
        uint8_t *bytes;
        size_t size;
        nm_model *model = NULL;
        nm_error err = {NM_OK, ""};
        struct synth *net = make(synth_names[i], (struct synth_options){0.9, 1, 32, 7});
        ck_assert_int_eq(synth_bytes(net, &bytes, &size, NULL), NM_OK);
        synth_free(net);
        ck_assert_msg(nm_model_load_memory(bytes, size, NULL, &model, &err) == NM_OK, "%s: %s",
                      synth_names[i], err.message);
        const nm_value_info *in = nm_model_input(model, 0), *out = nm_model_output(model, 0);
        ck_assert_str_eq(in->name, "input");
        ck_assert_int_eq(in->dims[0], -1);
        ck_assert_int_eq(in->dims[3], 32);
        ck_assert_str_eq(out->name, "logits");
        ck_assert_int_eq(out->dims[1], 7);
        nm_model_free(model);
        free(bytes);
    }
}
END_TEST

START_TEST(options_out_of_range_refused)
{
    static const struct synth_options bad[] = {{1.0, 0, 224, 1000},  {-0.1, 0, 224, 1000},
                                               {0.0, 0, 225, 1000},  {0.0, 0, 0, 1000},
                                               {0.0, 0, 4096, 1000}, {0.0, 0, 224, 0}};
    struct synth *net;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_int_eq(synth_make("resnet18", &bad[i], &net, NULL), NM_EINVAL);
    }
    ck_assert_int_eq(synth_make("resnet19", &bad[0], &net, NULL), NM_EINVAL);
    struct synth_options large = {0.0, 0, 2048, 1000}; /* its first FC layer alone is 34 GB */
    ck_assert_int_eq(synth_make("vgg16", &large, &net, NULL), NM_ELIMIT);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("synth");
    TCase *t = tcase_create("synth");
    tcase_add_test(t, parameters_are_the_architectures_own);
    tcase_add_test(t, weights_have_the_share_of_zeros_and_the_scale);
    tcase_add_test(t, seed_decides_the_bytes);
    tcase_add_test(t, every_network_loads_with_its_shapes);
    tcase_add_test(t, options_out_of_range_refused);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
