/*
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "storage/site.h"

static enum storage_err
moved(struct storage *st, const char *from, const char *to, unsigned flags)
{
	return st->ops->rename(st, sv_of(from), sv_of(to), flags);
}

static void
files_are_removed(void **state)
{
	struct site *s = *state;
	const struct storage_ops *ops = s->st->ops;

	site_put(s->root, "in/a", "a");
	assert_int_equal(symlinkat("a", s->root, "in/link"), 0);
	assert_int_equal(mkfifoat(s->root, "in/fifo", 0644), 0);
	assert_int_equal(ops->remove(s->st, SV("in/link")), STORAGE_OK);
	site_has(s, "in/a", "a");
	assert_int_equal(ops->remove(s->st, SV("in/a")), STORAGE_OK);
	assert_int_equal(ops->remove(s->st, SV("in/a")), STORAGE_NOT_FOUND);
	assert_int_equal(ops->remove(s->st, SV("in/fifo")), STORAGE_NOT_FILE);
	assert_int_equal(ops->remove(s->st, SV("in")), STORAGE_NOT_FILE);
	assert_int_equal(ops->remove(s->st, SV("")), STORAGE_DENIED);
}

static void
directories_are_made_and_removed(void **state)
{
	struct site *s = *state;
	const struct storage_ops *ops = s->st->ops;
	struct storage_upload *u;

	assert_int_equal(ops->make_dir(s->st, SV("in/d"), 0775), STORAGE_OK);
	assert_int_equal(ops->make_dir(s->st, SV("in/d"), 0775),
	    STORAGE_EXISTS);
	assert_int_equal(ops->make_dir(s->st, SV("no/d"), 0775),
	    STORAGE_NOT_FOUND);
	assert_int_equal(ops->remove_dir(s->st, SV("in")), STORAGE_NOT_EMPTY);
	assert_int_equal(site_begin(s->st, "in/d/x",
	    (struct storage_upload_how) { .flags = STORAGE_KEEP }, "x", &u),
	    STORAGE_OK);
	s->st->ops->upload_abort(u, true);
	assert_int_equal(site_names(s, "in/d", ""), 1);
	assert_int_equal(ops->remove_dir(s->st, SV("in/d")), STORAGE_OK);
	assert_int_equal(ops->remove_dir(s->st, SV("in/d")),
	    STORAGE_NOT_FOUND);
	site_put(s->root, "a", "a");
	assert_int_equal(ops->remove_dir(s->st, SV("a")), STORAGE_NOT_DIR);
	assert_int_equal(symlinkat("in", s->root, "link"), 0);
	assert_int_equal(ops->remove_dir(s->st, SV("link")), STORAGE_NOT_DIR);
}

/* What is being written to is there, although nobody sees it. */
static void
a_directory_in_use_is_not_removed(void **state)
{
	struct site *s = *state;
	struct storage_upload *u;
	char *bytes = calloc(1, 1 << 21);

	assert_int_equal(site_begin(s->st, "in/x", (struct storage_upload_how) {
	    .flags = STORAGE_KEEP }, "", &u), STORAGE_OK);
	assert_int_equal(s->st->ops->upload_write(u, bytes, 1 << 21, 0),
	    STORAGE_OK);
	assert_int_equal(s->st->ops->remove_dir(s->st, SV("in")),
	    STORAGE_NOT_EMPTY);
	assert_int_equal(s->st->ops->upload_commit(u), STORAGE_OK);
	assert_true(site_exists(s, "in/x"));
	free(bytes);
}

static void
names_are_moved(void **state)
{
	struct site *s = *state;

	site_put(s->root, "a", "a");
	site_put(s->root, "b", "b");
	assert_int_equal(moved(s->st, "a", "b", 0), STORAGE_EXISTS);
	site_has(s, "b", "b");
	assert_int_equal(moved(s->st, "a", "b", STORAGE_REPLACE), STORAGE_OK);
	site_has(s, "b", "a");
	assert_false(site_exists(s, "a"));
	assert_int_equal(moved(s->st, "b", "in/c", 0), STORAGE_OK);
	assert_int_equal(moved(s->st, "b", "c", 0), STORAGE_NOT_FOUND);
	assert_int_equal(moved(s->st, "in/c", "in/c", STORAGE_REPLACE),
	    STORAGE_OK);
	assert_int_equal(moved(s->st, "in/c", "in/c", 0), STORAGE_EXISTS);
	site_has(s, "in/c", "a");
	assert_int_equal(moved(s->st, "in", "in/d", 0), STORAGE_DENIED);
	assert_int_equal(moved(s->st, "in/c", "no/c", 0), STORAGE_NOT_FOUND);
	assert_int_equal(moved(s->st, "", "x", 0), STORAGE_DENIED);

	/* Directories replace nothing, and nothing replaces them. */
	assert_int_equal(mkdirat(s->root, "empty", 0755), 0);
	assert_int_equal(moved(s->st, "in", "empty", STORAGE_REPLACE),
	    STORAGE_EXISTS);
	assert_int_equal(moved(s->st, "in/c", "empty", STORAGE_REPLACE),
	    STORAGE_EXISTS);
	assert_int_equal(moved(s->st, "in", "other", STORAGE_REPLACE),
	    STORAGE_OK);
	site_has(s, "other/c", "a");
}

