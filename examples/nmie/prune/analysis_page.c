/* SPDX-License-Identifier: Apache-2.0 */
/* An analysis as a page and as one SVG. */
#include "examples/nmie/markup.h"
#include "examples/nmie/prune/analysis.h"

/* A table of one kind of number: errors in percent, or milliseconds. */
static void table(FILE *to, const struct analysis *a, bool errors)
{
    fprintf(to, "<p class=\"soft\">%s</p>\n",
            errors ? "Relative squared error of the layer's output, %, by sparsity: what remains "
                     "after the weights left have made up for the others"
                   : "Milliseconds by sparsity, predicted from measurements on this machine");
    markup_table(to, errors ? "errors by layer" : "milliseconds by layer");
    fputs("<th>layer<th class=\"l\">weight<th>million MACs<th>weights", to);
    for (size_t k = errors; k < a->n_grid; k++) {
        fprintf(to, "<th>%.4g %%", 100.0 * a->grid[k]);
    }
    fputs("</thead><tbody>\n", to);
    for (size_t i = 0; i < a->n_layers; i++) {
        const struct analysis_layer *l = &a->layers[i];
        fputs("<tr>", to);
        markup_cell(to, "th", l->node);
        markup_cell(to, "th", l->weight);
        markup_cell_number(to, "%.2f", l->macs * 1e-6);
        markup_cell_number(to, "%.0f", l->elems);
        for (size_t k = errors; k < a->n_grid; k++) {
            markup_cell_number(to, errors ? "%.2f" : "%.4f",
                               errors ? 100.0 * l->error[k] : l->ms[k]);
        }
        fputc('\n', to);
    }
    markup_table_end(to);
}

void analysis_html(FILE *to, const void *context)
{
    const struct analysis *a = context;
    markup_begin(to, "What pruning would cost");
    fputs("<p>", to);
    markup_text(to, a->model);
    fprintf(
        to,
        ": %zu layers that can be pruned. Dense it takes %.3f ms, %.3f ms of them in what is not "
        "pruned.%s</p>\n<figure tabindex=\"0\">\n",
        a->n_layers, a->dense_ms, a->other_ms,
        a->has_error ? " Pale cells: the layer hardly notices. Full ones: its output is lost."
                     : " Without calibration data there are times only, no errors.");
    analysis_heat(to, a, 0);
    fputs("</figure>\n<figure tabindex=\"0\">\n", to);
    analysis_curve(to, a, 0);
    fputs("</figure>\n<h2>Numbers</h2>\n", to);
    if (a->has_error) {
        table(to, a, true);
    }
    table(to, a, false);
    markup_end(to);
}

void analysis_svg(FILE *to, const void *context)
{
    const struct analysis *a = context;
    int height = analysis_heat_height(a) + ANALYSIS_CURVE_HEIGHT;
    markup_svg_file(to, ANALYSIS_WIDTH, height, "what pruning would cost");
    analysis_curve(to, a, analysis_heat(to, a, 0));
    fputs("</svg>\n", to);
}
