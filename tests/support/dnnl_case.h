/* SPDX-License-Identifier: Apache-2.0 */
/* Random cases for oneDNN layers: seeds, aligned buffers with canaries, layouts, comparison. */
#ifndef NM_TESTS_DNNL_CASE_H
#define NM_TESTS_DNNL_CASE_H

#include "kernels/kernel.h"

/* The seed: NM_SEED, or 1; printed. */
uint64_t dc_start(const char *suite);
/* What main returns. When all passed, the program starts once more with oneDNN capped at AVX2 (a
 * cap counts before oneDNN's first use only); the library itself never sets a cap. */
int dc_finish(int failed);
/* A number of [low, high]. */
int32_t dc_pick(int32_t low, int32_t high);
/* Floats of [-1, 1), 64-byte aligned, canaries at both ends; freed with dc_free, which checks them.
 */
float *dc_floats(size_t count);
float *dc_filled(size_t count, float value);
void dc_free(float *p);

size_t dc_elems(const struct nmi_image *image); /* n c h w */
/* As many elements as the layout stores (surplus channels too). */
size_t dc_stored(const struct nmi_image *image);
/* Memory of an image, floats or bfloat16 by its layout, each element this value. */
float *dc_image(const struct nmi_image *image, float value);
/* Cuts off what bfloat16 cannot hold: rounding it again changes nothing. */
void dc_round(float *p, size_t count);
/* From plain to the layout of image; every other element becomes `surplus`. */
float *dc_place(const float *plain, const struct nmi_image *image, float surplus);
/* The largest difference of y (in image's layout) and plain `want`, over max |want|. Surplus
 * channels that are not zero give infinity. */
double dc_image_error(const float *y, const struct nmi_image *image, const float *want);
double dc_error(const float *y, const float *want, size_t count);

/* Runs the reference kernel of this kind in one part. */
void dc_reference(int32_t kind, const union nmi_desc *desc, const struct nmi_kargs *args);
/* Creates the layer, packs w, runs (twice, to see that nothing sticks, unless `once`), frees.
 * NM_EUNSUPPORTED is handed back; any other failure fails the test. */
nm_status dc_run(int32_t kind, const union nmi_desc *desc, enum nmi_dnnl_algo algo,
                 const struct nmi_kargs *args, bool once);

#endif
