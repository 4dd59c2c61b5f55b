/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The planner against the reference: random convolutional networks, with every kind of neighbour
 * that makes it convert, fill frames, run in place or cross segments, must give what evaluating the
 * graph node by node gives; and one plan the same bits for any number of threads.
 */
#include "lib/base/cpu.h"
#include "lib/run/exec.h"
#include "lib/run/session.h"
#include "tests/support/random_net.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- running
 * ---------------------------------------------------------------------------------------- */

struct result {
    nm_tensor out[2];
    size_t n;
};

static void free_result(struct result *r)
{
    for (size_t i = 0; i < r->n; i++) {
        free(r->out[i].data);
    }
}

static size_t bytes_of(const nm_tensor *t)
{
    size_t bytes = nm_type_size(t->type);
    for (int32_t i = 0; i < t->rank; i++) {
        bytes *= (size_t)t->dims[i];
    }
    return bytes;
}

static nm_tensor make_input(struct random_net *n, int32_t batch)
{
    const struct nmi_value *v = &n->b.g->values[n->b.g->inputs[0]];
    nm_tensor in = {.type = NM_F32, .rank = 4, .dims = {batch, v->dims[1], v->dims[2], v->dims[3]}};
    in.capacity = bytes_of(&in);
    float *x = malloc(in.capacity);
    for (size_t i = 0; i < in.capacity / sizeof *x; i++) {
        x[i] = build_uniform(&n->b) * 2 - 1;
    }
    in.data = x;
    return in;
}

static struct result run(struct random_net *n, const nm_tensor *in, const nm_session_options *options)
{
    struct nmi_network network = {.graph = n->b.g};
    struct nmi_session *session = NULL;
    struct result r = {.n = (size_t)n->b.g->n_outputs};
    nm_error err = {0};
    ck_assert_int_eq(nmi_weights_create(&network.weights, &err), NM_OK);
    nm_status status = nmi_session_create(&network, options, &session, &err);
    ck_assert_msg(status == NM_OK, "%s", err.message);
    for (int i = 0; i < 2; i++) { /* the second time from the plan that is there */
        memset(r.out, 0, sizeof r.out);
        status = nmi_session_run(session, in, 1, r.out, r.n, &err);
        ck_assert_msg(status == NM_OK, "%s", err.message);
    }
    for (size_t i = 0; i < r.n; i++) {
        const size_t bytes = bytes_of(&r.out[i]);
        void *copy = malloc(bytes + 1);
        memcpy(copy, r.out[i].data, bytes);
        r.out[i].data = copy;
    }
    nmi_session_free(session);
    nmi_weights_free(network.weights);
    return r;
}

/* Node by node, by the operators' own evaluation. */
static struct result evaluate(struct random_net *n, const nm_tensor *in)
{
    const struct nmi_graph *g = n->b.g;
    struct nmi_arena arena = {0};
    struct nmi_fact *facts = nmi_arena_array(&arena, (size_t)g->n_values, sizeof *facts);
    struct nmi_budget budget = {1e12, (size_t)1 << 30};
    struct result r = {.n = (size_t)g->n_outputs};
    nm_error err = {0};
    for (int32_t i = 0; i < g->n_values; i++) {
        facts[i].rank = -1;
    }
    struct nmi_fact *x = &facts[g->inputs[0]];
    *x = (struct nmi_fact){.type = NM_F32, .rank = 4, .data = in->data};
    memcpy(x->dims, in->dims, sizeof x->dims);
    nm_status status = nmi_propagate(g, facts, &budget, &arena, &err);
    ck_assert_msg(status == NM_OK, "%s", err.message);
    for (size_t i = 0; i < r.n; i++) {
        const struct nmi_fact *f = &facts[g->outputs[i]];
        r.out[i] = (nm_tensor){.type = f->type, .rank = f->rank};
        memcpy(r.out[i].dims, f->dims, sizeof f->dims);
        const size_t bytes = bytes_of(&r.out[i]);
        r.out[i].data = malloc(bytes + 1);
        memcpy(r.out[i].data, f->data, bytes);
    }
    nmi_arena_free(&arena);
    return r;
}

static double difference(const nm_tensor *a, const nm_tensor *want)
{
    const float *x = a->data, *y = want->data;
    double worst = 0, largest = 1e-30;
    for (size_t i = 0; i < bytes_of(want) / sizeof *y; i++) {
        const double d = fabs((double)x[i] - (double)y[i]);
        worst = d <= worst ? worst : isnan(d) ? INFINITY : d;
        largest = fabs((double)y[i]) > largest ? fabs((double)y[i]) : largest;
    }
    return worst / largest;
}

