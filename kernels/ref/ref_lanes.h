/* SPDX-License-Identifier: Apache-2.0 */
/* The cells of an image in lanes, one by one: frame and surplus lanes included. For kernels/ref and
 * tests.
 */
#ifndef NM_KERNELS_REF_REF_LANES_H
#define NM_KERNELS_REF_REF_LANES_H

#include "kernels/ref/ref.h"
#include "lib/base/half.h"

struct nmi_ref_cell {
    size_t at;          /* index in elements */
    int32_t n, c, y, x; /* the element it stands for; (n, y, x) may lie outside */
    bool in_map;        /* inside the batch and the map */
    bool owned;         /* not of the frame: the place of that element */
};

/* Planes of the image: groups x channels. */
int64_t nmi_ref_planes(const struct nmi_image *image);
/* Cells of a plane, and the i-th of them. */
int64_t nmi_ref_cells(const struct nmi_image *image);
struct nmi_ref_cell nmi_ref_cell_at(const struct nmi_image *image, int64_t plane, int64_t i);

/* Element `at` of an image of floats, or of float16: rounded to nearest even. */
static inline float nmi_ref_get(const struct nmi_image *image, const void *data, size_t at)
{
    return image->layout.kind == NMI_LANES_F16 ? nmi_f16_to_f32(((const uint16_t *)data)[at])
                                               : ((const float *)data)[at];
}
static inline void nmi_ref_put(const struct nmi_image *image, void *data, size_t at, float v)
{
    if (image->layout.kind == NMI_LANES_F16) {
        ((uint16_t *)data)[at] = nmi_f64_to_f16((double)v);
    } else {
        ((float *)data)[at] = v;
    }
}

#endif
