/* SPDX-License-Identifier: Apache-2.0 */
/* Bars. */
#include "examples/nmie/bench/chart.h"

#include <math.h>
#include <string.h>

enum { LEFT = 64, RIGHT = 16, TOP = 84, BOTTOM = 64, PLOT = 220, BAR = 32, GAP = 30, LEGEND = 150 };

struct bar *chart_bar(struct chart *c, const char *group, const char *series)
{
    size_t g = 0, s = 0;
    while (g < c->n_groups && strncmp(c->groups[g], group, sizeof c->groups[g] - 1) != 0) {
        g++;
    }
    while (s < c->n_series && strcmp(c->series[s], series) != 0) {
        s++;
    }
    if (g == CHART_GROUPS || s == CHART_SERIES) {
        return NULL;
    }
    if (g == c->n_groups) {
        snprintf(c->groups[c->n_groups++], sizeof c->groups[g], "%s", group);
    }
    if (s == c->n_series) {
        c->series[c->n_series++] = series;
    }
    return &c->bars[g][s];
}

static int group_width(const struct chart *c)
{
    int bars = BAR * (int)c->n_series;
    return (bars > 90 ? bars : 90) + GAP;
}

int chart_width(const struct chart *c)
{
    int plot = group_width(c) * (int)c->n_groups, legend = LEGEND * (int)c->n_series;
    int title = 9 * (int)strlen(c->title) > 300 ? 9 * (int)strlen(c->title) : 300;
    plot = plot > legend ? plot : legend;
    return LEFT + RIGHT + (plot > title ? plot : title);
}

int chart_height(const struct chart *c)
{
    (void)c;
    return TOP + PLOT + BOTTOM;
}

static double largest(const struct chart *c)
{
    double most = 0.0;
    for (size_t g = 0; g < c->n_groups; g++) {
        for (size_t s = 0; s < c->n_series; s++) {
            most = fmax(most, fmax(c->bars[g][s].value, c->bars[g][s].high));
        }
    }
    return most > 0.0 ? most : 1.0;
}

/* 1, 2 or 5 times a power of ten, for at most six steps. */
static double nice_step(double most)
{
    double power = pow(10.0, floor(log10(most / 6.0)));
    for (int i = 0; i < 3; i++) {
        double step = power * (i == 0 ? 2.0 : i == 1 ? 5.0 : 10.0);
        if (most / step <= 6.0) {
            return most / power <= 6.0 ? power : step;
        }
    }
    return 10.0 * power;
}

static void draw_axis(FILE *to, const struct chart *c, double step, double top)
{
    const int width = chart_width(c);
    for (int i = 0; i * step <= top * 1.0001; i++) {
        double y = TOP + PLOT - PLOT * i * step / top;
        fprintf(to,
                "<line class=\"%s\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>"
                "<text class=\"u\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%g</text>",
                i ? "g" : "a", LEFT, width - RIGHT, y, y, LEFT - 8, y + 4.0, i * step);
    }
}

static void draw_bar(FILE *to, const struct chart *c, size_t g, size_t s, double top, double x)
{
    const struct bar *b = &c->bars[g][s];
    const double y = TOP + PLOT - PLOT * b->value / top;
    fputs("<g role=\"img\" tabindex=\"0\" aria-label=\"", to);
    markup_text(to, c->groups[g]);
    fputs(", ", to);
    markup_text(to, c->series[s]);
    fprintf(to, ": %.4g ", b->value);
    markup_text(to, c->unit);
    fputs(b->predicted ? " (prediction)\">" : "\">", to);
    fprintf(to, "<rect class=\"s%zu%s\" x=\"%.1f\" y=\"%.1f\" width=\"%d\" height=\"%.1f\"/>", s,
            b->predicted ? " p" : "", x + 2.0, y, BAR - 4, TOP + PLOT - y);
    if (b->high > b->low && b->high > 0.0) {
        fprintf(to, "<path class=\"e\" d=\"M%.1f %.1fV%.1f\"/>", x + BAR / 2.0,
                TOP + PLOT - PLOT * b->high / top, TOP + PLOT - PLOT * b->low / top);
    }
    fprintf(to, "<text class=\"n\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">", x + BAR / 2.0,
            fmin(y, TOP + PLOT - PLOT * b->high / top) - 4.0);
    fprintf(to, b->value < 99.95 ? "%.3g</text></g>\n" : "%.0f</text></g>\n", b->value);
}

/* The label in two lines, broken behind a comma. */
static void draw_label(FILE *to, const char *label, double x)
{
    const char *comma = strchr(label, ',');
    char head[64];
    snprintf(head, sizeof head, "%.*s", comma ? (int)(comma - label) : 63, label);
    fprintf(to, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">", x, TOP + PLOT + 18);
    markup_text(to, head);
    if (comma) {
        fprintf(to, "</text><text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">", x, TOP + PLOT + 34);
        markup_text(to, comma + 1 + strspn(comma + 1, " "));
    }
    fputs("</text>", to);
}

static void draw_legend(FILE *to, const struct chart *c)
{
    bool predicted = false;
    for (size_t s = 0; s < c->n_series; s++) {
        const int x = LEFT + LEGEND * (int)s;
        fprintf(to,
                "<rect class=\"s%zu\" x=\"%d\" y=\"40\" width=\"12\" height=\"12\"/>"
                "<text x=\"%d\" y=\"51\">",
                s, x, x + 18);
        markup_text(to, c->series[s]);
        fputs("</text>", to);
        for (size_t g = 0; g < c->n_groups; g++) {
            predicted = predicted || c->bars[g][s].predicted;
        }
    }
    fprintf(to, "<text class=\"u\" x=\"%d\" y=\"70\">", LEFT);
    markup_text(to, c->unit);
    fputs(predicted ? "; pale and dashed: a prediction, not measured</text>" : "</text>", to);
}

void chart_svg(FILE *to, const struct chart *c, int y)
{
    const int width = chart_width(c), height = chart_height(c);
    const double step = nice_step(largest(c)), top = step * ceil(largest(c) / step);
    fprintf(to,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" "
            "height=\"%d\" y=\"%d\" role=\"group\" aria-label=\"",
            width, height, width, height, y);
    markup_text(to, c->title);
    fprintf(to, "\"><rect class=\"paper\" width=\"%d\" height=\"%d\"/>", width, height);
    fprintf(to, "<text class=\"t\" x=\"%d\" y=\"24\">", LEFT);
    markup_text(to, c->title);
    fputs("</text>\n", to);
    draw_legend(to, c);
    draw_axis(to, c, step, top);
    for (size_t g = 0; g < c->n_groups; g++) {
        const double middle = LEFT + group_width(c) * ((double)g + 0.5);
        const double left = middle - BAR * (double)c->n_series / 2.0;
        for (size_t s = 0; s < c->n_series; s++) {
            if (c->bars[g][s].value > 0.0) {
                draw_bar(to, c, g, s, top, left + BAR * (double)s);
            }
        }
        draw_label(to, c->groups[g], middle);
    }
    fputs("</svg>\n", to);
}
