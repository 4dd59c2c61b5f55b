/* SPDX-License-Identifier: Apache-2.0 */
/* CPUID, caches, affinity, memory, clock and the floating-point control register of x86-64. */
#include "lib/base/cpu.h"

#include "lib/base/cgroup.h"

#include <cpuid.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <xmmintrin.h>

#define MXCSR_DEFAULT 0x1f80u /* exceptions masked, round to nearest */
#define MXCSR_NO_DENORMALS 0x8040u

static struct nmi_cpu info;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static bool has(uint32_t word, int bit)
{
    return word >> bit & 1;
}

/* What the CPU offers counts only when the operating system saves its registers. */
static nm_isa detect_isa(void)
{
    uint32_t a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !has(c, 27) || !has(c, 28) || !has(c, 12)) {
        return NM_ISA_REF; /* OSXSAVE, AVX, FMA */
    }
    uint64_t saved = nmi_xgetbv0();
    if ((saved & 0x6) != 0x6 || !__get_cpuid_count(7, 0, &a, &b, &c, &d) || !has(b, 5)) {
        return NM_ISA_REF; /* XMM and YMM state, AVX2 */
    }
    bool avx512 = has(b, 16) && has(b, 17) && has(b, 30) && has(b, 31); /* F, DQ, BW, VL */
    return avx512 && (saved & 0xe0) == 0xe0 ? NM_ISA_AVX512 : NM_ISA_AVX2;
}

/* AVX512_BF16; AMX_BF16 with the tiles' state. */
static bool detect_bf16(void)
{
    uint32_t a, b, c, d, most;
    if (!__get_cpuid_count(7, 0, &most, &b, &c, &d)) {
        return false;
    }
    const bool amx = has(d, 22) && has(d, 24) && (nmi_xgetbv0() & 0x60000) == 0x60000;
    return amx || (most >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d) && has(a, 5));
}

static bool detect_fp16(void)
{
    uint32_t a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && has(d, 23);
}

static void detect_model(char *model, size_t size)
{
    uint32_t words[13] = {0};
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t *w = words + 4 * i;
        if (!__get_cpuid(0x80000002u + i, &w[0], &w[1], &w[2], &w[3])) {
            words[0] = 0;
            break;
        }
    }
    const char *s = (const char *)words;
    s += strspn(s, " ");
    size_t n = strlen(s);
    while (n > 0 && s[n - 1] == ' ') {
        n--;
    }
    n = n < size ? n : size - 1;
    memcpy(model, s, n);
    model[n] = '\0';
}

/* Leaf 4 (Intel) and 0x8000001d (AMD) describe one cache per subleaf in the same format. */
static void detect_caches(struct nmi_cpu *cpu, uint32_t leaf)
{
    uint32_t a, b, c, d;
    for (uint32_t i = 0; i < 16 && __get_cpuid_count(leaf, i, &a, &b, &c, &d); i++) {
        uint32_t kind = a & 31, level = a >> 5 & 7; /* kind: 1 data, 2 instructions, 3 both */
        size_t ways = (b >> 22) + 1, partitions = (b >> 12 & 0x3ff) + 1, line = (b & 0xfff) + 1;
        size_t bytes = ways * partitions * line * ((size_t)c + 1);
        if (kind == 0) {
            return;
        }
        if (kind == 2) {
            continue;
        }
        if (level == 1) {
            cpu->l1d = bytes;
        } else if (level == 2) {
            cpu->l2 = bytes;
        } else if (level == 3) {
            cpu->l3 = bytes;
        }
    }
}

static void detect(void)
{
    info.best = detect_isa();
    info.bf16 = info.best == NM_ISA_AVX512 && detect_bf16();
    info.fp16 = info.best == NM_ISA_AVX512 && detect_fp16();
    detect_model(info.model, sizeof info.model);
    info.l1d = (size_t)32 << 10;
    info.l2 = (size_t)512 << 10;
    info.l3 = (size_t)8 << 20;
    detect_caches(&info, 4);
    uint32_t a, b, c, d;
    if (__get_cpuid(0x80000001u, &a, &b, &c, &d) && has(c, 22)) { /* topology extensions */
        detect_caches(&info, 0x8000001du);
    }
}

const struct nmi_cpu *nmi_cpu_info(void)
{
    pthread_once(&once, detect);
    return &info;
}

int32_t nmi_cpu_threads(void)
{
    cpu_set_t mask[8]; /* 8192 CPUs */
    memset(mask, 0, sizeof mask);
    int32_t threads = 1;
    if (sched_getaffinity(0, sizeof mask, mask) == 0) {
        threads = CPU_COUNT_S(sizeof mask, mask);
    }
    int32_t quota = nmi_cgroup_cpus("");
    threads = quota < threads ? quota : threads;
    return threads < 1 ? 1 : threads;
}

uint64_t nmi_memory_available(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    uint64_t ram = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : (uint64_t)1 << 30;
    uint64_t limit = nmi_cgroup_memory("");
    return limit < ram ? limit : ram;
}

double nmi_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

uint32_t nmi_fp_enter(void)
{
    uint32_t old = _mm_getcsr();
    _mm_setcsr(MXCSR_DEFAULT | MXCSR_NO_DENORMALS);
    return old;
}

void nmi_fp_restore(uint32_t state)
{
    _mm_setcsr(state);
}
