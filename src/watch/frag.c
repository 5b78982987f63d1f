/*
 * watch/frag.c: see frag.h.
 *
 * Datagrams are an array of fixed size, in a hash table and in order of
 * arrival; blocks are made as they are needed, up to a number, and kept.  No
 * path costs more than the bytes of its own fragment, but for the copy of a
 * datagram when it is whole.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "watch/frag.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define UNIT 8u				/* bytes that come together */
#define BLOCK_BYTES 2048u
#define BLOCK_UNITS (BLOCK_BYTES / UNIT)
#define BLOCKS (FRAG_MEMORY / (uint32_t)sizeof(struct block))
#define DATAGRAM_BLOCKS ((FRAG_BYTES + BLOCK_BYTES - 1) / BLOCK_BYTES)
#define BUCKETS 2048u
#define NONE UINT16_MAX

struct block {
	uint8_t bytes[BLOCK_BYTES];
	uint64_t have[BLOCK_UNITS / 64];	/* a bit for each unit */
};

struct datagram {
	struct frag_key key;
	int64_t first_ns;
	uint32_t units;			/* that came */
	uint32_t len;			/* when the last one came; else 0 */
	uint32_t end;			/* of what came so far */
	uint16_t block[DATAGRAM_BLOCKS]; /* NONE: nothing there yet */
	uint16_t next;			/* in the bucket, or of the free */
	uint16_t older, newer;
	uint8_t protocol;		/* of the first piece, once begun */
	bool begun;
	bool differ;
};

struct frag {
	struct datagram datagram[FRAG_DATAGRAMS];
	uint16_t bucket[BUCKETS];
	uint16_t free, oldest, newest;
	uint32_t waiting;
	struct block *block[BLOCKS];	/* NULL: not made yet */
	uint16_t idle[BLOCKS];		/* made, or to be made, and not used */
	uint32_t idle_count;
	uint64_t seed;
	struct frag_counters counters;
	uint8_t whole[DATAGRAM_BLOCKS * BLOCK_BYTES];
};

static_assert(FRAG_DATAGRAMS < NONE && BLOCKS < NONE, "they are uint16_t");
static_assert(sizeof(struct frag_key) == 40, "no padding in what is hashed");

struct frag *
frag_new(uint64_t seed)
{
	struct frag *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return NULL;
	f->seed = seed;
	memset(f->bucket, 0xff, sizeof(f->bucket));
	f->free = 0;
	f->oldest = f->newest = NONE;
	for (uint16_t i = 0; i < FRAG_DATAGRAMS; i++)
		f->datagram[i].next = (uint16_t)(i + 1);
	f->datagram[FRAG_DATAGRAMS - 1].next = NONE;
	for (uint32_t i = 0; i < BLOCKS; i++)
		f->idle[i] = (uint16_t)(BLOCKS - 1 - i);
	f->idle_count = BLOCKS;
	return f;
}

void
frag_free(struct frag *f)
{
	if (f == NULL)
		return;
	for (uint32_t i = 0; i < BLOCKS; i++)
		free(f->block[i]);
	free(f);
}

/* ---- datagrams ---- */

static uint32_t
bucket_of(const struct frag *f, const struct frag_key *key)
{
	uint64_t word[5], hash = f->seed;

	memcpy(word, key, sizeof(word));
	for (size_t i = 0; i < 5; i++) {
		hash = (hash ^ word[i]) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 32;
	}
	return (uint32_t)(hash % BUCKETS);
}

static struct datagram *
find(struct frag *f, const struct frag_key *key)
{
	uint16_t i = f->bucket[bucket_of(f, key)];

	while (i != NONE && memcmp(&f->datagram[i].key, key, sizeof(*key)) != 0)
		i = f->datagram[i].next;
	return i == NONE ? NULL : &f->datagram[i];
}

static uint16_t
number_of(const struct frag *f, const struct datagram *d)
{
	return (uint16_t)(d - f->datagram);
}

static void
unlink_bucket(struct frag *f, const struct datagram *d)
{
	uint16_t *at = &f->bucket[bucket_of(f, &d->key)];

	while (&f->datagram[*at] != d)
		at = &f->datagram[*at].next;
	*at = d->next;
}

static void
unlink_order(struct frag *f, const struct datagram *d)
{
	if (d->older != NONE)
		f->datagram[d->older].newer = d->newer;
	else
		f->oldest = d->newer;
	if (d->newer != NONE)
		f->datagram[d->newer].older = d->older;
	else
		f->newest = d->older;
}

static void
drop(struct frag *f, struct datagram *d)
{
	for (uint32_t i = 0; i < DATAGRAM_BLOCKS; i++)
		if (d->block[i] != NONE)
			f->idle[f->idle_count++] = d->block[i];
	unlink_bucket(f, d);
	unlink_order(f, d);
	d->next = f->free;
	f->free = number_of(f, d);
	f->waiting--;
}

static void
drop_oldest(struct frag *f, uint64_t *counter)
{
	drop(f, &f->datagram[f->oldest]);
	(*counter)++;
}

/* By subtraction of what may be any two numbers. */
static bool
is_old(const struct datagram *d, int64_t now_ns)
{
	int64_t age_ns;

	return !__builtin_sub_overflow(now_ns, d->first_ns, &age_ns) &&
	    age_ns > FRAG_NS;
}

static struct datagram *
add_datagram(struct frag *f, int64_t now_ns, const struct frag_key *key)
{
	uint32_t bucket = bucket_of(f, key);
	struct datagram *d;
	uint16_t i;

	if (f->free == NONE)
		drop_oldest(f, &f->counters.no_slot);
	i = f->free;
	d = &f->datagram[i];
	f->free = d->next;
	*d = (struct datagram) {
		.key = *key, .first_ns = now_ns, .next = f->bucket[bucket],
		.older = f->newest, .newer = NONE,
	};
	memset(d->block, 0xff, sizeof(d->block));
	f->bucket[bucket] = i;
	if (f->newest != NONE)
		f->datagram[f->newest].newer = i;
	else
		f->oldest = i;
	f->newest = i;
	f->waiting++;
	return d;
}

