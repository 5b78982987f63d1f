/*
 * The argument of HOST: names, addresses, and what is neither.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "proto/host.h"

#include "unit.h"

#define L63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define L61 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void
names_are_taken_as_they_are(void **state)
{
	static const struct {
		struct sv text, name;
	} rows[] = {
		{ SV("ftp.example.org"), SV("ftp.example.org") },
		{ SV("FTP.Example.ORG"), SV("FTP.Example.ORG") },
		{ SV("ftp.example.org."), SV("ftp.example.org") },
		{ SV("localhost"), SV("localhost") },
		{ SV("xn--bcher-kva.example"), SV("xn--bcher-kva.example") },
		{ SV("a_b.example"), SV("a_b.example") },
		{ SV("1.2.example"), SV("1.2.example") },
		{ SV(L63 "." L63 "." L63 "." L61),
		    SV(L63 "." L63 "." L63 "." L61) },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct host h = { 0 };

		if (host_parse(rows[i].text, &h) != FTP_OK ||
		    !sv_eq(h.name, rows[i].name) || h.ip.family != ADDR_NONE)
			fail_msg("row %zu", i);
	}
}

static void
addresses_are_read(void **state)
{
	static const struct {
		struct sv text;
		const char *ip;
	} rows[] = {
		{ SV("192.0.2.1"), "192.0.2.1" },
		{ SV("[192.0.2.1]"), "192.0.2.1" },
		{ SV("[2001:DB8::1]"), "2001:db8::1" },
		{ SV("[::ffff:192.0.2.1]"), "::ffff:192.0.2.1" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char text[ADDR_TEXT_MAX];
		struct host h = { .name = SV("x") };

		assert_int_equal(host_parse(rows[i].text, &h), FTP_OK);
		assert_int_equal(h.name.len, 0);
		assert_string_equal(addr_format_ip(&h.ip, text), rows[i].ip);
		assert_int_equal(h.ip.port, 0);
	}
}

static void
what_is_neither_is_refused(void **state)
{
	static const struct sv rows[] = {
		SV(""), SV("."), SV(".."), SV("a."  "."), SV(".a"),
		SV("a..b"), SV(" a"), SV("a "), SV("a b"), SV("a,b"),
		SV("-a.example"), SV("a-.example"), SV("ftp.example.org:21"),
		SV("192.0.2.1:21"), SV("192.0.2"), SV("192.0.2.256"),
		SV("192.0.2.01"), SV("0x7f.1"), SV("2130706433"),
		SV("2001:db8::1"), SV("[2001:db8::1"), SV("[2001:db8::1]:21"),
		SV("[fe80::1%eth0]"), SV("[]"), SV("["), SV("[v1.x]"),
		SV("[ftp.example.org]"), SV("\xc3\xa9.example"),
		SV("a\0b.example"), SV("*.example"), SV("a/b"),
		SV(L63 "a.example"), SV(L63 "." L63 "." L63 "." L61 "a"),
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct host h;

		if (host_parse(rows[i], &h) == FTP_OK)
			fail_msg("row %zu was taken", i);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_taken_as_they_are),
		cmocka_unit_test(addresses_are_read),
		cmocka_unit_test(what_is_neither_is_refused),
	};

	return RUN(tests);
}
