/*
 * watch/blocks.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "watch/blocks.h"

#include <stdlib.h>
#include <string.h>

/*
 * A sanitizer sees one chunk where we see many blocks: it is told which of
 * its bytes are nobody's.
 */
#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define SANITIZED
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define SANITIZED
#endif
#ifdef SANITIZED
#include <sanitizer/asan_interface.h>
#define GUARD 32
#define HIDE(at, n) ASAN_POISON_MEMORY_REGION(at, n)
#define SHOW(at, n) ASAN_UNPOISON_MEMORY_REGION(at, n)
#else
#define GUARD 0
#define HIDE(at, n) ((void)(at), (void)(n))
#define SHOW(at, n) ((void)(at), (void)(n))
#endif

#define ALIGN 64u		/* a cache line */
#define CHUNK_BYTES (64u << 10)

static uint32_t
in_chunk(const struct blocks *b)
{
	return (uint32_t)(CHUNK_BYTES / b->stride);
}

bool
blocks_init(struct blocks *b, size_t bytes, uint32_t most)
{
	*b = (struct blocks) { .bytes = bytes, .most = most,
		.stride = (bytes + GUARD + ALIGN - 1) & ~(size_t)(ALIGN - 1) };
	b->chunk = calloc(most / in_chunk(b) + 1, sizeof(*b->chunk));
	return b->chunk != NULL;
}

void
blocks_free(struct blocks *b)
{
	for (uint32_t i = 0; i < b->made; i += in_chunk(b)) {
		char *chunk = b->chunk[i / in_chunk(b)];

		SHOW(chunk, CHUNK_BYTES);
		free(chunk);
	}
	free(b->chunk);
	*b = (struct blocks) { 0 };
}

/* Only the list touches a block that nobody has. */
static void
push(struct blocks *b, void *block)
{
	memcpy(block, &b->spare, sizeof(b->spare));
	b->spare = block;
	HIDE(block, b->bytes);
}

static bool
make_chunk(struct blocks *b)
{
	uint32_t n = b->most - b->made;
	char *chunk;

	if (n > in_chunk(b))
		n = in_chunk(b);
	if (n == 0 || (chunk = aligned_alloc(ALIGN, CHUNK_BYTES)) == NULL)
		return false;
	b->chunk[b->made / in_chunk(b)] = chunk;
	HIDE(chunk, CHUNK_BYTES);
	for (uint32_t i = n; i > 0; i--) {
		char *block = chunk + (i - 1) * b->stride;

		SHOW(block, b->bytes);
		push(b, block);
	}
	b->made += n;
	return true;
}

void *
blocks_get(struct blocks *b)
{
	void *block;

	if (b->spare == NULL && !make_chunk(b))
		return NULL;
	block = b->spare;
	SHOW(block, b->bytes);
	memcpy(&b->spare, block, sizeof(b->spare));
	b->used++;
	return block;
}

void
blocks_put(struct blocks *b, void *block)
{
	if (block == NULL)
		return;
	b->used--;
	push(b, block);
}