/* ---- bytes ---- */

/* A block for d: the oldest of the other datagrams go until there is one. */
static bool
make_room(struct frag *f, const struct datagram *d)
{
	while (f->idle_count == 0) {
		uint16_t victim = f->oldest;

		if (&f->datagram[victim] == d)
			victim = d->newer;
		if (victim == NONE)
			return false;
		drop(f, &f->datagram[victim]);
		f->counters.no_room++;
	}
	return true;
}

static struct block *
block_at(struct frag *f, struct datagram *d, uint32_t n)
{
	uint16_t i;

	if (d->block[n] != NONE)
		return f->block[d->block[n]];
	if (!make_room(f, d))
		return NULL;
	i = f->idle[f->idle_count - 1];
	if (f->block[i] == NULL &&
	    (f->block[i] = malloc(sizeof(struct block))) == NULL)
		return NULL;
	memset(f->block[i]->have, 0, sizeof(f->block[i]->have));
	f->idle_count--;
	d->block[n] = i;
	return f->block[i];
}

/* At most a unit's bytes, into one unit. */
static void
put_unit(struct datagram *d, struct block *b, uint32_t unit,
    const uint8_t *data, uint32_t len)
{
	uint64_t bit = UINT64_C(1) << (unit % 64);
	uint8_t *at = b->bytes + unit * UNIT;

	if ((b->have[unit / 64] & bit) != 0) {
		if (memcmp(at, data, len) != 0)
			d->differ = true;
		return;
	}
	b->have[unit / 64] |= bit;
	memcpy(at, data, len);
	d->units++;
}

static bool
put(struct frag *f, struct datagram *d, const struct frag_piece *p)
{
	uint32_t at = p->offset, done = 0, n, unit;
	struct block *b;

	for (; done < p->len; done += n, at += n) {
		n = p->len - done < UNIT ? p->len - done : UNIT;
		unit = at / UNIT;
		b = block_at(f, d, unit / BLOCK_UNITS);
		if (b == NULL)
			return false;
		put_unit(d, b, unit % BLOCK_UNITS, p->data + done, n);
	}
	return true;
}

/*
 * Where the datagram ends is said by the last piece, once; a piece beyond it,
 * or another end, is not taken, and the datagram is suspect.
 */
static bool
fits(struct datagram *d, const struct frag_piece *p)
{
	uint32_t end = p->offset + p->len;

	if (d->len != 0 ? end > d->len || (!p->more && end != d->len) :
	    !p->more && end < d->end)
		return false;
	if (!p->more)
		d->len = end;
	if (end > d->end)
		d->end = end;
	return true;
}

static void
note_protocol(struct datagram *d, const struct frag_piece *p)
{
	if (p->offset != 0)
		return;
	if (d->begun && d->protocol != p->protocol)
		d->differ = true;
	if (!d->begun)
		d->protocol = p->protocol;
	d->begun = true;
}

static void
gather(struct frag *f, const struct datagram *d, struct frag_whole *out)
{
	for (uint32_t i = 0; i * BLOCK_BYTES < d->len; i++)
		memcpy(f->whole + i * BLOCK_BYTES,
		    f->block[d->block[i]]->bytes, BLOCK_BYTES);
	*out = (struct frag_whole) {
		.data = f->whole, .len = d->len, .protocol = d->protocol,
		.differ = d->differ,
	};
}

static enum frag_result
add_to(struct frag *f, struct datagram *d, const struct frag_piece *p,
    struct frag_whole *out)
{
	bool differed = d->differ;
	bool fitted = fits(d, p);

	if (!fitted)
		d->differ = true;
	else if (!put(f, d, p)) {
		drop(f, d);
		f->counters.no_memory++;
		return FRAG_NO_MEMORY;
	} else
		note_protocol(d, p);
	if (d->differ && !differed)
		f->counters.differ++;
	if (!fitted) {
		f->counters.bad++;
		return FRAG_BAD;
	}
	if (d->len == 0 || d->units < (d->len + UNIT - 1) / UNIT)
		return FRAG_WAITING;
	gather(f, d, out);
	drop(f, d);
	f->counters.whole++;
	return FRAG_WHOLE;
}

enum frag_result
frag_add(struct frag *f, int64_t now_ns, const struct frag_key *key,
    const struct frag_piece *piece, struct frag_whole *out)
{
	struct frag_piece p = *piece;
	struct datagram *d;

	f->counters.pieces++;
	while (f->oldest != NONE && is_old(&f->datagram[f->oldest], now_ns))
		drop_oldest(f, &f->counters.expired);
	if (p.more)
		p.len -= p.len % UNIT;	/* the rest is no part: as Linux does */
	if (p.len == 0 || p.offset % UNIT != 0 || p.offset > FRAG_BYTES ||
	    p.len > FRAG_BYTES - p.offset) {
		f->counters.bad++;
		return FRAG_BAD;
	}
	if ((d = find(f, key)) == NULL)
		d = add_datagram(f, now_ns, key);
	return add_to(f, d, &p, out);
}

const struct frag_counters *
frag_counters(const struct frag *f)
{
	return &f->counters;
}

uint32_t
frag_waiting(const struct frag *f)
{
	return f->waiting;
}

uint32_t
frag_bytes(const struct frag *f)
{
	return (BLOCKS - f->idle_count) * (uint32_t)sizeof(struct block);
}
