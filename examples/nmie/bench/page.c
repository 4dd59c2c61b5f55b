/* SPDX-License-Identifier: Apache-2.0 */
/* HTML, SVG, CSV and text of a result. */
#include "examples/nmie/bench/page.h"

#include "examples/nmie/bench/panels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A number in few digits, or a dash. */
static const char *digits(double value, const char *format, char text[static 32])
{
    if (isnan(value)) {
        return "-";
    }
    snprintf(text, 32, format, value);
    return text;
}

static void cell_ms(FILE *to, double value)
{
    markup_cell_number(to, value < 100.0 ? "%.3f" : "%.1f", value);
}

static const char *interval(const struct row *r, char text[static 64])
{
    snprintf(text, 64, "-");
    if (!isnan(r->ratio)) {
        snprintf(text, 64, "%.2f (%.2f-%.2f)", r->ratio, r->low, r->high);
    }
    return text;
}

static void table_row(FILE *to, const struct row *r)
{
    char text[64];
    markup_cell(to, "th", r->engine);
    markup_cell_number(to, "%.4g", r->rate);
    markup_cell(to, "td", interval(r, text));
    cell_ms(to, r->ms);
    cell_ms(to, r->p90);
    cell_ms(to, r->p99);
    markup_cell_number(to, "%.1f", 100.0 * r->spread);
    markup_cell_number(to, r->agrees ? "%.0e" : "! %.0e", r->error);
    markup_cell_number(to, "%.2f", r->load_seconds + r->plan_seconds);
    markup_cell_number(to, "%.0f", r->peak_mib);
    fputc('\n', to);
}

/* The engines of one case, whose name stands once. */
static void table_case(FILE *to, const struct row *const *shown, size_t n)
{
    char text[96];
    fprintf(to, "<tbody><tr%s><th scope=\"rowgroup\" rowspan=\"%zu\">",
            shown[0]->agrees ? "" : " class=\"bad\"", n);
    markup_text(to, row_zeros_batch(shown[0], text));
    for (size_t i = 0; i < n; i++) {
        fputs(i == 0 ? "" : shown[i]->agrees ? "<tr>" : "<tr class=\"bad\">", to);
        table_row(to, shown[i]);
    }
}

static void table(FILE *to, const struct row *const *shown, size_t n, const char *name)
{
    const char *baseline = NULL;
    for (size_t i = 0; i < n && !baseline; i++) {
        baseline = shown[i]->baseline;
    }
    markup_table(to, name);
    fputs("<th>case<th class=\"l\">engine<th>items/s<th>relative", to);
    if (baseline) {
        fputs(" to ", to);
        markup_text(to, baseline);
    }
    fputs("<th>median ms<th>p90<th>p99<th>spread %<th>error<th>load + plan s<th>MiB</thead>\n", to);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && row_same_case(shown[i], shown[end]); end++) {
        }
        table_case(to, &shown[i], end - i);
    }
    markup_table_end(to);
}

/* A sentence for each noisy case. */
static void noise(FILE *to, const struct rows *rows)
{
    size_t noisy = 0;
    double steal = 0.0, other = 0.0, drift = 0.0;
    for (size_t i = 0; i < rows->n; i++) {
        const cJSON *n = cJSON_GetObjectItemCaseSensitive(rows->at[i].json, "noise");
        if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(n, "noisy"))) {
            noisy++;
            steal = fmax(steal, json_number(n, "steal"));
            other = fmax(other, json_number(n, "other"));
            drift = fmax(drift, json_number(n, "drift"));
        }
    }
    if (noisy) {
        fprintf(
            to,
            "<p><strong>The machine was noisy</strong> in %zu of %zu rows: up to %.1f %% of the "
            "time was stolen by the hypervisor, other programs took up to %.1f %%, the clock "
            "drifted by up to %.1f %%. Trust relative speeds before times.</p>\n",
            noisy, rows->n, 100.0 * steal, 100.0 * other, 100.0 * drift);
    }
}

static bool same_but_cores(const struct row *a, const struct row *b)
{
    struct row same = *b;
    same.threads = a->threads;
    return row_same_case(a, &same) && strcmp(a->engine, b->engine) == 0;
}

