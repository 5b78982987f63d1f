/*
 * What is left of an upload whose process is killed, or whose disk fails.
 *
 * A child uploads; its parent stops it at each system call, before it and
 * after it, one later each time, and kills it there.  So there is no moment
 * between two changes of the disk that is not tried.  Faults are put into
 * single calls by seccomp.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "storage/site.h"

#define LONGEST 2000	/* stops of one upload */
#define BIG (1024 * 1024 + 4096)

struct scene {
	const char *name;
	const char *old;	/* the file before; NULL: there is none */
	const char *part;	/* a partial upload before; or NULL */
	unsigned flags;
	uint64_t at;		/* with STORAGE_RESUME */
	size_t padding;		/* so many bytes before the text */
	bool unlinkable;	/* a file without a name gets none */
	const char *text, *whole;
};

static const struct scene scenes[] = {
	{ "new", NULL, NULL, 0, 0, 0, false, "newest", "newest" },
	{ "new, named", NULL, NULL, STORAGE_KEEP, 0, 0, true, "newest", "newest" },
	{ "replace", "old", NULL, STORAGE_REPLACE, 0, 0, false, "newest", "newest" },
	{ "replace, named", "old", NULL, STORAGE_REPLACE, 0, 0, true, "newest",
	    "newest" },
	{ "append", "old", NULL, STORAGE_REPLACE | STORAGE_APPEND, 0, 0, false,
	    "er", "older" },
	{ "resume", "old", "parted", STORAGE_REPLACE | STORAGE_RESUME |
	    STORAGE_KEEP, 4, 0, false, "y", "party" },
	{ "large", NULL, "part", STORAGE_KEEP, 0, BIG, false, "", NULL },
	{ "large, replace, named", "old", NULL, STORAGE_KEEP |
	    STORAGE_REPLACE, 0, BIG, true, "", NULL },
};

static const char zeros[BIG];

static enum storage_err
begin(struct storage *st, const struct scene *scene,
    struct storage_upload **u)
{
	struct storage_upload_how how = { .flags = scene->flags,
		.resume_at = scene->at };
	enum storage_err err = site_begin(st, "in/a", how, "", u);

	if (err == STORAGE_OK && scene->padding > 0)
		err = st->ops->upload_write(*u, zeros, scene->padding, 0);
	if (err == STORAGE_OK)
		err = st->ops->upload_write(*u, scene->text,
		    strlen(scene->text), st->ops->upload_size(*u));
	return err;
}

static void
fail_call(int call, int error, int first_argument)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);

	if (ctx == NULL)
		_exit(99);
	if (first_argument >= 0 ? seccomp_rule_add(ctx,
	    SCMP_ACT_ERRNO((uint32_t)error), call, 1,
	    SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)first_argument)) != 0 :
	    seccomp_rule_add(ctx, SCMP_ACT_ERRNO((uint32_t)error), call,
	    0) != 0)
		_exit(99);
	if (seccomp_load(ctx) != 0)
		_exit(99);
	seccomp_release(ctx);
}

/* The descriptor whose file has a path that ends so; or -1. */
static int
fd_of(const char *end)
{
	char link[64], path[512];

	for (int fd = 3; fd < 256; fd++) {
		ssize_t n;

		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		n = readlink(link, path, sizeof(path) - 1);
		if (n < (ssize_t)strlen(end))
			continue;
		path[n] = '\0';
		if (strcmp(path + n - strlen(end), end) == 0)
			return fd;
	}
	return -1;
}

/* ---- The place. */

static void
prepare(struct site *s, const struct scene *scene)
{
	struct quota *q;
	struct storage *st;
	struct storage_upload *u;
	struct storage_survey found;

	unlinkat(s->root, "in/a", 0);
	unlinkat(s->base_fd, "quota", 0);
	q = site_quota(s, (struct quota_amount) { 4 * BIG, 9 }, 1);
	st = site_again(s, OWNER, false, q);
	if (scene->old != NULL)
		site_put(s->root, "in/a", scene->old);
	if (scene->part != NULL) {
		assert_int_equal(site_begin(st, "in/a",
		    (struct storage_upload_how) { .flags = STORAGE_KEEP |
		    STORAGE_REPLACE }, scene->part, &u), STORAGE_OK);
		st->ops->upload_abort(u, true);
	}
	assert_int_equal(storage_posix_survey(st, 0, &found), STORAGE_OK);
	storage_posix_free(st);
	quota_close(q);
}

