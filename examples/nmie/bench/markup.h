/* SPDX-License-Identifier: Apache-2.0 */
/* markup.h - HTML and SVG that need nothing beside themselves: text, the frame of a page, its
 * style. */
#ifndef NMIE_BENCH_MARKUP_H
#define NMIE_BENCH_MARKUP_H

#include <cjson/cJSON.h>
#include <stdio.h>

/* Text between tags and in attributes. */
void markup_text(FILE *to, const char *text);

/* A coordinate, to a tenth, in as few letters as it takes. */
void markup_number(FILE *to, double value);

/* Up to and with <main>, and from </main> on. */
void markup_begin(FILE *to, const char *title);
void markup_end(FILE *to);

/* The rules for charts, light and dark, for a <style>; colours are those of Okabe and Ito, which
 * people of all kinds of colour vision tell apart. Classes s0..s7 are series. */
enum { MARKUP_SERIES = 8 };
void markup_chart_style(FILE *to);

/* The object "environment" as a paragraph; nothing when it is NULL. */
void markup_environment(FILE *to, const cJSON *environment);

#endif
