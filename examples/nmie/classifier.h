/* SPDX-License-Identifier: Apache-2.0 */
/*
 * classifier.h - a session of a network that maps a batch of items to one row of scores each: one
 * float32 input [N,...] (pictures: [N,3,H,W]), the first output float32 [N,classes,1...].
 */
#ifndef NMIE_CLASSIFIER_H
#define NMIE_CLASSIFIER_H

#include "examples/nmie/data/dataset.h"
#include "examples/nmie/model_source.h"

struct classifier {
    nm_model *model;
    nm_model *own; /* the same when it was loaded here, else NULL */
    nm_session *session;
    struct host_tensor input;
    const float *scores; /* of the last run: batch rows of classes; the session's memory */
    size_t classes;
};

/* Loads model (a file or builtin:NAME) and makes a session. GO_ON, or an exit code after
 * speaking.*/
int classifier_open(struct classifier *c, const char *model, const struct settings *settings);

/* The same with a model that stays the caller's. */
nm_status classifier_start(struct classifier *c, nm_model *model, const struct settings *settings,
                           nm_error *err);

/* The batch that the model is fixed to, or wanted when it is free. */
int64_t classifier_batch(const struct classifier *c, int64_t wanted);

/* Makes the input tensor for items of these dims and plans for it; keeps it when it fits. */
nm_status classifier_shape(struct classifier *c, int64_t batch, int32_t rank, const int64_t *dims,
                           nm_error *err);

/* Where item number i of the batch goes. */
float *classifier_input(const struct classifier *c, int64_t i);

nm_status classifier_run(struct classifier *c, nm_error *err);

/* Runs all items of a data set, batch by batch, and hands on the n rows of scores of each, in
 * c->scores. *seconds: of the runs alone. */
typedef nm_status (*classifier_rows)(void *user, const struct classifier *c, int64_t first,
                                     int64_t n, nm_error *err);
nm_status classifier_over(struct classifier *c, struct dataset *data, int64_t batch,
                          classifier_rows rows, void *user, double *seconds, nm_error *err);

void classifier_close(struct classifier *c);

#endif