/* Never half of it. */
static bool
is_whole(const struct site *s, const struct scene *scene)
{
	struct stat stat;

	if (fstatat(s->root, "in/a", &stat, AT_SYMLINK_NOFOLLOW) != 0) {
		assert_null(scene->old);
		return false;
	}
	assert_int_equal(stat.st_nlink, 1);
	if (scene->padding > 0 && stat.st_size == BIG)
		return true;
	if (scene->old != NULL && stat.st_size == (off_t)strlen(scene->old)) {
		site_has(s, "in/a", scene->old);
		return false;
	}
	assert_non_null(scene->whole);
	site_has(s, "in/a", scene->whole);
	return true;
}

/* What is left can be gone on with, counted, and removed. */
static void
check_left(const struct site *s, const struct scene *scene)
{
	struct quota *q = site_quota(s, (struct quota_amount) { 4 * BIG, 9 },
	    1);
	struct storage *st = site_again(s, OWNER, false, q);
	size_t visible = site_exists(s, "in/a");
	struct storage_survey found;
	struct quota_state before, after;
	uint64_t part;

	(void)scene;
	assert_int_equal(site_listed(st, "in"), visible);
	if (st->ops->partial_size(st, SV("in/a"), &part) == STORAGE_OK)
		assert_true(part <= BIG);
	assert_int_equal(quota_read(q, &before), STORAGE_OK);
	assert_int_equal(before.reserved.bytes, 0);
	assert_int_equal(before.reserved.files, 0);
	assert_int_equal(storage_posix_survey(st, 0, &found), STORAGE_OK);
	assert_true(before.used.bytes >= found.bytes);
	assert_true(before.used.files >= found.files);
	assert_int_equal(storage_posix_survey(st, time(NULL) + 60, &found),
	    STORAGE_OK);
	assert_int_equal(quota_read(q, &after), STORAGE_OK);
	assert_int_equal(after.used.bytes, found.bytes);
	assert_int_equal(after.used.files, visible);
	assert_int_equal(site_names(s, "in", ""), visible);
	storage_posix_free(st);
	quota_close(q);
}

/* ---- Kills. */

static void
upload_and_tell(const struct site *s, const struct scene *scene, int told)
{
	struct quota *q;
	struct storage *st;
	struct storage_upload *u;

	if (scene->unlinkable)
		fail_call(SCMP_SYS(linkat), ENOENT, -1);
	q = site_quota(s, (struct quota_amount) { 4 * BIG, 9 }, 1);
	st = site_again(s, OWNER, true, q);
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
		_exit(98);
	raise(SIGSTOP);
	if (begin(st, scene, &u) != STORAGE_OK ||
	    st->ops->upload_commit(u) != STORAGE_OK)
		_exit(97);
	if (write(told, "y", 1) != 1)
		_exit(96);
	_exit(0);
}

/* False: it ended before it came so far. */
static bool
kill_at(pid_t child, int stops)
{
	int status;

	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 98)
		skip();
	assert_true(WIFSTOPPED(status));
	assert_int_equal(ptrace(PTRACE_SETOPTIONS, child, NULL,
	    PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD), 0);
	for (int i = 0; i < stops; i++) {
		assert_int_equal(ptrace(PTRACE_SYSCALL, child, NULL, NULL), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		if (WIFEXITED(status)) {
			assert_int_equal(WEXITSTATUS(status), 0);
			return false;
		}
		assert_true(WIFSTOPPED(status));
	}
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	return true;
}

