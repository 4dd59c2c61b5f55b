/* SPDX-License-Identifier: Apache-2.0 */
/* nmie masks: which weights are zero, and the weights, as NumPy files for a training framework. */
#include "examples/nmie/json_out.h"
#include "examples/nmie/model_source.h"
#include "examples/nmie/npy.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char help[] =
    "Usage: nmie masks MODEL -o DIR [option]...\n"
    "\n"
    "Writes for each weight of a convolution or fully connected layer two NumPy files: where it is\n"
    "not zero (uint8, 1: stays) and its values (float32), both in the shape that the file has; and\n"
    "index.json, which tells which is which. To tune a pruned network further elsewhere under the\n"
    "same zeros: docs/finetune.md.\n"
    "\n"
    "  nmie masks net-80.onnx -o masks\n"
    "\n"
    "  -o, --output DIR     where to write; made when it is not there\n"
    "  --json               index.json on stdout too\n"
    "  -v, --verbose        more talk on stderr\n";

/* Names of weights hold '/' and ':'; a number in front keeps what is left apart. */
#define FILE_NAME 96
static void file_name(char name[static FILE_NAME], size_t number, const char *weight,
                      const char *kind)
{
    int n = snprintf(name, FILE_NAME, "%03zu_", number);
    for (; *weight && n < 70; weight++) {
        bool plain = isalnum((unsigned char)*weight) || strchr("._-", *weight);
        name[n++] = plain ? *weight : '_';
    }
    snprintf(name + n, FILE_NAME - (size_t)n, ".%s.npy", kind);
}

static nm_status save(const char *folder, const char *name, const nm_tensor *t, nm_error *err)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s", folder, name) < 0) {
        return complain(err, NM_ENOMEM, "%s: no memory for a path", folder);
    }
    nm_status status = npy_save(path, t, err);
    free(path);
    return status;
}

static nm_tensor tensor_of(const nm_weight *w, nm_type type, const void *data)
{
    nm_tensor t = {.type = type, .rank = w->rank};
    memcpy(t.dims, w->dims, sizeof t.dims);
    memcpy(&t.data, &data, sizeof t.data); /* which npy_save only reads */
    return t;
}

/* Both files of a weight, and its line in the index. */
static nm_status one_weight(const char *folder, size_t number, const nm_weight *w, struct json *j,
                            nm_error *err)
{
    char weight[FILE_NAME], mask[FILE_NAME];
    size_t count = 0, zeros = 0;
    host_count(w->dims, w->rank, &count);
    uint8_t *stays = malloc(count + 1);
    if (!stays) {
        return complain(err, NM_ENOMEM, "%s: no memory for its mask", w->name);
    }
    for (size_t i = 0; i < count; i++) {
        stays[i] = w->data[i] != 0.0f;
        zeros += !stays[i];
    }
    file_name(weight, number, w->name, "weight");
    file_name(mask, number, w->name, "mask");
    const nm_tensor values = tensor_of(w, NM_F32, w->data), marks = tensor_of(w, NM_U8, stays);
    nm_status status = save(folder, weight, &values, err);
    if (!status) {
        status = save(folder, mask, &marks, err);
    }
    free(stays);
    json_open(j, NULL, '{');
    json_string(j, "name", w->name);
    json_string(j, "node", w->node);
    json_open(j, "shape", '[');
    for (int32_t i = 0; i < w->rank; i++) {
        json_int(j, NULL, w->dims[i]);
    }
    json_close(j, ']');
    json_int(j, "zeros", (int64_t)zeros);
    json_double(j, "sparsity", count ? (double)zeros / (double)count : 0.0);
    json_string(j, "weight", weight);
    json_string(j, "mask", mask);
    json_close(j, '}');
    return status;
}

/* The files, and the index as a text (malloc'd). */
static nm_status all_weights(const char *folder, const char *name, const nm_model *model,
                             struct slurp *index, nm_error *err)
{
    char *text = NULL;
    nm_status status = NM_OK;
    struct json j = {.out = open_memstream(&text, &index->size)};
    if (!j.out) {
        return complain(err, NM_ENOMEM, "%s: no memory for its index", folder);
    }
    json_open(&j, NULL, '{');
    json_string(&j, "model", name);
    json_open(&j, "weights", '[');
    for (size_t i = 0; i < nm_model_weights(model) && !status; i++) {
        status = one_weight(folder, i, nm_model_weight(model, i), &j, err);
    }
    json_close(&j, ']');
    json_close(&j, '}');
    json_end(&j);
    bool good = !ferror(j.out);
    good = fclose(j.out) == 0 && good;
    index->bytes = (uint8_t *)text;
    if (!status && !good) {
        status = complain(err, NM_ENOMEM, "%s: no memory for its index", folder);
    }
    return status;
}

static nm_status write_all(const char *folder, const char *name, const nm_model *model, bool json,
                           nm_error *err)
{
    struct slurp index = {0}, none = {0};
    char *path = NULL;
    if (mkdir(folder, 0777) && errno != EEXIST) {
        return complain(err, NM_EIO, "%s: %s", folder, strerror(errno));
    }
    if (asprintf(&path, "%s/index.json", folder) < 0) {
        return complain(err, NM_ENOMEM, "%s: no memory for a path", folder);
    }
    nm_status status = all_weights(folder, name, model, &index, err);
    if (!status) {
        status = slurp_write(path, &index, &none, err);
    }
    if (!status && json) {
        fwrite(index.bytes, 1, index.size, stdout);
    } else if (!status) {
        printf("%s: %zu weights and their masks\n", folder, nm_model_weights(model));
    }
    slurp_free(&index);
    free(path);
    return status;
}

static int run(int argc, char **argv)
{
    static const struct option options[] = {{"output", 1, NULL, 'o'},
                                            {"json", 0, NULL, OPT_JSON},
                                            {"verbose", 0, NULL, 'v'},
                                            {0}};
    struct settings settings;
    struct source_shape shape = {0};
    const char *folder = NULL;
    nm_model *model = NULL;
    nm_error err;
    double seconds;
    int code, verdict = settings_init(&settings, &cmd_masks);
    while (verdict == GO_ON && (code = getopt_long(argc, argv, "o:v", options, NULL)) != -1) {
        if (code == 'o') {
            folder = optarg;
        } else {
            verdict = settings_option(&settings, &cmd_masks, code, optarg);
        }
    }
    if (verdict == GO_ON && (argc - optind != 1 || !folder)) {
        verdict = usage(&cmd_masks, "expected MODEL and -o DIR");
    }
    if (verdict == GO_ON && source_load(argv[optind], &settings, &shape, &model, &seconds, &err)) {
        verdict = report_model(&err);
    }
    if (verdict == GO_ON) {
        nm_status status = write_all(folder, argv[optind], model, settings.json, &err);
        verdict = status ? report(&err) : EXIT_GOOD;
    }
    nm_model_free(model);
    settings_free(&settings);
    return verdict;
}

const struct command cmd_masks = {"masks", "masks and weights as NumPy files", help, run};
