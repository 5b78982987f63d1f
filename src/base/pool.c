/*
 * base/pool.c: disk threads; see the header.
 *
 * One mutex guards two lists, of jobs to do and of jobs done.  Done ones come
 * back through an eventfd that the loop watches.
 *
 * When the system gives no thread at all, jobs wait and a timer asks again.
 * Running them on the loop's own thread was rejected: one slow disk would
 * then hold up every session, and short of threads is when disks are slow.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/pool.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define IDLE_S 10
#define RETRY_MS 100
#define STACK_BYTES (512 * 1024)	/* touched only as far as it is used */

struct pool {
	struct loop *loop;
	struct loop_watch watch;	/* the eventfd */
	struct loop_timer retry;	/* while there is no thread for a job */
	size_t busy;			/* the loop's own count */
	unsigned most;
	pthread_attr_t attr;
	_Atomic unsigned working;

	pthread_mutex_t lock;		/* of what follows */
	pthread_cond_t work_came;
	pthread_cond_t closing_step;	/* a job is done, a thread has left */
	struct pool_job *todo, **todo_end;
	struct pool_job *done, **done_end;
	size_t waiting;			/* jobs in todo */
	unsigned threads, idle;
	bool closing;
};

static void
list_add(struct pool_job ***end, struct pool_job *job)
{
	job->next = NULL;
	**end = job;
	*end = &job->next;
}

/* The first of the jobs to do, or NULL.  The lock is held. */
static struct pool_job *
take_todo(struct pool *p)
{
	struct pool_job *job = p->todo;

	if (job == NULL)
		return NULL;
	p->todo = job->next;
	if (p->todo == NULL)
		p->todo_end = &p->todo;
	p->waiting--;
	return job;
}

/* The next job, or NULL after IDLE_S without one.  The lock is held. */
static struct pool_job *
wait_todo(struct pool *p)
{
	struct timespec until;
	int error = 0;

	if (p->todo != NULL)
		return take_todo(p);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += IDLE_S;
	p->idle++;
	while (p->todo == NULL && !p->closing && error == 0)
		error = pthread_cond_timedwait(&p->work_came, &p->lock, &until);
	p->idle--;
	return take_todo(p);
}

/* Puts a job on the way back; true when the loop must be woken for it. */
static bool
add_done(struct pool *p, struct pool_job *job)
{
	bool first = p->done == NULL;

	list_add(&p->done_end, job);
	if (p->closing)
		pthread_cond_signal(&p->closing_step);
	return first && !p->closing;
}

static void
wake_loop(struct pool *p)
{
	uint64_t one = 1;

	/* Only a counter near 2^64 makes this fail, and it is then set. */
	(void)!write(p->watch.fd, &one, sizeof(one));
}

static void *
thread_main(void *arg)
{
	struct pool *p = arg;
	struct pool_job *job;

	pthread_mutex_lock(&p->lock);
	while ((job = wait_todo(p)) != NULL) {
		bool wake;

		atomic_fetch_add(&p->working, 1);
		pthread_mutex_unlock(&p->lock);
		job->work(job);
		pthread_mutex_lock(&p->lock);
		atomic_fetch_sub(&p->working, 1);
		wake = add_done(p, job);
		if (!wake)
			continue;
		/* Not under the lock, which the loop wants at once. */
		pthread_mutex_unlock(&p->lock);
		wake_loop(p);
		pthread_mutex_lock(&p->lock);
	}
	p->threads--;
	pthread_cond_signal(&p->closing_step);
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* Calls done for what is back; such a call may submit again. */
static void
give_back(struct pool *p)
{
	struct pool_job *job, *next;

	pthread_mutex_lock(&p->lock);
	job = p->done;
	p->done = NULL;
	p->done_end = &p->done;
	pthread_mutex_unlock(&p->lock);
	for (; job != NULL; job = next) {
		next = job->next;
		p->busy--;
		job->done(job);
	}
}

static void
done_ready(struct loop_watch *w, uint32_t events)
{
	uint64_t count;

	(void)events;
	(void)!read(w->fd, &count, sizeof(count));
	give_back(LOOP_OWNER(w, struct pool, watch));
}

/* Signals are the loop's: every thread is born with all of them blocked. */
static bool
thread_create(struct pool *p)
{
	sigset_t all, before;
	pthread_t thread;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&thread, &p->attr, thread_main, p);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error == 0;
}

/*
 * Starts a thread that p->threads already counts.  When that fails, its job
 * waits for those that run; when none does, for the next try.
 */
