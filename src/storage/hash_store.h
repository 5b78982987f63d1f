/*
 * storage/hash_store.h: digests that are known, shared by all workers.
 *
 * One file of fixed size (or one without a name, in memory), read and written
 * by pread and pwrite alone: a disk that fails, or a file that somebody cuts
 * short, is a digest that is not known, where a mapping of it would kill.
 * Nobody locks.  Each entry says all that it is about and ends with a check
 * over itself, so that one that was written by two at a time is none.
 *
 * A digest belongs to a file as it was: device, inode, size, both time stamps
 * in nanoseconds.  What is replaced, or was set back to an old mtime (which
 * moves its ctime), is another file.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/sv.h"

#define HASH_STORE_DIGEST 64	/* the longest */

struct hash_key {
	uint64_t dev, ino, size;
	int64_t mtime, ctime;
	uint32_t mtime_ns, ctime_ns;
	uint64_t first, last;	/* both inclusive */
	uint32_t algorithm;	/* the caller's number; kept in files */
};

enum hash_store_when {
	HASH_STORE_WAIT,	/* may wait for a disk */
	HASH_STORE_NOW,		/* from memory, or HASH_STORE_LATER */
};

enum hash_store_answer {
	HASH_STORE_UNKNOWN,
	HASH_STORE_KNOWN,
	HASH_STORE_LATER,
};

/*
 * For the warden: the file, made where there is none, or memory where path is
 * empty; a descriptor, close-on-exec.  -1: why says what is wrong, and what
 * was found there is left as it is.
 *
 * entries  how many digests it holds; a file of another number is refused
 */
#define HASH_STORE_WHY 160
MUST_USE int hash_store_make(const char *path, uint32_t entries,
    char why[HASH_STORE_WHY]);

/*
 * For the warden, when a worker has ended: one that was captured may have
 * written over the header or made the file longer, and the next start would
 * refuse it.  Entries need no mending.
 *
 * entries  as they were given to hash_store_make
 */
void hash_store_mend(int fd, uint32_t entries);

struct hash_store {
	int fd;			/* -1: nothing is known, and nothing kept */
	bool in_memory;
	uint64_t sets;
};

/* For a worker: false, and s is one that knows nothing, if fd is no store. */
bool hash_store_open(struct hash_store *s, int fd);

enum hash_store_answer hash_store_get(const struct hash_store *s,
    const struct hash_key *key, enum hash_store_when when,
    uint8_t digest[HASH_STORE_DIGEST]);

/*
 * Keeps it, if it can; may wait for a disk.  The digests of parts of files
 * share two places of eight, so that who asks for a thousand parts of one
 * file drives out no digest of a whole one.
 */
void hash_store_put(const struct hash_store *s, const struct hash_key *key,
    const uint8_t *digest, size_t n);
