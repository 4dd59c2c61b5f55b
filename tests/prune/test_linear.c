/* SPDX-License-Identifier: Apache-2.0 */
/* Linear algebra of pruning against plain double loops, and the same bits for any number of threads. */
#include "lib/base/mem.h"
#include "lib/prune/linear.h"
#include "tests/support/prune_case.h"

#include <check.h>
#include <signal.h>
#include <sys/time.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const int64_t sizes[] = {1, 2, 3, 7, 16, 31, 63, 64, 65, 100, 127, 128, 129, 191, 200};

static void expect_near(const double *want, const double *got, int64_t n, double bound,
                        const char *what)
{
    double most = 0;
    for (int64_t i = 0; i < n; i++) {
        most = fmax(most, fabs(want[i]));
    }
    for (int64_t i = 0; i < n; i++) {
        ck_assert_msg(fabs(got[i] - want[i]) <= bound * most, "%s: element %lld is %g, expected %g",
                      what, (long long)i, got[i], want[i]);
    }
}

static double *doubles(const float *v, int64_t n)
{
    double *d = malloc((size_t)n * sizeof *d + 1);
    for (int64_t i = 0; i < n; i++) {
        d[i] = (double)v[i];
    }
    return d;
}

/* c[m][k] = t' x */
static double *plain_cross(const float *t, int64_t ldt, const float *x, int64_t n, int64_t m, int64_t k)
{
    double *c = calloc((size_t)(m * k), sizeof *c);
    for (int64_t i = 0; i < n; i++) {
        for (int64_t r = 0; r < m; r++) {
            for (int64_t j = 0; j < k; j++) {
                c[r * k + j] += (double)t[i * ldt + r] * (double)x[i * k + j];
            }
        }
    }
    return c;
}

/* ---- sums over samples ---------------------------------------------------------------------- */

static void check_gram(int64_t n, int64_t k)
{
    float *x = prune_floats((size_t)(n * k), (uint64_t)(n + k));
    double *want = plain_cross(x, k, x, n, k, k), *one = NULL;
    const size_t bytes = (size_t)(k * k) * sizeof *want;
    for (int threads = 1; threads <= 3; threads++) {
        double *g = calloc(1, bytes);
        ck_assert_int_eq(nmi_gram_add(threads, x, n, k, g, NULL), NM_OK);
        expect_near(want, g, k * k, 1e-5, "gram");
        for (int64_t i = 0; i < k; i++) {
            for (int64_t j = 0; j < i; j++) {
                ck_assert(g[i * k + j] == g[j * k + i]);
            }
        }
        if (one != NULL) {
            ck_assert_mem_eq(g, one, bytes);
            free(g);
        } else {
            one = g;
        }
    }
    free(one);
    free(want);
    free(x);
}

START_TEST(gram_like_plain_loops)
{
    for (size_t i = 0; i < NMI_COUNT(sizes); i++) {
        check_gram(37, sizes[i]);
    }
    check_gram(1, 5);
    check_gram(1023, 33);
    check_gram(1024, 33);
    check_gram(1025, 129);
    check_gram(2500, 130);
}
END_TEST

START_TEST(gram_adds_to_what_is_there)
{
    const int64_t n = 50, k = 140;
    float *x = prune_floats((size_t)(2 * n * k), 3);
    double *want = plain_cross(x, k, x, 2 * n, k, k), *g = calloc((size_t)(k * k), sizeof *g);
    ck_assert_int_eq(nmi_gram_add(2, x, n, k, g, NULL), NM_OK);
    ck_assert_int_eq(nmi_gram_add(2, x + n * k, n, k, g, NULL), NM_OK);
    expect_near(want, g, k * k, 1e-5, "gram in two calls");
    free(want);
    free(g);
    free(x);
}
END_TEST

static void check_cross(int64_t n, int64_t m, int64_t k, int64_t ldt)
{
    const int64_t m_k[2] = {m, k};
    float *x = prune_floats((size_t)(n * k), 1), *t = prune_floats((size_t)(n * ldt), 2);
    double *want = plain_cross(t, ldt, x, n, m, k), *one = NULL;
    const size_t bytes = (size_t)(m * k) * sizeof *want;
    for (int threads = 1; threads <= 3; threads++) {
        double *c = calloc(1, bytes);
        ck_assert_int_eq(nmi_cross_add(threads, t, ldt, x, n, m_k, c, NULL), NM_OK);
        expect_near(want, c, m * k, 1e-5, "cross");
        if (one != NULL) {
            ck_assert_mem_eq(c, one, bytes);
            free(c);
        } else {
            one = c;
        }
    }
    free(one);
    free(want);
    free(x);
    free(t);
}

START_TEST(cross_like_plain_loops_rows_apart)
{
    check_cross(1, 1, 1, 1);
    check_cross(10, 3, 5, 7);
    check_cross(40, 129, 65, 129);
    check_cross(40, 127, 200, 300);
    check_cross(1025, 5, 9, 5);
    check_cross(2049, 130, 9, 131);
}
END_TEST

/* ---- products ------------------------------------------------------------------------------- */

