/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network small enough to be run a thousand times, with a layer of each weighted kind:
 *
 *     x [N,3,H,W] -> stem conv 3x3 -> BN, Relu -> dw depthwise 3x3 -> BN, Relu -> point conv 1x1
 *       -> Relu -> mid conv 3x3 -> BN -> + point -> Relu ("inner") -> mean -> fc Gemm -> y [N,5]
 *
 * Weights are random, none is zero and no two of a layer have the same magnitude.
 */
#ifndef NM_TESTS_SUPPORT_SMALL_NET_H
#define NM_TESTS_SUPPORT_SMALL_NET_H

#include <nm/nm.h>

enum { SMALL_CLASSES = 5 };

/* The file, in memory of nmi_alloc. shape: of the input, e.g. "N,3,8,8" or "N,3,H,W". */
void *small_net(const char *shape, size_t *size);

/* Loaded; options may be NULL. Fails the test on trouble. */
nm_model *small_model(const char *shape, const nm_load_options *options);

/* A session of it, by rule unless options are given. */
nm_session *small_session(nm_model *model, const nm_session_options *options);

/* An input of these dims in memory of malloc, random in [-1, 1): the same for the same dims. */
nm_tensor small_input(int64_t n, int64_t h, int64_t w);

/* y of a plain run in a session of its own on NM_ISA_REF; malloc. */
float *small_reference(const nm_model *model, const nm_tensor *in);

/* Fails the test unless |a - b| <= 1e-4 of the largest |b|. */
void small_close(const float *a, const float *b, size_t n);

#endif
