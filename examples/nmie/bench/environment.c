/* SPDX-License-Identifier: Apache-2.0 */
/* /proc, /sys and CPUID. */
#include "examples/nmie/bench/environment.h"

#include <nm/nm.h>

#include <cpuid.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include <dnnl.h>

/* The first line of a file without its end; false: there is none. */
static bool first_line(const char *path, char *line, size_t size)
{
    FILE *f = fopen(path, "re");
    bool read = f && fgets(line, (int)size, f);
    if (f) {
        fclose(f);
    }
    if (read) {
        line[strcspn(line, "\n")] = '\0';
    }
    return read;
}

static void tell_file(struct json *j, const char *key, const char *path)
{
    char line[256];
    json_string(j, key, first_line(path, line, sizeof line) ? line : NULL);
}

/* "key : value" of the first processor. */
static bool cpuinfo(const char *key, char *value, size_t size)
{
    char line[8192];
    FILE *f = fopen("/proc/cpuinfo", "re");
    bool found = false;
    while (f && !found && fgets(line, sizeof line, f)) {
        const char *colon = strchr(line, ':');
        found = colon && strncmp(line, key, strlen(key)) == 0;
        if (found) {
            snprintf(value, size, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
        }
    }
    if (f) {
        fclose(f);
    }
    return found;
}

/* Those of a processor's flags that matter for speed here. */
static void tell_flags(struct json *j)
{
    static const char *const wanted[] = {"avx2",        "fma",         "avx512f",  "avx512_vnni",
                                         "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_int8"};
    char flags[8192] = " ";
    if (cpuinfo("flags", flags + 1, sizeof flags - 2)) {
        strcat(flags, " ");
    }
    json_open(j, "flags", '[');
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        char word[32];
        snprintf(word, sizeof word, " %s ", wanted[i]);
        if (strstr(flags, word)) {
            json_string(j, NULL, wanted[i]);
        }
    }
    json_close(j, ']');
}

/* {"L1 Data": "32K", ...} of the first CPU. */
static void tell_caches(struct json *j)
{
    json_open(j, "caches", '{');
    for (int i = 0; i < 8; i++) {
        char path[128], level[64], type[64], size[64], key[160];
#define CACHE(name, to)                                                                            \
    (snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/" name, i),           \
     first_line(path, to, sizeof to))
        if (!CACHE("level", level) || !CACHE("type", type) || !CACHE("size", size)) {
            break;
        }
        snprintf(key, sizeof key, "L%s %s", level, type);
        json_string(j, key, size);
    }
    json_close(j, '}');
}

/* Bit 31 of leaf 1 says that there is a hypervisor; leaf 0x40000000 what it calls itself. */
static void tell_hypervisor(struct json *j)
{
    unsigned a = 0, b = 0, c = 0, d = 0;
    char vendor[13] = "";
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c >> 31 & 1)) {
        json_string(j, "hypervisor", "none: bare metal");
        return;
    }
    __cpuid(0x40000000, a, b, c, d);
    memcpy(vendor, &b, 4);
    memcpy(vendor + 4, &c, 4);
    memcpy(vendor + 8, &d, 4);
    json_string(j, "hypervisor", *vendor ? vendor : "unnamed");
}

/* CPUs' worth of time in each period that the control group (v2, else v1) allows; null: all. */
static void tell_quota(struct json *j)
{
    char line[128], period[128];
    double quota = -1.0, each = 0.0;
    if (first_line("/sys/fs/cgroup/cpu.max", line, sizeof line)) {
        sscanf(line, "%lf %lf", &quota, &each);
    } else if (first_line("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", line, sizeof line) &&
               first_line("/sys/fs/cgroup/cpu/cpu.cfs_period_us", period, sizeof period)) {
        quota = atof(line);
        each = atof(period);
    }
    json_double(j, "cgroup_cpus", quota > 0.0 && each > 0.0 ? quota / each : (double)NAN);
}

static void tell_smt(struct json *j)
{
    char line[16];
    if (first_line("/sys/devices/system/cpu/smt/active", line, sizeof line)) {
        json_bool(j, "smt", line[0] == '1');
    } else {
        json_string(j, "smt", NULL);
    }
}

static void tell_versions(struct json *j)
{
    char text[64];
    struct utsname u;
    const dnnl_version_t *v = dnnl_version();
    snprintf(text, sizeof text, "%d.%d.%d", v->major, v->minor, v->patch);
    json_string(j, "libnm", nm_library_version());
    json_string(j, "onednn", text);
    json_string(j, "kernel", uname(&u) == 0 ? u.release : NULL);
    time_t now = time(NULL);
    struct tm t;
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &t));
    json_string(j, "date", text);
}

static void tell_memory(struct json *j)
{
    char line[128];
    double kib = (double)NAN;
    if (first_line("/proc/meminfo", line, sizeof line)) {
        sscanf(line, "MemTotal: %lf", &kib);
    }
    json_double(j, "memory_mib", floor(kib / 1024.0));
}

void environment_tell(struct json *j)
{
    char model[256];
    cpu_set_t allowed;
    json_open(j, "environment", '{');
    json_string(j, "cpu", cpuinfo("model name", model, sizeof model) ? model : NULL);
    json_string(j, "isa", nm_isa_name(nm_isa_best()));
    tell_flags(j);
    tell_caches(j);
    json_int(j, "cores_allowed",
             sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? CPU_COUNT(&allowed) : 0);
    tell_file(j, "cores_online", "/sys/devices/system/cpu/online");
    tell_quota(j);
    tell_smt(j);
    tell_file(j, "governor", "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
    tell_hypervisor(j);
    tell_memory(j);
    tell_versions(j);
    json_close(j, '}');
}

/* The first of the CPUs that share cpu's core is another one, and allowed. */
static bool second_of_core(int cpu, const cpu_set_t *allowed)
{
    char path[128], line[128];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
    int first = first_line(path, line, sizeof line) ? atoi(line) : cpu;
    return first != cpu && CPU_ISSET((size_t)first, allowed);
}

bool environment_cores(int threads, cpu_set_t *cores)
{
    cpu_set_t allowed;
    int taken = 0;
    CPU_ZERO(cores);
    if (sched_getaffinity(0, sizeof allowed, &allowed) || CPU_COUNT(&allowed) < threads) {
        return false;
    }
    for (int seconds = 0; seconds < 2; seconds++) {
        for (int cpu = CPU_SETSIZE - 1; cpu >= 0 && taken < threads; cpu--) {
            if (CPU_ISSET((size_t)cpu, &allowed) && !CPU_ISSET((size_t)cpu, cores) &&
                second_of_core(cpu, &allowed) == (seconds == 1)) {
                CPU_SET((size_t)cpu, cores);
                taken++;
            }
        }
    }
    return true;
}
