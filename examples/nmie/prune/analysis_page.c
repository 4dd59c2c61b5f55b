/* SPDX-License-Identifier: Apache-2.0 */
/* An analysis as a page and as one SVG. */
#include "examples/nmie/bench/markup.h"
#include "examples/nmie/prune/analysis.h"

#include <math.h>

static void cell(FILE *to, const char *format, double value)
{
    fputs("<td>", to);
    if (isnan(value)) {
        fputc('-', to);
    } else {
        fprintf(to, format, value);
    }
    fputs("</td>", to);
}

/* A table of one kind of number: errors in percent, or milliseconds. */
static void table(FILE *to, const struct analysis *a, bool errors)
{
    fprintf(to, "<div class=\"scroll\" tabindex=\"0\"><table><caption>%s</caption><thead><tr>"
                "<th>layer</th><th class=\"l\">weight</th><th>million MACs</th><th>weights</th>",
            errors ? "Relative squared error of the layer's output, %, by sparsity: what remains "
                     "after the weights left have made up for the others"
                   : "Milliseconds by sparsity, predicted from measurements on this machine");
    for (size_t k = errors; k < a->n_grid; k++) {
        fprintf(to, "<th>%.4g %%</th>", 100.0 * a->grid[k]);
    }
    fputs("</tr></thead><tbody>\n", to);
    for (size_t i = 0; i < a->n_layers; i++) {
        const struct analysis_layer *l = &a->layers[i];
        fputs("<tr><td class=\"l\">", to);
        markup_text(to, l->node);
        fputs("</td><td class=\"l\">", to);
        markup_text(to, l->weight);
        fputs("</td>", to);
        cell(to, "%.2f", l->macs * 1e-6);
        cell(to, "%.0f", l->elems);
        for (size_t k = errors; k < a->n_grid; k++) {
            cell(to, errors ? "%.2f" : "%.4f", errors ? 100.0 * l->error[k] : l->ms[k]);
        }
        fputs("</tr>\n", to);
    }
    fputs("</tbody></table></div>\n", to);
}

void analysis_html(FILE *to, const void *context)
{
    const struct analysis *a = context;
    markup_begin(to, "What pruning would cost");
    fputs("<p>", to);
    markup_text(to, a->model);
    fprintf(to,
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
    fprintf(to,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" "
            "height=\"%d\"><style>\n",
            ANALYSIS_WIDTH, height, ANALYSIS_WIDTH, height);
    markup_chart_style(to);
    fprintf(to, "</style><rect class=\"paper\" width=\"%d\" height=\"%d\"/>\n", ANALYSIS_WIDTH,
            height);
    analysis_curve(to, a, analysis_heat(to, a, 0));
    fputs("</svg>\n", to);
}