static void
thread_start(struct pool *p)
{
	bool none;

	if (thread_create(p))
		return;
	pthread_mutex_lock(&p->lock);
	p->threads--;
	none = p->threads == 0;
	pthread_mutex_unlock(&p->lock);
	if (none)
		loop_timer_set(p->loop, &p->retry, RETRY_MS);
}

/*
 * Counts one more thread if a job would otherwise have none.  A thread that
 * was woken stays among the idle until it runs, hence the comparison: two
 * jobs in a row must not count on the same one.  The lock is held.
 */
static bool
needs_thread(struct pool *p)
{
	if (p->waiting <= p->idle || p->threads >= p->most)
		return false;
	p->threads++;
	return true;
}

static void
retry_due(struct loop_timer *t)
{
	struct pool *p = LOOP_OWNER(t, struct pool, retry);
	bool start;

	pthread_mutex_lock(&p->lock);
	start = needs_thread(p);
	pthread_mutex_unlock(&p->lock);
	if (start)
		thread_start(p);
}

static void
attributes_init(struct pool *p)
{
	pthread_condattr_t clock;

	pthread_mutex_init(&p->lock, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&p->work_came, &clock);
	pthread_condattr_destroy(&clock);
	pthread_cond_init(&p->closing_step, NULL);
	pthread_attr_init(&p->attr);
	pthread_attr_setdetachstate(&p->attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&p->attr, STACK_BYTES);
}

struct pool *
pool_new(struct loop *l, unsigned most)
{
	struct pool *p = calloc(1, sizeof(*p));
	int error;

	if (p == NULL)
		return NULL;
	p->loop = l;
	p->most = most > 0 ? most : 1;
	p->todo_end = &p->todo;
	p->done_end = &p->done;
	p->retry.fire = retry_due;
	p->watch = (struct loop_watch) {
		.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
		.ready = done_ready };
	if (p->watch.fd < 0 || !loop_watch(l, &p->watch, EPOLLIN)) {
		error = errno;
		if (p->watch.fd >= 0)
			close(p->watch.fd);
		free(p);
		errno = error;
		return NULL;
	}
	attributes_init(p);
	return p;
}

void
pool_submit(struct pool *p, struct pool_job *job)
{
	bool start;

	p->busy++;
	pthread_mutex_lock(&p->lock);
	list_add(&p->todo_end, job);
	p->waiting++;
	start = needs_thread(p);
	if (!start && p->idle > 0)
		pthread_cond_signal(&p->work_came);
	pthread_mutex_unlock(&p->lock);
	if (start)
		thread_start(p);
}

size_t
pool_busy(const struct pool *p)
{
	return p->busy;
}

bool
pool_is_crowded(const struct pool *p)
{
	return atomic_load_explicit(&p->working, memory_order_relaxed) >
	    p->most / 2;
}

bool
pool_has_no_thread(struct pool *p)
{
	bool none;

	pthread_mutex_lock(&p->lock);
	none = p->threads == 0;
	pthread_mutex_unlock(&p->lock);
	return none;
}

bool
pool_is_short(struct pool *p)
{
	bool is_short;

	pthread_mutex_lock(&p->lock);
	is_short = p->waiting > 0 && p->idle == 0;
	pthread_mutex_unlock(&p->lock);
	return is_short;
}

/* Waits for something to be done; does it here when there is no thread. */
static void
close_step(struct pool *p)
{
	struct pool_job *job = NULL;

	pthread_mutex_lock(&p->lock);
	while (p->done == NULL && p->threads > 0)
		pthread_cond_wait(&p->closing_step, &p->lock);
	if (p->done == NULL)
		job = take_todo(p);
	pthread_mutex_unlock(&p->lock);
	if (job != NULL) {
		p->busy--;
		job->work(job);
		job->done(job);
	}
	give_back(p);
}

void
pool_free(struct pool *p)
{
	if (p == NULL)
		return;
	pthread_mutex_lock(&p->lock);
	p->closing = true;
	pthread_cond_broadcast(&p->work_came);
	pthread_mutex_unlock(&p->lock);
	while (p->busy > 0)
		close_step(p);
	pthread_mutex_lock(&p->lock);
	while (p->threads > 0)
		pthread_cond_wait(&p->closing_step, &p->lock);
	pthread_mutex_unlock(&p->lock);
	loop_timer_stop(p->loop, &p->retry);
	loop_unwatch(p->loop, &p->watch);
	close(p->watch.fd);
	pthread_attr_destroy(&p->attr);
	pthread_cond_destroy(&p->work_came);
	pthread_cond_destroy(&p->closing_step);
	pthread_mutex_destroy(&p->lock);
	free(p);
}
