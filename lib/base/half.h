/* SPDX-License-Identifier: Apache-2.0 */
/* float16 (IEEE binary16) and bfloat16 as 16 bits, by integer arithmetic. */
#ifndef NM_BASE_HALF_H
#define NM_BASE_HALF_H

#include <stdint.h>

float nmi_f16_to_f32(uint16_t h);
float nmi_bf16_to_f32(uint16_t h);

/* Rounds to nearest even; beyond the largest number: infinity. NaN stays NaN (quiet). */
uint16_t nmi_f64_to_f16(double v);
/* Cuts the lower bits off, as the operator tests of ONNX expect. NaN stays NaN (quiet). */
uint16_t nmi_f32_to_bf16(float v);

#endif