static void
two_names_of_one_file_become_one(void **state)
{
	struct site *s = *state;

	site_put(s->root, "a", "a");
	assert_int_equal(linkat(s->root, "a", s->root, "in/b", 0), 0);
	assert_int_equal(moved(s->st, "a", "in/b", STORAGE_REPLACE),
	    STORAGE_OK);
	assert_false(site_exists(s, "a"));
	site_has(s, "in/b", "a");
}

static void
links_are_moved_and_never_followed(void **state)
{
	struct site *s = *state;

	site_put(s->root, "a", "a");
	assert_int_equal(symlinkat("../outside/file", s->root, "link"), 0);
	assert_int_equal(moved(s->st, "a", "link", STORAGE_REPLACE),
	    STORAGE_OK);
	assert_true(S_ISREG(site_stat(s, "link").st_mode));
	site_has(s, "../outside/file", "secret");
	assert_int_equal(symlinkat("in", s->root, "dir"), 0);
	assert_int_equal(moved(s->st, "dir", "in/dir", 0), STORAGE_OK);
	assert_true(S_ISLNK(site_stat(s, "in/dir").st_mode));
	assert_int_equal(s->st->ops->chmod(s->st, SV("in/dir"), 0600),
	    STORAGE_NOT_FOUND);
	assert_int_equal(s->st->ops->set_mtime(s->st, SV("in/dir"), 1),
	    STORAGE_NOT_FOUND);
}

static void
times_are_set(void **state)
{
	static const int64_t times[] = { 0, 1, -86400, 951782400, 2147483648 };
	struct site *s = *state;

	site_put(s->root, "a", "a");
	for (size_t i = 0; i < COUNT(times); i++) {
		assert_int_equal(s->st->ops->set_mtime(s->st, SV("a"),
		    times[i]), STORAGE_OK);
		assert_int_equal(site_stat(s, "a").st_mtim.tv_sec, times[i]);
		assert_int_equal(site_stat(s, "a").st_mtim.tv_nsec, 0);
	}
	assert_int_equal(s->st->ops->set_mtime(s->st, SV("in"), 77),
	    STORAGE_OK);
	assert_int_equal(site_stat(s, "in").st_mtim.tv_sec, 77);
	assert_int_equal(mkfifoat(s->root, "fifo", 0644), 0);
	assert_int_equal(s->st->ops->set_mtime(s->st, SV("fifo"), 77),
	    STORAGE_NOT_FILE);
}

/* ---- Attack D03: somebody swaps a directory for a link to outside. */

#define ROUNDS 4000

struct swapper {
	int root;
	atomic_bool ends;
	uint64_t swaps;
};

static void *
swap_often(void *arg)
{
	struct swapper *w = arg;

	while (!atomic_load(&w->ends)) {
		if (renameat2(w->root, "d", w->root, "link",
		    RENAME_EXCHANGE) == 0)
			w->swaps++;
	}
	return NULL;
}

/* Each may fail; none may reach outside. */
static void
write_everything(struct storage *st)
{
	const struct storage_ops *ops = st->ops;

	(void)!ops->make_dir(st, SV("d/sub"), 0777);
	(void)!site_store(st, "d/file", STORAGE_REPLACE, "x");
	(void)!site_store(st, "d/new", STORAGE_KEEP, "x");
	(void)!moved(st, "d/new", "d/moved", STORAGE_REPLACE);
	(void)!moved(st, "d/moved", "in/moved", STORAGE_REPLACE);
	(void)!moved(st, "in/moved", "d/file", STORAGE_REPLACE);
	(void)!ops->chmod(st, SV("d/file"), 0666);
	(void)!ops->set_mtime(st, SV("d/file"), 1);
	(void)!ops->chmod(st, SV("d"), 0777);
	(void)!ops->set_mtime(st, SV("d"), 1);
	(void)!ops->remove(st, SV("d/file"));
	(void)!ops->remove_dir(st, SV("d/sub"));
}

