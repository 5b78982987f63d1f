/*
 * worker/hash.c: see the header.
 *
 * A turn's job owns its struct hash while it runs; an abort sets a flag, and
 * the loop frees when the job is back.  Buffers are on the threads' stacks:
 * each that waits has its names (at most 13 KiB), some 500 bytes and a
 * descriptor.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "worker/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "ipc/inherit.h"

#define SLICE (1u << 20)	/* bytes of one turn */
#define SLICE_LEAST (64u << 10)	/* a budget of less than that waits */
#define PIECE 65536		/* read at once */

/* Times of file systems move on in ticks: a change within one of the last
 * look is not seen.  FAT's are 2 s, others at most 10 ms or 1 s. */
#define TICK_NS 50000000
#define COARSE_NS 2000000000LL

struct hash_desk {
	struct worker *w;
	struct hash_store store;
	struct hash *first, **last;	/* who waits for a turn */
	unsigned queued, running;
	int64_t budget;		/* bytes; below 0: more was read than granted */
	uint64_t filled_ms;
	struct loop_timer timer;
};

static uint64_t
rate_of(const struct worker *w)
{
	return (uint64_t)w->conf.hash_rate_MiBps << 20;
}

static int64_t
most_of(const struct worker *w)
{
	uint64_t most = rate_of(w) / 10;

	return (int64_t)(most > SLICE ? most : SLICE);
}

/* ---- on a disk thread */

static struct hash_key
key_of(const struct hash *h)
{
	const struct storage_stat *st = &h->stat;

	return (struct hash_key) { .dev = st->dev, .ino = st->ino,
		.size = st->size, .mtime = st->mtime, .ctime = st->ctime,
		.mtime_ns = st->mtime_ns, .ctime_ns = st->ctime_ns,
		.first = h->first, .last = h->end > 0 ? h->end - 1 : 0,
		.algorithm = (uint32_t)h->algorithm };
}

static bool
is_whole(const struct hash *h)
{
	return h->first == 0 && h->end == h->stat.size;
}

static enum hash_step
look_up(struct hash *h)
{
	struct hash_key key = key_of(h);

	h->looked = true;
	if (hash_store_get(&h->w->hash_desk->store, &key, HASH_STORE_WAIT,
	    h->out) == HASH_STORE_KNOWN)
		return HASH_KNOWN;
	if (h->algorithm == HASH_SHA256 && is_whole(h) &&
	    hash_sums_find(h, h->path, h->out, &h->used))
		return HASH_FROM_SUMS;
	return h->instead;
}

static bool
start_digest(struct hash *h)
{
	static const enum digest_kind kinds[HASH_COUNT] = {
		[HASH_SHA256] = DIGEST_SHA256,
		[HASH_SHA512] = DIGEST_SHA512,
		[HASH_SHA1] = DIGEST_SHA1,
		[HASH_MD5] = DIGEST_MD5,
	};

	if (h->algorithm == HASH_CRC32 || h->digest != NULL)
		return true;
	h->digest = digest_new(kinds[h->algorithm]);
	return h->digest != NULL;
}

static void
add(struct hash *h, const unsigned char *bytes, size_t n)
{
	if (h->algorithm == HASH_CRC32)
		h->crc = (uint32_t)crc32(h->crc, bytes, (uInt)n);
	else
		digest_add(h->digest, bytes, n);
	h->at += n;
	h->used += n;
	atomic_fetch_add(&h->done, n);
}

static bool
end_digest(struct hash *h)
{
	if (h->algorithm != HASH_CRC32)
		return digest_finish(h->digest, h->out);
	for (size_t i = 0; i < 4; i++)
		h->out[i] = (uint8_t)(h->crc >> (24 - 8 * i));
	return true;
}

/* The file is what it was when it was opened. */
static bool
is_unchanged(const struct hash *h)
{
	const struct storage_stat *was = &h->stat;
	struct stat st;

	return fstat(h->fd, &st) == 0 && (uint64_t)st.st_size == was->size &&
	    st.st_mtim.tv_sec == was->mtime &&
	    st.st_mtim.tv_nsec == was->mtime_ns &&
	    st.st_ctim.tv_sec == was->ctime &&
	    st.st_ctim.tv_nsec == was->ctime_ns;
}

/* A change just now could have left the times as they are. */
static bool
is_settled(const struct storage_stat *st)
{
	struct timespec now;
	long long age;

	clock_gettime(CLOCK_REALTIME, &now);
	if (st->ctime < now.tv_sec - 3)
		return true;
	age = (long long)(now.tv_sec - st->ctime) * 1000000000 + now.tv_nsec -
	    st->ctime_ns;
	return age > (st->ctime_ns == 0 ? COARSE_NS : TICK_NS);
}

