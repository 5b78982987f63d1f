/*
 * index/queue.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "index/queue.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "index/hash.h"

struct index_queue {
	const struct index_root *root;
	pthread_mutex_t lock;
	pthread_cond_t work;	/* an item was put, or closing */
	pthread_cond_t finished;	/* an item is done */
	struct index_item *ring[INDEX_QUEUE];
	uint64_t oldest, next, end;	/* next: the first that nobody has */
	bool closing;
	atomic_bool stop;
	_Atomic uint64_t bytes;
	pthread_t *threads;
	unsigned thread_count;
};

/* What a thread reads with, made before it starts: it cannot fail then. */
struct reader {
	struct index_queue *queue;
	struct index_hasher hasher;
};

static char *
append(char *to, const char *text, const char **out)
{
	size_t n = text == NULL ? 0 : strlen(text) + 1;

	*out = text == NULL ? NULL : to;
	if (n > 0)
		memcpy(to, text, n);
	return to + n;
}

static size_t
room(const char *text)
{
	return text == NULL ? 0 : strlen(text) + 1;
}

struct index_item *
index_item_new(const struct index_row *now, const char *raw,
    const struct index_row *old)
{
	static const struct index_row none;
	struct index_item *item;
	char *to;

	item = calloc(1, sizeof(*item) + room(raw) +
	    (now == NULL ? 0 : room(now->path) + room(now->target)) +
	    (old == NULL ? 0 : room(old->path) + room(old->target)));
	if (item == NULL)
		return NULL;
	item->has_now = now != NULL;
	item->has_old = old != NULL;
	item->now = now != NULL ? *now : none;
	item->old = old != NULL ? *old : none;
	to = append(item->strings, raw, &item->raw);
	to = append(to, item->now.path, &item->now.path);
	to = append(to, item->now.target, &item->now.target);
	to = append(to, item->old.path, &item->old.path);
	append(to, item->old.target, &item->old.target);
	return item;
}

static void
reader_free(struct reader *r)
{
	if (r == NULL)
		return;
	digest_sha256_free(r->hasher.digest);
	free(r->hasher.buffer);
	free(r);
}

static struct reader *
reader_new(struct index_queue *q)
{
	struct reader *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->queue = q;
	r->hasher = (struct index_hasher) { .root = q->root, .stop = &q->stop,
		.bytes = &q->bytes, .digest = digest_sha256_new(),
		.buffer = malloc(INDEX_BUFFER) };
	if (r->hasher.digest == NULL || r->hasher.buffer == NULL) {
		reader_free(r);
		return NULL;
	}
	return r;
}

/* The next item that is to be read; NULL: closing.  Locked. */
static struct index_item *
next_item(struct index_queue *q)
{
	for (;;) {
		while (q->next < q->end) {
			struct index_item *item =
			    q->ring[q->next++ % INDEX_QUEUE];

			if (!item->done)
				return item;
		}
		if (q->closing)
			return NULL;
		pthread_cond_wait(&q->work, &q->lock);
	}
}

static void *
run(void *arg)
{
	struct reader *r = arg;
	struct index_queue *q = r->queue;
	struct index_item *item;

	pthread_mutex_lock(&q->lock);
	while ((item = next_item(q)) != NULL) {
		pthread_mutex_unlock(&q->lock);
		if (atomic_load(&q->stop))
			item->outcome = INDEX_STOPPED;
		else
			index_hash_file(&r->hasher, item);
		pthread_mutex_lock(&q->lock);
		item->done = true;
		/* Nobody waits for any but the oldest. */
		if (item == q->ring[q->oldest % INDEX_QUEUE])
			pthread_cond_signal(&q->finished);
	}
	pthread_mutex_unlock(&q->lock);
	reader_free(r);
	return NULL;
}

/* Signals are for the thread that walks. */
static int
start(struct index_queue *q)
{
	struct reader *r = reader_new(q);
	sigset_t all, old;
	int error = ENOMEM;

	if (r == NULL)
		return error;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&q->threads[q->thread_count], NULL, run, r);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (error != 0)
		reader_free(r);
	else
		q->thread_count++;
	return error;
}

static void
init_clocks(struct index_queue *q)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->work, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&q->finished, &attr);
	pthread_condattr_destroy(&attr);
}

struct index_queue *
index_queue_new(const struct index_root *root, unsigned threads)
{
	struct index_queue *q = calloc(1, sizeof(*q));
	int error = ENOMEM;

	if (q == NULL)
		return NULL;
	q->root = root;
	init_clocks(q);
	q->threads = calloc(threads, sizeof(*q->threads));
	if (q->threads != NULL)
		error = 0;
	while (error == 0 && q->thread_count < threads)
		error = start(q);
	/* Fewer than were asked for will do; none will not. */
	if (q->thread_count == 0) {
		index_queue_free(q);
		errno = error;
		return NULL;
	}
	return q;
}

void
index_queue_free(struct index_queue *q)
{
	if (q == NULL)
		return;
	atomic_store(&q->stop, true);
	pthread_mutex_lock(&q->lock);
	q->closing = true;
	pthread_cond_broadcast(&q->work);
	pthread_mutex_unlock(&q->lock);
	for (unsigned i = 0; i < q->thread_count; i++)
		pthread_join(q->threads[i], NULL);
	for (; q->oldest < q->end; q->oldest++)
		free(q->ring[q->oldest % INDEX_QUEUE]);
	pthread_cond_destroy(&q->finished);
	pthread_cond_destroy(&q->work);
	pthread_mutex_destroy(&q->lock);
	free(q->threads);
	free(q);
}

/* oldest and end are the caller's thread's own: no lock for reading them. */
bool
index_queue_is_full(const struct index_queue *q)
{
	return q->end - q->oldest == INDEX_QUEUE;
}

bool
index_queue_is_empty(const struct index_queue *q)
{
	return q->end == q->oldest;
}

void
index_queue_put(struct index_queue *q, struct index_item *item)
{
	assert(!index_queue_is_full(q));
	pthread_mutex_lock(&q->lock);
	item->done = !item->must_read;
	q->ring[q->end++ % INDEX_QUEUE] = item;
	if (!item->done)
		pthread_cond_signal(&q->work);
	pthread_mutex_unlock(&q->lock);
}

struct index_item *
index_queue_take(struct index_queue *q, unsigned wait_ms)
{
	struct index_item *item = NULL;
	struct timespec until;
	int error = 0;

	if (index_queue_is_empty(q))
		return NULL;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += wait_ms / 1000;
	until.tv_nsec += (long)(wait_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&q->lock);
	while (!q->ring[q->oldest % INDEX_QUEUE]->done && error == 0 &&
	    wait_ms > 0)
		error = pthread_cond_timedwait(&q->finished, &q->lock, &until);
	if (q->ring[q->oldest % INDEX_QUEUE]->done) {
		item = q->ring[q->oldest++ % INDEX_QUEUE];
		/* Nobody has looked at one that was done at once. */
		if (q->next < q->oldest)
			q->next = q->oldest;
	}
	pthread_mutex_unlock(&q->lock);
	return item;
}

void
index_queue_stop(struct index_queue *q)
{
	atomic_store(&q->stop, true);
}

uint64_t
index_queue_bytes(struct index_queue *q)
{
	return atomic_load(&q->bytes);
}
