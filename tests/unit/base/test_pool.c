/*
 * Every test has its own loop and pool, and a watchdog: what is wrong with
 * threads shows mostly in that nothing happens any more.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/pool.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "unit.h"

#define NOBODY 65534

struct fixture {
	struct loop loop;
	struct pool *pool;
	struct loop_timer timer;
	size_t turns;
};

/* A job that counts, and what it may find to do. */
struct job {
	struct pool_job job;
	struct fixture *f;
	pthread_t worked_on, given_to;
	unsigned worked, given;
	unsigned again;			/* times that done submits it */
	pthread_barrier_t *meet;	/* others whom it waits for */
	atomic_bool *hold;		/* waits until it is false */
	size_t *left;			/* of all; the last stops the loop */
};

static atomic_bool is_hasty;

/* The pool's own wait, whose ten seconds are 50 us here when a test says. */
int
pthread_cond_timedwait(pthread_cond_t *restrict cond,
    pthread_mutex_t *restrict lock, const struct timespec *restrict until)
{
	struct timespec soon;

	if (atomic_load(&is_hasty)) {
		clock_gettime(CLOCK_MONOTONIC, &soon);
		soon.tv_nsec += 50000;
		if (soon.tv_nsec >= 1000000000) {
			soon.tv_nsec -= 1000000000;
			soon.tv_sec++;
		}
		until = &soon;
	}
	return pthread_cond_clockwait(cond, lock, CLOCK_MONOTONIC, until);
}

static void
count_turn(void *arg)
{
	struct fixture *f = arg;

	f->turns++;
}

static void
start(struct fixture *f, unsigned most)
{
	*f = (struct fixture) { 0 };
	assert_true(loop_init(&f->loop));
	f->loop.flush = count_turn;
	f->loop.flush_arg = f;
	f->pool = pool_new(&f->loop, most);
	assert_non_null(f->pool);
	alarm(60);
}

static void
finish(struct fixture *f)
{
	pool_free(f->pool);
	loop_free(&f->loop);
	alarm(0);
}

static void
work(struct pool_job *job)
{
	struct job *j = LOOP_OWNER(job, struct job, job);

	j->worked_on = pthread_self();
	j->worked++;
	if (j->meet != NULL)
		pthread_barrier_wait(j->meet);
	while (j->hold != NULL && atomic_load(j->hold))
		sched_yield();
}

static void
done(struct pool_job *job)
{
	struct job *j = LOOP_OWNER(job, struct job, job);

	j->given_to = pthread_self();
	j->given++;
	if (j->again > 0) {
		j->again--;
		pool_submit(j->f->pool, job);
	} else if (j->left != NULL && --*j->left == 0) {
		j->f->loop.stop = true;
	}
}

static void
submit(struct fixture *f, struct job *j)
{
	j->f = f;
	j->job.work = work;
	j->job.done = done;
	pool_submit(f->pool, &j->job);
}

static void
run(struct fixture *f)
{
	f->loop.stop = false;
	loop_run(&f->loop);
}

static void
stop_loop(struct loop_timer *t)
{
	struct fixture *f = LOOP_OWNER(t, struct fixture, timer);

	f->loop.stop = true;
}

static void
run_for(struct fixture *f, uint64_t ms)
{
	f->timer.fire = stop_loop;
	loop_timer_set(&f->loop, &f->timer, ms);
	run(f);
}

static void
a_job_works_there_and_is_done_here(void **state)
{
	struct fixture f;
	size_t left = 1;
	struct job j = { .left = &left };

	(void)state;
	start(&f, 2);
	assert_int_equal(pool_busy(f.pool), 0);
	submit(&f, &j);
	assert_int_equal(pool_busy(f.pool), 1);
	usleep(20000);
	assert_int_equal(j.given, 0); /* not before its turn */
	run(&f);
	assert_int_equal(f.turns, 1);
	assert_int_equal(j.worked, 1);
	assert_int_equal(j.given, 1);
	assert_false(pthread_equal(j.worked_on, pthread_self()));
	assert_true(pthread_equal(j.given_to, pthread_self()));
	assert_int_equal(pool_busy(f.pool), 0);
	finish(&f);
}

static void
every_job_comes_back_once(void **state)
{
	enum { JOBS = 500, AGAIN = 40 };
	static const unsigned most[] = { 1, 2, 16 };

	(void)state;
	for (size_t k = 0; k < COUNT(most); k++) {
		struct job *jobs = calloc(JOBS, sizeof(*jobs));
		size_t left = JOBS;
		struct fixture f;

		assert_non_null(jobs);
		start(&f, most[k]);
		for (size_t i = 0; i < JOBS; i++) {
			jobs[i].again = AGAIN;
			jobs[i].left = &left;
			submit(&f, &jobs[i]);
		}
		assert_int_equal(pool_busy(f.pool), JOBS);
		run(&f);
		for (size_t i = 0; i < JOBS; i++) {
			assert_int_equal(jobs[i].worked, AGAIN + 1);
			assert_int_equal(jobs[i].given, AGAIN + 1);
		}
		assert_int_equal(pool_busy(f.pool), 0);
		finish(&f);
		free(jobs);
	}
}

