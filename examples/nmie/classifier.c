/* SPDX-License-Identifier: Apache-2.0 */
/* Items through a network. */
#include "examples/nmie/classifier.h"

#include "examples/nmie/interrupt.h"
#include "examples/nmie/progress.h"

#include <string.h>

static nm_status check_model(const nm_model *model, nm_error *err)
{
    const nm_value_info *in = nm_model_input(model, 0), *out = nm_model_output(model, 0);
    char text[256];
    if (nm_model_inputs(model) != 1 || !in || !out) {
        return complain(err, NM_EINVAL, "the model has %zu inputs, a classifier has one",
                        nm_model_inputs(model));
    }
    if (in->type != NM_F32 || in->rank < 1) {
        return complain(err, NM_ESHAPE, "input %s is %s %s, expected float32 [N,...]", in->name,
                        nm_type_name(in->type),
                        host_dims_text(in->dims, in->symbols, in->rank, text));
    }
    if (out->type != NM_F32) {
        return complain(err, NM_ETYPE, "output %s is %s, expected float32 scores", out->name,
                        nm_type_name(out->type));
    }
    return NM_OK;
}

nm_status classifier_start(struct classifier *c, nm_model *model, const struct settings *settings,
                           nm_error *err)
{
    *c = (struct classifier){.model = model};
    nm_status status = check_model(model, err);
    return status ? status : nm_session_create(model, &settings->session, &c->session, err);
}

int classifier_open(struct classifier *c, const char *name, const struct settings *settings)
{
    struct source_shape shape = {0};
    nm_model *model;
    nm_error err;
    double seconds;
    if (source_load(name, settings, &shape, &model, &seconds, &err)) {
        return report_model(&err);
    }
    nm_status status = classifier_start(c, model, settings, &err);
    c->own = model;
    return status ? report(&err) : GO_ON;
}

int64_t classifier_batch(const struct classifier *c, int64_t wanted)
{
    int64_t fixed = nm_model_input(c->model, 0)->dims[0];
    return fixed > 0 ? fixed : wanted;
}

nm_status classifier_shape(struct classifier *c, int64_t batch, int32_t rank, const int64_t *dims,
                           nm_error *err)
{
    const nm_value_info *in = nm_model_input(c->model, 0);
    nm_tensor t = {.name = in->name, .type = NM_F32, .rank = rank + 1};
    nm_status status = source_fits(in, rank, dims, err);
    if (status) {
        return status;
    }
    t.dims[0] = classifier_batch(c, batch);
    memcpy(t.dims + 1, dims, (size_t)rank * sizeof *dims);
    if (c->input.t.data && memcmp(t.dims, c->input.t.dims, sizeof t.dims) == 0) {
        return NM_OK;
    }
    host_free(&c->input);
    c->input.t = t;
    status = host_make(&c->input, err);
    return status ? status : nm_session_prepare(c->session, &c->input.t, 1, err);
}

float *classifier_input(const struct classifier *c, int64_t i)
{
    const nm_tensor *t = &c->input.t;
    size_t elems = 0;
    host_count(t->dims + 1, t->rank - 1, &elems);
    return (float *)t->data + (size_t)i * elems;
}

nm_status classifier_run(struct classifier *c, nm_error *err)
{
    nm_tensor out = {.name = nm_model_output(c->model, 0)->name};
    size_t count = 0, batch = (size_t)c->input.t.dims[0];
    nm_status status = nm_run(c->session, &c->input.t, 1, &out, 1, err);
    if (status) {
        return status;
    }
    if (!host_count(out.dims, out.rank, &count) || count == 0 || out.rank < 1 ||
        out.dims[0] != c->input.t.dims[0]) {
        return complain(err, NM_ESHAPE, "output %s is not one row of scores per item", out.name);
    }
    c->scores = out.data;
    c->classes = count / batch;
    return NM_OK;
}

nm_status classifier_over(struct classifier *c, struct dataset *data, int64_t batch,
                          classifier_rows rows, void *user, double *seconds, nm_error *err)
{
    struct progress progress;
    batch = classifier_batch(c, batch < data->count ? batch : data->count);
    nm_status status = classifier_shape(c, batch, data->rank, data->dims, err);
    *seconds = 0.0;
    progress_begin(&progress, "items", data->count);
    for (int64_t first = 0; first < data->count && !status; first += batch) {
        int64_t n = data->count - first < batch ? data->count - first : batch;
        status = dataset_read(data, first, n, classifier_input(c, 0), err);
        double start = source_now();
        if (!status) {
            status = classifier_run(c, err);
        }
        *seconds += source_now() - start;
        if (!status) {
            status = rows(user, c, first, n, err);
        }
        if (!status && interrupt_status()) {
            status = complain(err, NM_ECANCELED, "stopped");
        }
        progress_step(&progress, first + n);
    }
    progress_end(&progress);
    return status;
}

void classifier_close(struct classifier *c)
{
    host_free(&c->input);
    nm_session_free(c->session);
    nm_model_free(c->own);
    *c = (struct classifier){0};
}
