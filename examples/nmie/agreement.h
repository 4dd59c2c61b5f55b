/* SPDX-License-Identifier: Apache-2.0 */
/* agreement.h - does an output agree with its reference? */
#ifndef NMIE_AGREEMENT_H
#define NMIE_AGREEMENT_H

#include <stdbool.h>

#include <nm/nm.h>

struct tolerance {
    double rtol, atol; /* element-wise: |y - ref| <= atol + rtol |ref| */
    double maxrel;     /* when > 0, instead: max|y - ref| <= maxrel max|ref| */
};
#define TOLERANCE_INIT                                                                             \
    {                                                                                              \
        1e-3, 1e-7, 0.0                                                                            \
    }

/* Running maxima over all outputs of a case. */
struct difference {
    double max_abs; /* max |y - ref| */
    double max_rel; /* max over outputs of max|y - ref| / max|ref| */
};

/*
 * NM_OK when they agree; else NM_EFORMAT with a sentence that tells the first place and both
 * values. NaN agrees with NaN and infinity with the same infinity; integers and bools must be
 * equal; so must type, rank and dims.
 */
nm_status compare_tensors(const char *name, const nm_tensor *y, const nm_tensor *ref,
                          const struct tolerance *tolerance, struct difference *difference,
                          nm_error *err);

#endif
