/*
 * tests/unit/index/test_name.c: each name has one text, and back.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unit.h"

#include "index/name.h"

static const struct {
	struct sv raw;
	const char *text;
} rows[] = {
	{ SV(""), "" },
	{ SV("plain name.nc"), "plain name.nc" },
	{ SV("back\\slash"), "back\\\\slash" },
	{ SV("new\nline\r"), "new\\nline\\r" },
	{ SV("tab\t\x1b[31m\x7f"), "tab\\x09\\x1b[31m\\x7f" },
	{ SV("caf\xc3\xa9"), "caf\xc3\xa9" },
	{ SV("\xe2\x82\xac\xf0\x9f\x98\x80"), "\xe2\x82\xac\xf0\x9f\x98\x80" },
	{ SV("latin \xe9"), "latin \\xe9" },
	{ SV("cut \xe2\x82"), "cut \\xe2\\x82" },
	{ SV("\xc2\x9b" "31m"), "\\xc2\\x9b31m" },	/* CSI, as C1 */
	{ SV("\xc0\xaf"), "\\xc0\\xaf" },		/* overlong "/" */
	{ SV("\xe0\x80\xaf"), "\\xe0\\x80\\xaf" },
	{ SV("\xed\xa0\x80"), "\\xed\\xa0\\x80" },	/* a surrogate */
	{ SV("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80" },
	{ SV("\xff\xfe"), "\\xff\\xfe" },
};

static void
test_rows(void **state)
{
	char out[256], back[256];
	size_t n;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		n = index_name_escape(rows[i].raw, out);
		assert_string_equal(out, rows[i].text);
		assert_int_equal(n, strlen(rows[i].text));
		assert_true(index_name_unescape(sv_of(out), back, &n));
		assert_int_equal(n, rows[i].raw.len);
		assert_memory_equal(back, rows[i].raw.ptr, n);
	}
}

/* What no escape makes: each would be a second text of a name, or none. */
static void
test_other_spellings_are_refused(void **state)
{
	static const char *const texts[] = {
		"\\", "\\q", "\\x", "\\x1", "\\x1G", "\\x0A", "\\x0a", "\\x41",
		"\\x00", "\\X09", "\t", "\n", "\x7f", "\xff", "\xc3",
		"\\xc3\\xa9", "\\xc3\xa9", "\xc3\\xa9", "\xc2\x9b", "a\\",
	};
	char back[64];
	size_t n;

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++)
		if (index_name_unescape(sv_of(texts[i]), back, &n))
			fail_msg("accepted: %s", texts[i]);
}

/* All names of three bytes out of those that matter to UTF-8. */
static void
test_all_short_names_return(void **state)
{
	static const unsigned char set[] = { 1, '\n', ' ', 'A', 'x', '\\', 0x7f,
		0x80, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xc3, 0xdf, 0xe0, 0xe2,
		0xed, 0xef, 0xf0, 0xf4, 0xf5, 0xff };
	char text[INDEX_NAME_ROOM(3)], back[INDEX_NAME_ROOM(3)];
	size_t n;

	(void)state;
	for (size_t i = 0; i < COUNT(set) * COUNT(set) * COUNT(set); i++) {
		char raw[3] = { (char)set[i % COUNT(set)],
			(char)set[i / COUNT(set) % COUNT(set)],
			(char)set[i / COUNT(set) / COUNT(set)] };

		n = index_name_escape((struct sv) { raw, 3 }, text);
		assert_true(index_name_unescape((struct sv) { text, n }, back,
		    &n));
		assert_int_equal(n, 3);
		assert_memory_equal(back, raw, 3);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_other_spellings_are_refused),
		cmocka_unit_test(test_all_short_names_return),
	};

	return RUN(tests);
}
