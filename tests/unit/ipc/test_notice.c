/*
 * tests/unit/ipc/test_notice.c: notices of uploads, as packets and as JSON.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ipc/notice.h"

#include <stdio.h>
#include <stdlib.h>

#include "unit.h"

static struct notice
sample(void)
{
	return (struct notice) { .mode = 0644, .verb = { 'S', 'T', 'O', 'R' },
		.flow = 7, .size = 12, .at = 1764090000 };
}

/* The line without its LF; empty if it is malformed. */
static const char *
line_of(struct notice n, struct sv user, struct sv path, struct sv file)
{
	static char line[NOTICE_LINE_MAX];
	char packet[NOTICE_MAX];
	size_t len = notice_pack(&n, user, path, file, packet);

	len = notice_line(packet, len, line);
	line[len > 0 ? len - 1 : 0] = '\0';
	return line;
}

static void
test_all_of_it_is_told(void **state)
{
	struct notice n = sample();

	(void)state;
	assert_string_equal(line_of(n, SV("alice"), SV("/a/b"), SV("b")),
	    "{\"time\":\"2025-11-25T17:00:00Z\",\"flow_id\":7,"
	    "\"command\":\"STOR\",\"size\":12,\"mode\":\"0644\","
	    "\"user\":\"alice\",\"path\":\"/a/b\",\"file\":\"b\"}");
	n.has_sha256 = 1;
	memset(n.sha256, 0xa5, sizeof(n.sha256));
	assert_non_null(strstr(line_of(n, SV(""), SV("/x"), SV("x")),
	    "\"mode\":\"0644\",\"sha256\":\"a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5"
	    "a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5\",\"path\":\"/x\""));
}

static void
test_names_come_through_whole(void **state)
{
	static const struct {
		const char *name, *json;
	} rows[] = {
		{ "a b", "a b" },
		{ "\"\\\x01\n\x7f", "\\u0022\\u005c\\u0001\\u000a\\u007f" },
		{ "\xc3\xa9t\xc3\xa9", "\\u00e9t\\u00e9" },
		{ "\xf0\x9f\x98\x80", "\\ud83d\\ude00" },
		{ "\xff\x80", "\\udcff\\udc80" },
		{ "\xc3", "\\udcc3" },			/* cut */
		{ "\xc0\xaf", "\\udcc0\\udcaf" },	/* too long a form */
		{ "\xed\xb2\x80", "\\udced\\udcb2\\udc80" }, /* a surrogate */
		{ "\xf4\x90\x80\x80", "\\udcf4\\udc90\\udc80\\udc80" },
	};
	char want[128];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(want, sizeof(want), "\"file\":\"%s\"}",
		    rows[i].json);
		assert_non_null(strstr(line_of(sample(), SV("u"), SV("/"),
		    sv_of(rows[i].name)), want));
	}
}

static void
test_the_longest_has_room(void **state)
{
	static char bytes[PATH_MAX + 100];
	struct notice n = sample();
	struct sv text = { bytes, sizeof(bytes) };

	(void)state;
	memset(bytes, 0xff, sizeof(bytes));
	n.has_sha256 = 1;
	n.size = n.flow = UINT64_MAX;
	assert_int_equal(strlen(strstr(line_of(n, text, text, text),
	    "\"path\"")), 6 * (PATH_MAX + NAME_MAX) + 20);
}

static void
test_what_a_captured_worker_says_is_checked(void **state)
{
	char packet[NOTICE_MAX], line[NOTICE_LINE_MAX];
	struct notice n = sample(), bad;
	size_t len = notice_pack(&n, SV("u"), SV("/p"), SV("p"), packet);

	(void)state;
#define BAD(change) do { \
		bad = n; \
		change; \
		memcpy(packet, &bad, sizeof(bad)); \
		assert_int_equal(notice_line(packet, len, line), 0); \
	} while (0)
	for (size_t i = 0; i < len; i++)
		assert_int_equal(notice_line(packet, i, line), 0);
	assert_int_equal(notice_line(packet, len + 1, line), 0);
	BAD(bad.version++);
	BAD(bad.user_len++);
	BAD(bad.path_len = PATH_MAX + 1);
	BAD(bad.file_len = UINT16_MAX);
	BAD(bad.verb[0] = '"');
	BAD(bad.verb[3] = '\0');
	BAD(bad.mode = 010000);
	BAD(bad.at = -1);
	BAD(bad.at = INT64_MAX);
}

/* Whatever it is, the line has room for it and ends (ASan looks on). */
static void
test_any_bytes(void **state)
{
	char packet[NOTICE_MAX], line[NOTICE_LINE_MAX];
	struct notice n = sample();

	(void)state;
	srand(1);
	for (int round = 0; round < 2000; round++) {
		size_t len = (size_t)rand() % sizeof(packet), got;

		for (size_t i = 0; i < len; i++)
			packet[i] = (char)rand();
		if (round % 2 == 0 && len > sizeof(n) + NOTICE_USER_MAX) {
			n.user_len = (uint16_t)(rand() % NOTICE_USER_MAX);
			n.file_len = (uint16_t)(rand() % NAME_MAX);
			n.path_len = (uint16_t)(len - sizeof(n) - n.user_len -
			    n.file_len);
			n.version = NOTICE_VERSION;
			memcpy(packet, &n, sizeof(n));
		}
		got = notice_line(packet, len, line);
		assert_true(got < sizeof(line));
		assert_true(got == 0 || line[got - 1] == '\n');
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_of_it_is_told),
		cmocka_unit_test(test_names_come_through_whole),
		cmocka_unit_test(test_the_longest_has_room),
		cmocka_unit_test(test_what_a_captured_worker_says_is_checked),
		cmocka_unit_test(test_any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
