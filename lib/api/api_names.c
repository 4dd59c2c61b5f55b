/* SPDX-License-Identifier: Apache-2.0 */
/* Names and numbers of the public enums. */
#include "lib/base/checked.h"
#include "lib/base/cpu.h"

const char *nm_status_name(nm_status status)
{
    static const char *const names[] = {"NM_OK",      "NM_EINVAL",       "NM_ENOMEM",   "NM_EIO",
                                        "NM_EFORMAT", "NM_EUNSUPPORTED", "NM_ELIMIT",   "NM_ESHAPE",
                                        "NM_ETYPE",   "NM_EBUSY",        "NM_EINTERNAL", "NM_ECANCELED"};
    return (unsigned)status < NMI_COUNT(names) ? names[status] : "NM_?";
}

const char *nm_library_version(void)
{
    return NM_VERSION_STRING;
}

size_t nm_type_size(nm_type type)
{
    return nmi_type_size((int32_t)type);
}

const char *nm_type_name(nm_type type)
{
    static const char *const names[] = {
        [NM_F32] = "float32",  [NM_U8] = "uint8",    [NM_I8] = "int8",    [NM_U16] = "uint16",
        [NM_I16] = "int16",    [NM_I32] = "int32",   [NM_I64] = "int64",  [NM_BOOL] = "bool",
        [NM_F16] = "float16",  [NM_F64] = "float64", [NM_U32] = "uint32", [NM_U64] = "uint64",
        [NM_BF16] = "bfloat16"};
    return (unsigned)type < NMI_COUNT(names) && names[type] != NULL ? names[type] : "?";
}

nm_isa nm_isa_best(void)
{
    return nmi_cpu_info()->best;
}

const char *nm_isa_name(nm_isa isa)
{
    static const char *const names[] = {"auto", "ref", "avx2", "avx512"};
    return (unsigned)isa < NMI_COUNT(names) ? names[isa] : "?";
}

int32_t nm_default_threads(void)
{
    return nmi_cpu_threads();
}
