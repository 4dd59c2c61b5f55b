/* SPDX-License-Identifier: Apache-2.0 */
/* tool.h - nmie as a program: called with arguments, its output and exit status looked at. */
#ifndef NM_NMIE_TOOL_H
#define NM_NMIE_TOOL_H

#include <cjson/cJSON.h>

/* What the last call printed, cut at 1 MiB; what it said on stderr, cut at 64 KiB. */
extern char tool_out[1 << 20], tool_said[1 << 16];

/* Fails, with what nmie said, unless nmie with these arguments returns this exit status. `before`
 * (assignments of environment variables for the shell) may be "". */
void tool_call_with(const char *before, int expected, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void tool_call(int expected, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* tool_out as a JSON object, freed by cJSON_Delete; a number of one. Fail the test on trouble. */
cJSON *tool_json(void);
double tool_number(const cJSON *object, const char *key);

/* A file of the build folder, where the program is. Valid until the next call. */
const char *tool_built(const char *name);

#endif