static void check_within(const struct result *r, const struct result *want, double bound,
                         uint64_t seed, const char *how)
{
    for (size_t i = 0; i < r->n; i++) {
        ck_assert_int_eq(r->out[i].rank, want->out[i].rank);
        ck_assert_mem_eq(r->out[i].dims, want->out[i].dims,
                         (size_t)want->out[i].rank * sizeof(int64_t));
        const double d = difference(&r->out[i], &want->out[i]);
        ck_assert_msg(d < bound, "seed %lu, %s: output %zu differs by %g of max|y|",
                      (unsigned long)seed, how, i, d);
    }
}

static void check_close(const struct result *r, const struct result *want, uint64_t seed,
                        const char *how)
{
    check_within(r, want, 1e-4, seed, how);
}

static uint64_t first_seed(void)
{
    const char *s = getenv("NM_SEED");
    const uint64_t seed = s != NULL ? strtoull(s, NULL, 10) : 1;
    printf("NM_SEED=%lu\n", (unsigned long)seed);
    return seed;
}

static const double sparsities[] = {0, 0.5, 0.8, 0.95};

static void check_net(uint64_t seed)
{
    struct random_net n;
    random_net_make(&n, seed, sparsities[seed % 4]);
    const nm_tensor in = make_input(&n, 1 + (int32_t)(seed % 5));
    struct result want = evaluate(&n, &in);
    for (int isa = NM_ISA_REF; isa <= (int)nmi_cpu_info()->best; isa++) {
        nm_session_options o = NM_SESSION_OPTIONS_INIT;
        o.isa = (nm_isa)isa;
        o.threads = 1 + (int32_t)(seed % 3);
        o.fixed_plan = (int32_t)(seed / 2 % 2);
        o.dense = seed % 7 == 0;
        struct result r = run(&n, &in, &o);
        check_close(&r, &want, seed, nm_isa_name(o.isa));
        free_result(&r);
    }
    free_result(&want);
    free(in.data);
    build_end(&n.b);
}

START_TEST(plan_random_networks_as_evaluated)
{
    const uint64_t seed = first_seed();
    for (uint64_t i = 0; i < 60; i++) {
        check_net(seed + i);
    }
}
END_TEST

/* 16-bit operands where the CPU has them, below it float32 to the bit. */
START_TEST(plan_half_precision_near_float32)
{
    const uint64_t seed = first_seed();
    for (uint64_t i = 0; i < 40; i++) {
        struct random_net n;
        random_net_make(&n, seed + 2000 + i, sparsities[i % 4]);
        const nm_tensor in = make_input(&n, 1 + (int32_t)(i % 3));
        nm_session_options o = NM_SESSION_OPTIONS_INIT;
        o.fixed_plan = (int32_t)(i / 4 % 2);
        o.threads = 1 + (int32_t)(i % 2);
        struct result f32 = run(&n, &in, &o);
        o.precision = NM_PRECISION_HALF;
        struct result half = run(&n, &in, &o);
        check_within(&half, &f32, 2e-2, seed + 2000 + i, "half");
        free_result(&f32);
        free_result(&half);
        free(in.data);
        build_end(&n.b);
    }
}
END_TEST

/* The largest float16 is 65504. */
START_TEST(plan_half_precision_keeps_large_weights_in_float32)
{
    for (int large = 0; large < 2; large++) {
        struct random_net n = {.channels = 8, .older = NMI_NONE, .sparsity = 0.8, .alike = 1};
        build_begin(&n.b, first_seed());
        const int32_t x = build_input(&n.b, "x", 4, (int64_t[]){-1, 8, 12, 12});
        build_output(&n.b, build_conv(&n.b, "conv", x, (int64_t[]){16, 8, 3}, 1));
        random_net_thin(&n, 1);
        const struct nmi_constant *c = nmi_graph_constant(n.b.g, n.b.g->nodes[0].inputs[1]);
        float *w;
        memcpy(&w, &c->data, sizeof w);
        w[0] = large ? 1e5f : 6e4f;
        const nm_tensor in = make_input(&n, 2);
        nm_session_options o = NM_SESSION_OPTIONS_INIT;
        for (o.fixed_plan = 0; o.fixed_plan < 2; o.fixed_plan++) {
            o.precision = NM_PRECISION_F32;
            struct result f32 = run(&n, &in, &o);
            o.precision = NM_PRECISION_HALF;
            struct result half = run(&n, &in, &o);
            check_within(&half, &f32, 2e-2, first_seed(), "half, a large weight");
            free_result(&f32);
            free_result(&half);
        }
        free(in.data);
        build_end(&n.b);
    }
}
END_TEST