static void check_product(int64_t m, int64_t n, int64_t k, float beta, bool trans_b)
{
    float *a = prune_floats((size_t)(m * k), 1), *b = prune_floats((size_t)(k * n), 2);
    float *before = prune_floats((size_t)(m * n), 3), *one = NULL;
    double *want = doubles(before, m * n);
    const size_t bytes = (size_t)(m * n) * sizeof *one;
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < n; j++) {
            double sum = beta == 0 ? 0 : (double)beta * want[i * n + j];
            for (int64_t l = 0; l < k; l++) {
                sum += (double)a[i * k + l] * (double)(trans_b ? b[j * k + l] : b[l * n + j]);
            }
            want[i * n + j] = sum;
        }
    }
    for (int threads = 1; threads <= 3; threads++) {
        float *c = malloc(bytes);
        memcpy(c, before, bytes);
        const struct nmi_product p = {a, b, c, m, n, k, beta, trans_b};
        ck_assert_int_eq(nmi_product(threads, &p, NULL), NM_OK);
        double *got = doubles(c, m * n);
        expect_near(want, got, m * n, 1e-5, "product");
        free(got);
        if (one != NULL) {
            ck_assert_mem_eq(c, one, bytes);
            free(c);
        } else {
            one = c;
        }
    }
    free(one);
    free(want);
    free(before);
    free(a);
    free(b);
}

START_TEST(product_like_plain_loops)
{
    for (int trans = 0; trans < 2; trans++) {
        check_product(1, 1, 1, 0, trans);
        check_product(3, 5, 7, 1, trans);
        check_product(128, 31, 64, 0, trans);
        check_product(129, 33, 65, 0, trans);
        check_product(300, 17, 9, 1, trans);
        check_product(127, 200, 100, -0.5f, trans);
    }
}
END_TEST

/* ---- factors -------------------------------------------------------------------------------- */

/* Positive definite: x' x / n + d. */
static float *positive(int64_t n, double d)
{
    float *x = prune_floats((size_t)(2 * n * n), (uint64_t)n), *a = malloc((size_t)(n * n) * sizeof *a);
    double *g = plain_cross(x, n, x, 2 * n, n, n);
    for (int64_t i = 0; i < n * n; i++) {
        a[i] = (float)(g[i] / (double)(2 * n) + (i % (n + 1) == 0 ? d : 0));
    }
    free(g);
    free(x);
    return a;
}

static float *copy_of(const float *a, int64_t n)
{
    float *c = malloc((size_t)n * sizeof *c);
    memcpy(c, a, (size_t)n * sizeof *c);
    return c;
}

/* Lower triangle of l times its transpose is a. */
static void expect_factor(const float *l, const float *a, int64_t n)
{
    double *want = doubles(a, n * n), *got = malloc((size_t)(n * n) * sizeof *got);
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < n; j++) {
            double sum = 0;
            for (int64_t k = 0; k <= (i < j ? i : j); k++) {
                sum += (double)l[i * n + k] * (double)l[j * n + k];
            }
            got[i * n + j] = sum;
        }
    }
    expect_near(want, got, n * n, 1e-5, "l l'");
    free(want);
    free(got);
}

START_TEST(cholesky_times_itself_is_the_matrix)
{
    for (size_t i = 0; i < NMI_COUNT(sizes); i++) {
        const int64_t n = sizes[i];
        float *a = positive(n, 0.05), *one = NULL;
        for (int threads = 1; threads <= 3; threads++) {
            float *l = copy_of(a, n * n);
            bool good = false;
            ck_assert_int_eq(nmi_cholesky(threads, l, n, &good, NULL), NM_OK);
            ck_assert(good);
            expect_factor(l, a, n);
            for (int64_t r = 0; r < n && one != NULL; r++) {
                ck_assert_mem_eq(l + r * n, one + r * n, (size_t)(r + 1) * sizeof *l);
            }
            if (one == NULL) {
                one = l;
            } else {
                free(l);
            }
        }
        free(one);
        free(a);
    }
}
END_TEST

START_TEST(cholesky_solves)
{
    for (size_t i = 0; i < NMI_COUNT(sizes); i++) {
        const int64_t n = sizes[i];
        float *a = positive(n, 0.1), *l = copy_of(a, n * n), *x = prune_floats((size_t)n, 9);
        double *b = calloc((size_t)n, sizeof *b), *want = doubles(x, n);
        bool good = false;
        for (int64_t r = 0; r < n; r++) {
            for (int64_t c = 0; c < n; c++) {
                b[r] += (double)a[r * n + c] * (double)x[c];
            }
        }
        ck_assert_int_eq(nmi_cholesky(1, l, n, &good, NULL), NM_OK);
        ck_assert(good);
        nmi_cholesky_solve(l, n, b);
        expect_near(want, b, n, 1e-4, "solution");
        free(want);
        free(b);
        free(x);
        free(l);
        free(a);
    }
}
END_TEST

static void expect_identity(const float *a, const float *p, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < n; j++) {
            double sum = 0;
            for (int64_t k = 0; k < n; k++) {
                sum += (double)a[i * n + k] * (double)p[k * n + j];
            }
            ck_assert_msg(fabs(sum - (i == j)) < 1e-3, "n = %lld: (%lld, %lld) of a a^-1 is %g",
                          (long long)n, (long long)i, (long long)j, sum);
        }
    }
}

