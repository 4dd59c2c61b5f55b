/* SPDX-License-Identifier: Apache-2.0 */
/* interrupt.h - Ctrl-C asks a long job to stop at its next step; another some seconds later ends it at
 * once. */
#ifndef NMIE_INTERRUPT_H
#define NMIE_INTERRUPT_H

/* From now on SIGINT and SIGTERM ask first. */
void interrupt_catch(void);

/* The exit status that a shell expects, 128 + signal, once one has come; else 0. */
int interrupt_status(void);

#endif
