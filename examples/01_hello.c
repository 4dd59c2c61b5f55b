/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a network once on a made-up image and says which class wins.
 *     cc 01_hello.c $(pkg-config --cflags --libs nm) -o hello && ./hello network.onnx */
#include <nm/nm.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    nm_error error = {NM_OK, ""};
    nm_model *model = NULL;
    nm_session *session = NULL;
    float *pixels = NULL;
    int failed = 1;

    if (argc != 2) {
        fprintf(stderr, "usage: %s network.onnx\n", argv[0]);
        return 2;
    }
    if (nm_model_load(argv[1], NULL, &model, &error) != NM_OK ||
        nm_session_create(model, NULL, &session, &error) != NM_OK) {
        goto out;
    }

    /* The input as the file describes it; free dimensions (a batch) become 1. */
    const nm_value_info *info = nm_model_input(model, 0);
    nm_tensor in = {.type = info->type, .rank = info->rank};
    size_t count = 1;
    for (int32_t i = 0; i < in.rank; i++) {
        in.dims[i] = info->dims[i] < 0 ? 1 : info->dims[i];
        count *= (size_t)in.dims[i];
    }
    in.capacity = count * sizeof *pixels;
    in.data = pixels = calloc(count, sizeof *pixels);
    for (size_t i = 0; pixels && i < count; i++) {
        pixels[i] = (float)(i % 255) / 255.0f;
    }

    nm_tensor out = {0}; /* no memory of ours: the session's */
    if (nm_run(session, &in, 1, &out, 1, &error) != NM_OK) {
        goto out;
    }
    const float *scores = out.data;
    size_t classes = (size_t)out.dims[out.rank - 1], best = 0;
    for (size_t i = 1; i < classes; i++) {
        best = scores[i] > scores[best] ? i : best;
    }
    printf("class %zu of %zu, score %g\n", best, classes, (double)scores[best]);
    failed = 0;
out:
    if (failed) {
        fprintf(stderr, "%s: %s\n", nm_status_name(error.status), error.message);
    }
    free(pixels);
    nm_session_free(session);
    nm_model_free(model);
    return failed;
}
