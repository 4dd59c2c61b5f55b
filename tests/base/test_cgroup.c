/* SPDX-License-Identifier: Apache-2.0 */
/* Made-up /proc and /sys trees: both versions, nested groups, containers, damaged files. */
#include "lib/base/cgroup.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char root[64];

static void make_root(void)
{
    strcpy(root, "/tmp/nm-test-cgroup-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
}

static void remove_root(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", root);
    ck_assert_int_eq(system(command), 0);
}

static void put(const char *path, const char *text)
{
    char command[512];
    snprintf(command, sizeof command, "mkdir -p $(dirname %s%s) && printf -- '%s' >%s%s", root,
             path, text, root, path);
    ck_assert_int_eq(system(command), 0);
}

START_TEST(no_files_mean_no_limit)
{
    ck_assert_int_eq(nmi_cgroup_cpus(root), INT32_MAX);
    ck_assert_uint_eq(nmi_cgroup_memory(root), UINT64_MAX);
}
END_TEST

START_TEST(v2_quota_is_rounded_up)
{
    put("/proc/self/cgroup", "0::/app\\n");
    put("/sys/fs/cgroup/app/cpu.max", "150000 100000\\n");
    put("/sys/fs/cgroup/app/memory.max", "1073741824\\n");
    ck_assert_int_eq(nmi_cgroup_cpus(root), 2);
    ck_assert_uint_eq(nmi_cgroup_memory(root), 1073741824u);
}
END_TEST

START_TEST(v2_smallest_of_the_path_counts)
{
    put("/proc/self/cgroup", "0::/a/b/c\\n");
    put("/sys/fs/cgroup/a/cpu.max", "300000 100000\\n");
    put("/sys/fs/cgroup/a/b/cpu.max", "max 100000\\n");
    put("/sys/fs/cgroup/a/b/c/cpu.max", "800000 100000\\n");
    put("/sys/fs/cgroup/a/memory.max", "max\\n");
    put("/sys/fs/cgroup/a/b/memory.max", "5000\\n");
    ck_assert_int_eq(nmi_cgroup_cpus(root), 3);
    ck_assert_uint_eq(nmi_cgroup_memory(root), 5000);
}
END_TEST

/* Without a group namespace the path is the host's: only the mounted root exists. */
START_TEST(v1_in_a_container_reads_the_mounted_root)
{
    put("/proc/self/cgroup", "9:memory:/docker/123\\n4:cpu,cpuacct:/docker/123\\n0::/\\n");
    put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "250000\\n");
    put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\\n");
    put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "2000000\\n");
    ck_assert_int_eq(nmi_cgroup_cpus(root), 3);
    ck_assert_uint_eq(nmi_cgroup_memory(root), 2000000);
}
END_TEST

START_TEST(v1_without_quota_is_no_limit)
{
    put("/proc/self/cgroup", "4:cpuset,cpu:/\\n");
    put("/sys/fs/cgroup/cpuset,cpu/cpu.cfs_quota_us", "-1\\n");
    put("/sys/fs/cgroup/cpuset,cpu/cpu.cfs_period_us", "100000\\n");
    ck_assert_int_eq(nmi_cgroup_cpus(root), INT32_MAX);
}
END_TEST

START_TEST(damaged_files_are_no_limit)
{
    put("/proc/self/cgroup", "garbage\\n::\\n0::/app\\n7:cpus,memor:/x");
    put("/sys/fs/cgroup/app/cpu.max", "ten thousand\\n");
    put("/sys/fs/cgroup/app/memory.max", "");
    ck_assert_int_eq(nmi_cgroup_cpus(root), INT32_MAX);
    ck_assert_uint_eq(nmi_cgroup_memory(root), UINT64_MAX);
    put("/sys/fs/cgroup/app/cpu.max", "100000 0\\n");
    ck_assert_int_eq(nmi_cgroup_cpus(root), INT32_MAX);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("cgroup");
    TCase *t = tcase_create("cgroup");
    tcase_add_checked_fixture(t, make_root, remove_root);
    tcase_add_test(t, no_files_mean_no_limit);
    tcase_add_test(t, v2_quota_is_rounded_up);
    tcase_add_test(t, v2_smallest_of_the_path_counts);
    tcase_add_test(t, v1_in_a_container_reads_the_mounted_root);
    tcase_add_test(t, v1_without_quota_is_no_limit);
    tcase_add_test(t, damaged_files_are_no_limit);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
