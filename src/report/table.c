/*
 * report/table.c: open addressing over an array of rows; see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "report/table.h"

#include <stdlib.h>
#include <sys/random.h>

#define ROWS_FIRST 64

void
report_table_init(struct report_table *t, uint32_t most,
    size_t key_bytes_most)
{
	*t = (struct report_table) { .most = most,
		.key_bytes_most = key_bytes_most };
	/* Less than asked for, or none: then the order is known, no more. */
	if (getrandom(t->seed, sizeof(t->seed), GRND_NONBLOCK) < 0)
		t->seed[0] = (uint64_t)(uintptr_t)t;
}

void
report_table_free(struct report_table *t)
{
	for (uint32_t i = 0; i < t->count; i++)
		free(t->rows[i].key);
	free(t->rows);
	free(t->slots);
	t->rows = NULL;
	t->slots = NULL;
	t->count = t->room = t->slot_count = 0;
}

static uint64_t
rotate(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

static void
sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32) + v[3];
	v[2] += v[1];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

/*
 * SipHash-1-3 (Aumasson and Bernstein).  Keyed: whoever picks names so that
 * they collide would make one pass over a log take days.
 */
static uint64_t
hash_of(const struct report_table *t, struct sv key)
{
	uint64_t v[4] = { t->seed[0] ^ 0x736f6d6570736575,
		t->seed[1] ^ 0x646f72616e646f6d,
		t->seed[0] ^ 0x6c7967656e657261,
		t->seed[1] ^ 0x7465646279746573 };
	uint64_t word, last = (uint64_t)key.len << 56;

	for (; key.len >= 8; key = sv_drop(key, 8)) {
		memcpy(&word, key.ptr, 8);
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	for (size_t i = 0; i < key.len; i++)
		last |= (uint64_t)(unsigned char)key.ptr[i] << (8 * i);
	v[3] ^= last;
	sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* The slot that holds the key, or the free one where it belongs. */
static uint32_t *
slot_of(const struct report_table *t, struct sv key, uint64_t hash)
{
	uint32_t mask = t->slot_count - 1;

	for (uint32_t i = (uint32_t)hash & mask;; i = (i + 1) & mask) {
		const struct report_row *row;

		if (t->slots[i] == 0)
			return &t->slots[i];
		row = &t->rows[t->slots[i] - 1];
		if (row->hash == hash &&
		    sv_eq((struct sv) { row->key, row->len }, key))
			return &t->slots[i];
	}
}

/* Twice the rows, and slots that are never more than half full. */
static bool
grow(struct report_table *t)
{
	uint32_t room = t->room == 0 ? ROWS_FIRST : t->room * 2;
	struct report_row *rows = reallocarray(t->rows, room, sizeof(*rows));
	uint32_t *slots;

	if (rows == NULL)
		return false;
	t->rows = rows;
	slots = calloc((size_t)room * 2, sizeof(*slots));
	if (slots == NULL)
		return false;
	free(t->slots);
	t->slots = slots;
	t->slot_count = room * 2;
	t->room = room;
	for (uint32_t i = 0; i < t->count; i++)
		*slot_of(t, (struct sv) { rows[i].key, rows[i].len },
		    rows[i].hash) = i + 1;
	return true;
}

static bool
has_room(struct report_table *t, size_t key_len)
{
	return t->count < t->most &&
	    key_len <= t->key_bytes_most - t->key_bytes &&
	    (t->count < t->room || grow(t));
}

struct report_row *
report_table_row(struct report_table *t, struct sv key)
{
	uint64_t hash = hash_of(t, key);
	struct report_row *row;
	char *copy;

	if (t->slot_count > 0) {
		uint32_t slot = *slot_of(t, key, hash);

		if (slot != 0)
			return &t->rows[slot - 1];
	}
	if (!has_room(t, key.len) || (copy = malloc(key.len + 1)) == NULL)
		return NULL;
	memcpy(copy, key.ptr, key.len);
	t->key_bytes += key.len;
	row = &t->rows[t->count];
	*row = (struct report_row) { .key = copy, .len = key.len,
		.hash = hash };
	*slot_of(t, key, hash) = ++t->count;
	return row;
}

struct report_tally *
report_table_at(struct report_table *t, struct sv key)
{
	struct report_row *row = report_table_row(t, key);

	if (row != NULL)
		return &row->tally;
	t->others_events++;
	return &t->others;
}
