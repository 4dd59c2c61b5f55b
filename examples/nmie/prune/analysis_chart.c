/* SPDX-License-Identifier: Apache-2.0 */
/* Charts of an analysis: layers by sparsities as a map of shades, and time against sparsity. */
#include "examples/nmie/markup.h"
#include "examples/nmie/prune/analysis.h"

#include <math.h>

enum { NAMES = 250, CELL = 44, ROW = 24, TOP = 86, MAC_BAR = 110, TIME_BAR = 230, GAP = 22 };

/* ---- the map --------------------------------------------------------------------------------- */

int analysis_heat_height(const struct analysis *a)
{
    return TOP + ROW * (int)a->n_layers + 12;
}

static int cells_end(const struct analysis *a)
{
    return NAMES + CELL * ((int)a->n_grid - 1);
}

/* 0 (pale) to 1: errors from 1e-4 to 1 by their logarithm; else the share of the dense time. */
static double shade(const struct analysis *a, const struct analysis_layer *l, size_t at)
{
    double t = a->has_error ? 1.0 + log10(fmax(l->error[at], 1e-4)) / 4.0 : l->ms[at] / l->ms[0];
    return isnan(t) ? 0.0 : fmin(fmax(t, 0.0), 1.0);
}

/* A number with its unit, or a dash where there is none. */
static void put(FILE *to, const char *format, double value)
{
    if (isnan(value)) {
        fputc('-', to);
    } else {
        fprintf(to, format, value);
    }
}

static void draw_cell(FILE *to, const struct analysis *a, const struct analysis_layer *l, size_t at,
                      int y)
{
    double t = shade(a, l, at), value = a->has_error ? l->error[at] : l->ms[at] / l->ms[0];
    int x = NAMES + CELL * ((int)at - 1);
    fputs("<g><title>", to);
    markup_text(to, l->node);
    fprintf(to, " at %.4g %%: %s ", 100.0 * a->grid[at], a->has_error ? "error" : "time");
    put(to, "%.3g %%", 100.0 * value);
    put(to, ", %.4g ms", l->ms[at]);
    fputs("</title>", to);
    fprintf(to,
            "<rect class=\"s0\" style=\"stroke:none\" fill-opacity=\"%.2f\" x=\"%d\" y=\"%d\" "
            "width=\"%d\" height=\"%d\"/>"
            "<text class=\"n\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">",
            0.04 + 0.58 * t, x, y, CELL - 2, ROW - 2, x + CELL / 2 - 1, y + 15);
    put(to, value < 0.0995 ? "%.2f" : "%.1f", 100.0 * value);
    fputs("</text></g>", to);
}

/* A mark of the time at a sparsity: of another shape for each, not of another colour alone. */
static void draw_mark(FILE *to, int kind, double x, int y)
{
    if (kind == 0) {
        fprintf(to, "<circle class=\"s1\" cx=\"%.1f\" cy=\"%d\" r=\"5\"/>", x, y);
    } else {
        fprintf(to, "<path class=\"s5\" d=\"M%.1f %dl6 6l-6 6l-6-6z\"/>", x, y - 6);
    }
}

static void draw_bars(FILE *to, const struct analysis *a, const struct analysis_layer *l, int y,
                      double most_macs, double most_ms)
{
    const double marks[] = {0.8, 0.95};
    int x = cells_end(a) + GAP, z = x + MAC_BAR + GAP;
    fputs("<g><title>", to);
    markup_text(to, l->node);
    put(to, ": %.4g million multiply-accumulates", l->macs * 1e-6);
    put(to, ", %.4g ms dense", l->ms[0]);
    put(to, ", %.4g at 80 %%", l->ms[analysis_at(a, 0.8)]);
    put(to, ", %.4g at 95 %%", l->ms[analysis_at(a, 0.95)]);
    fputs("</title>", to);
    fprintf(to, "<rect class=\"s2\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"10\"/>", x, y + 6,
            MAC_BAR * fmax(l->macs, 0.0) / most_macs);
    fprintf(to,
            "<rect class=\"s6\" fill-opacity=\".35\" x=\"%d\" y=\"%d\" width=\"%.1f\" "
            "height=\"10\"/>",
            z, y + 6, TIME_BAR * fmax(l->ms[0], 0.0) / most_ms);
    for (int i = 0; i < 2; i++) {
        double ms = l->ms[analysis_at(a, marks[i])];
        if (!isnan(ms)) {
            draw_mark(to, i, z + TIME_BAR * ms / most_ms, y + 11);
        }
    }
    fputs("</g>\n", to);
}