static void
test_d03_a_swapped_directory_leads_nowhere(void **state)
{
	struct site *s = *state;
	struct stat dir = site_stat(s, "../outside"), now;
	struct stat file = site_stat(s, "../outside/file");
	struct swapper w = { .root = s->root };
	pthread_t thread;

	assert_int_equal(mkdirat(s->root, "d", 0755), 0);
	assert_int_equal(symlinkat("../outside", s->root, "link"), 0);
	storage_posix_free(s->st);
	s->st = site_again(s, OWNER, false, NULL);
	assert_int_equal(pthread_create(&thread, NULL, swap_often, &w), 0);
	for (int i = 0; i < ROUNDS; i++)
		write_everything(s->st);
	atomic_store(&w.ends, true);
	pthread_join(thread, NULL);

	print_message("%d rounds, %d swaps\n", ROUNDS, (int)w.swaps);
	assert_true(w.swaps > ROUNDS / 10);
	assert_int_equal(site_names(s, "../outside", ""), 1);
	site_has(s, "../outside/file", "secret");
	now = site_stat(s, "../outside");
	assert_int_equal(now.st_mode, dir.st_mode);
	assert_int_equal(now.st_mtim.tv_nsec, dir.st_mtim.tv_nsec);
	now = site_stat(s, "../outside/file");
	assert_int_equal(now.st_mode, file.st_mode);
	assert_int_equal(now.st_ctim.tv_nsec, file.st_ctim.tv_nsec);
}

/* The same in the last component: the link itself is what is refused. */
static void
test_d03_a_swapped_file_leads_nowhere(void **state)
{
	struct site *s = *state;
	struct stat file = site_stat(s, "../outside/file"), now;
	struct swapper w = { .root = s->root };
	pthread_t thread;

	site_put(s->root, "d", "inside");
	assert_int_equal(symlinkat("../outside/file", s->root, "link"), 0);
	storage_posix_free(s->st);
	s->st = site_again(s, OWNER, false, NULL);
	assert_int_equal(pthread_create(&thread, NULL, swap_often, &w), 0);
	for (int i = 0; i < ROUNDS; i++) {
		(void)!site_store(s->st, "d", STORAGE_REPLACE, "x");
		(void)!site_store(s->st, "d", STORAGE_REPLACE |
		    STORAGE_APPEND, "x");
		(void)!s->st->ops->chmod(s->st, SV("d"), 0666);
		(void)!s->st->ops->set_mtime(s->st, SV("d"), 1);
	}
	atomic_store(&w.ends, true);
	pthread_join(thread, NULL);
	site_has(s, "../outside/file", "secret");
	now = site_stat(s, "../outside/file");
	assert_int_equal(now.st_mode, file.st_mode);
	assert_int_equal(now.st_ctim.tv_nsec, file.st_ctim.tv_nsec);
}

/* ---- Attack D04. */

static int
move_to_a_mount(struct site *s)
{
	char path[128];
	struct storage *st;
	bool kept;

	snprintf(path, sizeof(path), "%s/root/in", s->base);
	if (unshare(CLONE_NEWNS) != 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("none", path, "tmpfs", 0, NULL) != 0)
		return 77;
	/* By its path: an older descriptor leads to the older mounts. */
	s->base_fd = open(s->base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	st = site_again(s, OWNER, true, NULL);
	if (moved(st, "a", "in/a", 0) != STORAGE_OTHER_DISK ||
	    moved(st, "a", "in/a", STORAGE_REPLACE) != STORAGE_OTHER_DISK ||
	    moved(st, "dir", "in/dir", 0) != STORAGE_OTHER_DISK)
		return 1;
	kept = site_exists(s, "a") && site_exists(s, "dir");
	snprintf(path, sizeof(path), "%s/root/in/a", s->base);
	return kept && access(path, F_OK) != 0 ? 0 : 2;
}

static void
test_d04_no_copy_to_another_file_system(void **state)
{
	struct site *s = *state;
	int status;
	pid_t child;

	site_put(s->root, "a", "a");
	assert_int_equal(mkdirat(s->root, "dir", 0755), 0);
	if ((child = fork()) == 0)
		_exit(move_to_a_mount(s));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

#define SITE_TEST(name) \
	cmocka_unit_test_setup_teardown(name, site_open_in_memory, site_close)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SITE_TEST(files_are_removed),
		SITE_TEST(directories_are_made_and_removed),
		SITE_TEST(a_directory_in_use_is_not_removed),
		SITE_TEST(names_are_moved),
		SITE_TEST(two_names_of_one_file_become_one),
		SITE_TEST(links_are_moved_and_never_followed),
		SITE_TEST(times_are_set),
		SITE_TEST(test_d03_a_swapped_directory_leads_nowhere),
		SITE_TEST(test_d03_a_swapped_file_leads_nowhere),
		SITE_TEST(test_d04_no_copy_to_another_file_system),
	};

	return RUN(tests);
}
