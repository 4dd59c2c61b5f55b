/* SPDX-License-Identifier: Apache-2.0 */
/* What the control groups (v1 or v2) of this process allow. For cpu.c, and for its test, which
 * gives another root than "". */
#ifndef NM_BASE_CGROUP_H
#define NM_BASE_CGROUP_H

#include <stdint.h>

/* CPU quota in CPUs, rounded up; INT32_MAX when there is none. root stands in front of /proc and
 * /sys. */
int32_t nmi_cgroup_cpus(const char *root);

/* Memory limit in bytes; UINT64_MAX when there is none. */
uint64_t nmi_cgroup_memory(const char *root);

#endif
