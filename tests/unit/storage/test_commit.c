/*
 * SPDX-License-Identifier: Apache-2.0
 */
#include "storage/commit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "unit.h"

#define THREADS 32
#define TURNS 40

struct work {
	struct commit *c;
	int dir_fd;
	pthread_barrier_t *start;
	int errors;
};

static void *
sync_often(void *arg)
{
	struct work *w = arg;

	for (int i = 0; i < TURNS; i++) {
		pthread_barrier_wait(w->start);
		if (commit_sync(w->c, w->dir_fd) != 0)
			w->errors++;
	}
	return NULL;
}

/* All come at once, and each waits for an fsync that began after it. */
static struct commit_count
sync_by_many(const int *dirs, size_t n)
{
	struct commit *c = commit_new();
	struct commit_count count;
	struct work work[THREADS];
	pthread_t thread[THREADS];
	pthread_barrier_t start;

	assert_non_null(c);
	pthread_barrier_init(&start, NULL, THREADS);
	for (size_t i = 0; i < THREADS; i++) {
		work[i] = (struct work) { c, dirs[i % n], &start, 0 };
		assert_int_equal(pthread_create(&thread[i], NULL, sync_often,
		    &work[i]), 0);
	}
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(thread[i], NULL);
		assert_int_equal(work[i].errors, 0);
	}
	count = commit_counted(c);
	pthread_barrier_destroy(&start);
	commit_free(c);
	return count;
}

static void
many_share_few(void **state)
{
	int dir = open("/tmp", O_RDONLY | O_DIRECTORY);
	struct commit_count count = sync_by_many(&dir, 1);

	(void)state;
	close(dir);
	assert_int_equal(count.asked, THREADS * TURNS);
	assert_true(count.synced >= TURNS);
	print_message("%d calls, %d fsyncs\n", (int)count.asked,
	    (int)count.synced);
}

/* One fsync stands for one directory. */
static void
directories_are_kept_apart(void **state)
{
	char a[] = "/tmp/commit-XXXXXX", b[] = "/tmp/commit-XXXXXX";
	struct commit_count count;
	int dirs[2];

	(void)state;
	assert_non_null(mkdtemp(a));
	assert_non_null(mkdtemp(b));
	dirs[0] = open(a, O_RDONLY | O_DIRECTORY);
	dirs[1] = open(b, O_RDONLY | O_DIRECTORY);
	count = sync_by_many(dirs, 2);
	assert_int_equal(count.asked, THREADS * TURNS);
	assert_true(count.synced >= 2 * TURNS);
	close(dirs[0]);
	close(dirs[1]);
	rmdir(a);
	rmdir(b);
}

static void
one_alone_is_synced_each_time(void **state)
{
	struct commit *c = commit_new();
	int dir = open("/tmp", O_RDONLY | O_DIRECTORY);

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(commit_sync(c, dir), 0);
	assert_int_equal(commit_counted(c).synced, 3);
	close(dir);
	commit_free(c);
}

static void
a_failure_is_told(void **state)
{
	struct commit *c = commit_new();
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(commit_sync(c, fds[0]), EINVAL);
	close(fds[0]);
	close(fds[1]);
	assert_int_equal(commit_sync(c, fds[0]), EBADF);
	commit_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_share_few),
		cmocka_unit_test(directories_are_kept_apart),
		cmocka_unit_test(one_alone_is_synced_each_time),
		cmocka_unit_test(a_failure_is_told),
	};

	return RUN(tests);
}
