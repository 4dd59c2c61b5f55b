/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of the built program. */
#include "tests/nmie/tool.h"

#include "tests/support/scratch.h"

#include <check.h>
#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

char tool_out[1 << 20], tool_said[1 << 16];

/* The build folder is two above the tests. */
const char *tool_built(const char *name)
{
    static char path[PATH_MAX];
    char self[PATH_MAX] = "";
    if (readlink("/proc/self/exe", self, sizeof self - 1) < 0) {
        strcpy(self, "./test");
    }
    snprintf(path, sizeof path, "%.3900s/../../%.100s", dirname(self), name);
    return path;
}

static void read_all(FILE *f, char *text, size_t size)
{
    text[f ? fread(text, 1, size - 1, f) : 0] = '\0';
}

__attribute__((format(printf, 3, 0))) static void call(const char *before, int expected,
                                                       const char *format, va_list list)
{
    char arguments[4096], line[10000];
    vsnprintf(arguments, sizeof arguments, format, list);
    snprintf(line, sizeof line, "XDG_CACHE_HOME='%s' %s '%s' %s 2>'%s'", scratch_path("cache"),
             before, tool_built("nmie"), arguments, scratch_path("err"));
    memset(tool_out, 0, sizeof tool_out);
    FILE *f = popen(line, "r");
    ck_assert_ptr_nonnull(f);
    read_all(f, tool_out, sizeof tool_out);
    int status = pclose(f);
    f = fopen(scratch_path("err"), "r");
    read_all(f, tool_said, sizeof tool_said);
    if (f) {
        fclose(f);
    }
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == expected,
                  "wait status %d, expected %d: nmie %s\n%s", status, expected, arguments,
                  tool_said);
}

void tool_call_with(const char *before, int expected, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    call(before, expected, format, list);
    va_end(list);
}

void tool_call(int expected, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    call("", expected, format, list);
    va_end(list);
}

cJSON *tool_json(void)
{
    cJSON *top = cJSON_Parse(tool_out);
    ck_assert_msg(cJSON_IsObject(top), "not JSON: %.4000s", tool_out);
    return top;
}

double tool_number(const cJSON *object, const char *key)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, key);
    ck_assert_msg(cJSON_IsNumber(value), "no number %s in %.4000s", key, tool_out);
    return value->valuedouble;
}
