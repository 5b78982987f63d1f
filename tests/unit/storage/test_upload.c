/*
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "storage/site.h"

#define BLOCK 65536		/* storage/posix_upload.c HELD_BYTES */
#define BIG (3 * 1024 * 1024)	/* beyond what a kill would lose */

static struct storage_upload *
begun(struct storage *st, const char *path, unsigned flags, const char *text)
{
	struct storage_upload *u = NULL;

	assert_int_equal(site_begin(st, path,
	    (struct storage_upload_how) { .flags = flags }, text, &u),
	    STORAGE_OK);
	return u;
}

static enum storage_err
resume(struct storage *st, const char *path, unsigned flags, uint64_t at,
    const char *text)
{
	struct storage_upload_how how = { .flags = STORAGE_RESUME |
		STORAGE_KEEP | flags, .resume_at = at };
	struct storage_upload *u;
	enum storage_err err = site_begin(st, path, how, text, &u);

	return err != STORAGE_OK ? err : st->ops->upload_commit(u);
}

static uint64_t
partial(struct storage *st, const char *path)
{
	uint64_t size = 0;

	return st->ops->partial_size(st, sv_of(path), &size) == STORAGE_OK ?
	    size : UINT64_MAX;
}

static void
a_file_appears_when_it_is_whole(void **state)
{
	struct site *s = *state;
	struct storage_upload *u = begun(s->st, "in/new", 0, "whole");

	assert_false(site_exists(s, "in/new"));
	assert_int_equal(site_listed(s->st, "in"), 0);
	assert_int_equal(s->st->ops->upload_commit(u), STORAGE_OK);
	site_has(s, "in/new", "whole");
	assert_int_equal(site_names(s, "in", ""), 1);

	u = begun(s->st, "in/other", 0, "gone");
	s->st->ops->upload_abort(u, true);
	u = begun(s->st, "in/other", 0, "gone");
	s->st->ops->upload_abort(u, false);
	assert_int_equal(site_names(s, "in", ""), 1);
	assert_int_equal(site_store(s->st, "in/empty", 0, ""), STORAGE_OK);
	site_has(s, "in/empty", "");
}

static void
what_is_there_is_replaced_only_if_asked(void **state)
{
	struct site *s = *state;
	struct storage_upload *u;

	site_put(s->root, "in/a", "old");
	assert_int_equal(site_store(s->st, "in/a", 0, "x"), STORAGE_EXISTS);
	site_has(s, "in/a", "old");
	assert_int_equal(site_store(s->st, "in/a", STORAGE_REPLACE, "new"),
	    STORAGE_OK);
	site_has(s, "in/a", "new");

	/* It comes while the upload is under way. */
	u = begun(s->st, "in/b", 0, "mine");
	site_put(s->root, "in/b", "theirs");
	assert_int_equal(s->st->ops->upload_commit(u), STORAGE_EXISTS);
	site_has(s, "in/b", "theirs");
	assert_int_equal(site_names(s, "in", ""), 2);
}

static void
only_a_plain_file_is_replaced(void **state)
{
	struct site *s = *state;
	struct storage_upload *u;

	mkdirat(s->root, "in/dir", 0755);
	assert_int_equal(symlinkat("../in/x", s->root, "in/link"), 0);
	mkfifoat(s->root, "in/fifo", 0644);
	assert_int_equal(site_store(s->st, "in/dir", STORAGE_REPLACE, "x"),
	    STORAGE_NOT_FILE);
	assert_int_equal(site_store(s->st, "in/link", STORAGE_REPLACE, "x"),
	    STORAGE_NOT_FILE);
	assert_int_equal(site_store(s->st, "in/fifo", STORAGE_REPLACE |
	    STORAGE_APPEND, "x"), STORAGE_NOT_FILE);
	u = begun(s->st, "in/late", STORAGE_REPLACE, "x");
	assert_int_equal(symlinkat("../in/x", s->root, "in/late"), 0);
	assert_int_equal(s->st->ops->upload_commit(u), STORAGE_NOT_FILE);
	assert_false(site_exists(s, "in/x"));
	assert_int_equal(site_names(s, "in", ""), 4);
}