START_TEST(plan_half_precision_below_avx512_is_float32)
{
    struct random_net n;
    random_net_make(&n, first_seed() + 3000, 0.5);
    const nm_tensor in = make_input(&n, 2);
    for (int isa = NM_ISA_REF; isa <= NM_ISA_AVX2 && isa <= (int)nmi_cpu_info()->best; isa++) {
        nm_session_options o = NM_SESSION_OPTIONS_INIT;
        o.isa = (nm_isa)isa;
        o.fixed_plan = 1;
        struct result f32 = run(&n, &in, &o);
        o.precision = NM_PRECISION_HALF;
        struct result half = run(&n, &in, &o);
        for (size_t k = 0; k < f32.n; k++) {
            ck_assert_mem_eq(f32.out[k].data, half.out[k].data, bytes_of(&f32.out[k]));
        }
        free_result(&f32);
        free_result(&half);
    }
    free(in.data);
    build_end(&n.b);
}
END_TEST

/* By the rule and nearly all in LANES: only what oneDNN sums may differ, and by rounding. */
START_TEST(plan_any_thread_count_same_result)
{
    const uint64_t seed = first_seed();
    for (uint64_t i = 0; i < 12; i++) {
        struct random_net n;
        random_net_make(&n, seed + 1000 + i, 0.9);
        const nm_tensor in = make_input(&n, i % 2 ? 3 : 1);
        nm_session_options o = NM_SESSION_OPTIONS_INIT;
        o.fixed_plan = 1;
        o.threads = 1;
        struct result one = run(&n, &in, &o);
        for (o.threads = 2; o.threads <= 4; o.threads++) {
            struct result more = run(&n, &in, &o);
            for (size_t k = 0; k < one.n; k++) {
                ck_assert_msg(difference(&more.out[k], &one.out[k]) < 1e-6, "seed %lu",
                              (unsigned long)(seed + 1000 + i));
            }
            free_result(&more);
        }
        free_result(&one);
        free(in.data);
        build_end(&n.b);
    }
}
END_TEST

/* A plan run once, with nothing around it. */
static struct result run_plan(struct random_net *n, const nm_tensor *in,
                              const struct nmi_plan_options *options)
{
    struct nmi_network network = {.graph = n->b.g};
    struct nmi_tensor input = {.type = NM_F32, .rank = 4};
    struct nmi_plan *plan = NULL;
    struct result r = {.n = (size_t)n->b.g->n_outputs};
    void *outputs[2];
    nm_error err = {0};
    memcpy(input.dims, in->dims, sizeof in->dims);
    ck_assert_int_eq(nmi_weights_create(&network.weights, &err), NM_OK);
    ck_assert_msg(nmi_plan_create(&network, &input, options, &plan, &err) == NM_OK, "%s",
                  err.message);
    for (size_t i = 0; i < r.n; i++) {
        r.out[i] = (nm_tensor){.type = NM_F32, .rank = plan->outputs[i].rank};
        memcpy(r.out[i].dims, plan->outputs[i].dims, sizeof r.out[i].dims);
        r.out[i].data = outputs[i] = malloc(plan->outputs[i].bytes + 1);
    }
    const size_t tensors = (size_t)plan->threads * (size_t)plan->max_tensors + 1;
    const void *inputs[] = {in->data};
    const struct nmi_run work = {.plan = plan,
                                 .inputs = inputs,
                                 .outputs = outputs,
                                 .tensors = calloc(tensors, sizeof(struct nmi_tensor)),
                                 .pointers = calloc(tensors, sizeof(void *)),
                                 .step_seconds =
                                     calloc((size_t)plan->n_steps + 1, sizeof(double))};
    ck_assert_msg(nmi_exec(&work, &err) == NM_OK, "%s", err.message);
    free(work.tensors);
    free(work.pointers);
    free(work.step_seconds);
    nmi_plan_free(plan);
    nmi_weights_free(network.weights);
    return r;
}

