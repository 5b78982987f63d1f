/*
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/hostname.h"

#include "unit.h"

static void
names_are_told_from_what_looks_like_them(void **state)
{
	static const struct {
		const char *text;
		bool good;
	} rows[] = {
		{ "ftp", true }, { "ftp.example.org", true },
		{ "_x.Example-1.ORG", true }, { "1.2.3.x", true },
		{ "", false }, { ".", false }, { "a.", false },
		{ ".a", false }, { "a..b", false }, { "-a.b", false },
		{ "a-.b", false }, { "a b", false }, { "a,b", false },
		{ "10.0.0.300", false }, { "a.1x", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (hostname_is_good(sv_of(rows[i].text)) != rows[i].good)
			fail_msg("row %zu: \"%s\"", i, rows[i].text);
}

static void
names_are_found_whole_in_any_case(void **state)
{
	struct sv list = SV("ftp.example.org,a,b.c");

	(void)state;
	assert_true(hostname_is_in(list, SV("FTP.example.ORG")));
	assert_true(hostname_is_in(list, SV("a")));
	assert_true(hostname_is_in(list, SV("b.c")));
	assert_false(hostname_is_in(list, SV("b")));
	assert_false(hostname_is_in(list, SV("ftp")));
	assert_false(hostname_is_in(list, SV("a,b.c")));
	assert_false(hostname_is_in(SV(""), SV("")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_told_from_what_looks_like_them),
		cmocka_unit_test(names_are_found_whole_in_any_case),
	};

	return RUN(tests);
}