static enum hash_step
end_reading(struct hash *h)
{
	struct hash_key key = key_of(h);

	if (!end_digest(h))
		return HASH_FAILED;
	if (!is_unchanged(h))
		return HASH_CHANGED;
	if (is_settled(&h->stat))
		hash_store_put(&h->w->hash_desk->store, &key, h->out,
		    hash_bytes(h->algorithm));
	return HASH_COMPUTED;
}

/* The next bytes, as many as this turn may have. */
static enum hash_step
read_on(struct hash *h)
{
	unsigned char piece[PIECE];

	if (!start_digest(h))
		return HASH_FAILED;
	while (h->at < h->end && h->used < h->grant) {
		uint64_t want = h->end - h->at, left = h->grant - h->used;
		ssize_t n;

		if (atomic_load(&h->cancel))
			return HASH_FAILED;
		want = want < left ? want : left;
		n = pread(h->fd, piece, want < PIECE ? (size_t)want : PIECE,
		    (off_t)h->at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return HASH_FAILED;
		if (n == 0)
			return HASH_CHANGED;
		add(h, piece, (size_t)n);
	}
	return h->at < h->end ? HASH_GOES_ON : end_reading(h);
}

static void
hash_work(struct pool_job *job)
{
	struct hash *h = LOOP_OWNER(job, struct hash, job);

	h->used = 0;
	h->step = h->looked ? HASH_GOES_ON : look_up(h);
	if (h->step == HASH_GOES_ON)
		h->step = read_on(h);
}

/* ---- on the loop */

static void
enqueue(struct hash_desk *d, struct hash *h)
{
	h->queued = true;
	h->next = NULL;
	*d->last = h;
	d->last = &h->next;
	d->queued++;
}

static void
unqueue(struct hash_desk *d, struct hash *h)
{
	struct hash **link = &d->first;

	while (*link != h)
		link = &(*link)->next;
	*link = h->next;
	if (h->next == NULL)
		d->last = link;
	h->queued = false;
	d->queued--;
}

static void
fill_budget(struct hash_desk *d)
{
	uint64_t now = d->w->loop.now_ms, ms = now - d->filled_ms;

	d->budget += (int64_t)((ms < 10000 ? ms : 10000) * rate_of(d->w) /
	    1000);
	if (d->budget > most_of(d->w))
		d->budget = most_of(d->w);
	d->filled_ms = now;
}

static void
run_turn(struct hash_desk *d, struct hash *h)
{
	struct worker_counters *c = &d->w->counters;

	unqueue(d, h);
	h->grant = d->budget < SLICE ? (uint64_t)d->budget : SLICE;
	d->budget -= (int64_t)h->grant;
	h->running = true;
	if (++d->running > c->hash_jobs_most)
		c->hash_jobs_most = d->running;
	pool_submit(d->w->pool, &h->job);
}

static void
run_turns(struct hash_desk *d)
{
	int64_t lacking;

	fill_budget(d);
	while (d->first != NULL && d->running < d->w->conf.hash_jobs &&
	    d->budget >= SLICE_LEAST)
		run_turn(d, d->first);
	if (d->first == NULL || d->budget >= SLICE_LEAST)
		return;
	lacking = SLICE_LEAST - d->budget;
	loop_timer_stop(&d->w->loop, &d->timer);
	loop_timer_set(&d->w->loop, &d->timer,
	    (uint64_t)lacking * 1000 / rate_of(d->w) + 1);
}

static void
budget_due(struct loop_timer *t)
{
	run_turns(LOOP_OWNER(t, struct hash_desk, timer));
}

/* The digest, or why there is none; h is gone after it. */
static void
finish(struct sess *s, struct hash *h, enum hash_step step)
{
	struct worker_counters *c = &s->w->counters;

	h->step = step;
	if (step == HASH_COMPUTED)
		c->hashes_computed++;
	else if (step == HASH_KNOWN)
		c->hashes_known++;
	else if (step == HASH_FROM_SUMS)
		c->hashes_from_sums++;
	else
		c->hashes_refused++;
	s->hash = NULL;
	hash_answer(s, h);
	hash_free(h);
}

static void
turn_done(struct pool_job *job)
{
	struct hash *h = LOOP_OWNER(job, struct hash, job);
	struct hash_desk *d = h->w->hash_desk;
	struct sess *s = h->s;

	h->running = false;
	d->running--;
	d->budget += (int64_t)h->grant - (int64_t)h->used;
	h->w->counters.hash_bytes += h->used;
	if (s == NULL) {
		hash_free(h);
	} else if (h->step == HASH_GOES_ON) {
		enqueue(d, h);
	} else {
		sess_wait_for(s, WAIT_NOTHING);
		finish(s, h, h->step);
		control_continue(s);
	}
	run_turns(d);
}

struct hash *
hash_new(struct sess *s, enum hash_algorithm algorithm, struct sv arg)
{
	struct hash *h = calloc(1, sizeof(*h) + arg.len + PATH_MAX);

	if (h == NULL)
		return NULL;
	memcpy(h + 1, arg.ptr, arg.len);
	h->arg = h->name = (struct sv) { (char *)(h + 1), arg.len };
	h->job.work = hash_work;
	h->job.done = turn_done;
	h->w = s->w;
	h->storage = s->storage;
	h->s = s;
	h->algorithm = algorithm;
	h->fd = -1;
	return h;
}

void
hash_free(struct hash *h)
{
	struct storage_dir *none = NULL;

	lookup_close(h->w, h->at_once, &h->fd, &none);
	digest_free(h->digest);
	free(h);
}

static bool
is_same_client(const struct sess *a, const struct sess *b)
{
	struct addr_net net = { .base = a->who.client,
		.bits = a->who.client.family == ADDR_V6 ? 64 : 32 };

	return addr_in_net(&b->who.client, &net);
}

/* Room for one more: of all, and of this client's. */
static bool
has_room(const struct hash_desk *d, const struct sess *s)
{
	const struct worker *w = d->w;
	unsigned all = 0, of_client = 0;

	for (uint32_t i = 0; i < w->conf.worker_sessions; i++) {
		const struct sess *other = w->slot[i];

		if (other == NULL || other->wait != WAIT_HASH)
			continue;
		all++;
		of_client += is_same_client(s, other);
	}
	return all < HASH_QUEUE && of_client < HASH_PER_CLIENT;
}

/* What becomes of it when it is not known. */
static enum hash_step
instead_of_computing(const struct hash *h)
{
	const struct conf *c = &h->w->conf;

	if (c->hash != CONF_HASH_COMPUTE)
		return HASH_UNKNOWN;
	return h->end - h->first > (uint64_t)c->hash_largest_MiB << 20 ?
	    HASH_TOO_LARGE : HASH_GOES_ON;
}

void
hash_begin(struct sess *s, struct hash *h)
{
	struct hash_desk *d = s->w->hash_desk;
	struct hash_key key = key_of(h);
	bool sums = h->algorithm == HASH_SHA256 && is_whole(h);
	enum hash_store_answer answer = hash_store_get(&d->store, &key,
	    HASH_STORE_NOW, h->out);

	h->at = h->first;
	h->instead = instead_of_computing(h);
	if (answer == HASH_STORE_KNOWN) {
		finish(s, h, HASH_KNOWN);
	} else if (answer == HASH_STORE_UNKNOWN && !sums &&
	    h->instead != HASH_GOES_ON) {
		finish(s, h, h->instead);
	} else if (!has_room(d, s)) {
		finish(s, h, HASH_BUSY);
	} else {
		enqueue(d, h);
		sess_wait_for(s, WAIT_HASH);
		run_turns(d);
	}
}

bool
hash_progressed(struct hash *h)
{
	uint64_t done = atomic_load(&h->done);
	bool more = done > h->seen;

	h->seen = done;
	return more;
}

void
hash_abandon(struct sess *s)
{
	struct hash *h = s->hash;

	if (h == NULL)
		return;
	s->hash = NULL;
	h->s = NULL;
	atomic_store(&h->cancel, true);
	if (h->running)
		return; /* its memory when the job is back */
	if (h->queued)
		unqueue(s->w->hash_desk, h);
	hash_free(h);
}

void
hash_stalled(struct sess *s)
{
	hash_abandon(s);
	s->w->counters.hashes_refused++;
	reply(s, 450, "It takes too long now; try again later.");
	sess_wait_for(s, WAIT_NOTHING);
	control_continue(s);
}

void
hash_abort(struct sess *s)
{
	hash_abandon(s);
	reply(s, 426, "Aborted by you.");
	sess_wait_for(s, WAIT_NOTHING);
	reply(s, 226, "Aborted.");
}

bool
hash_start(struct worker *w)
{
	struct hash_desk *d;

	if (w->conf.hash == CONF_HASH_OFF)
		return true;
	if (!digest_load() || (d = calloc(1, sizeof(*d))) == NULL)
		return false;
	d->w = w;
	d->last = &d->first;
	d->timer.fire = budget_due;
	d->budget = most_of(w);
	d->filled_ms = w->loop.now_ms;
	(void)hash_store_open(&d->store, INHERIT_STORE);
	w->hash_desk = d;
	return true;
}

void
hash_forget_store(struct worker *w)
{
	if (w->hash_desk != NULL)
		(void)hash_store_open(&w->hash_desk->store, -1);
}
