/*
 * tests/unit/accounts/test_file.c: the account file as a whole, and hashes
 * as other tools write them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "accounts/file.h"
#include "accounts/secret.h"

struct heard {
	unsigned count;
	char text[4096];
};

static void
hear(void *arg, unsigned line, const char *why)
{
	struct heard *h = arg;
	size_t n = strlen(h->text);

	h->count++;
	snprintf(h->text + n, sizeof(h->text) - n, "%u:%s\n", line, why);
}

static bool
parse(const char *text, struct accounts *a, struct heard *h)
{
	struct accounts_listener l = { hear, h };

	*h = (struct heard) { 0 };
	return accounts_parse(sv_of(text), a, &l);
}

static void
test_it_is_read_and_found(void **state)
{
	struct accounts a;
	struct heard h;

	(void)state;
	assert_true(parse("# providers\n\nzoe:*:z:r\r\nab:*:ab:lr\na:*:a:-",
	    &a, &h));
	assert_int_equal(a.count, 3);
	assert_int_equal(accounts_find(&a, SV("zoe"))->line, 3);
	assert_int_equal(accounts_find(&a, SV("ab"))->line, 4);
	assert_int_equal(accounts_find(&a, SV("a"))->line, 5);
	assert_null(accounts_find(&a, SV("")));
	assert_null(accounts_find(&a, SV("abc")));
	assert_null(accounts_find(&a, SV("A")));
	assert_null(accounts_find(&a, (struct sv) { "a\0b", 3 }));
	accounts_free(&a);
	assert_true(parse("", &a, &h));
	assert_null(accounts_find(&a, SV("a")));
	accounts_free(&a);
}

static void
test_problems_have_their_lines(void **state)
{
	struct accounts a;
	struct heard h;

	(void)state;
	assert_false(parse("a:*:.:r\nb:*:/x:r\n#\na:*:.:r\nc\n", &a, &h));
	assert_int_equal(a.count, 0);
	assert_int_equal(h.count, 3);
	assert_non_null(strstr(h.text, "2:the directory"));
	assert_non_null(strstr(h.text, "5:expected name"));
	assert_non_null(strstr(h.text, "4:the name is that of line 1"));
}

static void
test_not_all_of_many_problems_are_told(void **state)
{
	static char text[2001];
	struct accounts a;
	struct heard h;

	(void)state;
	for (size_t i = 0; i < 1000; i++)
		memcpy(text + 2 * i, "x\n", 2);
	assert_false(parse(text, &a, &h));
	assert_int_equal(h.count, ACCOUNTS_PROBLEMS_MAX + 1);
}

static void
test_there_is_a_limit(void **state)
{
	static char text[(ACCOUNTS_MAX + 1) * 16 + 1];
	struct accounts a;
	struct heard h;
	size_t n = 0;

	(void)state;
	for (unsigned i = 0; i < ACCOUNTS_MAX; i++)
		n += (size_t)snprintf(text + n, 17, "u%05u:*:.:lr\n", i);
	assert_true(parse(text, &a, &h));
	assert_int_equal(a.count, ACCOUNTS_MAX);
	assert_int_equal(accounts_find(&a, SV("u00777"))->line, 778);
	accounts_free(&a);
	snprintf(text + n, 17, "v:*:.:lr\n");
	assert_false(parse(text, &a, &h));
	assert_non_null(strstr(h.text, "65537:more than 65536 accounts"));
}

static void
test_a_descriptor_is_read_from_its_beginning(void **state)
{
	struct accounts_listener l;
	struct accounts a;
	struct heard h = { 0 };
	int fd = memfd_create("accounts", 0), pipes[2];

	(void)state;
	l = (struct accounts_listener) { hear, &h };
	assert_int_equal(write(fd, "a:*:.:r\n", 8), 8);
	assert_true(accounts_read(fd, &a, &l));
	assert_int_equal(a.count, 1);
	accounts_free(&a);
	close(fd);
	assert_int_equal(pipe(pipes), 0);
	assert_false(accounts_read(pipes[0], &a, &l));
	assert_non_null(strstr(h.text, "0:not a regular file"));
	close(pipes[0]);
	close(pipes[1]);
}

static void
test_the_usual_hash(void **state)
{
	static const struct {
		const char *text, *cost;
	} rows[] = {
		{ "", "" },
		{ "a:*:.:r\nb:!$6$x$y:.:r\n", "" },
		{ "a:$6$x$y:.:r\nb:$y$j9T$x$y:.:r\nc:$y$j9T$z$y:.:r\n",
		    "$y$j9T$" },
		{ "a:$6$x$y:.:r\nb:$y$j9T$x$y:.:r\nc:$6$z$y:.:r\n", "$6$" },
		{ "a:$y$j8T$x$y:.:r\nb:$y$j9T$x$y:.:r\nc:$y$j8T$z$y:.:r\n",
		    "$y$j8T$" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct accounts a;
		struct heard h;

		assert_true(parse(rows[i].text, &a, &h));
		assert_true(sv_eq(accounts_hash_cost(accounts_usual_hash(&a)),
		    sv_of(rows[i].cost)));
		accounts_free(&a);
	}
}

/* "correct horse", as perl's crypt and `openssl passwd` have it. */
static const char *const hashes[] = {
	"$y$j75$aaaaaaaa$zCv7ZNOoU6JXrMJ5mAlMlQy4tQuyimI0WQl5op6Cq7D",
	"$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
	("$6$saltsalt$hRM5XZ86KXEw9UOmjigeVqFgULtFB2sgpC9lXQDfMib3Zgw7"
	    "mEiUvBJI2EplzfAqxL5Vvwp2scFtv/uamSo5z0"),
	"$5$saltsalt$myjXcpMpE2Ofk7fj9hqyNYSn6lmWG4Mqnjx.KIRRr4/",
};

