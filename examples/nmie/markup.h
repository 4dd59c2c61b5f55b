/* SPDX-License-Identifier: Apache-2.0 */
/* markup.h - HTML and SVG that need nothing beside themselves: text, the frame of a page, its
 * style. */
#ifndef NMIE_MARKUP_H
#define NMIE_MARKUP_H

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

/* An <svg> at height y of an outer one, or for a page (0). role and label: for those who listen.
 * The caller writes </svg>. */
void markup_svg(FILE *to, int width, int height, int y, const char *role, const char *label);
/* The same as a file of its own, with style and paper. */
void markup_svg_file(FILE *to, int width, int height, const char *label);

/* A table that scrolls in its own frame, up to its head's first <th>; its end. End tags of cells
 * and rows may be left out: HTML lets them be, and a page has thousands. */
void markup_table(FILE *to, const char *label);
void markup_table_end(FILE *to);
/* A cell after <tag>: text; a number, a dash for NAN. */
void markup_cell(FILE *to, const char *tag, const char *text);
void markup_cell_number(FILE *to, const char *format, double value);

/* The object "environment" as a paragraph; nothing when it is NULL. */
void markup_environment(FILE *to, const cJSON *environment);

#endif
