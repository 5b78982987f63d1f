/*
 * tests/unit/accounts/test_system.c: names that the system is asked about,
 * and what a rule makes of them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unit.h"

#include "accounts/system.h"

static void
test_names(void **state)
{
	static const char *const good[] = { "a", "root", "a.b", "A-1_2",
		"eve@example.org", "_x", "0", "a..b" };
	static const char *const bad[] = { "", ".", "..", ".a", "-a", "a/b",
		"a b", "a:b", "a%u", "a*", "a\n", "\xc3\xa9", "a\x7f", "ftp",
		"Anonymous", "#a", "a$", "a\\b", "a\"b",
		("1234567890123456789012345678901234567890"
		"1234567890123456789012345") };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(accounts_system_name_is_good(sv_of(good[i])));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(accounts_system_name_is_good(sv_of(bad[i])));
	assert_false(accounts_system_name_is_good((struct sv) { "a\0b", 3 }));
}

static bool
make(const char *directory, const char *rights, const char *options,
    const char *name, struct accounts_made *out)
{
	struct accounts_rule r = { sv_of(directory), sv_of(rights),
		sv_of(options) };
	char why[ACCOUNTS_WHY_MAX] = "";
	bool made = accounts_make(&r, sv_of(name), out, why);

	assert_true(made == (why[0] == '\0'));
	return made;
}

static void
test_what_a_rule_makes(void **state)
{
	struct accounts_made m;

	(void)state;
	assert_true(make("home/%u/in", "lr",
	    "hours=8:00-18:00,networks=2001:db8::/32,sessions=2", "eve", &m));
	assert_true(sv_eq(m.entry.root, SV("home/eve/in")));
	assert_true(sv_eq(m.entry.name, SV("eve")));
	assert_int_equal(m.entry.rights, ACCOUNTS_LIST | ACCOUNTS_READ);
	assert_int_equal(m.entry.sessions, 2);
	assert_true(sv_eq(m.entry.networks, SV("2001:db8::/32")));
	assert_false(m.entry.tls == ACCOUNTS_TLS_OPTIONAL);
	/* No password of ours is right for it. */
	assert_false(accounts_is_open(&m.entry));
	assert_true(make("%u-%u", "-", "", "a", &m));
	assert_true(sv_eq(m.entry.root, SV("a-a")));
	assert_true(make(".", "-", "", "a", &m));
}

static void
test_rules_that_are_none(void **state)
{
	static const struct {
		const char *directory, *rights, *options, *name;
	} rows[] = {
		{ "%", "lr", "", "a" },
		{ "%%u", "lr", "", "a" },
		{ "%d", "lr", "", "a" },
		{ "%u/..", "lr", "", "a" },
		{ "/%u", "lr", "", "a" },
		{ "", "lr", "", "a" },
		{ "x:lrwodnm", "lr", "", "a" },
		{ "x", "lr:tls=optional", "", "a" },
		{ "x", "", "", "a" },
		{ "x", "q", "", "a" },
		{ "x", "lr", "tls=maybe", "a" },
		{ "x", "lr", "", ".." },
		{ "x", "lr", "", "a/b" },
	};
	struct accounts_made m;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_false(make(rows[i].directory, rows[i].rights,
		    rows[i].options, rows[i].name, &m));
}

/* Not cut: half a path is another path. */
static void
test_one_that_is_too_long(void **state)
{
	static char directory[ACCOUNTS_LINE_MAX + 1];
	char name[ACCOUNTS_NAME_MAX + 1];
	struct accounts_made m;

	(void)state;
	memset(name, 'a', ACCOUNTS_NAME_MAX);
	name[ACCOUNTS_NAME_MAX] = '\0';
	for (size_t i = 0; i + 3 < 1023; i += 3)
		memcpy(directory + i, "%u/", 4);
	directory[strlen(directory) - 1] = '\0';
	assert_false(make(directory, "lr", "", name, &m));
	memset(directory, 'x', ACCOUNTS_LINE_MAX);
	assert_false(make(directory, "lr", "", "a", &m));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_what_a_rule_makes),
		cmocka_unit_test(test_rules_that_are_none),
		cmocka_unit_test(test_one_that_is_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
