/* SPDX-License-Identifier: Apache-2.0 */
/* Timeline, roofline and bars of a profile. */
#include "examples/nmie/bench/layers.h"
#include "examples/nmie/markup.h"

#include <math.h>
#include <string.h>

enum { WIDTH = 1080, MOVING = 6 /* series of moving */ };
static const int series[] = {0, 1, 2}; /* of sparse, dense, other */

static void legend(FILE *to, int y)
{
    static const char *const names[] = {"sparse kernel", "dense kernel", "other", "moving data"};
    for (int i = 0; i < 4; i++) {
        fprintf(to,
                "<rect class=\"s%d\" x=\"%d\" y=\"%d\" width=\"12\" height=\"12\"/>"
                "<text x=\"%d\" y=\"%d\">%s</text>",
                i < 3 ? series[i] : MOVING, 8 + 150 * i, y, 26 + 150 * i, y + 11, names[i]);
    }
}

/* The opening of a mark that can be reached and read out; what it is. */
static void open_mark(FILE *to, const nm_layer_profile *layer, const char *what, double value,
                      const char *unit)
{
    fputs("<g role=\"img\" tabindex=\"0\" aria-label=\"", to);
    markup_text(to, *layer->node ? layer->node : layer->op);
    fprintf(to, ", %s: %.4g %s, ", what, value, unit);
    markup_text(to, layer->kernel);
    fputs("\"><title>", to);
    markup_text(to, *layer->node ? layer->node : layer->op);
    fprintf(to, ", %s: %.4g %s, ", what, value, unit);
    markup_text(to, layer->kernel);
    fputs("</title>", to);
}

/* Of medians: not the median of sums. */
static double sum_of_layers(const struct layers *l)
{
    double sum = 0.0;
    for (size_t i = 0; i < l->own.last->n_layers; i++) {
        sum += profile_ms(&l->own, i) + profile_moving_ms(&l->own, i);
    }
    return sum;
}

void layers_timeline(FILE *to, const struct layers *l)
{
    const double total = sum_of_layers(l), scale = (WIDTH - 16) / (total > 0 ? total : 1);
    double now = 0.0;
    markup_svg(to, WIDTH, 110, 0, "group", "timeline of one run");
    legend(to, 8);
    for (size_t i = 0; i < l->own.last->n_layers; i++) {
        const nm_layer_profile *layer = l->own.last->layers[i];
        const double parts[] = {profile_moving_ms(&l->own, i), profile_ms(&l->own, i)};
        for (int k = 0; k < 2; k++) {
            if (parts[k] > 0) {
                open_mark(to, layer, k ? "computing" : "moving data", parts[k], "ms");
                fprintf(to,
                        "<rect class=\"s%d\" style=\"stroke:var(--paper);stroke-width:.5\" "
                        "x=\"%.2f\" y=\"34\" width=\"%.2f\" height=\"40\"/></g>\n",
                        k ? series[layers_kind(layer)] : MOVING, 8 + now * scale, parts[k] * scale);
            }
            now += parts[k];
        }
    }
    for (int i = 0; i <= 4; i++) {
        fprintf(to, "<text class=\"u\" x=\"%.1f\" y=\"92\" text-anchor=\"%s\">%.3g ms</text>",
                8 + (WIDTH - 16) * i / 4.0,
                i == 0   ? "start"
                : i == 4 ? "end"
                         : "middle",
                total * i / 4);
    }
    fputs("</svg>\n", to);
}

/* ---- roofline -------------------------------------------------------------------------------- */

enum { ROOF_LEFT = 64, ROOF_TOP = 40, ROOF_WIDE = 960, ROOF_HIGH = 320 };

struct roof {
    double x0, x1, y0, y1; /* logarithms to base 10 */
};

static double at_x(const struct roof *r, double intensity)
{
    return ROOF_LEFT + ROOF_WIDE * (log10(intensity) - r->x0) / (r->x1 - r->x0);
}

static double at_y(const struct roof *r, double gflops)
{
    return ROOF_TOP + ROOF_HIGH * (1.0 - (log10(gflops) - r->y0) / (r->y1 - r->y0));
}