/* Several images in a vector from some layer on: whole vectors, odd batches, all and no layers. */
START_TEST(plan_late_layers_on_several_images_as_evaluated)
{
    static const int32_t batches[] = {2, 3, 4, 6, 16, 17, 32};
    const uint64_t seed = first_seed();
    for (uint64_t i = 0; i < 24; i++) {
        struct random_net n;
        struct nmi_cache cache = {0};
        random_net_make(&n, seed + 2000 + i, 0.9);
        const nm_tensor in = make_input(&n, batches[i % NMI_COUNT(batches)]);
        struct result want = evaluate(&n, &in);
        struct nmi_plan_options o = {.threads = 1 + (int32_t)(i % 3),
                                     .fixed = true,
                                     .arena_limit = (size_t)1 << 30,
                                     .folded_limit = (size_t)1 << 30,
                                     .work_limit = 1e12,
                                     .cache = &cache};
        for (int isa = NM_ISA_REF; isa <= (int)nmi_cpu_info()->best; isa++) {
            static const int32_t areas[] = {1, 40, 200, 100000};
            o.isa = (nm_isa)isa;
            o.late_area = areas[i / 2 % NMI_COUNT(areas)];
            struct result r = run_plan(&n, &in, &o);
            check_close(&r, &want, seed + 2000 + i, nm_isa_name(o.isa));
            free_result(&r);
        }
        nmi_cache_free(&cache);
        free_result(&want);
        free(in.data);
        build_end(&n.b);
    }
}
END_TEST

/* The same in float16, wherever that has layers. */
START_TEST(plan_random_convolutions_in_float16_near_float32)
{
    static const int32_t batches[] = {1, 2, 5, 16, 19}, areas[] = {1, 200, 100000};
    const uint64_t seed = first_seed();
    for (uint64_t i = 0; i < 40 && nmi_kernels_half(nmi_cpu_info()->best); i++) {
        struct random_net n;
        struct nmi_cache cache = {0};
        random_net_convs(&n, seed + 3000 + i);
        const nm_tensor in = make_input(&n, batches[i % NMI_COUNT(batches)]);
        struct nmi_plan_options o = {.threads = 1 + (int32_t)(i % 3),
                                     .isa = NM_ISA_AVX512,
                                     .fixed = true,
                                     .late_area = areas[i / 2 % NMI_COUNT(areas)],
                                     .arena_limit = (size_t)1 << 30,
                                     .folded_limit = (size_t)1 << 30,
                                     .work_limit = 1e12,
                                     .cache = &cache};
        struct result want = run_plan(&n, &in, &o);
        o.fp16 = true;
        struct result half = run_plan(&n, &in, &o);
        check_within(&half, &want, 5e-3, seed + 3000 + i, "in float16");
        free_result(&want);
        free_result(&half);
        nmi_cache_free(&cache);
        free(in.data);
        build_end(&n.b);
    }
}
END_TEST

/* A convolution and its pool as one step, measured when all else is known already: a batch is
 * planned several ways first. */
START_TEST(plan_batch_with_a_pool_behind_a_convolution_as_evaluated)
{
    struct random_net n = {.channels = 16, .size = 56, .older = NMI_NONE, .sparsity = 0.9, .alike = 1};
    build_begin(&n.b, first_seed());
    n.x = build_input(&n.b, "x", 4, (int64_t[]){-1, 16, 56, 56});
    n.x = build_conv(&n.b, "conv", n.x, (int64_t[]){16, 16, 3}, 1);
    random_net_thin(&n, 1);
    n.x = build_node(&n.b, NMI_OP_MaxPool, "pool", IDS(n.x));
    struct nmi_pool_attrs *a = build_attrs(&n.b);
    a->kernel_shape = a->strides = (struct nmi_ints){2, {2, 2}};
    build_output(&n.b, n.x);
    const nm_tensor in = make_input(&n, 4);
    struct result want = evaluate(&n, &in);
    for (int isa = NM_ISA_REF; isa <= (int)nmi_cpu_info()->best; isa++) {
        nm_session_options o = NM_SESSION_OPTIONS_INIT;
        o.isa = (nm_isa)isa;
        o.threads = 1;
        struct result r = run(&n, &in, &o);
        check_close(&r, &want, 0, nm_isa_name(o.isa));
        free_result(&r);
    }
    free_result(&want);
    free(in.data);
    build_end(&n.b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plan");
    TCase *cases = tcase_create("plan");
    tcase_set_timeout(cases, 600);
    tcase_add_test(cases, plan_random_networks_as_evaluated);
    tcase_add_test(cases, plan_half_precision_near_float32);
    tcase_add_test(cases, plan_half_precision_keeps_large_weights_in_float32);
    tcase_add_test(cases, plan_half_precision_below_avx512_is_float32);
    tcase_add_test(cases, plan_any_thread_count_same_result);
    tcase_add_test(cases, plan_late_layers_on_several_images_as_evaluated);
    tcase_add_test(cases, plan_random_convolutions_in_float16_near_float32);
    tcase_add_test(cases, plan_batch_with_a_pool_behind_a_convolution_as_evaluated);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
