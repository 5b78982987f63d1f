/*
 * watch/table.c: the sensor's bounded hash table; see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "watch/table.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK 1024		/* items */
#define CACHE_LINES ((size_t)128)	/* two: the second is fetched along */
#define BUCKETS_LEAST 1024

static struct table_link *
item_at(const struct table *t, uint32_t number)
{
	uint32_t i = number - 1;

	if (number == 0)
		return NULL;
	return (struct table_link *)(void *)(t->chunk[i / CHUNK] +
	    (size_t)(i % CHUNK) * t->item_bytes);
}

bool
table_init(struct table *t, size_t item_bytes, uint32_t most)
{
	uint32_t chunks = (most + CHUNK - 1) / CHUNK;

	*t = (struct table) { .most = most, .buckets = BUCKETS_LEAST,
		.item_bytes = (item_bytes + 7) & ~(size_t)7 };
	t->bucket = calloc(t->buckets, sizeof(*t->bucket));
	t->chunk = calloc(chunks > 0 ? chunks : 1, sizeof(*t->chunk));
	return t->bucket != NULL && t->chunk != NULL;
}

void
table_free(struct table *t)
{
	for (uint32_t i = 0; i * CHUNK < t->made; i++)
		free(t->chunk[i]);
	free(t->chunk);
	free(t->bucket);
	*t = (struct table) { 0 };
}

static uint32_t *
bucket_of(const struct table *t, uint32_t hash)
{
	return &t->bucket[hash & (t->buckets - 1)];
}

/* Without memory for more buckets the chains get longer, no more. */
static void
grow_buckets(struct table *t)
{
	uint32_t *bucket = calloc((size_t)t->buckets * 2, sizeof(*bucket));

	if (bucket == NULL)
		return;
	free(t->bucket);
	t->bucket = bucket;
	t->buckets *= 2;
	for (uint32_t n = t->oldest; n != 0;) {
		struct table_link *item = item_at(t, n);
		uint32_t *head = bucket_of(t, item->hash);

		item->next = *head;
		*head = n;
		n = item->newer;
	}
}

static void
unlink_use(struct table *t, struct table_link *item)
{
	if (item->older != 0)
		item_at(t, item->older)->newer = item->newer;
	else
		t->oldest = item->newer;
	if (item->newer != 0)
		item_at(t, item->newer)->older = item->older;
	else
		t->newest = item->older;
}

static void
link_newest(struct table *t, struct table_link *item)
{
	item->older = t->newest;
	item->newer = 0;
	if (t->newest != 0)
		item_at(t, t->newest)->newer = item->self;
	else
		t->oldest = item->self;
	t->newest = item->self;
}

void
table_drop(struct table *t, void *p)
{
	struct table_link *item = p;
	uint32_t *link = bucket_of(t, item->hash);

	while (*link != item->self)
		link = &item_at(t, *link)->next;
	*link = item->next;
	unlink_use(t, item);
	item->next = t->free;
	t->free = item->self;
	t->count--;
}

static void
shed_oldest(struct table *t)
{
	struct table_link *item = item_at(t, t->oldest);

	if (item == NULL || t->keeps)
		return;
	t->shed_count++;
	if (t->shed != NULL)
		t->shed(t->arg, item);
	table_drop(t, item);
}

/* Puts the items of one more chunk among the free ones. */
static bool
make_chunk(struct table *t)
{
	uint32_t n = t->most - t->made < CHUNK ? t->most - t->made : CHUNK;
	size_t bytes = (n * t->item_bytes + CACHE_LINES - 1) & ~(CACHE_LINES - 1);
	char *chunk = n == 0 ? NULL : aligned_alloc(CACHE_LINES, bytes);

	if (chunk == NULL)
		return false;
	t->chunk[t->made / CHUNK] = chunk;
	for (uint32_t i = n; i > 0; i--) {
		struct table_link *item;

		item = (struct table_link *)(void *)(chunk +
		    (size_t)(i - 1) * t->item_bytes);
		item->self = t->made + i;
		item->next = t->free;
		t->free = item->self;
	}
	t->made += n;
	return true;
}

void *
table_add(struct table *t, uint64_t hash)
{
	struct table_link *item;
	uint32_t self, *head;

	if (t->free == 0 && !make_chunk(t))
		shed_oldest(t);
	if ((item = item_at(t, t->free)) == NULL)
		return NULL;
	t->free = item->next;
	if (t->count >= t->buckets)
		grow_buckets(t);
	self = item->self;
	memset(item, 0, t->item_bytes);
	item->self = self;
	item->hash = (uint32_t)hash;
	head = bucket_of(t, item->hash);
	item->next = *head;
	*head = self;
	link_newest(t, item);
	t->count++;
	return item;
}

static void *
of_hash(const struct table *t, uint32_t number, uint32_t hash)
{
	struct table_link *item;

	while ((item = item_at(t, number)) != NULL && item->hash != hash)
		number = item->next;
	return item;
}

void *
table_first(const struct table *t, uint64_t hash)
{
	return of_hash(t, *bucket_of(t, (uint32_t)hash), (uint32_t)hash);
}

void *
table_next(const struct table *t, const void *p)
{
	const struct table_link *item = p;

	return of_hash(t, item->next, item->hash);
}

void *
table_at(const struct table *t, uint32_t number)
{
	return number > t->made ? NULL : item_at(t, number);
}

void
table_touch(struct table *t, void *p)
{
	struct table_link *item = p;

	if (t->newest == item->self)
		return;
	unlink_use(t, item);
	link_newest(t, item);
}

void *
table_oldest(const struct table *t)
{
	return item_at(t, t->oldest);
}

void *
table_newer(const struct table *t, const void *p)
{
	return item_at(t, ((const struct table_link *)p)->newer);
}
