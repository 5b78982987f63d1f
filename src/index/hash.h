/*
 * index/hash.h: the SHA-256 of one file, which is that of one state of it or
 * none at all.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdatomic.h>

#include "index/queue.h"

struct index_hasher {
	const struct index_root *root;
	struct digest_sha256 *digest;
	char *buffer;			/* INDEX_BUFFER bytes */
	atomic_bool *stop;
	_Atomic uint64_t *bytes;	/* read: counted up */
};

#define INDEX_BUFFER ((size_t)256 << 10)

/*
 * Sets item->now's size, mtime and hash, or outcome.  A file counts as
 * unchanged when its size, mtime and ctime are the same before and after, and
 * as many bytes as that were read; it is tried three times.  One that was
 * changed just now is let rest for a tick of its time stamps first: a change
 * within a tick leaves no trace.
 */
void index_hash_file(const struct index_hasher *h, struct index_item *item);