/* The predictions of one case. */
static void prediction_case(FILE *to, const struct row *p, size_t n)
{
    char text[96];
    fprintf(to, "<tbody><tr><th scope=\"rowgroup\" rowspan=\"%zu\">", n);
    markup_text(to, row_model(p, text));
    fputs(", ", to);
    markup_text(to, row_zeros_batch(p, text));
    fputs(", ", to);
    markup_text(to, p->engine);
    for (size_t i = 0; i < n; i++) {
        fprintf(to, "%s<th>%d", i ? "<tr>" : "", (int)p[i].threads);
        cell_ms(to, p[i].ms);
        markup_cell_number(to, "%.4g", p[i].rate);
        cell_ms(to, json_number(p[i].json, "measured_ms"));
        markup_cell_number(to, "%+.1f %%", 100.0 * json_number(p[i].json, "off"));
        fputc('\n', to);
    }
}

/* "1 of these was measured too", and how far off it is. */
static void prediction_error(FILE *to, const struct rows *rows)
{
    const cJSON *e = cJSON_GetObjectItemCaseSensitive(rows->document, "prediction_error");
    const double n = json_number(e, "measured");
    if (n > 0.0) {
        fprintf(to,
                "%.0f measured too: predictions are off by %.1f %% in the mean, %.1f %% at most.",
                n, 100.0 * json_number(e, "mean"), 100.0 * json_number(e, "largest"));
    } else {
        fputs("None was measured here too: how far off they are is not known.", to);
    }
}

static void prediction_table(FILE *to, const struct rows *rows)
{
    size_t n;
    struct row *p = panels_predictions(rows, &n);
    if (p && n) {
        fputs(
            "<h2>Predictions</h2><p class=\"soft\">Not measured: a model from the layers of a run "
            "on one thread, the memory's bandwidth and the cores' distance. Where so many cores "
            "could be measured, that time and how far off the prediction is stand beside "
            "it. ",
            to);
        prediction_error(to, rows);
        fputs("</p>\n", to);
        markup_table(to, "predictions");
        fputs("<th>case<th class=\"l\">cores<th>predicted ms<th>predicted items/s<th>measured ms"
              "<th>off</thead>\n",
              to);
    }
    for (size_t i = 0, end; p && i < n; i = end) {
        for (end = i + 1; end < n && same_but_cores(&p[i], &p[end]); end++) {
        }
        prediction_case(to, &p[i], end - i);
    }
    if (p && n) {
        markup_table_end(to);
    }
    free(p);
}

/* Calls for each chart with the rows it shows. */
struct drawing {
    FILE *to;
    int y, width, number;
};

static void each_panel(const struct rows *rows, struct drawing *d,
                       void (*draw)(struct drawing *d, const struct chart *c,
                                    const struct row *const *shown, size_t n))
{
    struct chart *c = calloc(1, sizeof *c);
    const struct row **shown = calloc(rows->n + 1, sizeof *shown);
    size_t n;
    for (size_t i = 0; c && shown && panels_at(rows, i, c, shown, &n); i++) {
        draw(d, c, shown, n);
    }
    free(c);
    free(shown);
}

static void draw_link(struct drawing *d, const struct chart *c, const struct row *const *shown,
                      size_t n)
{
    (void)shown;
    (void)n;
    fprintf(d->to, "<a href=\"#c%d\">", d->number++);
    markup_text(d->to, c->title);
    fputs("</a> ", d->to);
}

static void draw_section(struct drawing *d, const struct chart *c, const struct row *const *shown,
                         size_t n)
{
    fprintf(d->to, "<section><h2 id=\"c%d\">", d->number);
    markup_text(d->to, c->title);
    fputs("</h2><figure tabindex=\"0\">\n", d->to);
    chart_svg(d->to, c, 0);
    fputs("</figure>\n", d->to);
    if (n) {
        table(d->to, shown, n, c->title);
    }
    fputs("</section>\n", d->to);
    d->number++;
}

