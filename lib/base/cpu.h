/* SPDX-License-Identifier: Apache-2.0 */
/* What this CPU, operating system and cgroup give us. Detected once; constant afterwards. */
#ifndef NM_BASE_CPU_H
#define NM_BASE_CPU_H

#include "lib/base/status.h"
#include <stdbool.h>
#include <stdint.h>

struct nmi_cpu {
    char model[64];      /* CPUID brand string, trimmed */
    nm_isa best;         /* NM_ISA_REF, NM_ISA_AVX2 or NM_ISA_AVX512 */
    bool bf16, fp16;     /* AVX512_BF16 or AMX_BF16; AVX512_FP16; false below AVX-512 */
    size_t l1d, l2, l3;  /* bytes, of one core's view; sane defaults when unknown */
};
const struct nmi_cpu *nmi_cpu_info(void);

/* CPUs in the affinity mask, capped by the cgroup (v1 or v2) CPU quota rounded up; at least 1. */
int32_t nmi_cpu_threads(void);

/* Memory the process may use: min(RAM, cgroup limit), in bytes. */
uint64_t nmi_memory_available(void);

/* Monotonic time in seconds. */
double nmi_now(void);

/* Flush-to-zero and denormals-are-zero on; returns the old state for nmi_fp_restore. */
uint32_t nmi_fp_enter(void);
void nmi_fp_restore(uint32_t state);

#endif
