/* SPDX-License-Identifier: Apache-2.0 */
/* What happens to a result once it is there. */
#include "examples/nmie/bench/publish.h"

#include "examples/nmie/bench/page.h"
#include "examples/nmie/bench/predict.h"
#include "examples/nmie/output.h"

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
    const cJSON *found = cJSON_GetObjectItemCaseSensitive(rows->document, "predictions");
    if (!status && cJSON_GetArraySize(found) == 0) {
        say("nothing to predict from: it takes the layers of libnm on one thread (-t 1)");
    } else if (!status && !p->quiet) {
        page_predictions(stdout, rows);
    }
    return status;
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
        status = output_file(p->html, page_html, rows, err);
    }
    if (!status && p->svg) {
        status = output_file(p->svg, page_svg, rows, err);
    }
    if (!status && p->csv) {
        status = output_file(p->csv, page_csv, rows, err);
    }
    for (size_t i = 0; i < p->n_pages && !status; i++) {
        status = page_markdown(p->pages[i], p->svg, rows, err);
    }
    return status;
}
