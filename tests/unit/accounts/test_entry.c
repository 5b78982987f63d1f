/*
 * tests/unit/accounts/test_entry.c: lines of the account file, and those
 * that are none.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unit.h"

#include <stdio.h>

#include "accounts/entry.h"
#include "accounts/when.h"

#define H "$y$j9T$abc$def"
#define AB "abababababababababab"	/* ten bytes */

static struct accounts_entry
good(const char *line)
{
	struct accounts_entry e;
	char why[ACCOUNTS_WHY_MAX];

	if (!accounts_parse_line(sv_of(line), &e, why))
		fail_msg("%s: %s", line, why);
	return e;
}

static void
test_a_whole_line(void **state)
{
	struct accounts_entry e = good("dwd:" H ":in/dwd:lrwm:"
	    "quota.bytes=20G,quota.files=500,networks=10.0.0.0/8+2001:db8::/32,"
	    "hours=mon-fri/8:00-18:00+sat/09:00-12:00,tls=optional,"
	    "uploads=dropbox,sessions=3,rate=10M");
	char text[ACCOUNTS_RIGHT_COUNT + 1];

	(void)state;
	assert_true(sv_eq(e.name, SV("dwd")));
	assert_true(sv_eq(e.hash, SV(H)));
	assert_true(sv_eq(e.root, SV("in/dwd")));
	assert_string_equal(accounts_rights_text(e.rights, text), "lrwm");
	assert_int_equal(e.quota_bytes, 20000000000);
	assert_int_equal(e.quota_files, 500);
	assert_int_equal(e.rate, 10000000);
	assert_int_equal(e.sessions, 3);
	assert_int_equal(e.tls, ACCOUNTS_TLS_OPTIONAL);
	assert_true(e.drop_box);
	assert_true(accounts_is_open(&e));
}