static void draw_legend(FILE *to, const struct analysis *a, double most_macs, double most_ms)
{
    int x = cells_end(a) + GAP, z = x + MAC_BAR + GAP;
    fprintf(to,
            "<text class=\"t\" x=\"0\" y=\"20\">Layers and sparsities</text>"
            "<text class=\"u\" x=\"%d\" y=\"42\">%s</text>"
            "<text class=\"u\" x=\"%d\" y=\"42\">MACs, up to %.3g M</text>"
            "<text class=\"u\" x=\"%d\" y=\"42\">ms, up to %.3g</text>",
            NAMES,
            a->has_error ? "error of the layer's output, %, at a sparsity of"
                         : "time, % of the dense layer's, at a sparsity of",
            x, most_macs * 1e-6, z, most_ms);
    fprintf(to,
            "<rect class=\"s6\" fill-opacity=\".35\" x=\"%d\" y=\"56\" width=\"18\" "
            "height=\"10\"/><text class=\"u\" x=\"%d\" y=\"65\">dense</text>",
            z, z + 24);
    draw_mark(to, 0, z + 78, 61);
    fprintf(to, "<text class=\"u\" x=\"%d\" y=\"65\">80 %%</text>", z + 88);
    draw_mark(to, 1, z + 140, 61);
    fprintf(to, "<text class=\"u\" x=\"%d\" y=\"65\">95 %%</text>", z + 150);
    for (size_t i = 1; i < a->n_grid; i++) {
        fprintf(to, "<text class=\"u\" x=\"%d\" y=\"65\" text-anchor=\"middle\">%.4g</text>",
                NAMES + CELL * ((int)i - 1) + CELL / 2 - 1, 100.0 * a->grid[i]);
    }
}

int analysis_heat(FILE *to, const struct analysis *a, int y)
{
    double most_macs = 1.0, most_ms = 1e-9;
    for (size_t i = 0; i < a->n_layers; i++) {
        const struct analysis_layer *l = &a->layers[i];
        most_macs = fmax(most_macs, l->macs);
        for (size_t k = 0; k < a->n_grid; k++) {
            most_ms = fmax(most_ms, l->ms[k]);
        }
    }
    markup_svg(to, ANALYSIS_WIDTH, analysis_heat_height(a), y, "img",
               "layers and sparsities; the table has the numbers");
    draw_legend(to, a, most_macs, most_ms);
    for (size_t i = 0; i < a->n_layers; i++) {
        const struct analysis_layer *l = &a->layers[i];
        int row = TOP + ROW * (int)i - 8;
        char name[80];
        fprintf(to, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">", NAMES - 10, row + 15);
        markup_text(to, analysis_name(l->node, 34, name));
        fputs("</text>", to);
        for (size_t k = 1; k < a->n_grid; k++) {
            draw_cell(to, a, l, k, row);
        }
        draw_bars(to, a, l, row, most_macs, most_ms);
    }
    fputs("</svg>\n", to);
    return analysis_heat_height(a);
}

/* ---- time against sparsity ------------------------------------------------------------------- */

enum { LEFT = 64, PLOT_TOP = 56, PLOT_W = 620, PLOT_H = 180 };

static double plot_x(double sparsity)
{
    return LEFT + PLOT_W * sparsity;
}

int analysis_curve(FILE *to, const struct analysis *a, int y)
{
    double top = 1.0;
    for (size_t i = 0; i < a->n_grid; i++) {
        top = fmax(top, a->dense_ms / analysis_total_ms(a, i));
    }
    top = ceil(top);
    markup_svg(to, ANALYSIS_WIDTH, ANALYSIS_CURVE_HEIGHT, y, "img",
               "predicted speed-up against sparsity");
    fputs("<text class=\"t\" x=\"0\" y=\"20\">The same sparsity in all of these layers</text>"
          "<text class=\"u\" x=\"0\" y=\"42\">predicted speed-up over the dense network</text>",
          to);
    int step = (int)fmax(1.0, ceil(top / 6.0));
    for (int i = 0; i <= (int)top; i += step) {
        double line = PLOT_TOP + PLOT_H * (1.0 - i / top);
        fprintf(to,
                "<line class=\"%s\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>"
                "<text class=\"u\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%d x</text>",
                i ? "g" : "a", LEFT, LEFT + PLOT_W, line, line, LEFT - 8, line + 4.0, i);
    }
    for (int i = 0; i <= 10; i += 2) {
        fprintf(to, "<text class=\"u\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%d %%</text>",
                plot_x(i / 10.0), PLOT_TOP + PLOT_H + 20, 10 * i);
    }
    fputs("<path class=\"s0\" style=\"fill:none;stroke-width:2\" d=\"", to);
    for (size_t i = 0; i < a->n_grid; i++) {
        fprintf(to, "%s%.1f %.1f", i ? "L" : "M", plot_x(a->grid[i]),
                PLOT_TOP + PLOT_H * (1.0 - a->dense_ms / analysis_total_ms(a, i) / top));
    }
    fputs("\"/>\n", to);
    for (size_t i = 0; i < a->n_grid; i++) {
        double speed = a->dense_ms / analysis_total_ms(a, i);
        fprintf(to,
                "<g><title>%.4g %%: %.2f x, %.4g ms</title><circle class=\"s0\" cx=\"%.1f\" "
                "cy=\"%.1f\" r=\"4\"/></g>\n",
                100.0 * a->grid[i], speed, analysis_total_ms(a, i), plot_x(a->grid[i]),
                PLOT_TOP + PLOT_H * (1.0 - speed / top));
    }
    fputs("</svg>\n", to);
    return ANALYSIS_CURVE_HEIGHT;
}
