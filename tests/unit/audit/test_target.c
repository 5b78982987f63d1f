/*
 * SPDX-License-Identifier: Apache-2.0
 */
#include "audit/target.h"

#include <stdlib.h>
#include <string.h>

#include "unit.h"

static void
a_target_is_scheme_login_host_and_port(void **state)
{
	static const struct {
		const char *text;
		const char *host;	/* NULL: refused */
		const char *user, *password;
		uint16_t port;
		bool tls;
		const char *url;
	} rows[] = {
		{ "ftp.example.org", "ftp.example.org", "", "", 21, false,
		  "ftp://ftp.example.org:21" },
		{ "ftp.example.org:2121", "ftp.example.org", "", "", 2121,
		  false, "ftp://ftp.example.org:2121" },
		{ "FTP://h/", "h", "", "", 21, false, "ftp://h:21" },
		{ "ftps://h", "h", "", "", 990, true, "ftps://h:990" },
		{ "ftps://h:21", "h", "", "", 21, true, "ftps://h:21" },
		{ "u@h", "h", "u", "", 21, false, "ftp://h:21" },
		{ "u:p@h", "h", "u", "p", 21, false, "ftp://h:21" },
		{ "u:p:q@h", "h", "u", "p:q", 21, false, "ftp://h:21" },
		{ "u%40a:%3A%25@h", "h", "u@a", ":%", 21, false,
		  "ftp://h:21" },
		{ "u@a:p@h", "h", "u@a", "p", 21, false, "ftp://h:21" },
		{ "192.0.2.1:65535", "192.0.2.1", "", "", 65535, false,
		  "ftp://192.0.2.1:65535" },
		{ "2001:db8::1", "2001:db8::1", "", "", 21, false,
		  "ftp://[2001:db8::1]:21" },
		{ "[2001:db8::1]", "2001:db8::1", "", "", 21, false,
		  "ftp://[2001:db8::1]:21" },
		{ "ftp://[::1]:2121", "::1", "", "", 2121, false,
		  "ftp://[::1]:2121" },
		{ "", NULL }, { "ftp://", NULL }, { ":21", NULL },
		{ "http://h", NULL }, { "://h", NULL },
		{ "h:", NULL }, { "h:0", NULL }, { "h:65536", NULL },
		{ "h:21x", NULL }, { "h:-1", NULL }, { "h: 21", NULL },
		{ "h/pub", NULL }, { "h//", NULL },
		{ "@h", NULL }, { ":p@h", NULL }, { "u@", NULL },
		{ "u%4@h", NULL }, { "u%zz@h", NULL }, { "u%0d@h", NULL },
		{ "u:p%0a@h", NULL }, { "u%00@h", NULL },
		{ "[::1", NULL }, { "[]", NULL }, { "[::1]x", NULL },
		{ "a b", NULL }, { "h\r\n", NULL }, { "h\xc3\xa9", NULL },
	};
	char url[TARGET_URL_MAX];
	struct target t;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *wrong = target_parse(sv_of(rows[i].text), &t);

		if ((wrong == NULL) != (rows[i].host != NULL))
			fail_msg("\"%s\": %s", rows[i].text,
			    wrong != NULL ? wrong : "taken");
		if (wrong != NULL)
			continue;
		assert_string_equal(t.host, rows[i].host);
		assert_string_equal(t.user, rows[i].user);
		assert_string_equal(t.password, rows[i].password);
		assert_int_equal(t.port, rows[i].port);
		assert_int_equal(t.tls, rows[i].tls);
		assert_string_equal(target_url(&t, url), rows[i].url);
	}
}

/* n bytes of 'a' in the middle: the longest that goes, and one more. */
static const char *
parse_filled(const char *before, size_t n, const char *after,
    struct target *t)
{
	char text[4 * TARGET_TEXT_MAX];
	size_t at = strlen(before);

	assert_true(at + n + strlen(after) < sizeof(text));
	memcpy(text, before, at);
	memset(text + at, 'a', n);
	memcpy(text + at + n, after, strlen(after) + 1);
	return target_parse(sv_of(text), t);
}

static void
no_part_is_longer_than_its_room(void **state)
{
	static const struct {
		const char *before, *after;
	} rows[] = { { "", "" }, { "ftp://u:p@", ":21" }, { "[", "]" },
		{ "", "@h" }, { "u:", "@h" } };
	const size_t most = TARGET_TEXT_MAX - 1;
	char url[TARGET_URL_MAX];
	struct target t;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_null(parse_filled(rows[i].before, most,
		    rows[i].after, &t));
		assert_true(strlen(target_url(&t, url)) < sizeof(url) - 1);
		assert_non_null(parse_filled(rows[i].before, most + 1,
		    rows[i].after, &t));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_target_is_scheme_login_host_and_port),
		cmocka_unit_test(no_part_is_longer_than_its_room),
	};

	return RUN(tests);
}
