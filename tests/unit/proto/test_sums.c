/*
 * tests/unit/proto/test_sums.c: lines of sha256sum(1) and of the BSDs.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unit.h"

#include "proto/sums.h"

#define ONE "0101010101010101010101010101010101010101010101010101010101010101"
#define TWO "0202020202020202020202020202020202020202020202020202020202020202"
#define FFS "FFffFFffFFffFFffFFffFFffFFffFFffFFffFFffFFffFFffFFffFFffFFffFFff"

static void
a_name_is_found_in_every_form(void **state)
{
	static const struct {
		const char *text;
		struct sv name;
		bool bare;
		int first;	/* byte of the digest; -1: none */
	} table[] = {
		{ ONE "  a\n", SV("a"), false, 1 },
		{ ONE "  a", SV("a"), false, 1 },
		{ ONE " *a\n", SV("a"), false, 1 },
		{ ONE "  a\r\n", SV("a"), false, 1 },
		{ ONE "  ./a\n", SV("a"), false, 1 },
		{ FFS "  a\n", SV("a"), false, 255 },
		{ TWO "  b\n" ONE "  a\n", SV("a"), false, 1 },
		{ "# note\n\n" ONE "  a\n", SV("a"), false, 1 },
		{ ONE "  a b  c\n", SV("a b  c"), false, 1 },
		{ ONE "   a\n", SV(" a"), false, 1 },
		{ "SHA256 (a) = " ONE "\n", SV("a"), false, 1 },
		{ "SHA256 (a) = b) = " ONE "\n", SV("a) = b"), false, 1 },
		{ "\\" ONE "  a\\nb\\\\c\\r\n", SV("a\nb\\c\r"), false, 1 },
		{ "\\SHA256 (a\\nb) = " ONE "\n", SV("a\nb"), false, 1 },
		{ ONE "  a\\nb\n", SV("a\\nb"), false, 1 },
		{ ONE "\n", SV("a"), true, 1 },
		{ ONE "\n", SV("a"), false, -1 },
		{ ONE "  b\n", SV("a"), true, -1 },
		{ ONE "  ab\n", SV("a"), false, -1 },
		{ ONE "  a\n", SV("ab"), false, -1 },
		{ ONE "  dir/a\n", SV("a"), false, -1 },
		{ ONE " a\n", SV("a"), false, -1 },
		{ ONE "0  a\n", SV("a"), false, -1 },
		{ "1" ONE "\n", SV("a"), true, -1 },
		{ "g" ONE "  a\n", SV("a"), false, -1 },
		{ "SHA512 (a) = " ONE "\n", SV("a"), false, -1 },
		{ "SHA256 (a) = 01\n", SV("a"), false, -1 },
		{ "SHA256 (" ONE "\n", SV("a"), false, -1 },
		{ "\\" ONE "  a\\\n", SV("a\\"), false, -1 },
		{ "\\" ONE "  a\\0\n", SV("a\0"), false, -1 },
		{ ONE "  a\n" ONE "  a\n", SV("a"), false, 1 },
		{ ONE "  a\n" TWO "  a\n", SV("a"), false, -1 },
		{ "", SV("a"), true, -1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		uint8_t digest[SUMS_BYTES] = { 0 };
		struct sums s;
		bool found;

		sums_init(&s, table[i].name, table[i].bare);
		sums_feed(&s, sv_of(table[i].text));
		found = sums_end(&s, digest);
		if (found != (table[i].first >= 0) ||
		    (found && (digest[0] != table[i].first ||
		    digest[31] != table[i].first)))
			fail_msg("row %zu: %d", i, digest[0]);
	}
}

static void
a_line_too_long_is_passed_over_whole(void **state)
{
	char text[SUMS_LINE_MAX + 200];
	uint8_t digest[SUMS_BYTES];
	struct sums s;

	(void)state;
	memset(text, 'x', sizeof(text));
	sums_init(&s, SV("a"), false);
	sums_feed(&s, (struct sv) { text, sizeof(text) });
	/* Still the same line, whatever it looks like. */
	sums_feed(&s, SV(ONE "  a\n"));
	sums_feed(&s, SV(TWO "  a\n"));
	assert_true(sums_end(&s, digest));
	assert_int_equal(digest[0], 2);
}

static void
the_longest_name_fits(void **state)
{
	char name[255], text[1024];
	uint8_t digest[SUMS_BYTES];
	struct sums s;
	size_t n = 0;

	(void)state;
	memset(name, '\n', sizeof(name));
	memcpy(text, "\\" ONE "  ", 67);
	n = 67;
	for (size_t i = 0; i < sizeof(name); i++) {
		text[n++] = '\\';
		text[n++] = 'n';
	}
	text[n++] = '\n';
	sums_init(&s, (struct sv) { name, sizeof(name) }, false);
	sums_feed(&s, (struct sv) { text, n });
	assert_true(sums_end(&s, digest));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_is_found_in_every_form),
		cmocka_unit_test(a_line_too_long_is_passed_over_whole),
		cmocka_unit_test(the_longest_name_fits),
	};

	return RUN(tests);
}
