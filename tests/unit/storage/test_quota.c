/*
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "storage/site.h"

#define MIB (1024 * 1024)

static struct quota_amount
used(struct quota *q)
{
	struct quota_state state;

	assert_int_equal(quota_read(q, &state), STORAGE_OK);
	return state.used;
}

static struct quota_amount
reserved(struct quota *q)
{
	struct quota_state state;

	assert_int_equal(quota_read(q, &state), STORAGE_OK);
	return state.reserved;
}

static void
is_amount(struct quota_amount got, uint64_t bytes, uint64_t files)
{
	assert_int_equal(got.bytes, bytes);
	assert_int_equal(got.files, files);
}

static enum storage_err
reserve(struct quota *q, uint64_t bytes, uint64_t files)
{
	return quota_reserve(q, (struct quota_amount) { bytes, files }, false);
}

static void
room_is_given_once(void **state)
{
	const struct site *s = *state;
	struct quota_amount limit = { 100, 3 };
	struct quota *a = site_quota(s, limit, 1), *b = site_quota(s, limit, 1);

	assert_int_equal(reserve(a, 60, 1), STORAGE_OK);
	assert_int_equal(reserve(b, 41, 1), STORAGE_OVER_QUOTA);
	assert_int_equal(reserve(b, 40, 1), STORAGE_OK);
	assert_int_equal(reserve(b, 1, 0), STORAGE_OVER_QUOTA);
	assert_int_equal(reserve(b, 0, 2), STORAGE_OVER_QUOTA);
	is_amount(reserved(a), 100, 2);
	assert_int_equal(quota_settle(a, (struct quota_amount) { 60, 1 },
	    false, (struct quota_amount) { 50, 1 }), STORAGE_OK);
	is_amount(used(b), 50, 1);
	is_amount(reserved(b), 40, 1);
	quota_close(b);
	is_amount(reserved(a), 0, 0);
	quota_forget(a, (struct quota_amount) { 50, 1 });
	is_amount(used(a), 0, 0);
	quota_close(a);
}

/* Attack D13: CVE-2021-40524 was a number below nothing. */
static void
test_d13_no_number_goes_below_nothing_or_round(void **state)
{
	struct quota *q = site_quota(*state, (struct quota_amount) { 100, 3 },
	    1);
	struct quota *free = site_quota(*state, (struct quota_amount) {
	    QUOTA_NO_LIMIT, QUOTA_NO_LIMIT }, 1);

	quota_forget(q, (struct quota_amount) { UINT64_MAX, 1 });
	quota_release(q, (struct quota_amount) { 1, 1 }, true);
	is_amount(used(q), 0, 0);
	is_amount(reserved(q), 0, 0);
	assert_int_equal(reserve(q, UINT64_MAX, 1), STORAGE_OVER_QUOTA);
	assert_int_equal(reserve(q, 100, 1), STORAGE_OK);
	assert_int_equal(reserve(q, UINT64_MAX - 50, 0), STORAGE_OVER_QUOTA);
	assert_int_equal(reserve(free, UINT64_MAX - 50, 0), STORAGE_OK);
	assert_int_equal(reserve(free, UINT64_MAX, 0), STORAGE_OK);
	assert_int_equal(reserve(q, 1, 0), STORAGE_OVER_QUOTA);
	quota_close(q);
	quota_close(free);
}

/* In a process that is killed while it has something reserved. */
static void
killed_with(const struct site *s, struct quota_amount has,
    struct quota_amount kept)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		struct quota *q = site_quota(s, (struct quota_amount) { 100,
		    9 }, 1);

		if (quota_reserve(q, has, false) != STORAGE_OK ||
		    quota_reserve(q, kept, true) != STORAGE_OK)
			_exit(1);
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
}

