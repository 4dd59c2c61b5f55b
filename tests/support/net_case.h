/* SPDX-License-Identifier: Apache-2.0 */
/* Whole networks: made by `nmie synth`, run on every instruction set, held against the plain C. */
#ifndef NM_TESTS_SUPPORT_NET_CASE_H
#define NM_TESTS_SUPPORT_NET_CASE_H

#include <nm/nm.h>

/* Runs the nmie that was built with these tests; returns its exit status. Its output goes to the
 * file that net_said() reads. */
int net_nmie(const char *format, ...) __attribute__((format(printf, 1, 2)));
const char *net_said(void);

/* A model from a file. Fails the test on trouble. */
nm_model *net_load(const char *path);

/* A synthetic network. */
nm_model *net_synth(const char *name, int size, int classes, double sparsity);

/* Random images for the model's only input; what is free is a batch of n. malloc'd data. */
nm_tensor net_images(const nm_model *model, int64_t n);

/* The model's first output for these images; malloc. */
struct net_output {
    float *y;
    size_t n;
};
struct net_output net_run(nm_model *model, const nm_tensor *in, const nm_session_options *options);

/* max|a - b| <= bound max|b| over the n first elements of b; fails the test with these words. */
void net_within(const struct net_output *a, const struct net_output *b, size_t n, float bound,
                const char *what);
/* The same with the bound of float32, 1e-4. */
void net_close(const struct net_output *a, const struct net_output *b, size_t n, const char *what);
/* 16-bit operands, by rule and measured, against float32: within 2e-2 of max|y|. */
void net_check_half(nm_model *model, int64_t batch, const char *what);

/*
 * The model for each of these batches (the last is the largest; 0 ends the list) on every
 * instruction set, with one thread and with two, by rule, and on the best one once measured,
 * against NM_ISA_REF. By rule a batch of more images than threads gives the same bits with any
 * number of threads.
 */
void net_check(nm_model *model, const int64_t *batches, const char *what);

#endif