START_TEST(inverse_times_the_matrix_is_one)
{
    for (size_t i = 0; i < NMI_COUNT(sizes); i++) {
        const int64_t n = sizes[i];
        const size_t bytes = (size_t)(n * n) * sizeof(float);
        float *a = positive(n, 0.1), *one = NULL;
        for (int threads = 1; threads <= 3; threads++) {
            float *work = copy_of(a, n * n), *p = malloc(bytes);
            bool good = false;
            memset(p, 0x7f, bytes);
            ck_assert_int_eq(nmi_inverse(threads, work, n, p, &good, NULL), NM_OK);
            ck_assert(good);
            free(work);
            if (one == NULL) {
                expect_identity(a, p, n);
                one = p;
            } else {
                ck_assert_mem_eq(p, one, bytes);
                free(p);
            }
        }
        free(one);
        free(a);
    }
}
END_TEST

START_TEST(what_is_not_positive_is_reported)
{
    static const float spoilt[] = {-1.0f, 0.0f, NAN, -INFINITY, -1e-20f};
    static const int64_t orders[] = {1, 5, 64, 65, 130, 200};
    for (size_t i = 0; i < NMI_COUNT(orders); i++) {
        const int64_t n = orders[i];
        for (size_t k = 0; k < NMI_COUNT(spoilt); k++) {
            for (int64_t at = 0; at < n; at += n > 8 ? n / 3 : 1) {
                float *a = positive(n, 0.1), *p = malloc((size_t)(n * n) * sizeof *p);
                bool good = true;
                a[at * n + at] = spoilt[k];
                ck_assert_int_eq(nmi_inverse(2, a, n, p, &good, NULL), NM_OK);
                ck_assert_msg(!good, "n = %lld: %g at %lld was taken", (long long)n,
                              (double)spoilt[k], (long long)at);
                free(p);
                free(a);
            }
        }
    }
}
END_TEST

START_TEST(no_memory_reported)
{
    const int64_t n = 130;
    float *a = positive(n, 0.1), *p = malloc((size_t)(n * n) * sizeof *p);
    double *g = calloc((size_t)(n * n), sizeof *g);
    const size_t live = nmi_alloc_live();
    for (int i = 0; i < 2; i++) {
        nm_error err = {NM_OK, ""};
        bool good;
        float *work = copy_of(a, n * n);
        nmi_alloc_fail_after(1, 1);
        const nm_status status = i == 0 ? nmi_inverse(1, work, n, p, &good, &err)
                                        : nmi_gram_add(2, a, n, n, g, &err);
        nmi_alloc_fail_after(0, 0);
        ck_assert_int_eq(status, NM_ENOMEM);
        ck_assert(err.message[0] != '\0');
        ck_assert_uint_eq(nmi_alloc_live(), live);
        free(work);
    }
    free(g);
    free(p);
    free(a);
}
END_TEST

static volatile sig_atomic_t ticks;

static void tick(int number)
{
    (void)number;
    ticks++;
}

/* oneDNN's code has its stack pointer on the heap: a handler's frame must not land there. */
START_TEST(signals_during_products_harm_nothing)
{
    enum { N = 300 };
    struct sigaction action = {.sa_handler = tick, .sa_flags = SA_RESTART}, old;
    const struct itimerval fast = {{0, 200}, {0, 200}}, off = {{0, 0}, {0, 0}};
    sigaction(SIGALRM, &action, &old);
    setitimer(ITIMER_REAL, &fast, NULL);
    for (int i = 0; i < 60; i++) {
        float *a = nmi_calloc(N * N, sizeof *a), *b = nmi_calloc(N * N, sizeof *b);
        float *c = nmi_calloc(N * N, sizeof *c);
        a[N + 1] = b[N + 2] = 2;
        const struct nmi_product p = {.a = a, .b = b, .c = c, .m = N, .n = N, .k = N};
        ck_assert_int_eq(nmi_product(1, &p, NULL), NM_OK);
        ck_assert(c[N + 2] == 4 && c[N + 1] == 0); /* glibc looks at its headers when it frees */
        nmi_free(a);
        nmi_free(b);
        nmi_free(c);
    }
    setitimer(ITIMER_REAL, &off, NULL);
    sigaction(SIGALRM, &old, NULL);
    ck_assert_int_gt(ticks, 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("linear");
    TCase *t = tcase_create("linear");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, signals_during_products_harm_nothing);
    tcase_add_test(t, gram_like_plain_loops);
    tcase_add_test(t, gram_adds_to_what_is_there);
    tcase_add_test(t, cross_like_plain_loops_rows_apart);
    tcase_add_test(t, product_like_plain_loops);
    tcase_add_test(t, cholesky_times_itself_is_the_matrix);
    tcase_add_test(t, cholesky_solves);
    tcase_add_test(t, inverse_times_the_matrix_is_one);
    tcase_add_test(t, what_is_not_positive_is_reported);
    tcase_add_test(t, no_memory_reported);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
