/* SPDX-License-Identifier: Apache-2.0 */
/* classifier.h - a session of a network that maps one batch of pictures to one row of scores each:
 * a float32 input [N,3,H,W] (N, H, W may be free), the first output float32 [N,classes,1...]. */
#ifndef NMIE_CLASSIFIER_H
#define NMIE_CLASSIFIER_H

#include "examples/nmie/model_source.h"
#include "examples/nmie/preprocess.h"

struct classifier {
    nm_model *model;
    nm_session *session;
    struct host_tensor input;
    const float *scores; /* of the last run: batch rows of classes; the session's memory */
    size_t classes;
};

/* Loads model (a file or builtin:NAME) and makes a session. GO_ON, or an exit code after
 * speaking.*/
int classifier_open(struct classifier *c, const char *model, const struct settings *settings);

/* The batch that the model is fixed to, or wanted when it is free. */
int64_t classifier_batch(const struct classifier *c, int64_t wanted);

/* Makes the input tensor for pictures of this size and plans for it; keeps it when it fits. */
nm_status classifier_shape(struct classifier *c, int64_t batch, int32_t width, int32_t height,
                           nm_error *err);

/* Where picture number i of the batch goes. */
float *classifier_input(const struct classifier *c, int64_t i);

nm_status classifier_run(struct classifier *c, nm_error *err);
void classifier_close(struct classifier *c);

#endif