static bool
try_kill(const struct site *s, const struct scene *scene, int stops,
    bool *acknowledged)
{
	char byte;
	int told[2];
	bool killed;
	pid_t child;

	assert_int_equal(pipe2(told, O_CLOEXEC | O_NONBLOCK), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		upload_and_tell(s, scene, told[1]);
	killed = kill_at(child, stops);
	*acknowledged = read(told[0], &byte, 1) == 1;
	close(told[0]);
	close(told[1]);
	return killed;
}

static void
a_kill_at_any_step_leaves_the_old_or_the_new(void **state)
{
	const struct site *s = *state;

	for (size_t i = 0; i < COUNT(scenes); i++) {
		int stops = 1, news = 0;
		bool acknowledged, killed = true;

		for (; killed && stops < LONGEST; stops++) {
			bool whole;

			prepare(*state, &scenes[i]);
			killed = try_kill(s, &scenes[i], stops, &acknowledged);
			whole = is_whole(s, &scenes[i]);
			assert_true(whole || !acknowledged);
			assert_true(acknowledged || killed);
			check_left(s, &scenes[i]);
			news += whole;
		}
		assert_true(stops < LONGEST);
		assert_true(news >= 2);
		print_message("%s: %d kills, the new file after %d\n",
		    scenes[i].name, stops - 2, news);
	}
}

/* ---- Faults. */

struct fault {
	int call, error;
	const char *of;		/* of a descriptor whose path ends so */
	enum storage_err answer;
};

static int
upload_with_fault(const struct site *s, const struct scene *scene,
    const struct fault *fault)
{
	struct quota *q = site_quota(s, (struct quota_amount) { 4 * BIG, 9 },
	    1);
	struct storage *st = site_again(s, OWNER, true, q);
	struct storage_upload *u;
	int fd = -1;

	if (begin(st, scene, &u) != STORAGE_OK)
		return 97;
	if (fault->of != NULL && (fd = fd_of(fault->of)) < 0)
		return 95;
	fail_call(fault->call, fault->error, fd);
	return (int)st->ops->upload_commit(u);
}

static void
a_disk_that_fails_is_never_a_success(void **state)
{
	static const struct fault faults[] = {
		{ SCMP_SYS(fsync), EIO, NULL, STORAGE_WRITE },
		{ SCMP_SYS(fsync), EIO, "/in", STORAGE_WRITE },
		{ SCMP_SYS(fsync), EINVAL, "/in", STORAGE_WRITE },
		{ SCMP_SYS(fsync), ENOSPC, NULL, STORAGE_NO_SPACE },
		{ SCMP_SYS(fsync), EDQUOT, NULL, STORAGE_NO_SPACE },
		{ SCMP_SYS(fchmod), EIO, NULL, STORAGE_WRITE },
		{ SCMP_SYS(linkat), EIO, NULL, STORAGE_WRITE },
		{ SCMP_SYS(linkat), ENOSPC, NULL, STORAGE_NO_SPACE },
	};
	const struct site *s = *state;

	for (size_t i = 0; i < 2 * COUNT(faults); i++) {
		const struct scene *scene = &scenes[i % 2 == 0 ? 0 : 2];
		const struct fault *fault = &faults[i / 2];
		int status;
		pid_t child;

		prepare(*state, scene);
		if ((child = fork()) == 0)
			_exit(upload_with_fault(s, scene, fault));
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status));
		if (WEXITSTATUS(status) == 99)
			skip();
		assert_int_equal(WEXITSTATUS(status), fault->answer);
		/* After the name is there, only the directory can fail. */
		assert_int_equal(is_whole(s, scene), fault->of != NULL);
		check_left(s, scene);
	}
}

/* On file systems that lack something there is another way. */
static void
what_a_file_system_lacks_is_done_otherwise(void **state)
{
	static const struct fault faults[] = {
		{ SCMP_SYS(renameat2), EINVAL, NULL, STORAGE_OK },
		{ SCMP_SYS(flock), EOPNOTSUPP, NULL, STORAGE_OK },
	};
	const struct site *s = *state;

	for (size_t i = 0; i < COUNT(scenes) * COUNT(faults); i++) {
		const struct scene *scene = &scenes[i / COUNT(faults)];
		int status;
		pid_t child;

		prepare(*state, scene);
		if ((child = fork()) == 0)
			_exit(upload_with_fault(s, scene,
			    &faults[i % COUNT(faults)]));
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(WEXITSTATUS(status), STORAGE_OK);
		assert_true(is_whole(s, scene));
		check_left(s, scene);
	}
}

static int
write_with_fault(const struct site *s, int error)
{
	struct storage_upload *u;

	if (begin(s->st, &scenes[0], &u) != STORAGE_OK)
		return 97;
	fail_call(SCMP_SYS(pwrite64), error,
	    s->st->ops->upload_fd(u));
	error = (int)s->st->ops->upload_write(u, "x", 1, 0);
	s->st->ops->upload_abort(u, false);
	return error;
}

static void
a_full_disk_has_a_name_of_its_own(void **state)
{
	static const struct {
		int error;
		enum storage_err answer;
	} table[] = {
		{ ENOSPC, STORAGE_NO_SPACE },
		{ EDQUOT, STORAGE_NO_SPACE },
		{ EFBIG, STORAGE_TOO_LARGE },
		{ EIO, STORAGE_WRITE },
	};
	const struct site *s = *state;

	for (size_t i = 0; i < COUNT(table); i++) {
		pid_t child = fork();
		int status;

		if (child == 0)
			_exit(write_with_fault(s, table[i].error));
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(WEXITSTATUS(status), table[i].answer);
		assert_int_equal(site_names(s, "in", ""), 0);
	}
}

#define SITE_TEST(name) \
	cmocka_unit_test_setup_teardown(name, site_open_in_memory, site_close)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SITE_TEST(a_kill_at_any_step_leaves_the_old_or_the_new),
		SITE_TEST(a_disk_that_fails_is_never_a_success),
		SITE_TEST(what_a_file_system_lacks_is_done_otherwise),
		SITE_TEST(a_full_disk_has_a_name_of_its_own),
	};

	return RUN(tests);
}
