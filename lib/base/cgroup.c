/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The smallest limit on the way from this process's group up to the root of the hierarchy counts.
 * In a container the path in /proc/self/cgroup may be the host's, and only its upper end (the
 * mounted root) exists: files that are missing say nothing.
 */
#include "lib/base/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_BYTES 4096

/* A small text file; false when it cannot be read. */
static bool read_text(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    size_t used = 0;
    ssize_t n = 1;
    while (used + 1 < size && n > 0) {
        n = read(fd, text + used, size - 1 - used);
        if (n < 0 && errno == EINTR) {
            n = 1;
            continue;
        }
        used += n > 0 ? (size_t)n : 0;
    }
    close(fd);
    text[used] = '\0';
    return n >= 0;
}

/* A number in a file of a group; no_limit for "max", a negative number or no file. */
static uint64_t read_number(const char *group, const char *file, uint64_t no_limit)
{
    char path[PATH_BYTES], text[64];
    int n = snprintf(path, sizeof path, "%s/%s", group, file);
    if (n < 0 || (size_t)n >= sizeof path || !read_text(path, text, sizeof text)) {
        return no_limit;
    }
    char *end;
    long long value = strtoll(text, &end, 10);
    return end == text || value < 0 ? no_limit : (uint64_t)value;
}

/* CPUs rounded up, from a quota and a period in microseconds. */
static uint64_t cpus(uint64_t quota, uint64_t period)
{
    return period == 0 || quota == 0 ? UINT64_MAX : quota / period + (quota % period != 0);
}

/* "max 100000" or "150000 100000" (v2), or two files (v1). */
static uint64_t cpu_limit(const char *group)
{
    char path[PATH_BYTES], text[64];
    unsigned long long quota, period;
    int n = snprintf(path, sizeof path, "%s/cpu.max", group);
    if (n > 0 && (size_t)n < sizeof path && read_text(path, text, sizeof text)) {
        return sscanf(text, "%llu %llu", &quota, &period) == 2 ? cpus(quota, period) : UINT64_MAX;
    }
    quota = read_number(group, "cpu.cfs_quota_us", 0);
    period = read_number(group, "cpu.cfs_period_us", 0);
    return cpus(quota, period);
}

static uint64_t memory_limit(const char *group)
{
    uint64_t v2 = read_number(group, "memory.max", UINT64_MAX);
    uint64_t v1 = read_number(group, "memory.limit_in_bytes", UINT64_MAX);
    return v2 < v1 ? v2 : v1;
}

/* The smallest limit from mount/path up to mount. */
static uint64_t smallest(const char *mount, const char *path, uint64_t (*limit)(const char *))
{
    char group[PATH_BYTES];
    size_t root = strlen(mount);
    int n = snprintf(group, sizeof group, "%s%s", mount, path);
    if (n < 0 || (size_t)n >= sizeof group) {
        return UINT64_MAX;
    }
    uint64_t least = UINT64_MAX;
    for (size_t end = (size_t)n;; end--) {
        if (group[end] == '/' || group[end] == '\0') {
            group[end] = '\0';
            uint64_t value = limit(group);
            least = value < least ? value : least;
        }
        if (end <= root) {
            return least;
        }
    }
}

/* Is controller one of the names in "cpu,cpuacct"? */
static bool lists(const char *names, const char *controller)
{
    size_t n = strlen(controller);
    for (const char *s = names; *s; s += strcspn(s, ","), s += *s == ',') {
        if (strncmp(s, controller, n) == 0 && (s[n] == ',' || s[n] == '\0')) {
            return true;
        }
    }
    return false;
}

/* Walks /proc/self/cgroup: "0::/path" is v2, "4:cpu,cpuacct:/path" is v1. */
static uint64_t find_limit(const char *root, const char *controller,
                           uint64_t (*limit)(const char *))
{
    char file[PATH_BYTES], text[PATH_BYTES], mount[PATH_BYTES];
    snprintf(file, sizeof file, "%s/proc/self/cgroup", root);
    if (!read_text(file, text, sizeof text)) {
        return UINT64_MAX;
    }
    uint64_t least = UINT64_MAX;
    char *line = text;
    while (line && *line) {
        char *next = strchr(line, '\n');
        if (next) {
            *next++ = '\0';
        }
        char *names = strchr(line, ':');
        char *path = names ? strchr(names + 1, ':') : NULL;
        if (path) {
            names++;
            *path++ = '\0';
            bool v2 = *names == '\0';
            snprintf(mount, sizeof mount, "%.1000s/sys/fs/cgroup%s%.1000s", root, v2 ? "" : "/",
                     names);
            uint64_t value = v2 || lists(names, controller) ? smallest(mount, path, limit) : least;
            least = value < least ? value : least;
        }
        line = next;
    }
    return least;
}

int32_t nmi_cgroup_cpus(const char *root)
{
    uint64_t n = find_limit(root, "cpu", cpu_limit);
    return n >= INT32_MAX ? INT32_MAX : (int32_t)n;
}

uint64_t nmi_cgroup_memory(const char *root)
{
    return find_limit(root, "memory", memory_limit);
}
