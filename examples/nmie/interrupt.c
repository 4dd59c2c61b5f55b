/* SPDX-License-Identifier: Apache-2.0 */
/* Signals that ask to stop. */
#include "examples/nmie/interrupt.h"

#include <signal.h>

static volatile sig_atomic_t came;

static void note(int number)
{
    came = number;
}

void interrupt_catch(void)
{
    /* poll returns all the same */
    struct sigaction action = {.sa_handler = note, .sa_flags = SA_RESTART | (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

int interrupt_status(void)
{
    return came ? 128 + came : 0;
}
