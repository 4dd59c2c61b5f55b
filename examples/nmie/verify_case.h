/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify_case.h - one folder in the layout of ONNX's backend tests: model.onnx, and test_data_set_*
 * folders with input_K.pb and output_K.pb. A file belongs to the input or output of its tensor's
 * name, or else to the one at position K.
 */
#ifndef NMIE_VERIFY_CASE_H
#define NMIE_VERIFY_CASE_H

#include "examples/nmie/agreement.h"
#include "examples/nmie/settings.h"

enum verdict { VERDICT_PASSED, VERDICT_FAILED, VERDICT_UNSUPPORTED };

struct verify_result {
    enum verdict verdict;
    struct difference difference;
    nm_error reason; /* when not passed */
};

/* True when the folder has a model.onnx. */
bool verify_is_case(const char *folder);

/* Runs all data sets of the folder. Unsupported is what the library refuses as such when it
 * loads, or test data of a kind that libnm does not have; a refusal when it runs is a failure. */
void verify_case(const char *folder, const struct settings *settings,
                 const struct tolerance *tolerance, struct verify_result *result);

#endif
