/* SPDX-License-Identifier: Apache-2.0 */
/* The file of measured times: comes back, is merged, and counts as empty as soon as a bit is off;
 * and what planning looks up in it. */
#include "lib/base/cpu.h"
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/plan/plan.h"
#include "tests/support/builder.h"
#include "tests/support/scratch.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ENTRIES = 300 };

static int warnings;
static char last_line[512];

static void note(void *user, int level, const char *line)
{
    (void)user;
    ck_assert_int_eq(level, 0);
    snprintf(last_line, sizeof last_line, "%s", line);
    warnings++;
}
static const struct nmi_log log_here = {note, NULL};

static uint64_t key_of(int i)
{
    return (uint64_t)i * 0x9e3779b97f4a7c15u;
}

static void add(struct nmi_cache *c, int first, int last)
{
    for (int i = first; i < last; i++) {
        nmi_cache_add(c, key_of(i), 1e-6 * (i + 1));
    }
}

static void expect(const struct nmi_cache *c, int first, int last)
{
    double seconds;
    for (int i = first; i < last; i++) {
        ck_assert_msg(nmi_cache_find(c, key_of(i), &seconds), "entry %d is gone", i);
        ck_assert(seconds == 1e-6 * (i + 1));
    }
}

static const char *fresh(const char *name)
{
    const char *path = scratch_path(name);
    unlink(path);
    warnings = 0;
    return path;
}

/* A file with these entries. */
static void write_cache(const char *path, int first, int last)
{
    struct nmi_cache c = {0};
    add(&c, first, last);
    nmi_cache_save(&c, path, &log_here);
    ck_assert(!c.changed);
    nmi_cache_free(&c);
}

static struct nmi_cache read_cache(const char *path)
{
    struct nmi_cache c = {0};
    nmi_cache_load(&c, path, &log_here);
    return c;
}

START_TEST(saved_entries_come_back)
{
    const char *path = fresh("cache");
    double seconds;
    write_cache(path, 0, ENTRIES);
    struct nmi_cache c = read_cache(path);
    ck_assert_uint_eq(c.count, ENTRIES);
    ck_assert(!c.changed);
    expect(&c, 0, ENTRIES);
    ck_assert(!nmi_cache_find(&c, 1, &seconds));
    ck_assert(!nmi_cache_find(&c, UINT64_MAX, &seconds));
    nmi_cache_free(&c);
    ck_assert_int_eq(warnings, 0);
}
END_TEST

START_TEST(added_first_time_stays_and_nonsense_is_dropped)
{
    static const double bad[] = {0, -1, NAN, INFINITY, 1e7};
    struct nmi_cache c = {0};
    double seconds;
    for (size_t i = 0; i < NMI_COUNT(bad); i++) {
        nmi_cache_add(&c, 5, bad[i]);
    }
    ck_assert_uint_eq(c.count, 0);
    ck_assert(!c.changed);
    nmi_cache_add(&c, 5, 0.25);
    nmi_cache_add(&c, 5, 0.5);
    nmi_cache_add(&c, 0, 1);
    nmi_cache_add(&c, UINT64_MAX, 2);
    ck_assert_uint_eq(c.count, 3);
    ck_assert(nmi_cache_find(&c, 5, &seconds) && seconds == 0.25);
    ck_assert(nmi_cache_find(&c, UINT64_MAX, &seconds) && seconds == 2);
    nmi_cache_free(&c);
}
END_TEST

START_TEST(two_writers_merge)
{
    const char *path = fresh("cache");
    struct nmi_cache a = read_cache(path), b = read_cache(path);
    add(&a, 0, 20);
    add(&b, 10, 40);
    nmi_cache_save(&a, path, &log_here);
    nmi_cache_save(&b, path, &log_here);
    nmi_cache_free(&a);
    nmi_cache_free(&b);
    struct nmi_cache c = read_cache(path);
    ck_assert_uint_eq(c.count, 40);
    expect(&c, 0, 40);
    nmi_cache_free(&c);
    ck_assert_int_eq(warnings, 0);
}
END_TEST

enum { WRITERS = 4, SAVES = 12 };

