/* SPDX-License-Identifier: Apache-2.0 */
/* calibration.h - data sets as the library wants them, and what to call them in a model's history. */
#ifndef NMIE_CALIBRATION_H
#define NMIE_CALIBRATION_H

#include "examples/nmie/data/dataset.h"
#include "examples/nmie/data/sha256.h"

/* The data set as nm_data; it must stay open. */
nm_data calibration_data(struct dataset *data);

/* SHA-256 of all chosen items as the network gets them: little-endian float32, one after the other
 * (in NumPy: hashlib.sha256(items.tobytes())). */
nm_status calibration_hash(struct dataset *data, char text[static SHA256_TEXT], nm_error *err);

#endif
