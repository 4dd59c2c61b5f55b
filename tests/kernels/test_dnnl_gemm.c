/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix products on oneDNN against the reference: transposes, batches, biases, packed weights. */
#include "kernels/kernel.h"
#include "lib/base/cpu.h"
#include "lib/base/mem.h"
#include "lib/base/parallel.h"
#include "tests/support/dnnl_case.h"

#include <check.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

static size_t matrices(int64_t batch, int64_t stride, int64_t size)
{
    return (size_t)(stride == 0 ? size : (batch - 1) * stride + size);
}

static size_t bias_count(const struct nmi_gemm_desc *d)
{
    switch (d->bias_rank) {
    case 0:
        return 0;
    case 1:
        return (size_t)d->n;
    case 2:
        return (size_t)(d->m * d->n);
    case -2:
        return (size_t)d->m;
    default:
        return 1;
    }
}

/* Compares with the reference; false when oneDNN refuses. BF16: operands that it holds exactly. */
static bool check_as(const struct nmi_gemm_desc *d, enum nmi_dnnl_algo algo)
{
    union nmi_desc desc;
    memset(&desc, 0, sizeof desc);
    desc.gemm = *d;
    size_t out = matrices(d->batch, d->stride_c, d->m * d->n);
    struct nmi_kargs args = {0};
    float *a = dc_floats(matrices(d->batch, d->stride_a, d->m * d->k));
    float *b = dc_floats(matrices(d->batch, d->stride_b, d->k * d->n));
    if (algo == NMI_DNNL_BF16) {
        dc_round(a, matrices(d->batch, d->stride_a, d->m * d->k));
        dc_round(b, matrices(d->batch, d->stride_b, d->k * d->n));
    }
    float *bias = d->bias_rank ? dc_floats(bias_count(d)) : NULL;
    float *y = dc_filled(out, NAN), *want = dc_filled(out, NAN);
    args = (struct nmi_kargs){.x = a, .w = b, .bias = bias, .y = want};
    dc_reference(NMI_KIND_GEMM, &desc, &args);
    args.y = y;
    nm_status s = dc_run(NMI_KIND_GEMM, &desc, algo, &args, false);
    if (s == NM_OK) {
        for (int64_t i = 0; i < d->batch; i++) {
            double error =
                dc_error(y + i * d->stride_c, want + i * d->stride_c, (size_t)(d->m * d->n));
            ck_assert_msg(error <= 1e-5,
                          "error %g: %d x %dx%dx%d, trans %d %d, const %d, bias %d, alpha %g, beta "
                          "%g, act %d",
                          error, (int)d->batch, (int)d->m, (int)d->k, (int)d->n, d->trans_a,
                          d->trans_b, d->const_b, d->bias_rank, (double)d->alpha, (double)d->beta,
                          d->act.kind);
        }
    }
    dc_free(a);
    dc_free(b);
    dc_free(bias);
    dc_free(y);
    dc_free(want);
    return s == NM_OK;
}

static bool check(const struct nmi_gemm_desc *d)
{
    return check_as(d, NMI_DNNL_DIRECT);
}

static struct nmi_gemm_desc product(int64_t batch, int64_t m, int64_t n, int64_t k)
{
    return (struct nmi_gemm_desc){.batch = batch,
                                  .m = m,
                                  .n = n,
                                  .k = k,
                                  .stride_a = m * k,
                                  .stride_b = k * n,
                                  .stride_c = m * n,
                                  .alpha = 1.0f,
                                  .beta = 1.0f};
}

static struct nmi_gemm_desc random_product(void)
{
    static const int32_t kinds[] = {NMI_ACT_NONE, NMI_ACT_RELU, NMI_ACT_SIGMOID, NMI_ACT_GELU};
    struct nmi_gemm_desc d =
        product(dc_pick(0, 2) ? 1 : dc_pick(2, 4), dc_pick(1, 40), dc_pick(1, 70), dc_pick(1, 90));
    d.trans_a = dc_pick(0, 3) == 0;
    d.trans_b = dc_pick(0, 1);
    d.const_b = dc_pick(0, 1);
    d.bias_rank = dc_pick(-2, 2);
    d.act.kind = kinds[dc_pick(0, 3)];
    d.alpha = d.const_b && dc_pick(0, 2) == 0 ? 0.5f : 1.0f;
    d.beta = (float)dc_pick(0, 4) / 2.0f;
    if (d.batch > 1 && dc_pick(0, 1)) {
        d.stride_b = 0;
    }
    if (d.batch > 1 && d.stride_b != 0 && dc_pick(0, 4) == 0) { /* both shared: refused */
        d.stride_a = 0;
    }
    return d;
}