/* Attack D12. */
static void
test_d12_another_name_keeps_the_old_file(void **state)
{
	struct site *s = *state;

	site_put(s->root, "in/a", "old");
	assert_int_equal(linkat(s->root, "in/a", s->root, "snapshot", 0), 0);
	assert_int_equal(site_store(s->st, "in/a", STORAGE_REPLACE, "new"),
	    STORAGE_OK);
	site_has(s, "in/a", "new");
	site_has(s, "snapshot", "old");

	assert_int_equal(linkat(s->root, "in/a", s->root, "second", 0), 0);
	assert_int_equal(site_store(s->st, "in/a", STORAGE_REPLACE |
	    STORAGE_APPEND, "er"), STORAGE_OK);
	site_has(s, "in/a", "newer");
	site_has(s, "second", "new");
	assert_int_equal(resume(s->st, "in/a", STORAGE_REPLACE, 1, "o"),
	    STORAGE_OK);
	site_has(s, "in/a", "no");
	site_has(s, "second", "new");

	assert_int_equal(s->st->ops->chmod(s->st, SV("second"), 0600),
	    STORAGE_OK);
	assert_int_equal(linkat(s->root, "second", s->root, "third", 0), 0);
	assert_int_equal(s->st->ops->chmod(s->st, SV("second"), 0666),
	    STORAGE_DENIED);
	assert_int_equal(s->st->ops->set_mtime(s->st, SV("second"), 0),
	    STORAGE_DENIED);
}

/* Attack D10. */
static void
test_d10_nothing_but_reading_and_writing_is_granted(void **state)
{
	struct site *s = *state;
	struct storage_upload_how how = { .mode = 07777 };
	struct storage_upload *u;

	assert_int_equal(site_begin(s->st, "in/a", how, "x", &u), STORAGE_OK);
	assert_int_equal(s->st->ops->upload_commit(u), STORAGE_OK);
	assert_int_equal(site_stat(s, "in/a").st_mode & 07777, 0666);
	assert_int_equal(s->st->ops->chmod(s->st, SV("in/a"), 07755),
	    STORAGE_OK);
	assert_int_equal(site_stat(s, "in/a").st_mode & 07777, 0644);
	assert_int_equal(s->st->ops->make_dir(s->st, SV("in/d"), 07777),
	    STORAGE_OK);
	assert_int_equal(site_stat(s, "in/d").st_mode & 07777, 0755);
	assert_int_equal(s->st->ops->chmod(s->st, SV("in/d"), 07750),
	    STORAGE_OK);
	assert_int_equal(site_stat(s, "in/d").st_mode & 07777, 0750);
}

/* Attack D09. */
static void
test_d09_what_was_dropped_is_for_no_client(void **state)
{
	struct site *s = *state;
	struct storage_stat stat;
	int fd = -1;

	/* The same name again and again, and nobody learns that. */
	for (int i = 0; i < 3; i++)
		assert_int_equal(site_store(s->st, "in/gift", STORAGE_DROP |
		    STORAGE_REPLACE | STORAGE_APPEND | STORAGE_KEEP, "x"),
		    STORAGE_OK);
	assert_int_equal(site_names(s, "in", ".portcullis.drop-"), 3);
	assert_int_equal(site_listed(s->st, "in"), 0);
	assert_int_equal(s->st->ops->stat(s->st, SV("in/gift"), STORAGE_WAIT,
	    &stat), STORAGE_NOT_FOUND);
	assert_int_equal(s->st->ops->open(s->st,
	    SV("in/.portcullis.drop-0-gift"), STORAGE_WAIT, &fd, &stat),
	    STORAGE_NOT_FOUND);
	assert_int_equal(s->st->ops->remove_dir(s->st, SV("in")),
	    STORAGE_NOT_EMPTY);
	assert_int_equal(site_names(s, "in", ".portcullis.drop-"), 3);
}

