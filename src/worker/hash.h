/*
 * worker/hash.h: digests of files, from their command to their reply.
 *
 * What is in the store is answered at once.  Everything else waits in one
 * queue: a turn on a disk thread reads SLICE bytes at most, then the next one
 * has its turn, so that a short file never waits for the end of a long one.
 * hash.jobs turns run at once, and only while the worker's budget (hash.rate)
 * has bytes left; the loop grants them before a turn and counts them after
 * it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "storage/hash_store.h"
#include "tls/digest_late.h"
#include "worker/worker.h"

#define HASH_QUEUE 64		/* of one worker */
#define HASH_PER_CLIENT 8	/* of these from one address, or /64 */
#define HASH_SUMS_MAX (4u << 20) /* a longer file of checksums is not read */

/* What a turn left, and in the end what is answered. */
enum hash_step {
	HASH_GOES_ON,
	HASH_COMPUTED,
	HASH_KNOWN,		/* from the store */
	HASH_FROM_SUMS,
	HASH_UNKNOWN,		/* and not to be computed */
	HASH_TOO_LARGE,		/* for hash.largest */
	HASH_CHANGED,		/* while it was read */
	HASH_FAILED,
	HASH_BUSY,		/* the queue is full, or it took too long */
};

struct hash {
	struct pool_job job;
	struct worker *w;
	struct storage *storage; /* where path is */
	struct sess *s;		/* NULL: nobody waits any more */
	struct hash *next;	/* in the queue */
	bool queued, running;
	bool by_hash;		/* HASH's form of reply, not XSHA256's */
	bool other_tried;	/* the argument's other reading */
	bool looked;		/* in the store and in the sum files */
	bool at_once;		/* opened from memory */
	enum hash_algorithm algorithm;
	enum hash_step step;
	enum hash_step instead;	/* of computing it; HASH_GOES_ON: compute */
	bool ranged;
	uint64_t first, end;	/* the range's; end is behind it */
	uint64_t at;
	uint64_t grant, used;	/* bytes of this turn */
	_Atomic bool cancel;
	_Atomic uint64_t done;	/* bytes, for the session's clock */
	uint64_t seen;		/* of these, at the clock's last look */
	int fd;
	struct storage_stat stat;
	struct digest *digest;
	uint32_t crc;
	uint8_t out[HASH_BYTES_MAX];
	struct sv arg;		/* as the client gave it; behind the struct */
	struct sv name;		/* the part of it that names the file */
	struct sv path;		/* virtual */
};

/* Before the walls; false: there is no library, or it has no digests. */
MUST_USE bool hash_start(struct worker *w);

/* Digests of an account's files are known to nobody else. */
void hash_forget_store(struct worker *w);

/* NULL: no memory. */
struct hash *hash_new(struct sess *s, enum hash_algorithm algorithm,
    struct sv arg);
/* One that does not run; with its file. */
void hash_free(struct hash *h);

/*
 * The file is open, the range set.  hash_answer is called now, or when the
 * digest is there.
 */
void hash_begin(struct sess *s, struct hash *h);

/* cmd_hash.c: the reply; h is still the caller's. */
void hash_answer(struct sess *s, const struct hash *h);

/* More bytes since the clock's last look. */
bool hash_progressed(struct hash *h);
/* It stood still: 450. */
void hash_stalled(struct sess *s);
/* ABOR: 426, then 226. */
void hash_abort(struct sess *s);
/* The session ends, or what it asked for is not wanted: without a word. */
void hash_abandon(struct sess *s);

/* hash_sums.c, on a disk thread */

/*
 * Looks for the file's SHA-256 in PATH.sha256, then in SHA256SUMS beside it,
 * where they are not older than the data; *read is what it cost.
 */
MUST_USE bool hash_sums_find(const struct hash *h, struct sv path,
    uint8_t digest[HASH_BYTES_MAX], uint64_t *read);
