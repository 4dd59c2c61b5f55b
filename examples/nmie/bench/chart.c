/* SPDX-License-Identifier: Apache-2.0 */
/* Bars. */
#include "examples/nmie/bench/chart.h"

#include <math.h>
#include <string.h>

enum {
    LEFT = 64,
    RIGHT = 16,
    TOP = 84,
    BOTTOM = 64,
    PLOT = 220,
    BAR = 32,
    GAP = 30,
    LEGEND = 150,
    LETTER = 7
};

struct bar *chart_bar(struct chart *c, const char *group, const char *series)
{
    size_t g = 0, s = 0;
    while (g < c->n_groups && strncmp(c->groups[g], group, sizeof c->groups[g] - 1) != 0) {
        g++;
    }
    while (s < c->n_series && strncmp(c->series[s], series, sizeof c->series[s] - 1) != 0) {
        s++;
    }
    if (g == CHART_GROUPS || s == CHART_SERIES) {
        c->left_out++;
        return NULL;
    }
    if (g == c->n_groups) {
        snprintf(c->groups[c->n_groups++], sizeof c->groups[g], "%s", group);
    }
    if (s == c->n_series) {
        snprintf(c->series[c->n_series++], sizeof c->series[s], "%s", series);
    }
    return &c->bars[g][s];
}

/* Of a label's longer line, in letters. */
static int label_length(const char *label)
{
    const int head = (int)strcspn(label, ","), rest = (int)strlen(label) - head - 2;
    return head > rest ? head : rest;
}

static int group_width(const struct chart *c)
{
    int width = BAR * (int)c->n_series > 90 ? BAR * (int)c->n_series : 90;
    for (size_t g = 0; g < c->n_groups; g++) {
        const int letters = LETTER * label_length(c->groups[g]);
        width = letters > width ? letters : width;
    }
    return width + GAP;
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
                "<path class=\"%s\" d=\"M%d %.1fH%d\"/>"
                "<text class=\"u r\" x=\"%d\" y=\"%.1f\">%g</text>",
                i ? "g" : "a", LEFT, y, width - RIGHT, LEFT - 8, y + 4.0, i * step);
    }
}

static double middle(const struct chart *c, size_t g)
{
    return LEFT + group_width(c) * ((double)g + 0.5);
}

/* From the middle of a group to that of a bar. */
static double bar_x(const struct chart *c, size_t s)
{
    return BAR * ((double)s + 0.5 - (double)c->n_series / 2.0);
}

static double height(double value, double top)
{
    return PLOT * value / top;
}

/* All bars of a series in one path: a page has hundreds. */
static void draw_series(FILE *to, const struct chart *c, size_t s, bool predicted, double top)
{
    bool any = false;
    for (size_t g = 0; g < c->n_groups; g++) {
        const struct bar *b = &c->bars[g][s];
        if (b->value > 0.0 && b->predicted == predicted) {
            if (!any) {
                fprintf(to, "<path class=\"s%zu%s\" d=\"", s, predicted ? " p" : "");
            }
            fprintf(to, "M%.0f %dv", middle(c, g) + bar_x(c, s) - BAR / 2.0 + 2.0, TOP + PLOT);
            markup_number(to, -height(b->value, top));
            fprintf(to, "h%dV%d", BAR - 4, TOP + PLOT);
            any = true;
        }
    }
    fputs(any ? "\"/>\n" : "", to);
}

static void draw_intervals(FILE *to, const struct chart *c, double top)
{
    fputs("<path class=\"e\" d=\"", to);
    for (size_t g = 0; g < c->n_groups; g++) {
        for (size_t s = 0; s < c->n_series; s++) {
            const struct bar *b = &c->bars[g][s];
            if (b->high > b->low && b->high > 0.0) {
                fprintf(to, "M%.0f ", middle(c, g) + bar_x(c, s));
                markup_number(to, TOP + PLOT - height(b->high, top));
                fputc('v', to);
                markup_number(to, height(b->high - b->low, top));
            }
        }
    }
    fputs("\"/>\n", to);
}

/* The label in two lines, broken behind a comma. */
static void draw_label(FILE *to, const char *label)
{
    const char *comma = strchr(label, ',');
    char head[96];
    snprintf(head, sizeof head, "%.*s", comma ? (int)(comma - label) : 95, label);
    fputs("<text class=\"m\" y=\"18\">", to);
    markup_text(to, head);
    if (comma) {
        fputs("</text><text class=\"m\" y=\"34\">", to);
        markup_text(to, comma + 1 + strspn(comma + 1, " "));
    }
    fputs("</text>", to);
}

/* "batch 1: libnm 100, onnxruntime 20" */
static void tell_group(FILE *to, const struct chart *c, size_t g)
{
    const char *before = ": ";
    markup_text(to, c->groups[g]);
    for (size_t s = 0; s < c->n_series; s++) {
        if (c->bars[g][s].value > 0.0) {
            fputs(before, to);
            markup_text(to, c->series[s]);
            fprintf(to, " %.4g", c->bars[g][s].value);
            before = ", ";
        }
    }
}

/* The words of a group; all of it is read out at once. */
static void draw_words(FILE *to, const struct chart *c, size_t g, double top)
{
    fprintf(to,
            "<g class=\"v\" transform=\"translate(%.0f %d)\" role=\"img\" tabindex=\"0\" "
            "aria-label=\"",
            middle(c, g), TOP + PLOT);
    tell_group(to, c, g);
    fputs("\">", to);
    for (size_t s = 0; s < c->n_series; s++) {
        const struct bar *b = &c->bars[g][s];
        if (b->value > 0.0) {
            fprintf(to, "<text x=\"%.0f\" y=\"%.0f\">", bar_x(c, s),
                    -height(fmax(b->value, b->high), top) - 4.0);
            fprintf(to, b->value < 99.95 ? "%.3g</text>" : "%.0f</text>", b->value);
        }
    }
    draw_label(to, c->groups[g]);
    fputs("</g>\n", to);
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
    fputs(predicted ? "; pale and dashed: a prediction, not measured" : "", to);
    if (c->left_out) {
        fprintf(to, "; %zu more have no room here", c->left_out);
    }
    fputs("</text>", to);
}

void chart_svg(FILE *to, const struct chart *c, int y)
{
    const int width = chart_width(c), height = chart_height(c);
    const double step = nice_step(largest(c)), top = step * ceil(largest(c) / step);
    char label[sizeof c->title + sizeof c->unit + 2];
    snprintf(label, sizeof label, "%s, %s", c->title, c->unit);
    markup_svg(to, width, height, y, "group", label);
    fprintf(to, "<rect class=\"paper\" width=\"%d\" height=\"%d\"/>", width, height);
    fprintf(to, "<text class=\"t\" x=\"%d\" y=\"24\">", LEFT);
    markup_text(to, c->title);
    fputs("</text>\n", to);
    draw_legend(to, c);
    draw_axis(to, c, step, top);
    for (size_t s = 0; s < c->n_series; s++) {
        draw_series(to, c, s, false, top);
        draw_series(to, c, s, true, top);
    }
    draw_intervals(to, c, top);
    for (size_t g = 0; g < c->n_groups; g++) {
        draw_words(to, c, g, top);
    }
    fputs("</svg>\n", to);
}
