/*
 * watch/table.h: a hash table whose size is stated, with its items in order
 * of use: when it is full, the one that was not used for longest goes.
 *
 * Items are of one size, begin with struct table_link, stay where they are
 * until they are dropped, and come zeroed.  Memory is taken in chunks as
 * items are needed, and the buckets double with them: a sensor that sees
 * little costs little.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct table_link {
	uint32_t hash;
	uint32_t self;		/* numbers of items, from 1; 0: none */
	uint32_t next;		/* in the bucket, or of the free items */
	uint32_t older, newer;	/* in the order of use */
};

struct table {
	size_t item_bytes;
	uint32_t most;		/* items at once */
	uint32_t count;
	uint32_t made;		/* items that have memory */
	uint32_t buckets;	/* a power of two */
	uint32_t free, oldest, newest;
	uint32_t *bucket;
	char **chunk;
	bool keeps;		/* nothing is shed: others hold pointers */
	/* What else must know that an item is shed; it may not drop any. */
	void (*shed)(void *arg, struct table_link *item);
	void *arg;
	uint64_t shed_count;
};

/* False without memory for the least of it. */
bool table_init(struct table *t, size_t item_bytes, uint32_t most);
/* Frees all items, without a word to anyone. */
void table_free(struct table *t);

/*
 * A new item, the newest in use; the oldest one is shed when there are `most`
 * already.  NULL without memory and without anything to shed.
 */
void *table_add(struct table *t, uint64_t hash);
void table_drop(struct table *t, void *item);

/* Items of this hash, one after the other; NULL when there is none (more). */
void *table_first(const struct table *t, uint64_t hash);
void *table_next(const struct table *t, const void *item);

/* By its number (link.self), as long as it has not been dropped. */
void *table_at(const struct table *t, uint32_t number);

/* It was used just now. */
void table_touch(struct table *t, void *item);
/* The one that was not used for longest; NULL: the table is empty. */
void *table_oldest(const struct table *t);
/* The one that was used after it. */
void *table_newer(const struct table *t, const void *item);

static inline uint64_t
table_mix(uint64_t h, uint64_t word)
{
	h = (h ^ word) * 0xbf58476d1ce4e5b9u;
	return h ^ h >> 31;
}

/*
 * Mixes n bytes into a hash.  Who chooses addresses shall not choose
 * buckets: seed is random, but for hashes that are the same in every run.
 * Inline because n is mostly a constant, and every packet needs two.
 */
static inline uint64_t
table_hash(uint64_t seed, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;
	uint64_t h = seed ^ n * 0x9e3779b97f4a7c15u, word;

	for (; n >= sizeof(word); n -= sizeof(word), p += sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		h = table_mix(h, word);
	}
	word = 0;
	for (size_t i = 0; i < n; i++)
		word = word << 8 | p[i];
	return table_mix(h, word) * 0x94d049bb133111ebu >> 16 ^ h;
}
