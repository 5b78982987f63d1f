/*
 * tests/unit/storage/test_hash_store.c: what is kept comes back, what was
 * torn does not, and a file that is not ours is left alone.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/hash_store.h"

#define HEADER 4096
#define ENTRY 160

static char path[64];
static char why[HASH_STORE_WHY];

static int
setup(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "/tmp/hash-store-%d", (int)getpid());
	unlink(path);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	unlink(path);
	return 0;
}

static struct hash_key
key_of(uint64_t ino)
{
	return (struct hash_key) { .dev = 1, .ino = ino, .size = 100,
		.mtime = 10, .ctime = 11, .mtime_ns = 12, .ctime_ns = 13,
		.first = 0, .last = 99, .algorithm = 0 };
}

static void
digest_of(uint64_t ino, uint8_t out[HASH_STORE_DIGEST])
{
	for (size_t i = 0; i < HASH_STORE_DIGEST; i++)
		out[i] = (uint8_t)(ino + i);
}

static bool
knows(const struct hash_store *s, const struct hash_key *k)
{
	uint8_t want[HASH_STORE_DIGEST], got[HASH_STORE_DIGEST];

	digest_of(k->ino, want);
	if (hash_store_get(s, k, HASH_STORE_WAIT, got) != HASH_STORE_KNOWN)
		return false;
	assert_memory_equal(got, want, 32);
	return true;
}

static void
keep(const struct hash_store *s, const struct hash_key *k)
{
	uint8_t digest[HASH_STORE_DIGEST];

	digest_of(k->ino, digest);
	hash_store_put(s, k, digest, 32);
}

static void
every_field_of_a_key_counts(void **state)
{
	struct hash_key k = key_of(7), other[9];
	struct hash_store s;
	int fd = hash_store_make("", 1024, why);

	(void)state;
	assert_true(fd >= 0 && hash_store_open(&s, fd));
	assert_true(s.in_memory);
	assert_false(knows(&s, &k));
	keep(&s, &k);
	assert_true(knows(&s, &k));
	for (size_t i = 0; i < COUNT(other); i++)
		other[i] = k;
	other[0].dev++;
	other[1].size++;
	other[2].mtime++;
	other[3].ctime++;
	other[4].mtime_ns++;
	other[5].ctime_ns++;
	other[6].first++;
	other[7].last--;
	other[8].algorithm++;
	for (size_t i = 0; i < COUNT(other); i++)
		if (knows(&s, &other[i]))
			fail_msg("row %zu", i);
	close(fd);
}

/* In a store of one set: the file's older state makes room for the new one. */
static void
a_full_set_forgets_the_oldest_and_never_a_whole_for_a_part(void **state)
{
	struct hash_key k = key_of(1), part = key_of(1);
	struct hash_store s;
	unsigned known = 0;
	int fd = hash_store_make("", 8, why);

	(void)state;
	assert_true(fd >= 0 && hash_store_open(&s, fd));
	assert_int_equal(s.sets, 1);
	for (uint64_t ino = 1; ino <= 6; ino++) {
		k = key_of(ino);
		keep(&s, &k);
	}
	k = key_of(3);
	k.mtime++;
	keep(&s, &k);
	assert_true(knows(&s, &k));
	k.mtime--;
	assert_false(knows(&s, &k));
	for (uint64_t first = 1; first < 90; first++) {
		part.first = first;
		keep(&s, &part);
		assert_true(knows(&s, &part));
	}
	for (uint64_t ino = 1; ino <= 6; ino++) {
		k = key_of(ino);
		k.mtime += ino == 3;
		assert_true(knows(&s, &k));
	}
	for (uint64_t ino = 10; ino < 30; ino++) {
		k = key_of(ino);
		keep(&s, &k);
		assert_true(knows(&s, &k));
	}
	for (uint64_t ino = 1; ino < 30; ino++) {
		k = key_of(ino);
		known += knows(&s, &k);
	}
	assert_int_equal(known, 6);
	close(fd);
}

