/*
 * tests/unit/proto/test_glob.c: wildcards, and what they cost.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/glob.h"

static const struct {
	const char *pattern, *name;
	bool fits;
} rows[] = {
	{ "*", "a", true },		{ "*", "", true },
	{ "*", ".hidden", false },	{ ".*", ".hidden", true },
	{ "", "", true },		{ "", "a", false },
	{ "a", "a", true },		{ "a", "A", false },
	{ "a", "ab", false },		{ "ab", "a", false },
	{ "?", "a", true },		{ "?", "", false },
	{ "?", "ab", false },		{ "*.nc", "t2m.nc", true },
	{ "*.nc", "t2m.nc.idx", false },{ "a*b*c", "a--b--b--c", true },
	{ "a*b*c", "a--b--b--", false },{ "**", "x", true },
	{ "[a-c]x", "bx", true },	{ "[a-c]x", "dx", false },
	{ "[!a-c]x", "dx", true },	{ "[!a-c]x", "ax", false },
	{ "[]]x", "]x", true },		{ "[!]]x", "]x", false },
	{ "[a", "[a", true },		{ "[", "[", true },
	{ "[!", "[!", true },		{ "[a-]", "-", true },
	{ "*[0-9]", "x7", true },	{ "t2m_19?8*", "t2m_1998-01", true },
	{ "{a,b}", "a", false },	{ "{a,b}", "{a,b}", true },
	{ "\xc3?", "\xc3\xa9", true },
};

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (glob_match(sv_of(rows[i].pattern), sv_of(rows[i].name)) !=
		    rows[i].fits)
			fail_msg("%s against %s", rows[i].pattern,
			    rows[i].name);
}

/* What hides names does not stop at a dot. */
static void
test_fits_at_a_dot(void **state)
{
	(void)state;
	assert_true(glob_fits(SV("*.tmp"), SV(".x.tmp")));
	assert_false(glob_match(SV("*.tmp"), SV(".x.tmp")));
	assert_true(glob_fits(SV("?x"), SV(".x")));
	assert_true(glob_fits(SV("[!a]x"), SV(".x")));
	assert_true(glob_fits(SV(".*"), SV(".x")));
	assert_false(glob_fits(SV(".*"), SV("x")));
}

static void
test_is_pattern(void **state)
{
	(void)state;
	assert_true(glob_is_pattern(SV("a*")));
	assert_true(glob_is_pattern(SV("a?")));
	assert_true(glob_is_pattern(SV("[a")));
	assert_false(glob_is_pattern(SV("a]{}~")));
	assert_false(glob_is_pattern(SV("")));
}

/* An exponential matcher would still be at it when the sun has gone out. */
static void
test_d16_an_adversary_costs_no_time(void **state)
{
	static char pattern[8000], name[255];

	(void)state;
	for (size_t i = 0; i + 1 < sizeof(pattern); i += 2)
		memcpy(pattern + i, "*a", 2);
	memset(name, 'a', sizeof(name));
	name[sizeof(name) - 1] = 'b';
	for (int i = 0; i < 1000; i++)
		assert_false(glob_match((struct sv) { pattern,
		    sizeof(pattern) }, (struct sv) { name, sizeof(name) }));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_fits_at_a_dot),
		cmocka_unit_test(test_is_pattern),
		cmocka_unit_test(test_d16_an_adversary_costs_no_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