static void
the_dead_give_back_what_has_no_name(void **state)
{
	struct quota *q = site_quota(*state, (struct quota_amount) { 100, 9 },
	    1);

	killed_with(*state, (struct quota_amount) { 70, 1 },
	    (struct quota_amount) { 20, 1 });
	is_amount(reserved(q), 90, 2);
	assert_int_equal(reserve(q, 81, 0), STORAGE_OVER_QUOTA);
	is_amount(reserved(q), 0, 0);
	is_amount(used(q), 20, 1);
	killed_with(*state, (struct quota_amount) { 80, 1 },
	    (struct quota_amount) { 0, 0 });
	assert_int_equal(reserve(q, 80, 0), STORAGE_OK);
	quota_close(q);
}

static void
a_row_is_for_each_process(void **state)
{
	struct quota_amount limit = { 100, 9 };
	struct quota *q[QUOTA_PROCESSES], *more = NULL;
	const struct site *s = *state;
	int fd;

	for (size_t i = 0; i < QUOTA_PROCESSES; i++)
		q[i] = site_quota(s, limit, 1);
	fd = openat(s->base_fd, "quota", O_RDWR | O_CLOEXEC);
	assert_int_equal(quota_open(fd, limit, 1, &more), STORAGE_BUSY);
	quota_close(q[7]);
	assert_int_equal(quota_open(fd, limit, 1, &more), STORAGE_OK);
	q[7] = more;
	for (size_t i = 0; i < QUOTA_PROCESSES; i++)
		quota_close(q[i]);
}