static void
hidden_names_are_no_names(void **state)
{
	static const char *const names[] = { ".portcullis.x",
		".PORTCULLIS.new-0", "in/.portcullis.drop-0-a",
		"in/.Portcullis.part-0" };
	struct site *s = *state;
	const struct storage_ops *ops = s->st->ops;
	struct storage_stat stat;
	struct storage_dir *d;

	site_put(s->root, "a", "a");
	mkdirat(s->root, ".portcullis.dir", 0755);
	for (size_t i = 0; i < COUNT(names); i++) {
		struct sv name = sv_of(names[i]);

		site_put(s->root, names[i], "x");
		assert_int_equal(site_store(s->st, names[i], 0, "x"),
		    STORAGE_BAD_NAME);
		assert_int_equal(ops->remove(s->st, name), STORAGE_BAD_NAME);
		assert_int_equal(ops->make_dir(s->st, name, 0755),
		    STORAGE_BAD_NAME);
		assert_int_equal(ops->rename(s->st, SV("a"), name, 0),
		    STORAGE_BAD_NAME);
		assert_int_equal(ops->rename(s->st, name, SV("b"), 0),
		    STORAGE_BAD_NAME);
		assert_int_equal(ops->chmod(s->st, name, 0644),
		    STORAGE_BAD_NAME);
		assert_int_equal(ops->stat(s->st, name, STORAGE_WAIT, &stat),
		    STORAGE_NOT_FOUND);
		site_has(s, names[i], "x");
	}
	assert_int_equal(ops->open_dir(s->st, SV(".portcullis.dir"),
	    STORAGE_WAIT, &d), STORAGE_NOT_FOUND);
	assert_int_equal(site_store(s->st, ".portcullis.dir/a", 0, "x"),
	    STORAGE_NOT_FOUND);
	assert_int_equal(site_listed(s->st, ""), 2);
	assert_int_equal(site_store(s->st, ".portcullis", 0, "x"), STORAGE_OK);
}

static void
names_that_cannot_be_are_refused(void **state)
{
	struct site *s = *state;
	char name[300];

	memset(name, 'n', sizeof(name));
	name[256] = '\0';
	assert_int_equal(site_store(s->st, name, 0, "x"), STORAGE_TOO_LONG);
	name[255] = '\0';
	assert_int_equal(site_store(s->st, name, STORAGE_KEEP, "x"),
	    STORAGE_OK);
	assert_int_equal(site_store(s->st, name, STORAGE_DROP, "x"),
	    STORAGE_TOO_LONG);
	name[221] = '\0';
	assert_int_equal(site_store(s->st, name, STORAGE_DROP, "x"),
	    STORAGE_OK);
	assert_int_equal(site_store(s->st, "", 0, "x"), STORAGE_DENIED);
	assert_int_equal(site_store(s->st, "no/x", 0, "x"), STORAGE_NOT_FOUND);
}

static void
nothing_is_written_that_was_not_allowed(void **state)
{
	struct site *s = *state;
	struct storage *st = storage_posix_new(openat(s->base_fd, "root",
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC));

	assert_int_equal(site_store(st, "in/a", 0, "x"), STORAGE_DENIED);
	assert_int_equal(st->ops->make_dir(st, SV("d"), 0755), STORAGE_DENIED);
	assert_int_equal(st->ops->remove_dir(st, SV("in")), STORAGE_DENIED);
	assert_int_equal(st->ops->rename(st, SV("in"), SV("b"), 0),
	    STORAGE_DENIED);
	storage_posix_free(st);
}

static void
bytes_go_where_they_belong(void **state)
{
	struct site *s = *state;
	const struct storage_ops *ops = s->st->ops;
	struct storage_upload *u = begun(s->st, "in/a", 0, "abc");

	assert_int_equal(ops->upload_write(u, "xx", 2, 4), STORAGE_BAD_OFFSET);
	assert_int_equal(ops->upload_write(u, "xx", 2, UINT64_MAX),
	    STORAGE_BAD_OFFSET);
	assert_int_equal(ops->upload_write(u, "xyz", 3, 2), STORAGE_OK);
	assert_int_equal(ops->upload_write(u, "A", 1, 0), STORAGE_OK);
	assert_int_equal(ops->upload_size(u), 5);
	assert_int_equal(ops->upload_commit(u), STORAGE_OK);
	site_has(s, "in/a", "Abxyz");
}

