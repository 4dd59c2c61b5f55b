/* SPDX-License-Identifier: Apache-2.0 */
/* The page of a profile. */
#include "examples/nmie/bench/environment.h"
#include "examples/nmie/bench/layers.h"
#include "examples/nmie/markup.h"

#include <math.h>
#include <stdlib.h>

static void environment(FILE *to)
{
    char *text = NULL;
    size_t size;
    FILE *memory = open_memstream(&text, &size);
    struct json j = {.out = memory};
    if (!memory) {
        return;
    }
    json_open(&j, NULL, '{');
    environment_tell(&j);
    json_close(&j, '}');
    fclose(memory);
    cJSON *top = cJSON_Parse(text);
    markup_environment(to, cJSON_GetObjectItemCaseSensitive(top, "environment"));
    cJSON_Delete(top);
    free(text);
}

/* Known where it is more than 0; else a dash. */
static double known(double value)
{
    return value > 0 ? value : (double)NAN;
}

static void table_row(FILE *to, const struct layers *l, size_t i)
{
    const nm_layer_profile *layer = l->own.last->layers[i];
    const double ms = profile_ms(&l->own, i), of_last = ms > 0 ? layer->ms / ms : 0.0;
    fputs("<tr>", to);
    markup_cell(to, "th", layer->node);
    markup_cell(to, "th", layer->op);
    markup_cell(to, "th", layer->kernel);
    fputs("<td>", to);
    for (int32_t k = 0; k < layer->rank; k++) {
        fprintf(to, "%s%lld", k ? "x" : "", (long long)layer->shape[k]);
    }
    markup_cell_number(to, "%.1f", layer->sparsity >= 0 ? 100.0 * layer->sparsity : (double)NAN);
    markup_cell_number(to, "%.4f", ms);
    markup_cell_number(to, "%.4f", profile_moving_ms(&l->own, i));
    markup_cell_number(to, "%.4f", l->dense.last ? layers_dense_ms(l, i) : (double)NAN);
    markup_cell_number(to, "%.1f", known(layer->gflops * of_last));
    markup_cell_number(to, "%.0f", known(layer->bound_percent * of_last));
    markup_cell_number(to, "%.3f", 1e-6 * layer->bytes);
    fputs("<td class=\"l\">", to);
    markup_text(to, layer->reason);
    fputc('\n', to);
}

static void table(FILE *to, const struct layers *l)
{
    fputs("<section><h2>Layers</h2>", to);
    markup_table(to, "layers");
    fputs("<th>node<th class=\"l\">operator<th class=\"l\">kernel<th>shape<th>zeros %<th>ms"
          "<th>moving ms<th>dense ms<th>GFLOP/s<th>% of bound<th>MB<th class=\"l\">why</thead>"
          "<tbody>\n",
          to);
    for (size_t i = 0; i < l->own.last->n_layers; i++) {
        table_row(to, l, i);
    }
    markup_table_end(to);
    fputs("</section>\n", to);
}

static void section(FILE *to, const char *title, void (*draw)(FILE *, const struct layers *),
                    const struct layers *l)
{
    fprintf(to, "<section><h2>%s</h2><figure tabindex=\"0\">\n", title);
    draw(to, l);
    fputs("</figure></section>\n", to);
}

void layers_html(FILE *to, const void *context)
{
    const struct layers *l = context;
    markup_begin(to, "Where the time goes");
    fputs("<p>", to);
    markup_text(to, l->model);
    if (l->sparsity > 0.0) {
        fputs(l->profile ? ", pruned by " : ", pruned", to);
        markup_text(to, l->profile ? l->profile : "");
        fprintf(to, " to %.4g %%", 100.0 * l->sparsity);
    }
    fprintf(to, ", batch %lld, %d thread%s: %.3f ms a run", (long long)l->batch,
            (int)l->own.last->threads, l->own.last->threads == 1 ? "" : "s", l->ms);
    if (l->dense_ms > 0) {
        fprintf(to, ", %.3f ms by dense kernels: %.2f times as fast", l->dense_ms,
                l->dense_ms / l->ms);
    }
    fputs(".</p>\n", to);
    environment(to);
    section(to, "Timeline", layers_timeline, l);
    section(to, "Roofline", layers_roofline, l);
    section(to, "Time by layer", layers_bars, l);
    table(to, l);
    markup_end(to);
}
