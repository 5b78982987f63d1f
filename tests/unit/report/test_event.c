/*
 * tests/unit/report/test_event.c: what is an event, and what is none.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "report/event.h"

#include <stdlib.h>

#include "unit.h"

#define AT "{\"timestamp\":\"2026-11-24T01:48:17.820753+0000\","
#define WHO "\"src_ip\":\"198.51.100.7\","

static const struct {
	const char *line;
	const char *wrong;	/* NULL: it is one */
	enum report_event_type type;
} rows[] = {
	{ "", "no JSON" },
	{ "[1,2]", "no JSON object" },
	{ "{\"timestamp\":", "no JSON" },
	{ AT "\"event_type\":\"ftp\"} x", "no JSON" },
	{ "{}", "no timestamp in UTC" },
	{ "{\"timestamp\":\"2026-02-29T00:00:00+0000\"}",
	    "no timestamp in UTC" },
	{ "{\"timestamp\":\"2026-11-24T00:00:00+0100\"}",
	    "no timestamp in UTC" },
	{ "{\"timestamp\":\"2026-11-24\"}", "no timestamp in UTC" },
	{ AT "\"event_type\":7}", "no event_type" },
	{ AT WHO "\"event_type\":\"ftp\"}", "no ftp.action" },
	{ AT "\"event_type\":\"ftp\",\"ftp\":{\"action\":\"login\"}}",
	    "no src_ip" },
	{ AT WHO "\"event_type\":\"ftp\",\"ftp\":{\"action\":\"login\"}}",
	    NULL, REPORT_LOGIN },
	{ AT WHO "\"event_type\":\"ftp\",\"ftp\":{\"action\":"
	    "\"login_failed\"}}", NULL, REPORT_LOGIN_FAILED },
	{ AT WHO "\"event_type\":\"ftp\",\"ftp\":{\"action\":"
	    "\"session_start\"}}", NULL, REPORT_SESSION_START },
	{ AT WHO "\"event_type\":\"ftp\",\"ftp\":{\"action\":\"later\"}}",
	    NULL, REPORT_OTHER },
	{ AT "\"event_type\":\"flow\"}", NULL, REPORT_OTHER },
	{ AT WHO "\"event_type\":\"ftp_data\",\"ftp_data\":{}}",
	    "no ftp_data.bytes" },
	{ AT WHO "\"event_type\":\"ftp_data\",\"ftp_data\":{\"bytes\":-1}}",
	    "no ftp_data.bytes" },
	{ AT WHO "\"event_type\":\"ftp_data\",\"ftp_data\":{\"bytes\":1,"
	    "\"duration_ms\":1,\"mode\":\"odd\"}}", "no ftp_data.mode" },
	{ AT WHO "\"event_type\":\"ftp_data\",\"ftp_data\":{\"bytes\":1,"
	    "\"duration_ms\":1,\"mode\":\"active\",\"command\":\"RETR\"}}",
	    "no ftp_data.command or result" },
	{ AT WHO "\"event_type\":\"ftp_data\",\"ftp_data\":{\"bytes\":1,"
	    "\"duration_ms\":1,\"mode\":\"active\",\"command\":\"RETR\","
	    "\"filename\":\"/x\\u0000y\",\"result\":\"complete\"}}", NULL,
	    REPORT_TRANSFER },
	{ AT WHO "\"event_type\":\"alert\",\"ftp_bounce\":{}}",
	    "no ftp_bounce.variant" },
	{ AT WHO "\"event_type\":\"alert\"}", NULL, REPORT_OTHER },
	{ AT "\"event_type\":\"stats\",\"stats\":{\"process\":\"gate\"}}",
	    NULL, REPORT_STATS },
	{ AT "\"event_type\":\"stats\"}", NULL, REPORT_OTHER },
};

static void
test_a_line_is_an_event_or_says_why_not(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct report_event e;
		const char *wrong = NULL;
		bool fine = report_event_parse(sv_of(rows[i].line), &e,
		    &wrong);

		if (rows[i].wrong != NULL) {
			assert_false(fine);
			assert_string_equal(wrong, rows[i].wrong);
			continue;
		}
		if (!fine)
			fail_msg("%s: %s", rows[i].line, wrong);
		assert_int_equal(e.type, rows[i].type);
		assert_int_equal(e.day, 20261124);
		report_event_free(&e);
	}
}

static void
test_an_alert_keeps_what_is_counted(void **state)
{
	static const char line[] = AT "\"src_ip\":\"::ffff:198.51.100.7\","
	    "\"event_type\":\"alert\",\"alert\":{\"action\":\"blocked\","
	    "\"severity\":2},\"ftp_bounce\":{\"variant\":\"internal\","
	    "\"update\":3,\"asked_ip\":\"10.0.0.1\"}}";
	struct report_event e;
	const char *wrong;

	(void)state;
	assert_true(report_event_parse(sv_of(line), &e, &wrong));
	assert_true(e.blocked && e.update);
	assert_int_equal(e.severity, 2);
	assert_int_equal(e.client.family, ADDR_V4);
	assert_int_equal(e.asked.family, ADDR_V4);
	assert_true(sv_eq(e.variant, SV("internal")));
	report_event_free(&e);
	report_event_free(&e);
}

static void
test_a_line_of_brackets_is_no_event(void **state)
{
	size_t n = 65536;
	char *line = malloc(n);
	struct report_event e;
	const char *wrong;

	(void)state;
	assert_non_null(line);
	memset(line, '[', n / 2);
	memset(line + n / 2, ']', n / 2);
	assert_false(report_event_parse((struct sv) { line, n }, &e, &wrong));
	assert_string_equal(wrong, "no JSON");
	free(line);
}

static void
test_days_are_days_of_the_calendar(void **state)
{
	static const struct {
		const char *text;
		uint32_t day;	/* 0: none */
	} days[] = {
		{ "2026-11-24", 20261124 }, { "2024-02-29", 20240229 },
		{ "2000-02-29", 20000229 }, { "1900-02-29", 0 },
		{ "2026-02-29", 0 }, { "2026-13-01", 0 },
		{ "2026-00-01", 0 }, { "2026-01-00", 0 },
		{ "2026-04-31", 0 }, { "2026-4-30", 0 }, { "", 0 },
		{ "2026/11/24", 0 }, { "+026-11-24", 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(days); i++) {
		uint32_t day = 0;

		assert_int_equal(report_day_parse(sv_of(days[i].text), &day),
		    days[i].day != 0);
		assert_int_equal(day, days[i].day);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_line_is_an_event_or_says_why_not),
		cmocka_unit_test(test_an_alert_keeps_what_is_counted),
		cmocka_unit_test(test_a_line_of_brackets_is_no_event),
		cmocka_unit_test(test_days_are_days_of_the_calendar),
	};

	return RUN(tests);
}