static void
what_was_kept_is_gone_on_with(void **state)
{
	struct site *s = *state;
	struct storage *other = site_again(s, OWNER + 1, true, NULL);
	struct storage_upload *u = begun(s->st, "in/a", STORAGE_KEEP, "abcdef");

	s->st->ops->upload_abort(u, true);
	assert_int_equal(site_names(s, "in", ".portcullis.part-"), 1);
	assert_int_equal(site_listed(s->st, "in"), 0);
	assert_int_equal(partial(s->st, "in/a"), 6);
	assert_int_equal(partial(s->st, "in/b"), UINT64_MAX);
	assert_int_equal(partial(other, "in/a"), UINT64_MAX);

	/* A restart: nothing is known but what lies there. */
	storage_posix_free(s->st);
	s->st = site_again(s, OWNER, true, NULL);
	assert_int_equal(resume(other, "in/a", 0, 3, "x"), STORAGE_NOT_FOUND);
	assert_int_equal(resume(s->st, "in/a", 0, 7, "x"), STORAGE_BAD_OFFSET);
	assert_int_equal(resume(s->st, "in/a", 0, 4, "XY"), STORAGE_OK);
	site_has(s, "in/a", "abcdXY");
	assert_int_equal(site_names(s, "in", ""), 1);
	storage_posix_free(other);
}

static void
appending_goes_on_too(void **state)
{
	struct site *s = *state;
	struct storage_upload *u = begun(s->st, "in/a", STORAGE_KEEP |
	    STORAGE_APPEND, "abc");

	s->st->ops->upload_abort(u, true);
	assert_int_equal(site_store(s->st, "in/a", STORAGE_APPEND, "def"),
	    STORAGE_OK);
	site_has(s, "in/a", "abcdef");
	assert_int_equal(site_store(s->st, "in/a", STORAGE_APPEND, "g"),
	    STORAGE_EXISTS);
	assert_int_equal(site_store(s->st, "in/a", STORAGE_APPEND |
	    STORAGE_REPLACE, "g"), STORAGE_OK);
	site_has(s, "in/a", "abcdefg");
	assert_int_equal(site_names(s, "in", ""), 1);
}

/* Nobody's lines are lost to another who appended at the same time. */
static void
what_changed_meanwhile_is_not_overwritten(void **state)
{
	struct site *s = *state;
	struct storage_upload *u;

	site_put(s->root, "in/a", "1");
	u = begun(s->st, "in/a", STORAGE_APPEND | STORAGE_REPLACE, "2");
	assert_int_equal(site_store(s->st, "in/a", STORAGE_APPEND |
	    STORAGE_REPLACE, "3"), STORAGE_OK);
	assert_int_equal(s->st->ops->upload_commit(u), STORAGE_CHANGED);
	site_has(s, "in/a", "13");
	u = begun(s->st, "in/a", STORAGE_APPEND | STORAGE_REPLACE, "2");
	unlinkat(s->root, "in/a", 0);
	assert_int_equal(s->st->ops->upload_commit(u), STORAGE_CHANGED);
	assert_int_equal(site_names(s, "in", ""), 0);
}

static void
a_new_upload_forgets_the_old_part(void **state)
{
	struct site *s = *state;
	struct storage_upload *u = begun(s->st, "in/a", STORAGE_KEEP, "old");

	s->st->ops->upload_abort(u, true);
	assert_int_equal(site_store(s->st, "in/a", STORAGE_KEEP, "new"),
	    STORAGE_OK);
	assert_int_equal(partial(s->st, "in/a"), UINT64_MAX);
	assert_int_equal(site_names(s, "in", ""), 1);

	u = begun(s->st, "in/b", STORAGE_KEEP, "older");
	s->st->ops->upload_abort(u, true);
	u = begun(s->st, "in/b", STORAGE_KEEP, "new");
	s->st->ops->upload_abort(u, true);
	assert_int_equal(partial(s->st, "in/b"), 3);
	assert_int_equal(s->st->ops->remove(s->st, SV("in/b")), STORAGE_OK);
	assert_int_equal(s->st->ops->remove(s->st, SV("in/b")),
	    STORAGE_NOT_FOUND);
	assert_int_equal(site_names(s, "in", ""), 1);
}