static void
test_hashes_of_other_programs(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(hashes); i++) {
		assert_true(secret_matches("correct horse", hashes[i]));
		assert_false(secret_matches("correct hors", hashes[i]));
		assert_false(secret_matches("", hashes[i]));
	}
}

static void
test_c05_nothing_matches_no_hash(void **state)
{
	static const char *const none[] = { "", "*", "!", "*0", "*1", "x",
		"$", "$y$", "$y$j9T$",
	"$2b$05$", "!$6$a$b" };
	char empty[SECRET_HASH_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(none); i++) {
		assert_false(secret_matches("", none[i]));
		assert_false(secret_matches("a", none[i]));
		assert_false(secret_matches(none[i], none[i]));
	}
	/* Nor the empty password the hash that is its own. */
	assert_true(secret_hash("", SECRET_COST_LEAST, empty));
	assert_false(secret_matches("", empty));
}

static void
test_a_hash_made_here(void **state)
{
	char a[SECRET_HASH_MAX], b[SECRET_HASH_MAX];
	char made[SECRET_MADE_LEN + 1], other[SECRET_MADE_LEN + 1];

	(void)state;
	assert_true(secret_make(made));
	assert_true(secret_make(other));
	assert_string_not_equal(made, other);
	assert_true(secret_hash(made, SECRET_COST_LEAST, a));
	assert_true(secret_hash(made, SECRET_COST_LEAST, b));
	assert_string_not_equal(a, b);
	assert_true(secret_matches(made, a) && secret_matches(made, b));
	assert_false(secret_matches(other, a));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_is_read_and_found),
		cmocka_unit_test(test_problems_have_their_lines),
		cmocka_unit_test(test_not_all_of_many_problems_are_told),
		cmocka_unit_test(test_there_is_a_limit),
		cmocka_unit_test(test_a_descriptor_is_read_from_its_beginning),
		cmocka_unit_test(test_the_usual_hash),
		cmocka_unit_test(test_hashes_of_other_programs),
		cmocka_unit_test(test_c05_nothing_matches_no_hash),
		cmocka_unit_test(test_a_hash_made_here),
	};

	return RUN(tests);
}
