/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory: the only file that calls malloc. Blocks are 64-byte aligned. An arena has one owner and is
 * freed as a whole; what it hands out is zeroed. A limit (0 = none) makes an arena refuse.
 */
#ifndef NM_BASE_MEM_H
#define NM_BASE_MEM_H

#include "lib/base/status.h"
#include <stdarg.h>

/* 64-byte aligned, not zeroed; NULL when it can't be had. bytes == 0 gives a valid pointer.
 * Every block ends in NMI_SLACK readable bytes, for kernels that over-read. */
#define NMI_SLACK 256
void *nmi_alloc(size_t bytes);
void *nmi_calloc(size_t count, size_t size);
/* Grows or shrinks a block of nmi_alloc; the old one stays valid on NULL. */
void *nmi_realloc(void *p, size_t old_bytes, size_t bytes);
void nmi_free(void *p);

struct nmi_arena_block;
struct nmi_arena {
    struct nmi_arena_block *head;
    size_t used;  /* bytes handed out */
    size_t limit; /* refuse beyond; 0 = no limit */
};

/* Zeroed memory that lives as long as the arena; NULL when out of memory or over the limit. */
void *nmi_arena_alloc(struct nmi_arena *arena, size_t bytes);
/* The same for count * size, checked. */
void *nmi_arena_array(struct nmi_arena *arena, size_t count, size_t size);
/* Copies; NULL when out of memory. */
void *nmi_arena_copy(struct nmi_arena *arena, const void *bytes, size_t n);
char *nmi_arena_string(struct nmi_arena *arena, const char *s, size_t n);
char *nmi_arena_printf(struct nmi_arena *arena, const char *format, ...) NMI_PRINTF(2, 3);
void nmi_arena_free(struct nmi_arena *arena);

/* For tests (an allocation is a block or what an arena hands out): the n-th allocation from now fails (once, or from then on); n = 0 switches it off.
 * Not thread-safe. nmi_alloc_count counts allocations, nmi_alloc_peak the most bytes alive. */
void nmi_alloc_fail_after(long n, int sticky);
long nmi_alloc_count(void);
size_t nmi_alloc_live(void);
size_t nmi_alloc_peak(int reset);

#endif
