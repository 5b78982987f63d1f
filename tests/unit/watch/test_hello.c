/*
 * SPDX-License-Identifier: Apache-2.0
 */
#include "watch/hello.h"

#include <stdint.h>
#include <stdlib.h>

#include "unit.h"

#define HELLO_MOST 512

struct bytes {
	uint8_t at[HELLO_MOST];
	size_t len;
};

static void
put(struct bytes *b, const void *bytes, size_t n)
{
	assert_true(b->len + n <= HELLO_MOST);
	memcpy(b->at + b->len, bytes, n);
	b->len += n;
}

static void
put_number(struct bytes *b, size_t n, size_t value)
{
	for (; n > 0; n--) {
		uint8_t byte = (uint8_t)(value >> (n - 1) * 8);

		put(b, &byte, 1);
	}
}

/* names: with commas between; NULL: no list, "": an empty one. */
static void
put_alpn(struct bytes *b, const char *names)
{
	struct sv all = sv_of(names);

	put_number(b, 2, 16);
	put_number(b, 2, all.len > 0 ? all.len + 3 : 2);
	put_number(b, 2, all.len > 0 ? all.len + 1 : 0);
	while (all.len > 0) {
		const char *comma = memchr(all.ptr, ',', all.len);
		size_t n = comma != NULL ? (size_t)(comma - all.ptr) : all.len;

		put_number(b, 1, n);
		put(b, all.ptr, n);
		all = sv_drop(all, n + 1);
	}
}

/* A record with a ClientHello; two other extensions stand around the list. */
static struct bytes
hello(const char *names)
{
	static const uint8_t head[] = { 22, 3, 1, 0, 0, 1, 0, 0, 0, 3, 3 };
	static const uint8_t random[32] = { 7 };
	static const uint8_t other[] = { 0, 43, 0, 3, 2, 3, 4 };
	struct bytes b = { .len = 0 };

	put(&b, head, sizeof(head));
	put(&b, random, sizeof(random));
	put_number(&b, 1, 3);		/* session */
	put(&b, "abc", 3);
	put_number(&b, 2, 4);		/* cipher suites */
	put_number(&b, 4, 0x13011302);
	put_number(&b, 2, 0x0100);	/* compression */
	put_number(&b, 2, 99);		/* extensions: not relied upon */
	put(&b, other, sizeof(other));
	if (names != NULL)
		put_alpn(&b, names);
	put(&b, other, sizeof(other));
	return b;
}

/* From a block of just this size, so that a byte too far is seen. */
static enum hello_alpn
alpn_of(const uint8_t *bytes, size_t n)
{
	char *exact = malloc(n > 0 ? n : 1);
	enum hello_alpn result;

	assert_non_null(exact);
	memcpy(exact, bytes, n);
	result = hello_alpn((struct sv) { exact, n });
	free(exact);
	return result;
}

static const struct {
	const char *names;
	enum hello_alpn wanted;
} rows[] = {
	{ NULL, HELLO_ALPN_NONE },
	{ "", HELLO_ALPN_NONE },
	{ "ftp", HELLO_ALPN_FTP },
	{ "h2", HELLO_ALPN_OTHER },
	{ "http/1.1", HELLO_ALPN_OTHER },
	{ "h2,http/1.1", HELLO_ALPN_OTHER },
	{ "h2,ftp", HELLO_ALPN_FTP },
	{ "ftp,h2", HELLO_ALPN_FTP },
	{ "FTP", HELLO_ALPN_OTHER },
	{ "ftps", HELLO_ALPN_OTHER },
	{ "ft", HELLO_ALPN_OTHER },
};

static void
the_list_is_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct bytes b = hello(rows[i].names);

		assert_int_equal(alpn_of(b.at, b.len), rows[i].wanted);
	}
}

/* Nothing is said of a list that is not there as a whole. */
static void
cut_anywhere_it_says_all_or_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct bytes b = hello(rows[i].names);
		size_t whole = b.len - 7;	/* the last extension */

		for (size_t n = 0; n <= b.len; n++)
			assert_int_equal(alpn_of(b.at, n), n < whole ?
			    HELLO_ALPN_NONE : rows[i].wanted);
	}
}

static void
every_byte_may_be_any_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct bytes b = hello(rows[i].names);

		for (size_t at = 0; at < b.len; at++) {
			uint8_t was = b.at[at];

			for (unsigned c = 0; c < 256; c++) {
				b.at[at] = (uint8_t)c;
				assert_in_range(alpn_of(b.at, b.len),
				    HELLO_ALPN_NONE, HELLO_ALPN_OTHER);
			}
			b.at[at] = was;
		}
	}
}

static void
garbage_has_no_list(void **state)
{
	uint8_t bytes[300];
	uint32_t r = 1;

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		size_t n;

		for (size_t i = 0; i < sizeof(bytes); i++) {
			r = r * 1664525 + 1013904223;
			bytes[i] = (uint8_t)(r >> 24);
		}
		n = r % sizeof(bytes);
		assert_in_range(alpn_of(bytes, n), HELLO_ALPN_NONE,
		    HELLO_ALPN_OTHER);
		if (n > 5 && bytes[5] != 1)
			assert_int_equal(alpn_of(bytes, n), HELLO_ALPN_NONE);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_list_is_read),
		cmocka_unit_test(cut_anywhere_it_says_all_or_nothing),
		cmocka_unit_test(every_byte_may_be_any_byte),
		cmocka_unit_test(garbage_has_no_list),
	};

	return RUN(tests);
}