START_TEST(gemm_random_shapes_agree)
{
    for (int i = 0; i < 200; i++) {
        struct nmi_gemm_desc d = random_product();
        ck_assert(check(&d));
    }
}
END_TEST

START_TEST(gemm_classifier_agrees)
{
    for (int64_t m = 1; m <= 64; m = m * 3 + 1) {
        struct nmi_gemm_desc d = product(1, m, 1000, 2048);
        d.trans_b = d.const_b = true;
        d.bias_rank = 1;
        ck_assert(check(&d));
    }
}
END_TEST

START_TEST(gemm_bfloat16_agrees_or_is_refused)
{
    int ran = 0;
    for (int i = 0; i < 200; i++) {
        struct nmi_gemm_desc d = random_product();
        bool done = check_as(&d, NMI_DNNL_BF16);
        ck_assert(!done || (d.const_b && d.alpha == 1.0f));
        ran += done;
    }
    printf("bfloat16: %d of 200 ran\n", ran);
    ck_assert(ran > 40 || !nmi_cpu_info()->bf16 || getenv("DNNL_MAX_CPU_ISA"));
}
END_TEST

START_TEST(gemm_two_threads_agree)
{
    int old = nmi_threads_enter(2);
    for (int i = 0; i < 50; i++) {
        struct nmi_gemm_desc d = random_product();
        ck_assert(check(&d));
    }
    nmi_threads_restore(old);
}
END_TEST

START_TEST(gemm_alpha_without_constant_or_empty_refused)
{
    struct nmi_gemm_desc d = product(1, 4, 4, 4);
    d.alpha = 2.0f;
    ck_assert(!check(&d));
    struct nmi_dnnl *o = NULL;
    union nmi_desc desc = {.gemm = product(1, 4, 0, 4)};
    nm_error err = {NM_OK, ""};
    ck_assert_int_eq(nmi_dnnl_create(NMI_KIND_GEMM, &desc, NMI_DNNL_DIRECT, &o, &err),
                     NM_EUNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.message, "empty"));
}
END_TEST

/* Equal weights and format: one copy serves; another alpha is another copy. */
START_TEST(pack_key_equal_formats_equal)
{
    union nmi_desc one = {.gemm = product(1, 4, 40, 50)}, two;
    struct nmi_dnnl *o[3] = {NULL, NULL, NULL};
    one.gemm.const_b = one.gemm.trans_b = true;
    two = one;
    two.gemm.alpha = 0.25f;
    ck_assert_int_eq(nmi_dnnl_create(NMI_KIND_GEMM, &one, NMI_DNNL_DIRECT, &o[0], NULL), NM_OK);
    ck_assert_int_eq(nmi_dnnl_create(NMI_KIND_GEMM, &one, NMI_DNNL_DIRECT, &o[1], NULL), NM_OK);
    ck_assert_int_eq(nmi_dnnl_create(NMI_KIND_GEMM, &two, NMI_DNNL_DIRECT, &o[2], NULL), NM_OK);
    ck_assert(nmi_dnnl_pack_key(o[0]) == nmi_dnnl_pack_key(o[1]));
    ck_assert(nmi_dnnl_pack_key(o[0]) != nmi_dnnl_pack_key(o[2]));
    ck_assert(nmi_dnnl_packed_bytes(o[2]) >= 40 * 50 * sizeof(float));
    for (int i = 0; i < 3; i++) {
        nmi_dnnl_free(o[i]);
    }
}
END_TEST