/* A process that reads, adds an entry and writes again, over and over. */
static int write_along(const char *path, int first)
{
    for (int i = first; i < first + SAVES; i++) {
        struct nmi_cache c = read_cache(path);
        add(&c, i, i + 1);
        nmi_cache_save(&c, path, &log_here);
        nmi_cache_free(&c);
    }
    return warnings;
}

START_TEST(processes_that_write_at_once_lose_nothing)
{
    const char *path = fresh("cache");
    pid_t writers[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = fork();
        ck_assert_int_ge(writers[i], 0);
        if (writers[i] == 0) {
            _exit(write_along(path, i * SAVES) != 0);
        }
    }
    for (int i = 0; i < WRITERS; i++) {
        int status = 0, done = 0;
        while ((done = waitpid(writers[i], &status, WNOHANG)) == 0) {
            struct nmi_cache c = read_cache(path); /* whole at any moment */
            nmi_cache_free(&c);
        }
        ck_assert_int_eq(done, writers[i]);
        ck_assert_int_eq(status, 0);
    }
    ck_assert_int_eq(warnings, 0);
    struct nmi_cache c = read_cache(path);
    ck_assert_uint_eq(c.count, WRITERS * SAVES);
    expect(&c, 0, WRITERS * SAVES);
    nmi_cache_free(&c);
}
END_TEST

START_TEST(nothing_new_nothing_written)
{
    const char *path = fresh("cache");
    struct nmi_cache c = {0};
    nmi_cache_save(&c, path, &log_here);
    ck_assert_int_ne(access(path, F_OK), 0);
    add(&c, 0, 1);
    nmi_cache_save(&c, path, &log_here);
    ck_assert_int_eq(unlink(path), 0);
    nmi_cache_save(&c, path, &log_here);
    ck_assert_int_ne(access(path, F_OK), 0);
    nmi_cache_free(&c);
}
END_TEST

/* ---- damage ------------------------------------------------------------------------------------
 */

static void expect_empty(const void *bytes, size_t size, const char *what)
{
    const char *path = scratch_write("damaged", bytes, size);
    warnings = 0;
    struct nmi_cache c = read_cache(path);
    ck_assert_msg(c.count == 0, "%s: %zu entries were believed", what, c.count);
    ck_assert_int_eq(warnings, 1);
    ck_assert_ptr_nonnull(strstr(last_line, "ignored"));
    nmi_cache_free(&c);
}

START_TEST(damaged_or_cut_anywhere_counts_as_empty)
{
    const char *path = fresh("cache");
    void *bytes;
    size_t size;
    write_cache(path, 0, 9);
    ck_assert_int_eq(nmi_file_read(path, 1 << 20, &bytes, &size, NULL), NM_OK);
    unsigned char *b = bytes;
    for (size_t i = 0; i < size; i++) {
        static const unsigned char flips[] = {1, 0x80, 0xff};
        for (size_t k = 0; k < NMI_COUNT(flips); k++) {
            b[i] ^= flips[k];
            expect_empty(b, size, "a changed byte");
            b[i] ^= flips[k];
        }
        expect_empty(b, i, "a cut file");
    }
    nmi_free(bytes);
    expect_empty("nmplan99", 8, "another version");
    expect_empty("", 0, "an empty file");
}
END_TEST

START_TEST(damaged_file_is_replaced_by_the_next_save)
{
    const char *path = scratch_write("cache", "rubbish", 7);
    write_cache(path, 0, 5);
    struct nmi_cache c = read_cache(path);
    ck_assert_uint_eq(c.count, 5);
    nmi_cache_free(&c);
}
END_TEST

START_TEST(place_that_cannot_be_written_is_a_line_of_log)
{
    struct nmi_cache c = {0};
    add(&c, 0, 5);
    fresh("cache");
    nmi_cache_load(&c, NULL, &log_here);
    nmi_cache_save(&c, NULL, &log_here);
    ck_assert_int_eq(warnings, 0);
    const char *path = scratch_path("no/such/folder");
    nmi_cache_load(&c, path, &log_here);
    ck_assert_int_eq(warnings, 0); /* not there yet: nothing to say */
    nmi_cache_save(&c, path, &log_here);
    ck_assert_int_eq(warnings, 1);
    ck_assert_ptr_nonnull(strstr(last_line, "not written"));
    const char *folder = scratch_path("folder");
    ck_assert_int_eq(mkdir(folder, 0700), 0);
    nmi_cache_load(&c, folder, &log_here);
    nmi_cache_save(&c, folder, &log_here);
    ck_assert_int_eq(warnings, 3);
    expect(&c, 0, 5);
    nmi_cache_free(&c);
}
END_TEST

