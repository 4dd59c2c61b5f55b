/* SPDX-License-Identifier: Apache-2.0 */
/* Tables from JSON, whatever its keys are. */
#include "examples/nmie/table.h"

#include "examples/nmie/nmie.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#define COLUMNS_MAX 32
#define CELL 60

struct cell {
    char text[CELL + 1];
};

/* A value in few words: no quotes, an object by its name and shape. The parser bounds the depth. */
static void put_value(FILE *to, const cJSON *value)
{
    const cJSON *item, *name = cJSON_GetObjectItemCaseSensitive(value, "name");
    if (cJSON_IsString(value)) {
        fputs(value->valuestring, to);
    } else if (cJSON_IsNumber(value)) {
        double v = value->valuedouble;
        fprintf(to, fabs(v) < 1e15 && floor(v) == v ? "%.0f" : "%.4g", v);
    } else if (cJSON_IsArray(value)) {
        fputc('[', to);
        cJSON_ArrayForEach(item, value)
        {
            put_value(to, item);
            fputs(item->next ? "," : "", to);
        }
        fputc(']', to);
    } else if (cJSON_IsObject(value)) {
        const cJSON *shape = cJSON_GetObjectItemCaseSensitive(value, "shape");
        put_value(to, name ? name : value->child);
        if (cJSON_IsArray(shape)) {
            put_value(to, shape);
        }
    } else {
        fputs(cJSON_IsTrue(value) ? "yes" : cJSON_IsFalse(value) ? "no" : "-", to);
    }
}

/* The same as a string (malloc). NULL: no memory. */
static char *render(const cJSON *value)
{
    char *text = NULL;
    size_t size;
    FILE *to = open_memstream(&text, &size);
    if (to) {
        put_value(to, value);
        fclose(to);
    }
    return text;
}

static struct cell cell_of(const cJSON *value)
{
    struct cell c = {""};
    char *text = value ? render(value) : NULL;
    if (text) {
        size_t n = strlen(text);
        memcpy(c.text, text, n > CELL ? CELL : n);
        if (n > CELL) {
            memcpy(c.text + CELL - 3, "...", 3);
        }
    }
    free(text);
    return c;
}

/* The keys of all rows, in order of appearance. */
static size_t collect_columns(const cJSON *rows, const char *columns[static COLUMNS_MAX])
{
    size_t n = 0;
    const cJSON *row, *field;
    cJSON_ArrayForEach(row, rows)
    {
        cJSON_ArrayForEach(field, row)
        {
            size_t i = 0;
            while (i < n && field->string && strcmp(columns[i], field->string) != 0) {
                i++;
            }
            if (i == n && n < COLUMNS_MAX && field->string) {
                columns[n++] = field->string;
            }
        }
    }
    return n;
}

static bool is_number_column(const cJSON *rows, const char *column)
{
    const cJSON *row;
    cJSON_ArrayForEach(row, rows)
    {
        const cJSON *value = cJSON_GetObjectItemCaseSensitive(row, column);
        if (value && !cJSON_IsNumber(value) && !cJSON_IsNull(value)) {
            return false;
        }
    }
    return true;
}

static void put_cell(FILE *out, const char *text, int width, bool right, bool last)
{
    if (right) {
        fprintf(out, "%*s%s", width, text, last ? "\n" : "  ");
    } else if (last) {
        fprintf(out, "%s\n", text);
    } else {
        fprintf(out, "%-*s  ", width, text);
    }
}

static void print_rows(FILE *out, const char *title, const cJSON *rows)
{
    const char *columns[COLUMNS_MAX] = {NULL};
    int width[COLUMNS_MAX];
    bool right[COLUMNS_MAX];
    const cJSON *row;
    size_t n = collect_columns(rows, columns);
    for (size_t i = 0; i < n; i++) {
        width[i] = (int)strlen(columns[i]);
        right[i] = is_number_column(rows, columns[i]);
        cJSON_ArrayForEach(row, rows)
        {
            struct cell c = cell_of(cJSON_GetObjectItemCaseSensitive(row, columns[i]));
            int length = (int)strlen(c.text);
            width[i] = length > width[i] ? length : width[i];
        }
    }
    fprintf(out, "\n%s (%d)\n", title, cJSON_GetArraySize(rows));
    for (size_t i = 0; i < n; i++) {
        put_cell(out, columns[i], width[i], right[i], i + 1 == n);
    }
    cJSON_ArrayForEach(row, rows)
    {
        for (size_t i = 0; i < n; i++) {
            struct cell c = cell_of(cJSON_GetObjectItemCaseSensitive(row, columns[i]));
            put_cell(out, c.text, width[i], right[i], i + 1 == n);
        }
    }
}

nm_status table_print(FILE *out, const char *json, nm_error *err)
{
    cJSON *top = cJSON_Parse(json);
    const cJSON *item;
    if (!top) {
        return complain(err, NM_EINTERNAL, "the description is not JSON");
    }
    bool bare = cJSON_IsArray(top);
    cJSON_ArrayForEach(item, top)
    {
        if (bare || (cJSON_IsArray(item) && cJSON_IsObject(item->child))) {
            continue;
        }
        char *text = render(item);
        fprintf(out, "%s: %s\n", item->string ? item->string : "", text ? text : "");
        free(text);
    }
    if (bare) {
        print_rows(out, "items", top);
    }
    cJSON_ArrayForEach(item, top)
    {
        if (!bare && cJSON_IsArray(item) && cJSON_IsObject(item->child)) {
            print_rows(out, item->string, item);
        }
    }
    cJSON_Delete(top);
    return NM_OK;
}
