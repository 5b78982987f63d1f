/*
 * watch/frag.h: IP datagrams that come in fragments (RFC 791 §3.2, RFC 8200
 * §4.5).
 *
 * Bytes lie in blocks of 2 KiB, each with a bit for 8 bytes that came: a
 * fragment costs what it is long, however it overlaps others, and a lone one
 * at offset 65528 takes one block and not 64 KiB.  A list of ranges was
 * rejected: an attacker decides how long it grows.
 *
 * The first copy of a byte is kept.  Receivers differ in that, so it is said
 * when a later one was different.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/sv.h"

#define FRAG_DATAGRAMS 1024	/* at once; then the oldest goes */
#define FRAG_BYTES 65535	/* of one */
#define FRAG_MEMORY (4u << 20)	/* of all, for bytes; then the oldest goes */
#define FRAG_NS INT64_C(30000000000)	/* then it goes too */

struct frag;

/* Whose fragments belong together.  All bytes count: start from zeroes. */
struct frag_key {
	uint8_t src[16], dst[16];
	uint32_t id;
	uint8_t family;		/* enum addr_family */
	uint8_t protocol;	/* IPv4's; for IPv6 always 0 */
	uint8_t zero[2];
};

struct frag_piece {
	const uint8_t *data;
	uint32_t offset;	/* in bytes, a multiple of 8 */
	uint32_t len;		/* all captured */
	bool more;		/* not the last one */
	uint8_t protocol;	/* of what is in it; the first one's counts */
};

struct frag_whole {
	const uint8_t *data;	/* until the next frag_add */
	uint32_t len;
	uint8_t protocol;
	bool differ;
};

enum frag_result {
	FRAG_WHOLE,
	FRAG_WAITING,
	FRAG_BAD,	/* empty, too long, or at odds with the last one */
	FRAG_NO_MEMORY,
};

struct frag_counters {
	uint64_t pieces;	/* all that were added */
	uint64_t whole;		/* datagrams that were completed */
	uint64_t bad;		/* pieces */
	uint64_t differ;	/* datagrams with pieces that contradict */
	uint64_t expired;	/* datagrams, after FRAG_NS */
	uint64_t no_slot;	/* datagrams, for FRAG_DATAGRAMS */
	uint64_t no_room;	/* datagrams, for FRAG_MEMORY */
	uint64_t no_memory;	/* pieces, for want of the machine's */
};

/*
 * seed  random, so that who sends fragments does not choose hash buckets
 *
 * NULL: no memory.
 */
MUST_USE struct frag *frag_new(uint64_t seed);
void frag_free(struct frag *f);

/*
 * now_ns  of the capture
 * out     written with FRAG_WHOLE
 *
 * piece->data may lie in what the call before gave out.
 */
MUST_USE enum frag_result frag_add(struct frag *f, int64_t now_ns,
    const struct frag_key *key, const struct frag_piece *piece,
    struct frag_whole *out);

const struct frag_counters *frag_counters(const struct frag *f);
/* Datagrams that wait, and the memory that their bytes take. */
uint32_t frag_waiting(const struct frag *f);
uint32_t frag_bytes(const struct frag *f);
