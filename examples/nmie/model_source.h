/* SPDX-License-Identifier: Apache-2.0 */
/* model_source.h - models by the names that commands take, and the tensors to feed them with. */
#ifndef NMIE_MODEL_SOURCE_H
#define NMIE_MODEL_SOURCE_H

#include "examples/nmie/host_tensor.h"
#include "examples/nmie/settings.h"

#include <stdint.h>

/* What "builtin:NAME" and free spatial dimensions are made of. */
struct source_shape {
    int32_t rank; /* 0: not given */
    int64_t dims[NM_MAX_DIMS];
};

/* Reads "3x224x224". */
bool source_shape_parse(const char *word, struct source_shape *shape);

/* Loads a file, or makes "builtin:NAME" (at shape's last dim, when given, and of dense weights).
 * *seconds is the time it took. */
nm_status source_load(const char *name, const struct settings *s, const struct source_shape *shape,
                      nm_model **model, double *seconds, nm_error *err);

/* Type and dims of an input: a free first dimension becomes batch, free others come from shape
 * (without the batch). No memory is made. */
nm_status source_bind(const nm_value_info *input, int64_t batch, const struct source_shape *shape,
                      nm_tensor *t, nm_error *err);

/* NM_OK when items of these dims (without the batch) may go in; else the sentence tells both. */
nm_status source_fits(const nm_value_info *input, int32_t rank, const int64_t *dims, nm_error *err);

/* All inputs for a batch with made-up contents (numbers of a standard normal distribution, the
 * same each time; zeros for integers). *inputs has nm_model_inputs() of them; free with
 * source_free. */
nm_status source_inputs(const nm_model *model, int64_t batch, const struct source_shape *shape,
                        struct host_tensor **inputs, nm_error *err);
void source_free(struct host_tensor *inputs, size_t n);

/* The tensors of an array of host tensors side by side, as nm_run wants them (malloc; NULL:
 * none).*/
nm_tensor *source_tensors(const struct host_tensor *hosts, size_t n);

/* Seconds of a clock that never goes back. */
double source_now(void);

#endif
