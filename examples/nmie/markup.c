/* SPDX-License-Identifier: Apache-2.0 */
/* The frame of all pages. */
#include "examples/nmie/markup.h"

#include <math.h>

void markup_text(FILE *to, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '<':
            fputs("&lt;", to);
            break;
        case '>':
            fputs("&gt;", to);
            break;
        case '&':
            fputs("&amp;", to);
            break;
        case '"':
            fputs("&quot;", to);
            break;
        default:
            fputc((unsigned char)*text < 0x20 ? ' ' : *text, to);
        }
    }
}

void markup_number(FILE *to, double value)
{
    const double tenths = round(10.0 * value);
    fprintf(to, fmod(tenths, 10.0) == 0.0 ? "%.0f" : "%.1f", tenths / 10.0 + 0.0); /* no -0 */
}

static const char light[] = "--ink:#1b1f24;--soft:#59636e;--line:#d1d9e0;--paper:#fff;"
                            "--s0:#0072b2;--s1:#e69f00;--s2:#009e73;--s3:#cc79a7;"
                            "--s4:#56b4e9;--s5:#d55e00;--s6:#8c959f;--s7:#b5a800";
static const char dark[] = "--ink:#f0f3f6;--soft:#a8b1bb;--line:#3d444d;--paper:#151b23;"
                           "--s0:#4aa8e8;--s1:#f0b429;--s2:#2cc295;--s3:#e29cc4;"
                           "--s4:#8fd0f5;--s5:#ff8748;--s6:#9aa3ad;--s7:#f0e442";

void markup_chart_style(FILE *to)
{
    fprintf(to, ":root{color-scheme:light dark;%s}\n", light);
    fprintf(to, "@media(prefers-color-scheme:dark){:root{%s}}\n", dark);
    fputs("svg text{font:12px system-ui,sans-serif;fill:var(--ink)}"
          "svg text.t{font-size:15px;font-weight:600}svg text.n,svg .v text{font-size:10px}"
          "svg .v text{text-anchor:middle}svg .v .m{font-size:12px}svg text.r{text-anchor:end}"
          "svg text.u{fill:var(--soft);font-size:11px}"
          "svg .g{stroke:var(--line);stroke-width:1}svg .a{stroke:var(--soft);stroke-width:1}"
          "svg .e{stroke:var(--ink);stroke-width:1;opacity:.6}svg .paper{fill:var(--paper)}"
          "svg .w{stroke:var(--s5);stroke-dasharray:5 3}"
          "svg .p{fill-opacity:.25;stroke-dasharray:4 2;stroke-width:1.5}"
          "svg [tabindex]:focus{outline:2px solid var(--ink);outline-offset:1px}\n",
          to);
    for (int i = 0; i < MARKUP_SERIES; i++) {
        fprintf(to, "svg .s%d{fill:var(--s%d);stroke:var(--s%d)}", i, i, i);
    }
    fputc('\n', to);
}

void markup_begin(FILE *to, const char *title)
{
    fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
          "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
          "<link rel=\"icon\" href=\"data:,\"><title>",
          to);
    markup_text(to, title);
    fputs("</title><style>\n", to);
    markup_chart_style(to);
    fputs(
        "body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);"
        "max-width:1180px;margin:0 auto;padding:1rem}"
        "h1{font-size:1.5rem}h2{font-size:1.2rem;margin-top:2.5rem}"
        "caption{max-width:60rem}p.soft,caption{color:var(--soft);font-size:.9rem;text-align:left}"
        "figure{margin:1rem 0;overflow-x:auto}.scroll{overflow-x:auto}"
        "table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums}"
        "th,td{padding:.2rem .5rem;border-bottom:1px solid var(--line);text-align:right;"
        "white-space:nowrap}th:first-child,td.l,th.l,tbody th{text-align:left}"
        "tbody th{font-weight:400;vertical-align:top}nav a{margin-right:1rem;white-space:nowrap}"
        "tr.bad td,tr.bad th:not([rowspan]){color:var(--s5);font-weight:600}"
        "a{color:var(--s0)}.skip{position:absolute;left:-999px}.skip:focus{position:static}\n"
        "</style></head>\n<body><a class=\"skip\" href=\"#main\">Skip to the results</a>"
        "<main id=\"main\"><h1>",
        to);
    markup_text(to, title);
    fputs("</h1>\n", to);
}

void markup_end(FILE *to)
{
    fputs("</main></body></html>\n", to);
}

void markup_svg(FILE *to, int width, int height, int y, const char *role, const char *label)
{
    fprintf(to,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" "
            "height=\"%d\"",
            width, height, width, height);
    if (y > 0) {
        fprintf(to, " y=\"%d\"", y);
    }
    fprintf(to, " role=\"%s\" aria-label=\"", role);
    markup_text(to, label);
    fputs("\">", to);
}

void markup_svg_file(FILE *to, int width, int height, const char *label)
{
    markup_svg(to, width, height, 0, "group", label);
    fputs("<style>\n", to);
    markup_chart_style(to);
    fprintf(to, "</style><rect class=\"paper\" width=\"%d\" height=\"%d\"/>\n", width, height);
}

void markup_table(FILE *to, const char *label)
{
    fputs("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"", to);
    markup_text(to, label);
    fputs("\"><table><thead><tr>", to);
}

void markup_table_end(FILE *to)
{
    fputs("</table></div>\n", to);
}

void markup_cell(FILE *to, const char *tag, const char *text)
{
    fprintf(to, "<%s>", tag);
    markup_text(to, text);
}

void markup_cell_number(FILE *to, const char *format, double value)
{
    fputs("<td>", to);
    if (isnan(value)) {
        fputc('-', to);
    } else {
        fprintf(to, format, value);
    }
}

static void tell(FILE *to, const cJSON *environment, const char *key, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(environment, key);
    if (cJSON_IsString(item) || cJSON_IsNumber(item) || cJSON_IsBool(item)) {
        fprintf(to, "%s ", name);
        if (cJSON_IsString(item)) {
            markup_text(to, item->valuestring);
        } else if (cJSON_IsNumber(item)) {
            fprintf(to, "%g", item->valuedouble);
        } else {
            fputs(cJSON_IsTrue(item) ? "on" : "off", to);
        }
        fputs("; ", to);
    }
}

void markup_environment(FILE *to, const cJSON *environment)
{
    static const char *const keys[][2] = {{"cpu", ""},
                                          {"isa", "instruction set"},
                                          {"cores_allowed", "cores"},
                                          {"cgroup_cpus", "CPU quota"},
                                          {"smt", "SMT"},
                                          {"governor", "governor"},
                                          {"hypervisor", "hypervisor"},
                                          {"memory_mib", "MiB"},
                                          {"kernel", "Linux"},
                                          {"libnm", "libnm"},
                                          {"onednn", "oneDNN"},
                                          {"date", "on"}};
    if (environment) {
        fputs("<p class=\"soft\">", to);
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
            tell(to, environment, keys[i][0], keys[i][1]);
        }
        fputs("</p>\n", to);
    }
}
