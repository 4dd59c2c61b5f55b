/* SPDX-License-Identifier: Apache-2.0 */
/* How the tool speaks of failures. */
#include "examples/nmie/nmie.h"

#include <stdio.h>

nm_status complain(nm_error *err, nm_status status, const char *format, ...)
{
    if (err) {
        va_list list;
        va_start(list, format);
        err->status = status;
        vsnprintf(err->message, sizeof err->message, format, list);
        va_end(list);
    }
    return status;
}

void say(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    fputs("nmie: ", stderr);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
    va_end(list);
}

int report(const nm_error *err)
{
    say("%s (%s)", err->message, nm_status_name(err->status));
    return EXIT_FAILED;
}

bool model_at_fault(nm_status status)
{
    return status == NM_EFORMAT || status == NM_EUNSUPPORTED || status == NM_ELIMIT ||
           status == NM_ESHAPE || status == NM_ETYPE;
}

int report_model(const nm_error *err)
{
    report(err);
    return model_at_fault(err->status) ? EXIT_REFUSED : EXIT_FAILED;
}

int usage(const struct command *command, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    fprintf(stderr, "nmie %s: ", command->name);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
    va_end(list);
    return usage_hint(command);
}

int usage_hint(const struct command *command)
{
    fprintf(stderr, "Try 'nmie help %s'.\n", command->name);
    return EXIT_USAGE;
}
