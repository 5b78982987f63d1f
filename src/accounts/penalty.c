/*
 * accounts/penalty.c: how long who guesses has to wait; see the header.
 *
 * A table of buckets of eight places.  A place's count goes down by itself:
 * it is kept with the moment at which it was true.  When all eight are taken,
 * the one with the lowest count is given up: who floods the table with
 * sources of one try each gives up his own.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "accounts/penalty.h"

#include <stdlib.h>
#include <sys/random.h>

#define WAYS 8
#define BUCKETS (PENALTY_PLACES / WAYS)
#define COUNT_MAX 1000

struct place {
	uint64_t key;		/* 0: free */
	uint64_t since_ms;	/* count was this then */
	uint64_t shut_until_ms;
	uint32_t shut_ms;	/* how long it was the last time */
	uint32_t count;
};

struct penalty {
	uint64_t seed[2];
	struct place at[BUCKETS][WAYS];
};

static const struct rule {
	uint64_t forget_ms;
	uint32_t free;
	uint64_t first_ms, most_ms;
	uint32_t shut_at;
	uint32_t shut_ms, shut_most_ms;
} rules[PENALTY_KIND_COUNT] = {
#define X(kind, ...) [PENALTY_##kind] = { __VA_ARGS__ },
	PENALTY_KINDS(X)
#undef X
};

struct penalty *
penalty_new(void)
{
	struct penalty *p = calloc(1, sizeof(*p));

	if (p != NULL && getrandom(p->seed, sizeof(p->seed), 0) !=
	    (ssize_t)sizeof(p->seed)) {
		free(p);
		return NULL;
	}
	return p;
}

void
penalty_free(struct penalty *p)
{
	free(p);
}

/* ---- keys: SipHash-2-4, after its authors' paper (2012) */

static uint64_t
rotate(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static void
sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

static void
sip_word(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_round(v);
	sip_round(v);
	v[0] ^= word;
}

static uint64_t
sip(const uint64_t seed[2], const void *bytes, size_t len)
{
	uint64_t v[4] = {
		seed[0] ^ 0x736f6d6570736575, seed[1] ^ 0x646f72616e646f6d,
		seed[0] ^ 0x6c7967656e657261, seed[1] ^ 0x7465646279746573,
	};
	const unsigned char *from = bytes;
	uint64_t last = (uint64_t)len << 56, word;

	for (; len >= 8; len -= 8, from += 8) {
		memcpy(&word, from, 8);
		sip_word(v, word);
	}
	for (size_t i = 0; i < len; i++)
		last |= (uint64_t)from[i] << 8 * i;
	sip_word(v, last);
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static uint64_t
key_of(const struct penalty *p, enum penalty_kind kind, const void *bytes,
    size_t len)
{
	uint64_t seed[2] = { p->seed[0] ^ (uint64_t)kind, p->seed[1] };

	/* The lowest bit is no part of the place, so it may be spent here. */
	return sip(seed, bytes, len) | 1;
}

struct penalty_try
penalty_key(const struct penalty *p, const struct addr *peer, struct sv name)
{
	struct addr a = addr_unmap(*peer);
	bool v4 = a.family == ADDR_V4;
	struct penalty_try t;

	t.key[PENALTY_SOURCE] = key_of(p, PENALTY_SOURCE, a.ip, v4 ? 4 : 8);
	t.key[PENALTY_NETWORK] = key_of(p, PENALTY_NETWORK, a.ip, v4 ? 3 : 6);
	t.key[PENALTY_NAME] = key_of(p, PENALTY_NAME, name.ptr, name.len);
	return t;
}

/* ---- places */

static uint32_t
count_now(const struct place *at, const struct rule *r, uint64_t now_ms)
{
	uint64_t gone = (now_ms - at->since_ms) / r->forget_ms;

	return gone >= at->count ? 0 : at->count - (uint32_t)gone;
}

/*
 * Brings the count up to date, and keeps what is left of a step.  Who stays
 * away for as long again as he was shut out begins anew.
 */
static void
forget(struct place *at, const struct rule *r, uint64_t now_ms)
{
	uint64_t gone = (now_ms - at->since_ms) / r->forget_ms;

	at->count = count_now(at, r, now_ms);
	at->since_ms = at->count == 0 ? now_ms :
	    at->since_ms + gone * r->forget_ms;
	if (at->count == 0 && now_ms >= at->shut_until_ms + at->shut_ms)
		at->shut_ms = 0;
}

static const struct place *
find(const struct penalty *p, uint64_t key)
{
	const struct place *bucket = p->at[(key >> 1) % BUCKETS];

	for (size_t i = 0; i < WAYS; i++)
		if (bucket[i].key == key)
			return &bucket[i];
	return NULL;
}

static uint64_t
weight(const struct place *at)
{
	return at->key == 0 ? 0 : 1 + at->count + (at->shut_ms > 0 ?
	    COUNT_MAX : 0);
}

/* Its place, or one that is given to it. */
static struct place *
claim(struct penalty *p, uint64_t key, uint64_t now_ms)
{
	struct place *bucket = p->at[(key >> 1) % BUCKETS], *least = bucket;

	for (size_t i = 0; i < WAYS; i++) {
		if (bucket[i].key == key)
			return &bucket[i];
		if (weight(&bucket[i]) < weight(least))
			least = &bucket[i];
	}
	*least = (struct place) { .key = key, .since_ms = now_ms };
	return least;
}

bool
penalty_is_shut(const struct penalty *p, const struct penalty_try *t,
    uint64_t now_ms)
{
	for (size_t kind = 0; kind < PENALTY_KIND_COUNT; kind++) {
		const struct place *at = find(p, t->key[kind]);

		if (at != NULL && now_ms < at->shut_until_ms)
			return true;
	}
	return false;
}

static uint64_t
wait_of(const struct rule *r, uint32_t count)
{
	uint64_t wait_ms = r->first_ms;

	if (count < r->free)
		return 0;
	for (uint32_t i = r->free; i < count && wait_ms < r->most_ms; i++)
		wait_ms *= 2;
	return wait_ms < r->most_ms ? wait_ms : r->most_ms;
}

/* It has earned it: each time that it comes to this, for twice as long. */
static void
shut(struct place *at, const struct rule *r, uint64_t now_ms)
{
	uint64_t ms = at->shut_ms == 0 ? r->shut_ms : 2ull * at->shut_ms;

	at->shut_ms = (uint32_t)(ms < r->shut_most_ms ? ms : r->shut_most_ms);
	at->shut_until_ms = now_ms + at->shut_ms;
	at->count /= 2;
}

uint64_t
penalty_wait(const struct penalty *p, const struct penalty_try *t,
    uint64_t now_ms)
{
	uint64_t most_ms = 0;

	for (size_t kind = 0; kind < PENALTY_KIND_COUNT; kind++) {
		const struct place *at = find(p, t->key[kind]);
		uint64_t own_ms;

		if (at == NULL)
			continue;
		own_ms = wait_of(&rules[kind],
		    count_now(at, &rules[kind], now_ms));
		if (own_ms > most_ms)
			most_ms = own_ms;
	}
	return most_ms;
}

void
penalty_add(struct penalty *p, const struct penalty_try *t, uint64_t now_ms)
{
	for (size_t kind = 0; kind < PENALTY_KIND_COUNT; kind++) {
		struct place *at = claim(p, t->key[kind], now_ms);
		const struct rule *r = &rules[kind];

		forget(at, r, now_ms);
		if (at->count < COUNT_MAX)
			at->count++;
		if (r->shut_at > 0 && at->count >= r->shut_at)
			shut(at, r, now_ms);
	}
}
