/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes of tensors, checked. */
#include "lib/base/checked.h"

#include <nm/nm.h>

size_t nmi_type_size(int32_t type)
{
    switch (type) {
    case NM_U8:
    case NM_I8:
    case NM_BOOL:
        return 1;
    case NM_U16:
    case NM_I16:
    case NM_F16:
    case NM_BF16:
        return 2;
    case NM_F32:
    case NM_I32:
    case NM_U32:
        return 4;
    case NM_I64:
    case NM_F64:
    case NM_U64:
        return 8;
    default:
        return 0;
    }
}

bool nmi_elems(int32_t rank, const int64_t *dims, int64_t *out)
{
    int64_t product = 1; /* of the dims that are not zero: strides must not overflow either */
    bool empty = false;
    for (int32_t i = 0; i < rank; i++) {
        if (dims[i] < 0) {
            return false;
        }
        if (dims[i] == 0) {
            empty = true;
        } else if (!nmi_mul_i64(product, dims[i], &product)) {
            return false;
        }
    }
    *out = empty ? 0 : product;
    return true;
}

bool nmi_tensor_bytes(int32_t type, int32_t rank, const int64_t *dims, size_t *out)
{
    int64_t elems;
    size_t size = nmi_type_size(type);
    return size > 0 && nmi_elems(rank, dims, &elems) && nmi_mul((size_t)elems, size, out);
}