/* Attack E03: bytes of which the end was cut are not kept. */
static void
test_e03_what_is_not_to_be_kept_is_gone(void **state)
{
	struct site *s = *state;
	char *bytes = calloc(1, BIG);
	struct storage_upload *u = begun(s->st, "in/a", STORAGE_KEEP, "");

	assert_int_equal(s->st->ops->upload_write(u, bytes, BIG, 0),
	    STORAGE_OK);
	assert_int_equal(site_names(s, "in", ".portcullis.part-"), 1);
	s->st->ops->upload_abort(u, false);
	assert_int_equal(site_names(s, "in", ""), 0);
	free(bytes);
}

static void
two_sessions_do_not_write_to_one_part(void **state)
{
	struct site *s = *state;
	char *bytes = calloc(1, BIG);
	struct storage_upload *u = begun(s->st, "in/a", STORAGE_KEEP, "");
	struct storage_upload *v = begun(s->st, "in/a", STORAGE_KEEP, "");

	assert_int_equal(s->st->ops->upload_write(u, bytes, BIG, 0),
	    STORAGE_OK);
	assert_int_equal(s->st->ops->upload_write(v, bytes, BIG, 0),
	    STORAGE_OK);
	assert_int_equal(resume(s->st, "in/a", 0, 1, "x"), STORAGE_BUSY);
	assert_int_equal(site_names(s, "in", ""), 1);
	s->st->ops->upload_abort(v, true);	/* the later one was not kept */
	assert_int_equal(partial(s->st, "in/a"), BIG);
	assert_int_equal(s->st->ops->upload_commit(u), STORAGE_OK);
	assert_int_equal(site_names(s, "in", ""), 1);
	free(bytes);
}

static void
has_bytes(const struct site *s, const char *path, const char *bytes, size_t n)
{
	char *got = malloc(n + 1);
	int fd = openat(s->root, path, O_RDONLY | O_CLOEXEC);

	assert_int_equal(read(fd, got, n + 1), n);
	assert_memory_equal(got, bytes, n);
	close(fd);
	free(got);
}

/* Of a block in two pieces a power cut may leave the first, and no hole. */
static void
no_block_is_written_in_two_pieces(void **state)
{
	struct site *s = *state;
	struct storage_upload *u = begun(s->st, "in/a", STORAGE_KEEP, "");
	size_t all = BIG - 100, at = 0, n;
	char *bytes = malloc(BIG);

	for (size_t i = 0; i < BIG; i++)
		bytes[i] = (char)(i % 251);
	for (size_t next = 1; at < all; at += n, next = next * 3 % 200003) {
		n = next < all - at ? next : all - at;
		assert_int_equal(s->st->ops->upload_write(u, bytes + at, n,
		    at), STORAGE_OK);
		if (at + n >= 1024 * 1024)	/* it has its name */
			assert_int_equal(partial(s->st, "in/a"),
			    (at + n) / BLOCK * BLOCK);
	}
	s->st->ops->upload_abort(u, true);
	assert_int_equal(partial(s->st, "in/a"), all);
	u = begun(s->st, "in/a", STORAGE_APPEND | STORAGE_KEEP, "");
	assert_int_equal(s->st->ops->upload_size(u), all);
	assert_int_equal(partial(s->st, "in/a"), all / BLOCK * BLOCK);
	assert_int_equal(s->st->ops->upload_write(u, bytes + all, 100, all),
	    STORAGE_OK);
	assert_int_equal(s->st->ops->upload_commit(u), STORAGE_OK);
	has_bytes(s, "in/a", bytes, BIG);
	free(bytes);
}