START_TEST(without_memory_entries_are_forgotten)
{
    struct nmi_cache c = {0};
    double seconds;
    nmi_alloc_fail_after(1, 1);
    add(&c, 0, 3);
    nmi_alloc_fail_after(0, 0);
    ck_assert(!nmi_cache_find(&c, key_of(0), &seconds));
    add(&c, 0, 3);
    expect(&c, 0, 3);
    nmi_cache_free(&c);
}
END_TEST

/* One in four weights of the newest node stays, in the same columns for each `alike` rows. */
static void keep_fourth(struct builder *b, size_t cols, size_t alike)
{
    const struct nmi_node *node = &b->g->nodes[b->g->n_nodes - 1];
    const struct nmi_constant *c = nmi_graph_constant(b->g, node->inputs[1]);
    float *w;
    memcpy(&w, &c->data, sizeof w);
    for (size_t i = 0; i < c->bytes / sizeof *w; i++) {
        w[i] = (i % cols + i / cols / alike) % 4 != 0 ? 0 : w[i];
    }
}

/* Times that planning had to take for one convolution with this many rows alike. */
static int32_t times_taken(size_t alike, struct nmi_cache *cache)
{
    struct builder b;
    const struct nmi_plan_options o = {.threads = 1,
                                       .isa = nmi_cpu_info()->best,
                                       .arena_limit = (size_t)1 << 30,
                                       .folded_limit = (size_t)1 << 30,
                                       .work_limit = 1e12,
                                       .cache = cache};
    struct nmi_network network = {0};
    struct nmi_plan *plan = NULL;
    const struct nmi_tensor in = {.type = NM_F32, .rank = 4, .dims = {1, 32, 16, 16}};
    build_begin(&b, 1);
    const int32_t x = build_input(&b, "x", 4, (int64_t[]){1, 32, 16, 16});
    const int32_t y = build_conv(&b, "conv", x, (int64_t[]){64, 32, 1}, 0);
    keep_fourth(&b, 32, alike);
    build_output(&b, y);
    network.graph = b.g;
    ck_assert_int_eq(nmi_weights_create(&network.weights, NULL), NM_OK);
    ck_assert_int_eq(nmi_plan_create(&network, &in, &o, &plan, NULL), NM_OK);
    const int32_t taken = plan->measured;
    nmi_plan_free(plan);
    nmi_weights_free(network.weights);
    build_end(&b);
    return taken;
}

/* Weights pruned in blocks of rows are no neighbours in time of single ones pruned as much. */
START_TEST(weights_pruned_in_blocks_are_timed_anew)
{
    struct nmi_cache cache = {0};
    if (nmi_isa_lanes(nmi_cpu_info()->best) > 0) {
        ck_assert_int_gt(times_taken(1, &cache), 0);
        ck_assert_int_eq(times_taken(1, &cache), 0);
        ck_assert_int_gt(times_taken(4, &cache), 0);
        ck_assert_int_eq(times_taken(4, &cache), 0);
    }
    nmi_cache_free(&cache);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("cache");
    TCase *t = tcase_create("cache");
    tcase_add_test(t, saved_entries_come_back);
    tcase_add_test(t, added_first_time_stays_and_nonsense_is_dropped);
    tcase_add_test(t, two_writers_merge);
    tcase_add_test(t, processes_that_write_at_once_lose_nothing);
    tcase_add_test(t, nothing_new_nothing_written);
    tcase_add_test(t, damaged_or_cut_anywhere_counts_as_empty);
    tcase_add_test(t, damaged_file_is_replaced_by_the_next_save);
    tcase_add_test(t, place_that_cannot_be_written_is_a_line_of_log);
    tcase_add_test(t, without_memory_entries_are_forgotten);
    tcase_add_test(t, weights_pruned_in_blocks_are_timed_anew);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
