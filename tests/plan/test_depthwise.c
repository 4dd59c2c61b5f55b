/* SPDX-License-Identifier: Apache-2.0 */
/* Which kernels networks with depthwise layers run on. */
#include "lib/base/cpu.h"
#include "lib/plan/plan.h"
#include "tests/support/builder.h"

#include <check.h>
#include <string.h>

enum { CHANNELS = 16, SIZE = 28 };

static float *weights(struct builder *b, size_t *count)
{
    const struct nmi_node *node = &b->g->nodes[b->g->n_nodes - 1];
    const struct nmi_constant *c = nmi_graph_constant(b->g, node->inputs[1]);
    float *w;
    memcpy(&w, &c->data, sizeof w);
    *count = c->bytes / sizeof *w;
    return w;
}

/* A layer of k x k, depthwise or not, whose weights are zero but for one in `sparse`. */
static int32_t layer(struct builder *b, int32_t x, int k, bool depthwise, size_t sparse)
{
    const int32_t y = build_conv(b, "conv", x, (int64_t[]){CHANNELS, depthwise ? 1 : CHANNELS, k}, k / 2);
    size_t count;
    float *w = weights(b, &count);
    ((struct nmi_conv_attrs *)build_attrs(b))->group = depthwise ? CHANNELS : 1;
    for (size_t i = 0; i < count; i++) {
        w[i] = i % sparse ? 0.0f : 0.5f;
    }
    return y;
}

/* Steps of a kernel of this name, by rule, in a network of depthwise layers between others. */
static int32_t steps_of(nm_isa isa, size_t sparse, size_t depthwise_sparse, const char *kernel)
{
    struct builder b;
    build_begin(&b, 1);
    int32_t x = build_input(&b, "x", 4, (int64_t[]){1, CHANNELS, SIZE, SIZE});
    for (int i = 0; i < 5; i++) {
        x = layer(&b, x, i % 2 ? 3 : 1, i % 2, i % 2 ? depthwise_sparse : sparse);
    }
    build_output(&b, x);
    struct nmi_network network = {.graph = b.g};
    const struct nmi_tensor input = {.type = NM_F32, .rank = 4, .dims = {1, CHANNELS, SIZE, SIZE}};
    struct nmi_cache cache = {0};
    const struct nmi_plan_options o = {.isa = isa, .threads = 1, .fixed = true,
                                       .arena_limit = (size_t)1 << 30,
                                       .folded_limit = (size_t)1 << 30, .work_limit = 1e12,
                                       .cache = &cache};
    struct nmi_plan *plan = NULL;
    int32_t count = 0;
    ck_assert_int_eq(nmi_weights_create(&network.weights, NULL), NM_OK);
    ck_assert_int_eq(nmi_plan_create(&network, &input, &o, &plan, NULL), NM_OK);
    for (int32_t i = 0; i < plan->n_steps; i++) {
        const struct nmi_kernel *k = plan->steps[i].kernel;
        count += k != NULL && strstr(k->name, kernel) != NULL;
    }
    nmi_plan_free(plan);
    nmi_weights_free(network.weights);
    nmi_cache_free(&cache);
    build_end(&b);
    return count;
}

START_TEST(plan_dense_depthwise_between_sparse_without_frames)
{
    for (int isa = NM_ISA_AVX2; isa <= (int)nmi_cpu_info()->best; isa++) {
        ck_assert_int_eq(steps_of((nm_isa)isa, 10, 1, "dwconv_lanes"), 2);
        ck_assert_int_eq(steps_of((nm_isa)isa, 10, 1, "halo_lanes"), 0);
    }
}
END_TEST

START_TEST(plan_sparse_depthwise_by_nonzeros)
{
    for (int isa = NM_ISA_AVX2; isa <= (int)nmi_cpu_info()->best; isa++) {
        ck_assert_int_eq(steps_of((nm_isa)isa, 10, 9, "dwconv_lanes"), 0);
        ck_assert_int_eq(steps_of((nm_isa)isa, 10, 9, "halo_lanes"), 2);
    }
}
END_TEST

START_TEST(plan_dense_network_not_in_lanes)
{
    for (int isa = NM_ISA_AVX2; isa <= (int)nmi_cpu_info()->best; isa++) {
        ck_assert_int_eq(steps_of((nm_isa)isa, 1, 1, "_lanes"), 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("depthwise");
    TCase *cases = tcase_create("depthwise");
    tcase_add_test(cases, plan_dense_depthwise_between_sparse_without_frames);
    tcase_add_test(cases, plan_sparse_depthwise_by_nonzeros);
    tcase_add_test(cases, plan_dense_network_not_in_lanes);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