static void
test_tls_has_three_words(void **state)
{
	static const struct {
		const char *line;
		enum accounts_tls tls;
	} rows[] = {
		{ "a::.:-:tls=required", ACCOUNTS_TLS_REQUIRED },
		{ "a::.:-:tls=login", ACCOUNTS_TLS_LOGIN },
		{ "a::.:-:tls=optional", ACCOUNTS_TLS_OPTIONAL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(good(rows[i].line).tls, rows[i].tls);
}

/* What is not said is the safe choice. */
static void
test_a_short_line(void **state)
{
	struct accounts_entry e = good("a::.:-");

	(void)state;
	assert_int_equal(e.rights, 0);
	assert_int_equal(e.quota_bytes, 0);
	assert_int_equal(e.tls, ACCOUNTS_TLS_REQUIRED);
	assert_false(e.drop_box);
	assert_false(accounts_is_open(&e));
}

static void
test_c05_what_no_password_is_right_for(void **state)
{
	static const char *const lines[] = {
		"a::.:r", "a:*:.:r", "a:!:.:r", "a:!" H ":.:r", "a:*0:.:r:",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		struct accounts_entry e = good(lines[i]);

		assert_false(accounts_is_open(&e));
	}
}

/* C11: what is compared is all of it, and by its length. */
static void
test_c11_certificates(void **state)
{
	static const char *const lists[] = {
		AB AB AB "abab", "cn", "cn+" AB AB AB "AbaB",
		("AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:"
		"AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB"),
	};
	static const struct {
		const char *name;
		size_t len;
		uint8_t byte;
		enum accounts_match match[COUNT(lists)];
	} rows[] = {
		{ "dwd", 3, 0xab, { 2, 1, 2, 2 } },
		{ "dwd", 3, 0xac, { 0, 1, 1, 0 } },
		{ "dwd\0x", 5, 0xac, { 0, 0, 0, 0 } },
		{ "dwd\0", 4, 0xac, { 0, 0, 0, 0 } },
		{ "DWD", 3, 0xac, { 0, 0, 0, 0 } },
		{ "dw", 2, 0xac, { 0, 0, 0, 0 } },
		{ "", 0, 0xac, { 0, 0, 0, 0 } },
		{ "", 0, 0xab, { 2, 0, 2, 2 } },
	};
	char line[400];

	(void)state;
	for (size_t i = 0; i < COUNT(rows) * COUNT(lists); i++) {
		size_t row = i / COUNT(lists), list = i % COUNT(lists);
		struct accounts_certificate c = { .common_name =
		    { rows[row].name, rows[row].len } };
		struct accounts_entry e;

		memset(c.sha256, rows[row].byte, sizeof(c.sha256));
		snprintf(line, sizeof(line), "dwd:*:.:r:certificate=%s",
		    lists[list]);
		e = good(line);
		assert_int_equal(accounts_match_certificate(&e, &c),
		    rows[row].match[list]);
	}
}

static void
test_who_needs_no_password(void **state)
{
	static const struct {
		const char *line;
		bool none;
	} rows[] = {
		{ "a:*:.:r:certificate=cn", true },
		{ "a:*:.:r", false },
		{ "a:!*:.:r:certificate=cn", false },	/* locked */
		{ "a::.:r:certificate=cn", false },
		{ "a:*0:.:r:certificate=cn", false },
		{ "a:" H ":.:r:certificate=cn", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct accounts_entry e = good(rows[i].line);

		assert_int_equal(accounts_needs_no_password(&e), rows[i].none);
	}
}

static void
test_bad_lines(void **state)
{
	static const struct {
		const char *line, *why;
	} bad[] = {
		{ "", "expected" },
		{ "a", "expected" },
		{ "a:" H ":.", "expected" },
		{ ":" H ":.:r", "name" },
		{ "a b:" H ":.:r", "name" },
		{ "anonymous:" H ":.:r", "name" },
		{ "FTP:" H ":.:r", "name" },
		{ "#a:" H ":.:r", "name" },
		{ "a\tb:" H ":.:r", "control" },
		{ "a\033[31m:" H ":.:r", "control" },
		{ "a:secret:.:r", "hash" },
		{ "a:$1$abc$def:.:r", "hash" },
		{ "a:$y$:.:r", "hash" },
		{ "a:$y$j9T:.:r", "hash" },
		{ "a:rl.3StKT.4T8M:.:r", "hash" },
		{ "a:$6$ab cd$ef:.:r", "hash" },
		{ "a:" H "::r", "expected a directory" },
		{ "a:" H ":/srv:r", "accounts.root" },
		{ "a:" H ":..:r", "without" },
		{ "a:" H ":x/../y:r", "without" },
		{ "a:" H ":x//y:r", "without" },
		{ "a:" H ":x/:r", "without" },
		{ "a:" H ":./x:r", "without" },
		{ "a:" H ":.:", "rights" },
		{ "a:" H ":.:rr", "rights" },
		{ "a:" H ":.:rx", "rights" },
		{ "a:" H ":.:r-", "rights" },
		{ "a:" H ":.:r:quota", "no such" },
		{ "a:" H ":.:r:Tls=required", "no such" },
		{ "a:" H ":.:r:tls=required,", "no such" },
		{ "a:" H ":.:r:,tls=required", "no such" },
		{ "a:" H ":.:r:tls=off", "value" },
		/* A session has one transfer; sessions= counts them. */
		{ "a:" H ":.:r:transfers=2", "no such" },
		{ "a:" H ":.:r:tls=", "value" },
		{ "a:" H ":.:r:tls=required,tls=required", "twice" },
		{ "a:" H ":.:r:quota.bytes=0", "value" },
		{ "a:" H ":.:r:quota.bytes=-1", "value" },
		{ "a:" H ":.:r:quota.bytes=9223372036854775808", "value" },
		{ "a:" H ":.:r:quota.bytes=9223373T", "value" },
		{ "a:" H ":.:r:quota.bytes=G", "value" },
		{ "a:" H ":.:r:sessions=1000001", "value" },
		{ "a:" H ":.:r:networks=", "value" },
		{ "a:" H ":.:r:networks=10.0.0.0/8+", "value" },
		{ "a:" H ":.:r:networks=10.0.0.0/33", "value" },
		{ "a:" H ":.:r:networks=host.example", "value" },
		{ "a:" H ":.:r:hours=8-18", "value" },
		{ "a:*:.:r:certificate=", "value" },
		{ "a:*:.:r:certificate=CN", "value" },
		{ "a:*:.:r:certificate=cn+", "value" },
		{ "a:*:.:r:certificate=" AB AB AB, "value" },
		{ "a:*:.:r:certificate=" AB AB AB "abab" "abab" "ab", "value" },
		{ "a:*:.:r:certificate=" AB AB AB "abab" "abag", "value" },
		{ "a:*:.:r:certificate=cn+cn+cn+cn+cn+cn+cn+cn+cn", "value" },
	};
	struct accounts_entry e;
	char why[ACCOUNTS_WHY_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		if (accounts_parse_line(sv_of(bad[i].line), &e, why))
			fail_msg("taken: %s", bad[i].line);
		if (strstr(why, bad[i].why) == NULL)
			fail_msg("%s: %s", bad[i].line, why);
	}
	/* Somebody may have put a password where the hash belongs. */
	assert_false(accounts_parse_line(SV("a:secret:.:r"), &e, why));
	assert_null(strstr(why, "secret"));
}

static void
test_costs(void **state)
{
	static const struct {
		const char *hash, *cost;
	} rows[] = {
		{ "$y$j9T$abc$def", "$y$j9T$" },
		{ "$2b$12$abcdef", "$2b$12$" },
		{ "$6$salt$hash", "$6$" },
		{ "$6$rounds=9000$salt$hash", "$6$rounds=9000$" },
		{ "!$6$salt$hash", "" },
		{ "", "" },
		{ "x", "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_true(sv_eq(accounts_hash_cost(sv_of(rows[i].hash)),
		    sv_of(rows[i].cost)));
}

static void
test_networks(void **state)
{
	static const struct {
		const char *peer;
		bool in;
	} rows[] = {
		{ "10.1.2.3", true }, { "::ffff:10.1.2.3", true },
		{ "11.0.0.1", false }, { "2001:db8::1", true },
		{ "2001:db9::1", false }, { "192.0.2.7", true },
		{ "192.0.2.8", false },
	};
	struct accounts_entry e = good("a::.:-:networks="
	    "10.0.0.0/8+2001:db8::/32+192.0.2.7"), all = good("a::.:-");

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct addr a;

		assert_true(addr_parse_ip(sv_of(rows[i].peer), &a));
		assert_int_equal(accounts_network_allows(&e, &a), rows[i].in);
		assert_true(accounts_network_allows(&all, &a));
	}
}

enum { SUN, MON, TUE, WED, THU, FRI, SAT };

static void
test_hours(void **state)
{
	static const struct {
		const char *hours;
		unsigned day, minute;
		bool in;
	} rows[] = {
		{ "8:00-18:00", SUN, 479, false },
		{ "8:00-18:00", SUN, 480, true },
		{ "8:00-18:00", SAT, 1079, true },
		{ "8:00-18:00", SAT, 1080, false },
		{ "0:00-24:00", WED, 0, true },
		{ "0:00-24:00", WED, 1439, true },
		{ "mon-fri/0:00-24:00", SUN, 600, false },
		{ "mon-fri/0:00-24:00", FRI, 1439, true },
		{ "mon-fri/0:00-24:00", SAT, 0, false },
		{ "sat-sun/0:00-24:00", SUN, 600, true },
		{ "sat-sun/0:00-24:00", MON, 600, false },
		/* Friday's night is Saturday's morning. */
		{ "fri/22:00-6:00", FRI, 1320, true },
		{ "fri/22:00-6:00", SAT, 359, true },
		{ "fri/22:00-6:00", SAT, 360, false },
		{ "fri/22:00-6:00", FRI, 100, false },
		{ "sat/22:00-6:00", SUN, 100, true },
		{ "mon/1:00-2:00+tue/3:00-4:00", TUE, 200, true },
		{ "mon/1:00-2:00+tue/3:00-4:00", MON, 200, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char line[128];

		snprintf(line, sizeof(line), "a::.:-:hours=%s", rows[i].hours);
		struct accounts_entry e = good(line);
		if (accounts_hours_allow(&e, rows[i].day, rows[i].minute) !=
		    rows[i].in)
			fail_msg("%s at %u, %u", rows[i].hours, rows[i].day,
			    rows[i].minute);
	}
}

static void
test_hours_that_are_none(void **state)
{
	static const char *const bad[] = {
		"", "8:00", "8:00-", "08:00-8:00", "24:00-1:00", "8:00-24:01",
		"25:00-26:00", "8:0-9:00", "8:60-9:00", "008:00-9:00", "mon/",
		"mon8:00-9:00", "mo/8:00-9:00", "mon-/8:00-9:00",
		"mon-fry/8:00-9:00", "8:00-9:00 ", "Mon/8:00-9:00",
	};
	struct when_span s;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		if (when_parse(sv_of(bad[i]), &s))
			fail_msg("taken: %s", bad[i]);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_whole_line),
		cmocka_unit_test(test_tls_has_three_words),
		cmocka_unit_test(test_a_short_line),
		cmocka_unit_test(test_c05_what_no_password_is_right_for),
		cmocka_unit_test(test_c11_certificates),
		cmocka_unit_test(test_who_needs_no_password),
		cmocka_unit_test(test_bad_lines),
		cmocka_unit_test(test_costs),
		cmocka_unit_test(test_networks),
		cmocka_unit_test(test_hours),
		cmocka_unit_test(test_hours_that_are_none),
	};

	return RUN(tests);
}