/*
 * Jobs that wait for each other: each must get a thread though the others do
 * not give theirs back, also when idle threads seemed to be enough.
 */
static void
no_job_waits_behind_another(void **state)
{
	enum { MOST = 4 };
	pthread_barrier_t meet;
	struct fixture f;

	(void)state;
	start(&f, MOST);
	for (unsigned together = 1; together <= MOST; together++)
		for (int round = 0; round < 200; round++) {
			struct job jobs[MOST] = { 0 };
			size_t left = together;

			pthread_barrier_init(&meet, NULL, together);
			for (unsigned i = 0; i < together; i++) {
				jobs[i].meet = &meet;
				jobs[i].left = &left;
				submit(&f, &jobs[i]);
			}
			run(&f);
			pthread_barrier_destroy(&meet);
		}
	finish(&f);
}

static void
no_more_than_most_work_at_once(void **state)
{
	enum { MOST = 3, JOBS = 9 };
	struct job jobs[JOBS] = { 0 };
	atomic_bool hold = true;
	size_t left = JOBS;
	struct fixture f;

	(void)state;
	start(&f, MOST);
	for (unsigned i = 0; i < JOBS; i++) {
		jobs[i].hold = &hold;
		jobs[i].left = &left;
		submit(&f, &jobs[i]);
	}
	run_for(&f, 50);
	assert_int_equal(left, JOBS);
	atomic_store(&hold, false);
	run(&f);
	for (unsigned i = 0; i < JOBS; i++) {
		unsigned same = 0;

		for (unsigned k = 0; k < i; k++)
			same += pthread_equal(jobs[i].worked_on,
			    jobs[k].worked_on) != 0;
		if (i >= MOST)
			assert_true(same > 0);
	}
	finish(&f);
}

static void
crowded_is_more_than_half(void **state)
{
	static const struct {
		unsigned most, jobs;
		bool crowded;
	} table[] = {
		{ 1, 0, false }, { 1, 1, true },
		{ 2, 1, false }, { 2, 2, true },
		{ 3, 1, false }, { 3, 2, true },
		{ 4, 2, false }, { 4, 3, true },
		{ 4, 4, true }, { 0, 1, true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct job jobs[4] = { 0 };
		size_t left = table[i].jobs;
		atomic_bool hold = true;
		pthread_barrier_t meet;
		struct fixture f;

		start(&f, table[i].most);
		pthread_barrier_init(&meet, NULL, table[i].jobs + 1);
		for (unsigned k = 0; k < table[i].jobs; k++) {
			jobs[k].meet = &meet;
			jobs[k].hold = &hold;
			jobs[k].left = &left;
			submit(&f, &jobs[k]);
		}
		pthread_barrier_wait(&meet); /* all of them are at work */
		if (pool_is_crowded(f.pool) != table[i].crowded)
			fail_msg("row %zu", i);
		atomic_store(&hold, false);
		if (table[i].jobs > 0)
			run(&f);
		assert_false(pool_is_crowded(f.pool));
		pthread_barrier_destroy(&meet);
		finish(&f);
	}
}

static void
short_is_a_job_that_waits_for_the_busy(void **state)
{
	enum { MOST = 2 };

	(void)state;
	for (unsigned n = 0; n <= MOST + 1; n++) {
		struct job jobs[MOST + 1] = { 0 };
		unsigned at_work = n < MOST ? n : MOST;
		atomic_bool hold = true;
		pthread_barrier_t meet;
		size_t left = n;
		struct fixture f;

		start(&f, MOST);
		pthread_barrier_init(&meet, NULL, at_work + 1);
		for (unsigned k = 0; k < n; k++) {
			jobs[k].meet = k < MOST ? &meet : NULL;
			jobs[k].hold = &hold;
			jobs[k].left = &left;
			submit(&f, &jobs[k]);
		}
		pthread_barrier_wait(&meet); /* who has a thread is at work */
		if (pool_is_short(f.pool) != (n > MOST))
			fail_msg("%u jobs", n);
		atomic_store(&hold, false);
		if (n > 0)
			run(&f);
		assert_false(pool_is_short(f.pool));
		pthread_barrier_destroy(&meet);
		finish(&f);
	}
}

static atomic_int signals;

static void
count_signal(int number)
{
	(void)number;
	atomic_fetch_add(&signals, 1);
}

static void
look_at_mask(struct pool_job *job)
{
	struct job *j = LOOP_OWNER(job, struct job, job);
	sigset_t mask;

	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	j->worked = sigismember(&mask, SIGTERM) == 1 &&
	    sigismember(&mask, SIGHUP) == 1 &&
	    sigismember(&mask, SIGUSR1) == 1 &&
	    sigismember(&mask, SIGPIPE) == 1;
}

static void
signals_are_for_the_loop(void **state)
{
	struct sigaction act = { .sa_handler = count_signal }, before;
	size_t left = 1;
	struct job j = { .left = &left };
	struct fixture f;
	sigset_t mask;

	(void)state;
	start(&f, 1);
	j.f = &f;
	j.job.work = look_at_mask;
	j.job.done = done;
	pool_submit(f.pool, &j.job);
	run(&f);
	assert_int_equal(j.worked, 1);
	/* And the loop's own are as they were. */
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	assert_int_equal(sigismember(&mask, SIGUSR1), 0);
	sigaction(SIGUSR1, &act, &before);
	raise(SIGUSR1);
	sigaction(SIGUSR1, &before, NULL);
	assert_int_equal(atomic_load(&signals), 1);
	finish(&f);
}

/* Threads that leave at every moment, some just when a job comes. */
static void
idle_threads_leave_without_a_job_lost(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, 4);
	atomic_store(&is_hasty, true);
	for (int i = 0; i < 5000; i++) {
		size_t left = 1 + (size_t)i % 3;
		struct job jobs[3] = { 0 };

		for (size_t k = left; k-- > 0;) {
			jobs[k].left = &left;
			submit(&f, &jobs[k]);
		}
		run(&f);
		if (i % 16 == 0)
			usleep((useconds_t)i % 120);
	}
	atomic_store(&is_hasty, false);
	finish(&f);
}

