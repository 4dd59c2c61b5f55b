/* SPDX-License-Identifier: Apache-2.0 */
/* What happens to a result once it is there. */
#include "examples/nmie/bench/publish.h"

#include "examples/nmie/bench/page.h"
#include "examples/nmie/bench/predict.h"

#include <errno.h>
#include <string.h>

nm_status rows_merge(const char *const *paths, size_t n, struct rows *rows, nm_error *err)
{
    nm_status status = rows_read(paths[0], rows, err);
    if (status || n == 1) {
        return status;
    }
    cJSON *all = cJSON_CreateArray(), *whole = cJSON_CreateObject();
    static const char *const head[] = {"schema", "environment", "rounds", "seconds"};
    for (size_t i = 0; i < 4; i++) {
        const cJSON *item = cJSON_GetObjectItemCaseSensitive(rows->document, head[i]);
        if (item) {
            cJSON_AddItemToObject(whole, head[i], cJSON_Duplicate(item, true));
        }
    }
    for (size_t i = 0; i < n && !status; i++) {
        if (i > 0) {
            rows_free(rows);
            status = rows_read(paths[i], rows, err);
        }
        for (size_t k = 0; k < rows->n; k++) {
            cJSON_AddItemToArray(all, cJSON_Duplicate(rows->at[k].json, true));
        }
    }
    rows_free(rows);
    cJSON_AddItemToObject(whole, "cases", all);
    if (status) {
        cJSON_Delete(whole);
        return status;
    }
    return rows_of(whole, paths[0], rows, err);
}

static nm_status predict(const struct publish *p, struct rows *rows, nm_error *err)
{
    const struct machine machine = predict_measure();
    nm_status status = predict_rows(rows, &p->cores, &machine, err);
    if (!status && !p->quiet) {
        page_predictions(stdout, rows);
    }
    return status;
}

/* Writes one file by a function that fills a stream. */
static nm_status write_file(const char *path, const struct rows *rows,
                            void (*fill)(FILE *to, const struct rows *rows), nm_error *err)
{
    FILE *to = fopen(path, "we");
    if (!to) {
        return complain(err, NM_EIO, "%s: %s", path, strerror(errno));
    }
    fill(to, rows);
    bool good = !ferror(to);
    good = fclose(to) == 0 && good;
    return good ? NM_OK : complain(err, NM_EIO, "%s: %s", path, strerror(errno));
}

static nm_status print_document(const cJSON *document, nm_error *err)
{
    char *text = cJSON_PrintUnformatted(document);
    if (!text) {
        return complain(err, NM_ENOMEM, "no memory for the document");
    }
    puts(text);
    cJSON_free(text);
    return NM_OK;
}

nm_status publish(const struct publish *p, struct rows *rows, nm_error *err)
{
    nm_status status = p->cores.n > 0 ? predict(p, rows, err) : NM_OK;
    if (!status && p->json) {
        status = print_document(rows->document, err);
    }
    if (!status && p->html) {
        status = write_file(p->html, rows, page_html, err);
    }
    if (!status && p->svg) {
        status = write_file(p->svg, rows, page_svg, err);
    }
    if (!status && p->csv) {
        status = write_file(p->csv, rows, page_csv, err);
    }
    for (size_t i = 0; i < p->n_pages && !status; i++) {
        status = page_markdown(p->pages[i], rows, err);
    }
    return status;
}