START_TEST(create_without_memory_refused)
{
    union nmi_desc desc = {.gemm = product(1, 4, 4, 4)};
    struct nmi_dnnl *o = NULL;
    nmi_alloc_fail_after(1, 0);
    ck_assert_int_eq(nmi_dnnl_create(NMI_KIND_GEMM, &desc, NMI_DNNL_DIRECT, &o, NULL), NM_ENOMEM);
    nmi_alloc_fail_after(0, 0);
    ck_assert_int_eq(nmi_dnnl_create(NMI_KIND_GEMM, &desc, NMI_DNNL_DIRECT, &o, NULL), NM_OK);
    ck_assert_int_gt((int)strlen(nmi_dnnl_impl(o)), 1);
    long before = nmi_alloc_count();
    float a[16] = {1}, y[16];
    struct nmi_kargs args = {.x = a, .w = a, .y = y, .scratch = nmi_alloc(1 << 20)};
    ck_assert(nmi_dnnl_scratch_bytes(o) <= 1 << 20);
    ck_assert_int_eq(nmi_dnnl_run(o, &args), NM_OK);
    ck_assert(y[0] == 1.0f && y[5] == 0.0f);
    ck_assert_int_eq((int)(nmi_alloc_count() - before), 1); /* ours, for scratch */
    args.x = NULL;
    ck_assert_int_eq(nmi_dnnl_run(o, &args), NM_EINTERNAL);
    nmi_free(args.scratch);
    nmi_dnnl_free(o);
    ck_assert_int_ge(nmi_dnnl_version(), 20600);
}
END_TEST

static char *stack_mark; /* of this thread */
static pthread_t marked;
static volatile sig_atomic_t ticks, astray;

static void tick(int number)
{
    char here;
    (void)number;
    if (!pthread_equal(pthread_self(), marked)) {
        return; /* oneDNN's team has threads of its own */
    }
    ticks++;
    astray |= &here > stack_mark || &here < stack_mark - (1 << 20);
}

static void run_for_a_while(const struct nmi_gemm_desc *d, float *memory)
{
    union nmi_desc desc;
    struct nmi_dnnl *o = NULL;
    memset(&desc, 0, sizeof desc);
    desc.gemm = *d;
    ck_assert_int_eq(nmi_dnnl_create(NMI_KIND_GEMM, &desc, NMI_DNNL_DIRECT, &o, NULL), NM_OK);
    const size_t packed = nmi_dnnl_packed_bytes(o), scratch = nmi_dnnl_scratch_bytes(o);
    const struct nmi_kargs args = {.x = memory,
                                   .w = memory,
                                   .y = memory + (1 << 18),
                                   .packed = packed ? nmi_calloc(packed, 1) : NULL,
                                   .scratch = nmi_calloc(scratch + 1, 1)};
    for (clock_t end = clock() + CLOCKS_PER_SEC / 100; clock() < end;) {
        ck_assert_int_eq(nmi_dnnl_run(o, &args), NM_OK);
    }
    nmi_free((void *)args.packed);
    nmi_free(args.scratch);
    nmi_dnnl_free(o);
}

/* oneDNN's plain sgemm keeps its stack pointer in a buffer, where the frame of a caller's signal
 * handler does harm (kernels/dnnl/sgemm.c); what layers run must not. */
START_TEST(signals_find_the_stack_where_it_was)
{
    const int64_t sizes[][3] = {{1, 300, 500}, {5, 300, 500}, {200, 200, 200}};
    struct sigaction action = {.sa_handler = tick, .sa_flags = SA_RESTART}, old;
    const struct itimerval fast = {{0, 100}, {0, 100}}, off = {{0, 0}, {0, 0}};
    char here;
    float *memory = nmi_calloc(1 << 19, sizeof *memory);
    stack_mark = &here;
    marked = pthread_self();
    sigaction(SIGALRM, &action, &old);
    setitimer(ITIMER_REAL, &fast, NULL);
    for (int i = 0; i < 24; i++) {
        const int64_t *size = sizes[i / 8];
        struct nmi_gemm_desc d = product(1, size[0], size[2], size[1]);
        d.trans_a = i & 1;
        d.trans_b = i & 2;
        d.const_b = i & 4;
        run_for_a_while(&d, memory);
    }
    setitimer(ITIMER_REAL, &off, NULL);
    sigaction(SIGALRM, &old, NULL);
    nmi_free(memory);
    ck_assert_int_gt(ticks, 0);
    ck_assert_int_eq(astray, 0);
}
END_TEST

int main(void)
{
    dc_start("dnnl_gemm");
    Suite *suite = suite_create("dnnl_gemm");
    TCase *tc = tcase_create("all");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, gemm_random_shapes_agree);
    tcase_add_test(tc, gemm_classifier_agrees);
    tcase_add_test(tc, gemm_bfloat16_agrees_or_is_refused);
    tcase_add_test(tc, gemm_two_threads_agree);
    tcase_add_test(tc, gemm_alpha_without_constant_or_empty_refused);
    tcase_add_test(tc, pack_key_equal_formats_equal);
    tcase_add_test(tc, create_without_memory_refused);
    tcase_add_test(tc, signals_find_the_stack_where_it_was);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return dc_finish(failed);
}