/* A hole is what a power cut left of bytes that had been taken. */
static void
a_part_is_gone_on_with_before_its_first_hole(void **state)
{
	struct site *s = *state;
	struct storage_upload *u = begun(s->st, "in/a", STORAGE_KEEP, "");
	char *bytes = malloc(BIG);
	uint64_t size;

	memset(bytes, 'x', BIG);
	assert_int_equal(s->st->ops->upload_write(u, bytes, BIG, 0),
	    STORAGE_OK);
	if (fallocate(s->st->ops->upload_fd(u), FALLOC_FL_PUNCH_HOLE |
	    FALLOC_FL_KEEP_SIZE, BIG / 2, 65536) != 0)
		skip();
	s->st->ops->upload_abort(u, true);
	assert_int_equal(partial(s->st, "in/a"), BIG / 2);
	assert_int_equal(site_begin(s->st, "in/a", (struct storage_upload_how) {
	    .flags = STORAGE_APPEND }, "", &u), STORAGE_OK);
	size = s->st->ops->upload_size(u);
	s->st->ops->upload_abort(u, false);
	assert_int_equal(size, BIG / 2);
	free(bytes);
}

static void
a_disk_that_is_too_small_is_met_early(void **state)
{
	struct site *s = *state;
	struct storage_upload_how how = { .expected = UINT64_MAX };
	struct storage_upload *u;

	assert_int_equal(site_begin(s->st, "in/a", how, "x", &u),
	    STORAGE_NO_SPACE);
	assert_int_equal(site_names(s, "in", ""), 0);
}

static void
what_was_left_behind_expires(void **state)
{
	struct site *s = *state;
	struct storage_upload *u = begun(s->st, "in/a", STORAGE_KEEP, "abc");
	struct storage_upload *busy;
	struct storage_survey found;
	int64_t now = time(NULL);
	char *bytes = calloc(1, BIG);

	s->st->ops->upload_abort(u, true);
	busy = begun(s->st, "in/busy", STORAGE_KEEP, "");
	assert_int_equal(s->st->ops->upload_write(busy, bytes, BIG, 0),
	    STORAGE_OK);
	free(bytes);
	assert_int_equal(site_store(s->st, "gift", STORAGE_DROP, "gift"),
	    STORAGE_OK);
	site_put(s->root, "in/.portcullis.new-0123456789abcdef", "new");
	assert_int_equal(storage_posix_survey(s->st, now - 60, &found),
	    STORAGE_OK);
	assert_int_equal(found.removed, 0);
	assert_int_equal(found.files, 3);
	assert_int_equal(found.bytes, 10);
	assert_int_equal(storage_posix_survey(s->st, now + 60, &found),
	    STORAGE_OK);
	assert_int_equal(found.removed, 2);
	assert_int_equal(found.files, 1);
	assert_int_equal(site_names(s, "in", ""), 1);
	assert_int_equal(s->st->ops->upload_commit(busy), STORAGE_OK);
}

#define SITE_TEST(name) \
	cmocka_unit_test_setup_teardown(name, site_open, site_close)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SITE_TEST(a_file_appears_when_it_is_whole),
		SITE_TEST(what_is_there_is_replaced_only_if_asked),
		SITE_TEST(only_a_plain_file_is_replaced),
		SITE_TEST(test_d12_another_name_keeps_the_old_file),
		SITE_TEST(test_d10_nothing_but_reading_and_writing_is_granted),
		SITE_TEST(test_d09_what_was_dropped_is_for_no_client),
		SITE_TEST(hidden_names_are_no_names),
		SITE_TEST(names_that_cannot_be_are_refused),
		SITE_TEST(nothing_is_written_that_was_not_allowed),
		SITE_TEST(bytes_go_where_they_belong),
		SITE_TEST(what_was_kept_is_gone_on_with),
		SITE_TEST(appending_goes_on_too),
		SITE_TEST(what_changed_meanwhile_is_not_overwritten),
		SITE_TEST(a_new_upload_forgets_the_old_part),
		SITE_TEST(test_e03_what_is_not_to_be_kept_is_gone),
		SITE_TEST(two_sessions_do_not_write_to_one_part),
		SITE_TEST(no_block_is_written_in_two_pieces),
		SITE_TEST(a_part_is_gone_on_with_before_its_first_hole),
		SITE_TEST(a_disk_that_is_too_small_is_met_early),
		SITE_TEST(what_was_left_behind_expires),
	};

	return RUN(tests);
}
