/*
 * index/queue.h: files on their way through the threads that read them.
 *
 * A ring: items come out in the order in which they went in, whichever was
 * read first; its length is what the walk may be ahead of the oldest file.
 * One thread puts and takes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "index/beneath.h"
#include "index/row.h"

#define INDEX_QUEUE 1024	/* items at once */

/* What came of reading a file. */
enum index_outcome {
	INDEX_READ,		/* or nothing was to be read */
	INDEX_FAILED,		/* error says why */
	INDEX_CHANGES,		/* each time it was tried */
	INDEX_GONE,
	INDEX_STOPPED,
};

/* One allocation, freed by who takes it; the strings are at its end. */
struct index_item {
	struct index_row now;	/* what is there; hash "" until it is read */
	struct index_row old;	/* what an index says, when has_old */
	bool has_now, has_old;
	bool must_read;
	enum index_outcome outcome;
	int error;
	const char *raw;	/* the path as it is opened */
	bool done;		/* the queue's */
	char strings[];
};

/* Copies the rows with their strings, and the path.  NULL: no memory. */
struct index_item *index_item_new(const struct index_row *now,
    const char *raw, const struct index_row *old);

struct index_queue;

/* Borrows root; starts the threads.  NULL with errno set. */
struct index_queue *index_queue_new(const struct index_root *root,
    unsigned threads);

/* Stops what is being read, waits for the threads, frees all items. */
void index_queue_free(struct index_queue *q);

bool index_queue_is_full(const struct index_queue *q);
bool index_queue_is_empty(const struct index_queue *q);

/* The item belongs to the queue now; it is not full. */
void index_queue_put(struct index_queue *q, struct index_item *item);

/*
 * The oldest item, the caller's from now on; NULL when it is not done within
 * wait_ms, or there is none.
 */
struct index_item *index_queue_take(struct index_queue *q, unsigned wait_ms);

/* Reads nothing any more: items come back as INDEX_STOPPED. */
void index_queue_stop(struct index_queue *q);

/* Bytes read so far. */
uint64_t index_queue_bytes(struct index_queue *q);
