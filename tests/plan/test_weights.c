/* SPDX-License-Identifier: Apache-2.0 */
/* The store of packed weights: each packed once, by whichever thread comes first. */
#include "lib/base/mem.h"
#include "lib/plan/weights.h"

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum { KEYS = 150, THREADS = 4 };

struct packing {
    atomic_int calls;
    nm_status status;
    size_t bytes;
    unsigned char content;
};

static nm_status pack(void *context, void *packed, nm_error *err)
{
    struct packing *p = context;
    atomic_fetch_add(&p->calls, 1);
    memset(packed, p->content, p->bytes);
    return p->status == NM_OK ? NM_OK : nmi_fail(err, p->status, "told to");
}

static struct nmi_weights *store(void)
{
    struct nmi_weights *w = NULL;
    ck_assert_int_eq(nmi_weights_create(&w, NULL), NM_OK);
    return w;
}

START_TEST(same_key_packed_once_and_stays_where_it_is)
{
    struct nmi_weights *w = store();
    const void *packed[KEYS], *again;
    for (int i = 0; i < KEYS; i++) {
        struct packing p = {.bytes = (size_t)i, .content = (unsigned char)i};
        ck_assert_int_eq(nmi_weights_get(w, (uint64_t)i, p.bytes, pack, &p, &packed[i], NULL),
                         NM_OK);
        ck_assert_int_eq(p.calls, 1);
    }
    ck_assert_uint_eq(nmi_weights_bytes(w), KEYS * (KEYS - 1) / 2);
    for (int i = 0; i < KEYS; i++) {
        struct packing p = {.bytes = (size_t)i};
        ck_assert_int_eq(nmi_weights_get(w, (uint64_t)i, p.bytes, pack, &p, &again, NULL), NM_OK);
        ck_assert_int_eq(p.calls, 0);
        ck_assert_ptr_eq(again, packed[i]);
        for (int k = 0; k < i; k++) {
            ck_assert_int_eq(((const unsigned char *)again)[k], i);
        }
    }
    nmi_weights_free(w);
}
END_TEST

/* A hash may collide; another size is another thing for certain. */
START_TEST(same_key_of_another_size_packed_apart)
{
    struct nmi_weights *w = store();
    const void *a, *b;
    struct packing p = {.bytes = 8, .content = 1};
    ck_assert_int_eq(nmi_weights_get(w, 7, 8, pack, &p, &a, NULL), NM_OK);
    p.bytes = 16;
    ck_assert_int_eq(nmi_weights_get(w, 7, 16, pack, &p, &b, NULL), NM_OK);
    ck_assert_int_eq(p.calls, 2);
    ck_assert_ptr_ne(a, b);
    nmi_weights_free(w);
}
END_TEST

START_TEST(failed_packing_leaves_nothing)
{
    struct nmi_weights *w = store();
    const size_t live = nmi_alloc_live();
    const void *packed = NULL;
    nm_error err = {NM_OK, ""};
    struct packing p = {.bytes = 64, .status = NM_EUNSUPPORTED};
    ck_assert_int_eq(nmi_weights_get(w, 1, 64, pack, &p, &packed, &err), NM_EUNSUPPORTED);
    ck_assert_str_eq(err.message, "told to");
    for (int n = 1; n <= 2; n++) {
        p.status = NM_OK;
        nmi_alloc_fail_after(n, 0);
        ck_assert_int_eq(nmi_weights_get(w, 1, 64, pack, &p, &packed, &err), NM_ENOMEM);
        nmi_alloc_fail_after(0, 0);
        ck_assert_ptr_nonnull(strstr(err.message, "packed weights"));
        ck_assert_ptr_null(packed);
        ck_assert_uint_eq(nmi_weights_bytes(w), 0);
        ck_assert_uint_eq(nmi_alloc_live(), live);
    }
    ck_assert_int_eq(nmi_weights_get(w, 1, 64, pack, &p, &packed, &err), NM_OK);
    nmi_weights_free(w);
    nmi_weights_free(NULL);
}
END_TEST

static struct packing shared[KEYS];
static struct nmi_weights *common;

static void *ask_for_all(void *unused)
{
    for (int i = 0; i < KEYS; i++) {
        const void *packed = NULL;
        nm_status status =
            nmi_weights_get(common, (uint64_t)i, 32, pack, &shared[i], &packed, NULL);
        if (status != NM_OK || memcmp(packed, &(unsigned char){(unsigned char)i}, 1) != 0) {
            return common; /* anything but NULL: wrong */
        }
    }
    return unused;
}

START_TEST(many_threads_each_key_packed_once)
{
    pthread_t threads[THREADS];
    common = store();
    for (int i = 0; i < KEYS; i++) {
        shared[i] = (struct packing){.bytes = 32, .content = (unsigned char)i};
    }
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_for_all, NULL), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *wrong = NULL;
        ck_assert_int_eq(pthread_join(threads[i], &wrong), 0);
        ck_assert_ptr_null(wrong);
    }
    for (int i = 0; i < KEYS; i++) {
        ck_assert_int_eq(shared[i].calls, 1);
    }
    nmi_weights_free(common);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("weights");
    TCase *t = tcase_create("weights");
    tcase_add_test(t, same_key_packed_once_and_stays_where_it_is);
    tcase_add_test(t, same_key_of_another_size_packed_apart);
    tcase_add_test(t, failed_packing_leaves_nothing);
    tcase_add_test(t, many_threads_each_key_packed_once);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