static void
free_gives_every_job_back(void **state)
{
	struct job jobs[64] = { 0 };
	struct fixture f;

	(void)state;
	start(&f, 2);
	finish(&f); /* without ever a job */
	start(&f, 2);
	for (unsigned i = 0; i < COUNT(jobs); i++) {
		jobs[i].again = i % 5;
		submit(&f, &jobs[i]);
	}
	finish(&f);
	for (unsigned i = 0; i < COUNT(jobs); i++) {
		assert_int_equal(jobs[i].worked, 1 + i % 5);
		assert_int_equal(jobs[i].given, 1 + i % 5);
	}
	pool_free(NULL);
}

/*
 * No thread to be had.  The limit does not hold for root, so root is nobody
 * meanwhile, with a way back.
 */
static void
forbid_threads(struct rlimit *before)
{
	struct rlimit none;

	assert_int_equal(getrlimit(RLIMIT_NPROC, before), 0);
	none = (struct rlimit) { 0, before->rlim_max };
	if (getuid() == 0)
		assert_int_equal(setresuid(NOBODY, NOBODY, 0), 0);
	assert_int_equal(setrlimit(RLIMIT_NPROC, &none), 0);
}

static void
allow_threads(const struct rlimit *before, uid_t uid)
{
	assert_int_equal(setrlimit(RLIMIT_NPROC, before), 0);
	if (uid == 0)
		assert_int_equal(setresuid(0, 0, 0), 0);
}

static void
jobs_wait_until_there_are_threads(void **state)
{
	struct job jobs[3] = { 0 };
	size_t left = COUNT(jobs);
	struct rlimit before;
	struct fixture f;
	uid_t uid = getuid();
	bool early;

	(void)state;
	start(&f, 2);
	forbid_threads(&before);
	for (size_t i = 0; i < COUNT(jobs); i++) {
		jobs[i].left = &left;
		submit(&f, &jobs[i]);
	}
	run_for(&f, 250); /* through two more tries */
	early = left < COUNT(jobs);
	allow_threads(&before, uid);
	if (early) {
		finish(&f);
		skip(); /* a system without this limit */
	}
	assert_int_equal(pool_busy(f.pool), COUNT(jobs));
	run(&f);
	for (size_t i = 0; i < COUNT(jobs); i++)
		assert_false(pthread_equal(jobs[i].worked_on, pthread_self()));
	finish(&f);
}

static void
free_needs_no_thread(void **state)
{
	struct job j = { .again = 2 };
	struct rlimit before;
	struct fixture f;
	uid_t uid = getuid();

	(void)state;
	start(&f, 2);
	forbid_threads(&before);
	submit(&f, &j);
	finish(&f);
	allow_threads(&before, uid);
	assert_int_equal(j.worked, 3);
	assert_int_equal(j.given, 3);
}

static void
without_descriptors_there_is_no_pool(void **state)
{
	struct rlimit before, none;
	struct loop loop;
	struct pool *pool;
	int error;

	(void)state;
	assert_true(loop_init(&loop));
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit) { 0, before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	pool = pool_new(&loop, 1);
	error = errno;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_null(pool);
	assert_int_equal(error, EMFILE);
	loop_free(&loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_job_works_there_and_is_done_here),
		cmocka_unit_test(every_job_comes_back_once),
		cmocka_unit_test(no_job_waits_behind_another),
		cmocka_unit_test(no_more_than_most_work_at_once),
		cmocka_unit_test(crowded_is_more_than_half),
		cmocka_unit_test(short_is_a_job_that_waits_for_the_busy),
		cmocka_unit_test(signals_are_for_the_loop),
		cmocka_unit_test(idle_threads_leave_without_a_job_lost),
		cmocka_unit_test(free_gives_every_job_back),
		cmocka_unit_test(jobs_wait_until_there_are_threads),
		cmocka_unit_test(free_needs_no_thread),
		cmocka_unit_test(without_descriptors_there_is_no_pool),
	};

	return RUN(tests);
}
