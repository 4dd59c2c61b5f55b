/* SPDX-License-Identifier: Apache-2.0 */
/* The table of kernels.def, and the choice among its lines. */
#include "kernels/kernel.h"
#include "lib/base/cpu.h"

#define X(name) extern const struct nmi_kernel nmi_k_##name;
#include "kernels/kernels.def"
#undef X

const struct nmi_kernel *const nmi_kernels[] = {
#define X(name) &nmi_k_##name,
#include "kernels/kernels.def"
#undef X
    NULL};
const int nmi_kernel_count = (int)NMI_COUNT(nmi_kernels) - 1;

const struct nmi_kernel *nmi_kernel_find(int32_t kind, nm_isa cap, const union nmi_desc *desc,
                                         const char **reason)
{
    const char *why = NULL;
    const struct nmi_kernel *found = NULL;
    for (int i = 0; i < nmi_kernel_count && !found; i++) {
        const struct nmi_kernel *kernel = nmi_kernels[i];
        if (kernel->kind != kind || kernel->isa > cap ||
            (kernel->fp16 && !nmi_cpu_info()->fp16)) {
            continue;
        }
        const char *refusal = kernel->refuse(desc);
        if (refusal) {
            why = refusal;
        } else {
            found = kernel;
        }
    }
    if (reason) {
        *reason = why;
    }
    return found;
}

bool nmi_kernels_half(nm_isa cap)
{
    static const int32_t none[4];
    const struct nmi_image one = {
        .n = 1, .c = 1, .h = 1, .w = 1, .layout = nmi_layout_best(NMI_HALVES, 1, 1, 1, none)};
    const union nmi_desc desc = {.conv = {.x = one,
                                          .y = one,
                                          .groups = 1,
                                          .kh = 1,
                                          .kw = 1,
                                          .stride_h = 1,
                                          .stride_w = 1,
                                          .dil_h = 1,
                                          .dil_w = 1}};
    return nmi_kernel_find(NMI_KIND_SPCONV, cap, &desc, NULL) != NULL;
}

int32_t nmi_isa_lanes(nm_isa isa)
{
    return isa == NM_ISA_AVX512 ? 16 : isa == NM_ISA_AVX2 ? 8 : 0;
}
