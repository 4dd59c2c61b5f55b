/* SPDX-License-Identifier: Apache-2.0 */
/* Signals that ask to stop. */
#include "examples/nmie/interrupt.h"

#include <signal.h>
#include <time.h>

static volatile sig_atomic_t came;

/* Seconds in which a second signal is the first one again: timeout(1) sends it to a process and to its
 * group. */
#define SAME 1

static void note(int number)
{
    static struct timespec first;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (!came) {
        first = now;
        came = number;
    } else if (now.tv_sec - first.tv_sec > SAME) {
        signal(number, SIG_DFL);
        raise(number); /* comes when this handler is left */
    }
}

void interrupt_catch(void)
{
    struct sigaction action = {.sa_handler = note, .sa_flags = SA_RESTART}; /* poll returns anyway */
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGINT);
    sigaddset(&action.sa_mask, SIGTERM);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

int interrupt_status(void)
{
    return came ? 128 + came : 0;
}
