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

static size_t steps;
#define GLOB_STEP() (steps++)
#include "proto/glob.c"

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

/* Each is repeated up to the longest pattern. */
static const char *const adversaries[] = {
	"*a", "*", "?*", "*?", "[", "*[", "[a", "*[a", "[]", "*[]", "[!]",
	"[a-z]", "*[a-z]", "[aaaaaaaaaaaaaaaa]", "*[bbbbbbbbbbbbbbbbb]a",
	"a*a", "aaaaaaaaaaaaaaa*", "[[", "[!", "*[!b]", "]", "[b-",
};

/* An exponential matcher would still be at it when the sun has gone out. */
static void
test_d16_an_adversary_costs_no_time(void **state)
{
	static char pattern[1000], name[255];
	const size_t most = 3 * sizeof(pattern) * sizeof(name);

	(void)state;
	for (size_t a = 0; a < sizeof(adversaries) / sizeof(*adversaries); a++)
		for (int variant = 0; variant < 8; variant++) {
			const char *unit = adversaries[a];

			for (size_t i = 0; i < sizeof(pattern); i++)
				pattern[i] = unit[i % strlen(unit)];
			if (variant & 1)
				pattern[0] = '*';
			if (variant & 2)
				memcpy(pattern + sizeof(pattern) - 2, "[]", 2);
			memset(name, variant & 4 ? '[' : 'a', sizeof(name));
			name[sizeof(name) - 1] = 'b';
			steps = 0;
			(void)glob_match((struct sv) { pattern,
			    sizeof(pattern) }, (struct sv) { name,
			    sizeof(name) });
			if (steps > most)
				fail_msg("%s, %d: %zu steps", unit, variant,
				    steps);
		}
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