/* Flops a byte, and GFLOP/s at the median time; false: the layer computes no products. */
static bool point_of(const struct layers *l, size_t i, double *intensity, double *gflops)
{
    const nm_layer_profile *layer = l->own.last->layers[i];
    const double ms = profile_ms(&l->own, i);
    *intensity = layer->bytes > 0 ? 2.0 * layer->macs / layer->bytes : 0.0;
    *gflops = ms > 0 ? 2e-6 * layer->macs / ms : 0.0;
    return *intensity > 0.0 && *gflops > 0.0;
}

static struct roof frame_of(const struct layers *l, double peak)
{
    struct roof r = {0.0, 2.0, log10(peak > 0 ? peak : 1.0) - 2.0, log10(peak > 0 ? peak : 1.0)};
    double x, y;
    for (size_t i = 0; i < l->own.last->n_layers; i++) {
        if (point_of(l, i, &x, &y)) {
            r.x0 = fmin(r.x0, log10(x));
            r.x1 = fmax(r.x1, log10(x));
            r.y0 = fmin(r.y0, log10(y));
            r.y1 = fmax(r.y1, log10(y));
        }
    }
    r.x0 = floor(r.x0);
    r.x1 = ceil(r.x1);
    r.y0 = floor(r.y0);
    r.y1 = ceil(r.y1 + 0.05);
    return r;
}

static void roof_axes(FILE *to, const struct roof *r)
{
    for (double e = r->x0; e <= r->x1; e++) {
        const double x = at_x(r, pow(10.0, e));
        fprintf(to,
                "<line class=\"g\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>"
                "<text class=\"u\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%g</text>",
                x, x, ROOF_TOP, ROOF_TOP + ROOF_HIGH, x, ROOF_TOP + ROOF_HIGH + 18, pow(10.0, e));
    }
    for (double e = r->y0; e <= r->y1; e++) {
        const double y = at_y(r, pow(10.0, e));
        fprintf(to,
                "<line class=\"g\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>"
                "<text class=\"u\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%g</text>",
                ROOF_LEFT, ROOF_LEFT + ROOF_WIDE, y, y, ROOF_LEFT - 8, y + 4, pow(10.0, e));
    }
    fprintf(to,
            "<text class=\"u\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">flops on nonzeros for "
            "each byte of operands, result and packed weights</text>",
            ROOF_LEFT + ROOF_WIDE / 2, ROOF_TOP + ROOF_HIGH + 38);
}

/* The slope of the memory up to where it meets the cores' peak, and on at that. */
static void roof_lines(FILE *to, const struct roof *r, double peak, double bandwidth)
{
    const double low = pow(10.0, r->x0), high = pow(10.0, r->x1), gbs = 1e-9 * bandwidth;
    if (!(peak > 0.0) || !(gbs > 0.0)) {
        return;
    }
    const double knee = fmin(fmax(peak / gbs, low), high), start = pow(10.0, r->y0) / gbs;
    fprintf(to, "<path class=\"w\" fill=\"none\" d=\"M%.1f %.1fL%.1f %.1fH%.1f\"/>",
            at_x(r, fmax(low, start)), at_y(r, fmax(low, start) * gbs), at_x(r, knee),
            at_y(r, peak), at_x(r, high));
    fprintf(to,
            "<text class=\"u\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">cores: %.4g GFLOP/s; "
            "memory: %.3g GB/s</text>",
            ROOF_LEFT + ROOF_WIDE - 4, at_y(r, peak) - 6, peak, gbs);
}

