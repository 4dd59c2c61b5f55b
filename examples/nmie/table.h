/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table.h - a JSON text as something to read: the scalars of the top object as "key: value" lines,
 * each array of objects as a table. Long cells are cut and end in "...".
 */
#ifndef NMIE_TABLE_H
#define NMIE_TABLE_H

#include <stdio.h>

#include <nm/nm.h>

nm_status table_print(FILE *out, const char *json, nm_error *err);

#endif
