/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures through a network. */
#include "examples/nmie/classifier.h"

static nm_status check_model(const nm_model *model, nm_error *err)
{
    const nm_value_info *in = nm_model_input(model, 0), *out = nm_model_output(model, 0);
    char text[256];
    if (nm_model_inputs(model) != 1 || !in || !out) {
        return complain(err, NM_EINVAL, "the model has %zu inputs, a classifier has one",
                        nm_model_inputs(model));
    }
    if (in->type != NM_F32 || in->rank != 4 || (in->dims[1] >= 0 && in->dims[1] != 3)) {
        return complain(err, NM_ESHAPE, "input %s is %s %s, expected float32 [N,3,H,W]", in->name,
                        nm_type_name(in->type),
                        host_dims_text(in->dims, in->symbols, in->rank, text));
    }
    if (out->type != NM_F32) {
        return complain(err, NM_ETYPE, "output %s is %s, expected float32 scores", out->name,
                        nm_type_name(out->type));
    }
    return NM_OK;
}

int classifier_open(struct classifier *c, const char *model, const struct settings *settings)
{
    struct source_shape shape = {0};
    nm_error err;
    double seconds;
    *c = (struct classifier){0};
    if (source_load(model, settings, &shape, &c->model, &seconds, &err)) {
        return report_model(&err);
    }
    if (check_model(c->model, &err) ||
        nm_session_create(c->model, &settings->session, &c->session, &err)) {
        return report(&err);
    }
    return GO_ON;
}

int64_t classifier_batch(const struct classifier *c, int64_t wanted)
{
    int64_t fixed = nm_model_input(c->model, 0)->dims[0];
    return fixed > 0 ? fixed : wanted;
}

nm_status classifier_shape(struct classifier *c, int64_t batch, int32_t width, int32_t height,
                           nm_error *err)
{
    const nm_value_info *in = nm_model_input(c->model, 0);
    int64_t dims[4] = {classifier_batch(c, batch), 3, height, width};
    if ((in->dims[2] >= 0 && in->dims[2] != height) || (in->dims[3] >= 0 && in->dims[3] != width)) {
        char text[256];
        return complain(err, NM_ESHAPE,
                        "the pictures are %d x %d after preprocessing, the model's input is %s; "
                        "see --pre",
                        width, height, host_dims_text(in->dims, in->symbols, in->rank, text));
    }
    bool same = c->input.t.data;
    for (int i = 0; i < 4; i++) {
        same = same && c->input.t.dims[i] == dims[i];
        c->input.t.dims[i] = dims[i];
    }
    if (same) {
        return NM_OK;
    }
    nm_tensor t = c->input.t;
    host_free(&c->input);
    t.data = NULL;
    t.name = in->name;
    t.type = NM_F32;
    t.rank = 4;
    c->input.t = t;
    nm_status status = host_make(&c->input, err);
    return status ? status : nm_session_prepare(c->session, &c->input.t, 1, err);
}

float *classifier_input(const struct classifier *c, int64_t i)
{
    const nm_tensor *t = &c->input.t;
    return (float *)t->data + i * t->dims[1] * t->dims[2] * t->dims[3];
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
        return complain(err, NM_ESHAPE, "output %s is not one row of scores per picture", out.name);
    }
    c->scores = out.data;
    c->classes = count / batch;
    return NM_OK;
}

void classifier_close(struct classifier *c)
{
    host_free(&c->input);
    nm_session_free(c->session);
    nm_model_free(c->model);
    *c = (struct classifier){0};
}
