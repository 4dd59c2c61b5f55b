/* SPDX-License-Identifier: Apache-2.0 */
/* The cells of a LANES image, one by one: frame and surplus lanes included. For kernels/ref only.
 */
#ifndef NM_KERNELS_REF_REF_LANES_H
#define NM_KERNELS_REF_REF_LANES_H

#include "kernels/ref/ref.h"

struct nmi_ref_cell {
    size_t at;          /* index in floats */
    int32_t n, c, y, x; /* the element it stands for; (n, y, x) may lie outside */
    bool in_map;        /* inside the batch and the map */
    bool owned;         /* not of the frame: the place of that element */
};

/* Planes of the image: groups x channels. */
int64_t nmi_ref_planes(const struct nmi_image *image);
/* Cells of a plane, and the i-th of them. */
int64_t nmi_ref_cells(const struct nmi_image *image);
struct nmi_ref_cell nmi_ref_cell_at(const struct nmi_image *image, int64_t plane, int64_t i);

#endif
