/*
 * base/pool.h: a few threads for calls that may block on a disk.
 *
 * The loop's thread submits jobs and gets them back, in its own turn, when
 * they are done; a thread touches nothing but its job.  Threads are started
 * when a job finds none idle, up to a maximum, and leave after ten seconds
 * without work, so a slow disk holds up its own jobs only, until `most` of
 * them hang at once.  Start none before the sandbox: Landlock covers the
 * thread that enters it and those that it starts.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/loop.h"

struct pool_job {
	struct pool_job *next;
	void (*work)(struct pool_job *job);	/* on a thread */
	void (*done)(struct pool_job *job);	/* back on the loop's thread */
};

struct pool;

/* most: threads at once.  NULL with errno set. */
struct pool *pool_new(struct loop *l, unsigned most);

/*
 * The job belongs to the pool until done is called.  Never fails: a job that
 * finds no thread waits for one, also when the system has none to give; it
 * never runs on the loop's own.
 */
void pool_submit(struct pool *p, struct pool_job *job);

/* Jobs that run or wait, or are done and not back yet.  The loop's thread. */
size_t pool_busy(const struct pool *p);

/* Has no thread now: what is forbidden to us will be so to all of its. */
bool pool_has_no_thread(struct pool *p);

/*
 * More than half of `most` are at work: a job should not sleep for a client
 * on its thread.  Who asks before each sleep is among those at work, so that
 * no more than half of them ever sleep.  Safe from any thread.
 */
bool pool_is_crowded(const struct pool *p);

/*
 * A job waits, and no thread is idle: one that can go on later should give
 * its thread back, and queue again.  Safe from any thread.
 */
bool pool_is_short(struct pool *p);

/*
 * Waits for all jobs, those included that a done submits, calls done for
 * each, then frees; before its loop is freed, and not from a done.
 */
void pool_free(struct pool *p);
