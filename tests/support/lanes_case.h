/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the kernels in lanes share: random numbers, guarded images, runs in parts. */
#ifndef NM_TESTS_SUPPORT_LANES_CASE_H
#define NM_TESTS_SUPPORT_LANES_CASE_H

#include "kernels/kernel.h"
#include "tests/support/guard.h"

#include <check.h>

/* The seed: NM_SEED or 1; prints it. */
void case_seed(void);
int32_t case_random(int32_t low, int32_t high); /* both included */
float case_float(void);                         /* in (-1, 1), never 0 */

/* An image between guard pages: all NaN, then random values inside the map. */
struct case_image {
    struct nmi_image image;
    struct guard memory;
    float *data;
};
struct case_image case_image_make(struct nmi_image image, bool at_end);
void case_image_fill(struct case_image *image, float low, float high);
void case_image_free(struct case_image *image);
struct nmi_image case_plain(int32_t n, int32_t c, int32_t h, int32_t w);
/* The values of from, which has the same shape, inside the map; nothing else is touched. */
void case_image_copy(const struct case_image *from, struct case_image *to);
/* Frame and surplus lanes by the reference; lanes outside the batch become NaN again. */
void case_halo(struct case_image *image, float fill);
/* Largest difference inside the map in units of the largest value; INFINITY for NaN on one side. */
double case_difference(const struct case_image *a, const struct case_image *want);
/* Random images per group: a power of two that divides vl. */
int32_t case_ipv(int32_t vl);

/* Runs all parts (guarded scratch); fails the test when the floating-point state changes. */
void case_run(const struct nmi_kernel *kernel, const union nmi_desc *desc,
              const struct nmi_kargs *args, int parts);

/* The reference of a kind, and whether the CPU can run a kernel (says so once per kernel). */
const struct nmi_kernel *case_reference(int32_t kind, const union nmi_desc *desc);
bool case_runs_here(const struct nmi_kernel *kernel);

/* Runs a suite of one case without time limit; main returns this. */
int case_main(const char *name, const struct TTest *const *tests, size_t count);

/* Calls test for every kernel of this kind that is not the reference, needs no AVX512_FP16 and runs
 * here. */
void case_each(int32_t kind, void (*test)(const struct nmi_kernel *kernel));

/* A random LANES layout of an h x w map with a frame of 0..deep vectors a side. */
struct nmi_layout case_layout(int32_t vl, int32_t h, int32_t w, int32_t deep);
/* Fails the test unless all cells of the batch, frame and surplus lanes included, have equal bits
 * (LANES) or all floats (other layouts); in LANES, padding between planes must still be NaN. */
void case_same_cells(const struct case_image *a, const struct case_image *want);

/* Random CSR weights; density 0..1. Some rows are empty, some full. Each run of `alike` rows has
 * the same columns; 0: runs of any length, some for the first columns only. */
struct case_csr {
    struct nmi_csr csr;
    int32_t *row_start, *col;
    float *val;
};
struct case_csr case_csr_make(int32_t rows, int32_t cols, double density, int32_t alike);
void case_csr_free(struct case_csr *csr);

#endif
