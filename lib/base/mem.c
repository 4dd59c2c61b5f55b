/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks carry their size in a header of one cache line, so that the bytes alive can be counted.
 * The counters serve tests ("a known shape allocates nothing", "every failed allocation is
 * survived") and are relaxed atomics: they order nothing.
 */
#include "lib/base/mem.h"

#include "lib/base/checked.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ALIGN ((size_t)64)
#define HEADER ALIGN
#define HUGE_PAGE ((size_t)2 << 20)
#define HUGE_FROM (2 * HUGE_PAGE) /* blocks of weights and activations: fewer misses of the TLB */
#define ARENA_BLOCK ((size_t)16 << 10)    /* of the first block of an arena */
#define ARENA_BLOCK_MAX ((size_t)1 << 20) /* blocks double up to this */
#define ARENA_ALIGN_FROM ((size_t)256)    /* requests from here on are aligned as blocks are */

static atomic_long count, fail_after;
static atomic_int fail_sticky;
static atomic_size_t live, peak;

/* Counts an allocation; false when a test wants it to fail. */
static bool may_allocate(void)
{
    atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);
    if (NMI_LIKELY(atomic_load_explicit(&fail_after, memory_order_relaxed) == 0)) {
        return true;
    }
    long left = atomic_fetch_sub_explicit(&fail_after, 1, memory_order_relaxed);
    if (left != 1) {
        return true;
    }
    if (atomic_load_explicit(&fail_sticky, memory_order_relaxed)) {
        atomic_store_explicit(&fail_after, 1, memory_order_relaxed);
    }
    return false;
}

static void note_live(size_t bytes)
{
    size_t now = atomic_fetch_add_explicit(&live, bytes, memory_order_relaxed) + bytes;
    size_t old = atomic_load_explicit(&peak, memory_order_relaxed);
    while (now > old && !atomic_compare_exchange_weak_explicit(
                            &peak, &old, now, memory_order_relaxed, memory_order_relaxed)) {
    }
}

static void *block_alloc(size_t bytes)
{
    size_t whole;
    size_t align = bytes >= HUGE_FROM ? HUGE_PAGE : ALIGN;
    if (!nmi_add(bytes, HEADER + NMI_SLACK, &whole) || !nmi_round_up(whole, align, &whole) ||
        whole > PTRDIFF_MAX) {
        return NULL;
    }
    size_t *header = aligned_alloc(align, whole);
    if (!header) {
        return NULL;
    }
    if (align == HUGE_PAGE) {
        (void)madvise(header, whole, MADV_HUGEPAGE); /* a wish: the kernel may have none */
    }
    *header = bytes;
    note_live(bytes);
    return (char *)header + HEADER;
}

void *nmi_alloc(size_t bytes)
{
    return may_allocate() ? block_alloc(bytes) : NULL;
}

void *nmi_calloc(size_t n, size_t size)
{
    size_t bytes;
    if (!nmi_mul(n, size, &bytes)) {
        return NULL;
    }
    void *p = nmi_alloc(bytes);
    if (p) {
        memset(p, 0, bytes);
    }
    return p;
}

void *nmi_realloc(void *p, size_t old_bytes, size_t bytes)
{
    void *fresh = nmi_alloc(bytes);
    if (!fresh) {
        return NULL;
    }
    if (p) {
        memcpy(fresh, p, old_bytes < bytes ? old_bytes : bytes);
        nmi_free(p);
    }
    return fresh;
}

void nmi_free(void *p)
{
    if (!p) {
        return;
    }
    size_t *header = (size_t *)(void *)((char *)p - HEADER);
    atomic_fetch_sub_explicit(&live, *header, memory_order_relaxed);
    free(header);
}

/* ---- arena ---------------------------------------------------------------------------------- */

struct nmi_arena_block {
    struct nmi_arena_block *next;
    size_t size, used; /* of the bytes that follow the first cache line */
};

static char *block_bytes(struct nmi_arena_block *block)
{
    return (char *)block + ALIGN;
}

/* A new block in front with room for bytes. A request that is large by itself does not change the
 * size of the blocks that follow. */
static struct nmi_arena_block *add_block(struct nmi_arena *arena, size_t bytes)
{
    size_t size = ARENA_BLOCK;
    if (arena->head && arena->head->size <= ARENA_BLOCK_MAX / 2) {
        size = 2 * arena->head->size < ARENA_BLOCK ? ARENA_BLOCK : 2 * arena->head->size;
    } else if (arena->head) {
        size = ARENA_BLOCK_MAX;
    }
    if (size < bytes) {
        size = bytes;
    }
    size_t whole;
    struct nmi_arena_block *block = nmi_add(size, ALIGN, &whole) ? block_alloc(whole) : NULL;
    if (!block) {
        return NULL;
    }
    memset(block, 0, whole);
    block->size = size;
    block->next = arena->head;
    arena->head = block;
    return block;
}

void *nmi_arena_alloc(struct nmi_arena *arena, size_t bytes)
{
    size_t align = bytes >= ARENA_ALIGN_FROM ? ALIGN : 16;
    size_t rounded, used;
    if (!may_allocate() || !nmi_round_up(bytes ? bytes : 1, align, &rounded) ||
        !nmi_add(arena->used, rounded, &used) || (arena->limit && used > arena->limit)) {
        return NULL;
    }
    struct nmi_arena_block *block = arena->head;
    size_t start = block ? (block->used + align - 1) & ~(align - 1) : 0;
    if (!block || start > block->size || block->size - start < rounded) {
        block = add_block(arena, rounded);
        start = 0;
    }
    if (!block) {
        return NULL;
    }
    block->used = start + rounded;
    arena->used = used;
    return block_bytes(block) + start;
}

void *nmi_arena_array(struct nmi_arena *arena, size_t n, size_t size)
{
    size_t bytes;
    return nmi_mul(n, size, &bytes) ? nmi_arena_alloc(arena, bytes) : NULL;
}

void *nmi_arena_copy(struct nmi_arena *arena, const void *bytes, size_t n)
{
    void *p = nmi_arena_alloc(arena, n);
    if (p && n) {
        memcpy(p, bytes, n);
    }
    return p;
}

char *nmi_arena_string(struct nmi_arena *arena, const char *s, size_t n)
{
    size_t bytes;
    char *p = nmi_add(n, 1, &bytes) ? nmi_arena_alloc(arena, bytes) : NULL;
    if (p && n) {
        memcpy(p, s, n);
    }
    return p;
}

char *nmi_arena_printf(struct nmi_arena *arena, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *p = n < 0 ? NULL : nmi_arena_alloc(arena, (size_t)n + 1);
    if (p) {
        vsnprintf(p, (size_t)n + 1, format, again);
    }
    va_end(again);
    return p;
}

void nmi_arena_free(struct nmi_arena *arena)
{
    while (arena->head) {
        struct nmi_arena_block *next = arena->head->next;
        nmi_free(arena->head);
        arena->head = next;
    }
    arena->used = 0;
}

/* ---- for tests ------------------------------------------------------------------------------ */

void nmi_alloc_fail_after(long n, int sticky)
{
    atomic_store(&fail_sticky, sticky);
    atomic_store(&fail_after, n);
}

long nmi_alloc_count(void)
{
    return atomic_load(&count);
}

size_t nmi_alloc_live(void)
{
    return atomic_load(&live);
}

size_t nmi_alloc_peak(int reset)
{
    size_t now = atomic_load(&peak);
    if (reset) {
        atomic_store(&peak, atomic_load(&live));
    }
    return now;
}