void page_html(FILE *to, const void *context)
{
    const struct rows *rows = context;
    struct drawing links = {.to = to}, d = {.to = to};
    markup_begin(to, "Inference speed");
    markup_environment(to, cJSON_GetObjectItemCaseSensitive(rows->document, "environment"));
    noise(to, rows);
    fputs("<nav aria-label=\"Charts\">", to);
    each_panel(rows, &links, draw_link);
    fputs(
        "</nav>\n<p class=\"soft\">Relative speed is the median over the rounds, formed round by "
        "round, and its interval; ms are of one run; spread is that of the rounds' medians; error "
        "is the largest difference from the first engine's outputs, relative to the largest "
        "output, and has a ! where it is larger than float32 explains.</p>\n",
        to);
    each_panel(rows, &d, draw_section);
    prediction_table(to, rows);
    markup_end(to);
}

static void measure(struct drawing *d, const struct chart *c, const struct row *const *shown,
                    size_t n)
{
    (void)shown;
    (void)n;
    d->y += chart_height(c);
    d->width = chart_width(c) > d->width ? chart_width(c) : d->width;
}

static void draw(struct drawing *d, const struct chart *c, const struct row *const *shown, size_t n)
{
    (void)shown;
    (void)n;
    chart_svg(d->to, c, d->y);
    d->y += chart_height(c);
}

void page_svg(FILE *to, const void *context)
{
    const struct rows *rows = context;
    struct drawing d = {.to = to};
    each_panel(rows, &d, measure);
    markup_svg_file(to, d.width, d.y, "inference speed");
    d.y = 0;
    each_panel(rows, &d, draw);
    fputs("</svg>\n", to);
}

/* In quotes where it has to be. */
static void csv_text(FILE *to, const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, to);
        return;
    }
    fputc('"', to);
    for (; *text; text++) {
        fputs(*text == '"' ? "\"\"" : (char[]){*text, '\0'}, to);
    }
    fputc('"', to);
}

void page_csv(FILE *to, const void *context)
{
    const struct rows *rows = context;
    fputs("model,sparsity,batch,threads,engine,precision,items_per_second,ms,p90_ms,p99_ms,best_ms,"
          "spread,ratio,ratio_low,ratio_high,baseline,error,load_seconds,plan_seconds,"
          "peak_rss_mib,profile\r\n",
          to);
    for (size_t i = 0; i < rows->n; i++) {
        const struct row *r = &rows->at[i];
        const double numbers[] = {r->rate,   r->ms,    r->p90, r->p99, r->best,
                                  r->spread, r->ratio, r->low, r->high};
        const double more[] = {r->error, r->load_seconds, r->plan_seconds, r->peak_mib};
        csv_text(to, r->model);
        fprintf(to, ",%g,%lld,%d,", r->sparsity, (long long)r->batch, (int)r->threads);
        csv_text(to, r->engine);
        fprintf(to, ",%s", r->precision);
        for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++) {
            fprintf(to, isnan(numbers[k]) ? "," : ",%.6g", numbers[k]);
        }
        fprintf(to, ",%s", r->baseline ? r->baseline : "");
        for (size_t k = 0; k < sizeof more / sizeof *more; k++) {
            fprintf(to, isnan(more[k]) ? "," : ",%.6g", more[k]);
        }
        fputc(',', to);
        csv_text(to, r->profile ? r->profile : "");
        fputs("\r\n", to);
    }
}

void page_predictions(FILE *to, const struct rows *rows)
{
    size_t n;
    struct row *p = panels_predictions(rows, &n);
    const cJSON *m = cJSON_GetObjectItemCaseSensitive(rows->document, "machine");
    fprintf(to,
            "\npredictions, not measured (one core reads %.1f GB/s, contention %.3f, handover "
            "%.2f us)\n%-20s %-36s %-12s %12s %12s %12s %8s\n",
            json_number(m, "bandwidth_gbs"), json_number(m, "contention"),
            json_number(m, "handover_us"), "model", "case", "engine", "predicted ms", "predicted/s",
            "measured ms", "off");
    for (size_t i = 0; p && i < n; i++) {
        char model[64], text[96], ms[32], off[32];
        fprintf(to, "%-20s %-36s %-12s %12.3f %12.2f %12s %8s\n", row_model(&p[i], model),
                row_case(&p[i], text), p[i].engine, p[i].ms, p[i].rate,
                digits(json_number(p[i].json, "measured_ms"), "%.3f", ms),
                digits(100.0 * json_number(p[i].json, "off"), "%+.1f %%", off));
    }
    prediction_error(to, rows);
    fputc('\n', to);
    free(p);
}