static void
what_is_no_quota_is_refused(void **state)
{
	const struct site *s = *state;
	struct quota *q = NULL;
	char text[5000];
	int fd;

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	site_put(s->base_fd, "text", text);
	fd = openat(s->base_fd, "text", O_RDWR | O_CLOEXEC);
	assert_int_equal(quota_open(fd, (struct quota_amount) { 1, 1 }, 1, &q),
	    STORAGE_WRITE);
	close(fd);
	fd = openat(s->base_fd, "quota", O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(quota_open(fd, (struct quota_amount) { 1, 1 }, 1, &q),
	    STORAGE_WRITE);
	close(fd);
}

static void
a_survey_finds_what_was_miscounted(void **state)
{
	struct site *s = *state;
	struct storage_survey found;
	struct quota_state is;

	site_limit(s, 100, 9);
	site_put(s->root, "in/a", "12345");
	assert_int_equal(symlinkat("a", s->root, "in/b"), 0);
	assert_int_equal(quota_read(s->quota, &is), STORAGE_OK);
	assert_false(is.is_counted);
	assert_int_equal(storage_posix_survey(s->st, 0, &found), STORAGE_OK);
	assert_int_equal(quota_read(s->quota, &is), STORAGE_OK);
	assert_true(is.is_counted);
	is_amount(is.used, 5, 1);

	/* After a boot it is to be done again; what is known stays. */
	quota_close(s->quota);
	s->quota = site_quota(s, (struct quota_amount) { 100, 9 }, 2);
	assert_int_equal(quota_read(s->quota, &is), STORAGE_OK);
	assert_false(is.is_counted);
	is_amount(is.used, 5, 1);
	storage_posix_free(s->st);
	s->st = site_again(s, OWNER, false, s->quota);
}

static void
what_is_added_while_counting_counts(void **state)
{
	struct quota_amount none = { 0, 0 }, one = { 5, 1 };
	struct quota *q = site_quota(*state, (struct quota_amount) { 100, 9 },
	    1);
	struct quota *other = site_quota(*state, (struct quota_amount) { 100,
	    9 }, 1);

	assert_int_equal(quota_recount_begin(q), STORAGE_OK);
	assert_int_equal(quota_recount_begin(other), STORAGE_BUSY);
	assert_int_equal(quota_settle(other, none, false, one), STORAGE_OK);
	quota_forget(other, one);
	assert_int_equal(quota_recount_end(q, &none), STORAGE_OK);
	is_amount(used(q), 5, 1);
	assert_int_equal(quota_recount_begin(other), STORAGE_OK);
	assert_int_equal(quota_recount_end(other, NULL), STORAGE_OK);
	is_amount(used(q), 5, 1);
	quota_close(q);
	quota_close(other);
}

/* A session of the next day joins while one of yesterday's still counts. */
static void
test_d13_a_new_day_takes_nothing_from_a_count_under_way(void **state)
{
	struct quota_amount none = { 0, 0 }, one = { 5, 1 };
	struct quota *q = site_quota(*state, (struct quota_amount) { 100, 9 },
	    1);
	struct quota_state now;
	struct quota *other;

	assert_int_equal(quota_recount_begin(q), STORAGE_OK);
	other = site_quota(*state, (struct quota_amount) { 100, 9 }, 2);
	assert_int_equal(quota_read(other, &now), STORAGE_OK);
	assert_false(now.is_counted);
	assert_int_equal(quota_settle(other, none, false, one), STORAGE_OK);
	assert_int_equal(quota_recount_end(q, &none), STORAGE_OK);
	is_amount(used(q), 5, 1);
	quota_close(q);
	quota_close(other);
}

static void
files_are_counted_as_they_come_and_go(void **state)
{
	struct site *s = *state;
	const struct storage_ops *ops;
	struct storage_upload *u;

	site_limit(s, 10, 3);
	ops = s->st->ops;
	assert_int_equal(site_store(s->st, "a", 0, "1234"), STORAGE_OK);
	is_amount(used(s->quota), 4, 1);
	assert_int_equal(site_store(s->st, "a", STORAGE_REPLACE, "12"),
	    STORAGE_OK);
	is_amount(used(s->quota), 2, 1);
	assert_int_equal(site_store(s->st, "a", STORAGE_REPLACE |
	    STORAGE_APPEND, "345"), STORAGE_OK);
	is_amount(used(s->quota), 5, 1);
	assert_int_equal(site_store(s->st, "b", 0, "123456"),
	    STORAGE_OVER_QUOTA);
	assert_int_equal(site_begin(s->st, "b", (struct storage_upload_how) {
	    .expected = 6 }, "", &u), STORAGE_OVER_QUOTA);
	assert_int_equal(site_store(s->st, "b", 0, "12345"), STORAGE_OK);
	is_amount(used(s->quota), 10, 2);
	assert_int_equal(ops->rename(s->st, SV("b"), SV("a"),
	    STORAGE_REPLACE), STORAGE_OK);
	is_amount(used(s->quota), 5, 1);
	assert_int_equal(ops->remove(s->st, SV("a")), STORAGE_OK);
	is_amount(used(s->quota), 0, 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(site_store(s->st, i == 0 ? "x" : i == 1 ?
		    "y" : "z", 0, ""), STORAGE_OK);
	assert_int_equal(site_store(s->st, "w", 0, ""), STORAGE_OVER_QUOTA);
	is_amount(reserved(s->quota), 0, 0);
}

static void
partial_uploads_count(void **state)
{
	struct site *s = *state;
	struct storage_upload *u;

	site_limit(s, 10, 3);
	assert_int_equal(site_begin(s->st, "a", (struct storage_upload_how) {
	    .flags = STORAGE_KEEP }, "12345", &u), STORAGE_OK);
	s->st->ops->upload_abort(u, true);
	is_amount(used(s->quota), 5, 1);
	assert_int_equal(site_begin(s->st, "a", (struct storage_upload_how) {
	    .flags = STORAGE_APPEND | STORAGE_KEEP }, "67", &u), STORAGE_OK);
	is_amount(used(s->quota), 0, 0);
	s->st->ops->upload_abort(u, true);
	is_amount(used(s->quota), 7, 1);
	assert_int_equal(site_store(s->st, "a", STORAGE_APPEND, "8"),
	    STORAGE_OK);
	is_amount(used(s->quota), 8, 1);
	assert_int_equal(site_begin(s->st, "b", (struct storage_upload_how) {
	    .flags = STORAGE_KEEP }, "1", &u), STORAGE_OK);
	s->st->ops->upload_abort(u, true);
	assert_int_equal(s->st->ops->remove(s->st, SV("b")), STORAGE_OK);
	is_amount(used(s->quota), 8, 1);
	is_amount(reserved(s->quota), 0, 0);
}

/* ---- Many at once. */

#define UPLOADERS 50
#define LIMIT (20 * MIB)

static const char bytes[MIB];

/* Uploads a file of a size of its own again and again until it is full. */
static void
upload_until_full(const struct site *s, int me)
{
	struct quota *q = site_quota(s, (struct quota_amount) { LIMIT, 400 },
	    1);
	struct storage *st = site_again(s, OWNER, false, q);
	size_t size = (size_t)(MIB / 64 * (1 + me % 37));
	char name[32];
	enum storage_err err;

	for (int i = 0; i < 20; i++) {
		struct storage_upload *u;

		snprintf(name, sizeof(name), "in/%d-%d", me, i);
		err = site_begin(st, name, (struct storage_upload_how) {
		    .flags = i % 2 == 0 ? STORAGE_KEEP : 0 }, "", &u);
		for (size_t at = 0; err == STORAGE_OK && at < size;
		    at += 4096) {
			err = st->ops->upload_write(u, bytes, 4096, at);
			if (err != STORAGE_OK)
				st->ops->upload_abort(u, false);
		}
		if (err == STORAGE_OK && me % 7 == 3 && i == 0)
			raise(SIGKILL);
		if (err == STORAGE_OK)
			err = st->ops->upload_commit(u);
		if (err == STORAGE_OVER_QUOTA)
			_exit(0);
		if (err != STORAGE_OK)
			_exit(1);
		if (i % 3 == 2 && st->ops->remove(st, sv_of(name)) !=
		    STORAGE_OK)
			_exit(2);
	}
	_exit(0);
}

/* Attack D13. */
static void
test_d13_fifty_at_once_stay_below_the_quota(void **state)
{
	struct site *s = *state;
	struct storage_survey found;
	struct quota_amount before;
	pid_t child[UPLOADERS];
	int status;

	s->quota = site_quota(s, (struct quota_amount) { LIMIT, 400 }, 1);
	for (int i = 0; i < UPLOADERS; i++)
		if ((child[i] = fork()) == 0)
			upload_until_full(s, i);
	for (int i = 0; i < UPLOADERS; i++) {
		struct quota_amount u = used(s->quota);

		assert_true(u.bytes <= LIMIT && u.files <= 400);
		assert_int_equal(waitpid(child[i], &status, 0), child[i]);
		assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
	}
	/* Those that were killed give back; then it is all counted. */
	assert_int_equal(reserve(s->quota, LIMIT + 1, 0), STORAGE_OVER_QUOTA);
	before = used(s->quota);
	is_amount(reserved(s->quota), 0, 0);
	storage_posix_free(s->st);
	s->st = site_again(s, OWNER, false, s->quota);
	assert_int_equal(storage_posix_survey(s->st, 0, &found), STORAGE_OK);
	assert_true(found.bytes <= LIMIT && found.files <= 400);
	assert_true(found.bytes <= before.bytes && before.bytes <= LIMIT);
	assert_int_equal(found.files, before.files);
	is_amount(used(s->quota), found.bytes, found.files);
	assert_true(found.bytes > LIMIT / 2); /* the edge was met */
}

#define SITE_TEST(name) \
	cmocka_unit_test_setup_teardown(name, site_open_in_memory, site_close)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SITE_TEST(room_is_given_once),
		SITE_TEST(test_d13_no_number_goes_below_nothing_or_round),
		SITE_TEST(the_dead_give_back_what_has_no_name),
		SITE_TEST(a_row_is_for_each_process),
		SITE_TEST(what_is_no_quota_is_refused),
		SITE_TEST(a_survey_finds_what_was_miscounted),
		SITE_TEST(what_is_added_while_counting_counts),
		SITE_TEST(test_d13_a_new_day_takes_nothing_from_a_count_under_way),
		SITE_TEST(files_are_counted_as_they_come_and_go),
		SITE_TEST(partial_uploads_count),
		SITE_TEST(test_d13_fifty_at_once_stay_below_the_quota),
	};

	return RUN(tests);
}
