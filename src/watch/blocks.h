/*
 * watch/blocks.h: blocks of one size, and never more of them than is stated.
 *
 * Memory is taken in chunks as blocks are needed.  What comes back is used
 * again and stays with the process: the bound is on what it has, not only on
 * what it happens to use, and a block costs a few instructions.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct blocks {
	size_t bytes;		/* of one */
	size_t stride;		/* from one to the next */
	uint32_t most, made, used;
	void *spare;		/* a list through their first bytes */
	char **chunk;
};

/* False without memory for the least of it. */
bool blocks_init(struct blocks *b, size_t bytes, uint32_t most);
/* All of them, also those in use. */
void blocks_free(struct blocks *b);

/* Its bytes are old.  NULL when `most` are in use, or without memory. */
void *blocks_get(struct blocks *b);
/* NULL is fine. */
void blocks_put(struct blocks *b, void *block);
