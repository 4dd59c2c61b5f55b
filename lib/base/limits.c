/* SPDX-License-Identifier: Apache-2.0 */
/* Option structs of the caller, and the defaults of nm_limits. */
#include "lib/base/limits.h"

#include "lib/base/cpu.h"

#include <string.h>

/* No struct of ours will ever be this long: a larger struct_size is not initialised. */
#define LONGEST_STRUCT 4096

nm_status nmi_options_copy(const char *what, const void *user, size_t size, void *out,
                           nm_error *err)
{
    if (!user) {
        return NM_OK;
    }
    size_t theirs;
    memcpy(&theirs, user, sizeof theirs);
    if (theirs < sizeof theirs || theirs > LONGEST_STRUCT) {
        return nmi_fail(err, NM_EINVAL, "%s: struct_size is %zu, start from its INIT macro", what,
                        theirs);
    }
    const unsigned char *bytes = user;
    for (size_t i = size; i < theirs; i++) {
        if (bytes[i] != 0) {
            return nmi_fail(err, NM_EINVAL,
                            "%s: %zu bytes with a field set that this library (%zu bytes) does "
                            "not know",
                            what, theirs, size);
        }
    }
    memcpy(out, user, theirs < size ? theirs : size);
    memcpy(out, &size, sizeof size);
    return NM_OK;
}

static void default_u64(uint64_t *field, uint64_t value)
{
    if (*field == 0) {
        *field = value;
    }
}

static void default_u32(uint32_t *field, uint32_t value)
{
    if (*field == 0) {
        *field = value;
    }
}

nm_status nmi_limits_resolve(const nm_limits *user, nm_limits *out, nm_error *err)
{
    nm_limits limits = NM_LIMITS_INIT;
    NMI_TRY(nmi_options_copy("nm_limits", user, sizeof limits, &limits, err));
    if (limits.message_depth > NMI_MAX_MESSAGE_DEPTH) {
        return nmi_fail(err, NM_EINVAL, "nm_limits: message_depth is %u, at most %d is possible",
                        limits.message_depth, NMI_MAX_MESSAGE_DEPTH);
    }
    default_u64(&limits.model_bytes, (uint64_t)2 << 30);
    default_u64(&limits.external_bytes, (uint64_t)16 << 30);
    default_u64(&limits.nodes, 100000);
    default_u64(&limits.tensors, 400000);
    default_u64(&limits.elements, INT32_MAX);
    default_u64(&limits.folded_bytes, (uint64_t)64 << 20);
    default_u64(&limits.load_work, 10000000000u);
    default_u64(&limits.session_bytes, nmi_memory_available() / 5 * 4);
    default_u32(&limits.message_depth, 32);
    default_u32(&limits.plans, 16);
    default_u64(&limits.plan_bytes, (uint64_t)256 << 20);
    *out = limits;
    return NM_OK;
}
