/*
 * base/pool.c: disk threads; see the header.
 *
 * One mutex guards two lists.  Done jobs come back through an eventfd that
 * the loop watches.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define IDLE_S 10
#define STACK_BYTES (512 * 1024)	/* touched only as far as it is used */

struct pool {
	struct loop *loop;
	struct loop_watch watch;	/* the eventfd */
	pthread_mutex_t lock;
	pthread_cond_t work_came;
	pthread_cond_t thread_left;
	pthread_attr_t attr;
	struct pool_job *todo, **todo_end;
	struct pool_job *done, **done_end;
	unsigned most, threads, idle;
	_Atomic unsigned working;
	size_t busy;			/* the loop's own count */
	bool closing;
};

static void
list_add(struct pool_job ***end, struct pool_job *job)
{
	job->next = NULL;
	**end = job;
	*end = &job->next;
}

/* The next job, or NULL after IDLE_S without one.  The lock is held. */
static struct pool_job *
next_job(struct pool *p)
{
	struct pool_job *job;
	struct timespec until;
	int error = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += IDLE_S;
	p->idle++;
	while (p->todo == NULL && !p->closing && error == 0)
		error = pthread_cond_timedwait(&p->work_came, &p->lock, &until);
	p->idle--;
	if ((job = p->todo) == NULL)
		return NULL;
	p->todo = job->next;
	if (p->todo == NULL)
		p->todo_end = &p->todo;
	return job;
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
	while ((job = next_job(p)) != NULL) {
		bool first;

		atomic_fetch_add(&p->working, 1);
		pthread_mutex_unlock(&p->lock);
		job->work(job);
		pthread_mutex_lock(&p->lock);
		atomic_fetch_sub(&p->working, 1);
		first = p->done == NULL;
		list_add(&p->done_end, job);
		if (first)
			wake_loop(p);
	}
	p->threads--;
	pthread_cond_signal(&p->thread_left);
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static void
take_back(struct loop_watch *w, uint32_t events)
{
	struct pool *p = LOOP_OWNER(w, struct pool, watch);
	struct pool_job *job;
	uint64_t count;

	(void)events;
	(void)!read(w->fd, &count, sizeof(count));
	pthread_mutex_lock(&p->lock);
	job = p->done;
	p->done = NULL;
	p->done_end = &p->done;
	pthread_mutex_unlock(&p->lock);
	while (job != NULL) {
		struct pool_job *next = job->next;

		p->busy--;
		job->done(job);
		job = next;
	}
}

/* Signals are the loop's: every thread is born with all of them blocked. */
static bool
thread_start(struct pool *p)
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

static void
attributes_init(struct pool *p)
{
	pthread_condattr_t clock;

	pthread_mutex_init(&p->lock, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&p->work_came, &clock);
	pthread_condattr_destroy(&clock);
	pthread_cond_init(&p->thread_left, NULL);
	pthread_attr_init(&p->attr);
	pthread_attr_setdetachstate(&p->attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&p->attr, STACK_BYTES);
}

struct pool *
pool_new(struct loop *l, unsigned most)
{
	struct pool *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->loop = l;
	p->most = most > 0 ? most : 1;
	p->todo_end = &p->todo;
	p->done_end = &p->done;
	p->watch = (struct loop_watch) {
		.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
		.ready = take_back };
	if (p->watch.fd < 0 || !loop_watch(l, &p->watch, EPOLLIN)) {
		if (p->watch.fd >= 0)
			close(p->watch.fd);
		free(p);
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
	start = p->idle == 0 && p->threads < p->most;
	if (start)
		p->threads++;
	else
		pthread_cond_signal(&p->work_came);
	pthread_mutex_unlock(&p->lock);
	if (!start || thread_start(p))
		return;
	/* No memory for one more: the job waits for those that run. */
	pthread_mutex_lock(&p->lock);
	p->threads--;
	pthread_cond_signal(&p->work_came);
	pthread_mutex_unlock(&p->lock);
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

void
pool_free(struct pool *p)
{
	if (p == NULL)
		return;
	pthread_mutex_lock(&p->lock);
	p->closing = true;
	pthread_cond_broadcast(&p->work_came);
	while (p->threads > 0)
		pthread_cond_wait(&p->thread_left, &p->lock);
	pthread_mutex_unlock(&p->lock);
	take_back(&p->watch, 0);
	loop_unwatch(p->loop, &p->watch);
	close(p->watch.fd);
	pthread_attr_destroy(&p->attr);
	pthread_cond_destroy(&p->work_came);
	pthread_cond_destroy(&p->thread_left);
	pthread_mutex_destroy(&p->lock);
	free(p);
}