/* Any byte of an entry that is other than it was written. */
static void
a_torn_entry_is_unknown(void **state)
{
	struct hash_key k = key_of(5);
	struct hash_store s;
	int fd = hash_store_make(path, 8, why);

	(void)state;
	assert_true(fd >= 0 && hash_store_open(&s, fd));
	keep(&s, &k);
	assert_true(knows(&s, &k));
	for (off_t at = HEADER; at < HEADER + ENTRY; at++) {
		unsigned char byte, bad;

		assert_int_equal(pread(fd, &byte, 1, at), 1);
		bad = byte ^ 0x40;
		assert_int_equal(pwrite(fd, &bad, 1, at), 1);
		assert_false(knows(&s, &k));
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	}
	assert_true(knows(&s, &k));
	/* And its place is free for the next. */
	assert_int_equal(pwrite(fd, "x", 1, HEADER + 3), 1);
	keep(&s, &k);
	assert_true(knows(&s, &k));
	/* Cut short while it is in use: unknown, and no harm. */
	assert_int_equal(ftruncate(fd, HEADER + 10), 0);
	assert_false(knows(&s, &k));
	keep(&s, &k);
	assert_false(knows(&s, &k));
	close(fd);
}

static void
a_file_is_found_again(void **state)
{
	struct hash_key k = key_of(5);
	struct hash_store s;
	int fd = hash_store_make(path, 1000, why);

	(void)state;
	assert_true(fd >= 0 && hash_store_open(&s, fd));
	keep(&s, &k);
	close(fd);
	fd = hash_store_make(path, 1000, why);
	assert_true(fd >= 0 && hash_store_open(&s, fd));
	assert_true(knows(&s, &k));
	close(fd);
	assert_int_equal(hash_store_make(path, 2000, why), -1);
	assert_non_null(strstr(why, "1000"));
}

/* Other bytes at `at`, or another size. */
static void
refused(off_t at, const char *byte, off_t size)
{
	int fd = hash_store_make(path, 64, why);
	struct hash_store s;
	struct stat st;

	assert_true(fd >= 0);
	if (byte != NULL)
		assert_int_equal(pwrite(fd, byte, 1, at), 1);
	if (size > 0)
		assert_int_equal(ftruncate(fd, size), 0);
	assert_int_equal(fstat(fd, &st), 0);
	why[0] = '\0';
	assert_int_equal(hash_store_make(path, 64, why), -1);
	assert_true(why[0] != '\0');
	assert_false(hash_store_open(&s, fd));
	assert_int_equal(s.fd, -1);
	unlink(path);
	close(fd);
}

static void
a_wrong_file_is_refused(void **state)
{
	struct hash_store s;
	int fd;

	(void)state;
	refused(0, "x", 0);		/* magic */
	refused(16, "\x63", 0);		/* version */
	refused(20, "\x63", 0);		/* byte order */
	refused(24, "\x63", 0);		/* size of an entry */
	refused(28, "\x63", 0);		/* ways */
	refused(32, "\x63", 0);		/* entries */
	refused(100, "\x63", 0);	/* must be zero */
	refused(0, NULL, 100);
	refused(0, NULL, HEADER + 64 * ENTRY - 1);
	refused(0, NULL, HEADER + 64 * ENTRY + 1);
	assert_int_equal(hash_store_make("/tmp", 64, why), -1);
	assert_int_equal(hash_store_make("/nowhere/at/all", 64, why), -1);
	assert_int_equal(symlink("/tmp/other", path), 0);
	assert_int_equal(hash_store_make(path, 64, why), -1);
	fd = open("/dev/null", O_RDWR);
	assert_false(hash_store_open(&s, fd));
	close(fd);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_of_a_key_counts),
		cmocka_unit_test(
		    a_full_set_forgets_the_oldest_and_never_a_whole_for_a_part),
		cmocka_unit_test_setup_teardown(a_torn_entry_is_unknown,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(a_file_is_found_again, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(a_wrong_file_is_refused,
		    setup, teardown),
	};

	return RUN(tests);
}