void layers_roofline(FILE *to, const struct layers *l)
{
    const double peak = l->own.last->bound_gflops * l->own.last->threads;
    const struct roof r = frame_of(l, peak);
    const double total = sum_of_layers(l);
    markup_svg(to, WIDTH, ROOF_TOP + ROOF_HIGH + 56, 0, "group",
               "roofline: GFLOP/s of each layer by flops a byte");
    fputs("<text class=\"u\" x=\"8\" y=\"20\">GFLOP/s on nonzeros; area: share of the time; "
          "dashed: what the machine can do</text>",
          to);
    roof_axes(to, &r);
    roof_lines(to, &r, peak, l->bandwidth);
    for (size_t i = 0; i < l->own.last->n_layers; i++) {
        const nm_layer_profile *layer = l->own.last->layers[i];
        double x, y;
        if (point_of(l, i, &x, &y)) {
            open_mark(to, layer, "reaches", y, "GFLOP/s");
            fprintf(to,
                    "<circle class=\"s%d\" fill-opacity=\".6\" cx=\"%.1f\" cy=\"%.1f\" "
                    "r=\"%.1f\"/></g>\n",
                    series[layers_kind(layer)], at_x(&r, x), at_y(&r, y),
                    3.0 + 40.0 * sqrt(profile_ms(&l->own, i) / total / 10.0));
        }
    }
    fputs("</svg>\n", to);
}

/* ---- bars ------------------------------------------------------------------------------------ */

enum { BAR_LEFT = 330, BAR_ROW = 26, BAR_TOP = 40 };

static void draw_pair(FILE *to, const struct layers *l, size_t i, double scale, int y)
{
    const nm_layer_profile *layer = l->own.last->layers[i];
    const double ms = profile_ms(&l->own, i) + profile_moving_ms(&l->own, i);
    const double dense = layers_dense_ms(l, i);
    const char *name = *layer->node ? layer->node : layer->op;
    const size_t length = strlen(name);
    fprintf(to, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">", BAR_LEFT - 8, y + 15);
    markup_text(to, length > 44 ? name + length - 44 : name);
    fputs("</text>", to);
    open_mark(to, layer, "as it runs", ms, "ms");
    fprintf(to, "<rect class=\"s0\" x=\"%d\" y=\"%d\" width=\"%.2f\" height=\"10\"/></g>", BAR_LEFT,
            y + 1, ms * scale);
    if (dense > 0) {
        open_mark(to, layer, "by dense kernels", dense, "ms");
        fprintf(to, "<rect class=\"s1\" x=\"%d\" y=\"%d\" width=\"%.2f\" height=\"10\"/></g>",
                BAR_LEFT, y + 12, dense * scale);
    }
    fprintf(to, "<text class=\"n\" x=\"%.1f\" y=\"%d\">%.3g</text>\n",
            BAR_LEFT + fmax(ms, dense) * scale + 6, y + 15, ms);
}

/* Layers that take a thousandth of the run or more. */
void layers_bars(FILE *to, const struct layers *l)
{
    const double total = sum_of_layers(l);
    double most = 0.0;
    int rows = 0;
    for (size_t i = 0; i < l->own.last->n_layers; i++) {
        const double ms = profile_ms(&l->own, i) + profile_moving_ms(&l->own, i);
        most = fmax(most, fmax(ms, layers_dense_ms(l, i)));
        rows += ms >= 1e-3 * total;
    }
    const double scale = (WIDTH - BAR_LEFT - 60) / (most > 0 ? most : 1);
    markup_svg(to, WIDTH, BAR_TOP + BAR_ROW * rows, 0, "group", "time by layer");
    fprintf(to,
            "<rect class=\"s0\" x=\"%d\" y=\"10\" width=\"12\" height=\"12\"/><text x=\"%d\" "
            "y=\"21\">as it runs</text>",
            BAR_LEFT, BAR_LEFT + 18);
    if (l->dense.last) {
        fprintf(to,
                "<rect class=\"s1\" x=\"%d\" y=\"10\" width=\"12\" height=\"12\"/>"
                "<text x=\"%d\" y=\"21\">by dense kernels</text>",
                BAR_LEFT + 150, BAR_LEFT + 168);
    }
    int y = BAR_TOP;
    for (size_t i = 0; i < l->own.last->n_layers; i++) {
        if (profile_ms(&l->own, i) + profile_moving_ms(&l->own, i) >= 1e-3 * total) {
            draw_pair(to, l, i, scale, y);
            y += BAR_ROW;
        }
    }
    fputs("</svg>\n", to);
}
