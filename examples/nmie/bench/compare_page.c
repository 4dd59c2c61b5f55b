/* SPDX-License-Identifier: Apache-2.0 */
/* Ratios of two results, drawn: a dot and its rounds for each case, with lines at 5 and 7 %. */
#include "examples/nmie/bench/compare.h"

#include "examples/nmie/markup.h"

#include <math.h>

enum { LABELS = 400, PLOT = 480, RIGHT = 70, TOP = 76, ROW = 22, BOTTOM = 20 };

struct scale {
    double low, high;
};

/* From the smallest to the largest of ratios and rounds, with room for the lines. */
static struct scale scale_of(const struct comparison *c)
{
    struct scale s = {1.0 - 2.0 * COMPARE_FAR, 1.0 + 2.0 * COMPARE_FAR};
    for (size_t i = 0; i < c->n; i++) {
        s.low = fmin(s.low, c->pairs[i].low - 0.02);
        s.high = fmax(s.high, c->pairs[i].high + 0.02);
    }
    return s;
}

static double place(const struct scale *s, double ratio)
{
    return LABELS + PLOT * (ratio - s->low) / (s->high - s->low);
}

/* Labels of the two sides stand at different heights, for they are close. */
static void line_at(FILE *to, const struct scale *s, double ratio, const char *class_, int y,
                    int bottom)
{
    const double x = place(s, ratio);
    fprintf(to,
            "<line class=\"%s\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>"
            "<text class=\"u\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.2f</text>",
            class_, x, x, y + 4, bottom, x, y, ratio);
}

static void draw_pair(FILE *to, const struct pair *p, const struct scale *s, int y)
{
    char model[64], text[96];
    fprintf(to, "<text x=\"8\" y=\"%d\">", y + 4);
    markup_text(to, row_model(p->a, model));
    fputs(", ", to);
    markup_text(to, row_case(p->a, text));
    fputs(", ", to);
    markup_text(to, p->a->engine);
    fputs("</text><g role=\"img\" tabindex=\"0\" aria-label=\"", to);
    markup_text(to, model);
    fputs(", ", to);
    markup_text(to, text);
    fputs(", ", to);
    markup_text(to, p->a->engine);
    fprintf(to,
            ": %.3f, %s\"><path class=\"e\" d=\"M%.1f %dH%.1f\"/><circle class=\"s0\" cx=\"%.1f\" "
            "cy=\"%d\" r=\"5\"/><text class=\"n\" x=\"%d\" y=\"%d\">%.3f</text></g>\n",
            p->ratio, compare_verdict(p->ratio), place(s, p->low), y, place(s, p->high),
            place(s, p->ratio), y, LABELS + PLOT + 10, y + 4, p->ratio);
}

static void draw(FILE *to, const struct comparison *c, bool alone)
{
    const struct scale s = scale_of(c);
    const int width = LABELS + PLOT + RIGHT, bottom = TOP + ROW * (int)c->n;
    const char *label = "speed of A relative to B, case by case";
    if (alone) {
        markup_svg_file(to, width, bottom + BOTTOM, label);
    } else {
        markup_svg(to, width, bottom + BOTTOM, 0, "group", label);
    }
    fputs("<text class=\"t\" x=\"8\" y=\"24\">", to);
    markup_text(to, c->a_name);
    fputs(" / ", to);
    markup_text(to, c->b_name);
    fputs("</text><text class=\"u\" x=\"8\" y=\"42\">speed of A relative to B; dashed: 5 and 7 %; "
          "thin: rounds</text>\n",
          to);
    line_at(to, &s, 1.0, "a", 52, bottom);
    line_at(to, &s, 1.0 - COMPARE_NEAR, "w", 64, bottom);
    line_at(to, &s, 1.0 + COMPARE_NEAR, "w", 64, bottom);
    line_at(to, &s, 1.0 - COMPARE_FAR, "w", 52, bottom);
    line_at(to, &s, 1.0 + COMPARE_FAR, "w", 52, bottom);
    for (size_t i = 0; i < c->n; i++) {
        draw_pair(to, &c->pairs[i], &s, TOP + ROW * (int)i + ROW / 2);
    }
    fputs("</svg>\n", to);
}

void compare_svg(FILE *to, const struct comparison *c)
{
    draw(to, c, true);
}

static void table_row(FILE *to, const struct pair *p)
{
    char model[64], text[96];
    fputs("<tr>", to);
    markup_cell(to, "th", row_model(p->a, model));
    markup_cell(to, "th", row_case(p->a, text));
    markup_cell(to, "th", p->a->engine);
    fprintf(to, "<td>%.4g<td>%.4g<td>%.3f<td>%.3f-%.3f<td class=\"l\">%s\n", p->a->rate, p->b->rate,
            p->ratio, p->low, p->high, compare_verdict(p->ratio));
}

void compare_html(FILE *to, const struct comparison *c)
{
    markup_begin(to, "Two results compared");
    fputs("<h2>A: ", to);
    markup_text(to, c->a_name);
    fputs("</h2>", to);
    markup_environment(to, cJSON_GetObjectItemCaseSensitive(c->a->document, "environment"));
    fputs("<h2>B: ", to);
    markup_text(to, c->b_name);
    fputs("</h2>", to);
    markup_environment(to, cJSON_GetObjectItemCaseSensitive(c->b->document, "environment"));
    fprintf(to,
            "<p>%zu cases: geometric mean of A / B %.3f; %zu within 5 %%, %zu within 7 %%.</p>"
            "<figure tabindex=\"0\">\n",
            c->n, c->mean, c->near, c->far);
    draw(to, c, false);
    fputs("</figure>", to);
    markup_table(to, "cases");
    fputs("<th>model<th class=\"l\">case<th class=\"l\">engine<th>A items/s<th>B items/s<th>A / B"
          "<th>rounds<th class=\"l\">verdict</thead><tbody>\n",
          to);
    for (size_t i = 0; i < c->n; i++) {
        table_row(to, &c->pairs[i]);
    }
    markup_table_end(to);
    markup_end(to);
}
