/*
 * SPDX-License-Identifier: Apache-2.0
 */
#include "audit/nagios.h"

#include "samples.h"

static char *
print(json_t *const *reports, size_t n, int status)
{
	char *out = NULL;
	size_t len;
	FILE *f = open_memstream(&out, &len);

	assert_non_null(f);
	nagios_print(f, reports, n, status);
	assert_int_equal(fclose(f), 0);
	/* One line: a second one would be another field to a poller. */
	assert_ptr_equal(strchr(out, '\n'), out + len - 1);
	/* And one bar, with the numbers behind it. */
	assert_non_null(strchr(out, '|'));
	assert_ptr_equal(strchr(out, '|'), strrchr(out, '|'));
	return out;
}

static void
one_report_is_one_line(void **state)
{
	static const struct {
		const char *report;
		int status;
		const char *line;
	} rows[] = {
		{ REPORT(TARGET, "safe", "A",
		  QUESTION("T1", "bounce", "critical", "safe", "e")), 0,
		  "FTP AUDIT OK - " TARGET " grade A: 1 safe | vulnerable=0 "
		  "accepts=0 inconclusive=0 time=20.311s\n" },
		{ REPORT(TARGET, "vulnerable", "D?",
		  QUESTION("T9", "theft", "high", "vulnerable", "e") ","
		  QUESTION("T7", "no_endpoint", "low", "accepts", "e") ","
		  QUESTION("T2", "payload", "high", "inconclusive", "e")), 1,
		  "FTP AUDIT WARNING - " TARGET " grade D?: high (theft), "
		  "1 inconclusive | vulnerable=1 accepts=1 inconclusive=1 "
		  "time=20.311s\n" },
		{ "{'target': 'ftp://x:21', 'error': 'refused | \\u001b\\n',"
		  " 'verdict': 'inconclusive', 'questions': []}", 3,
		  "FTP AUDIT UNKNOWN - ftp://x:21: refused / ?? | "
		  "vulnerable=0 accepts=0 inconclusive=0 time=0.000s\n" },
		/* What the server said, and a notifier would run or show. */
		{ "{'target': 'ftp://x:21', 'error': '500 \\\\x1b[2J `id` "
		  "$(id) <b>&\\\"~', 'verdict': 'inconclusive', "
		  "'questions': []}", 3,
		  "FTP AUDIT UNKNOWN - ftp://x:21: 500 /x1b[2J ?id? ?(id) "
		  "?b???? | vulnerable=0 accepts=0 inconclusive=0 "
		  "time=0.000s\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		json_t *report = report_of(rows[i].report);
		char *out = print(&report, 1, rows[i].status);

		assert_string_equal(out, rows[i].line);
		free(out);
		json_decref(report);
	}
}

static void
the_word_follows_the_status(void **state)
{
	static const struct {
		int status;
		const char *begin;
	} rows[] = {
		{ 0, "FTP AUDIT OK - " }, { 1, "FTP AUDIT WARNING - " },
		{ 2, "FTP AUDIT CRITICAL - " }, { 3, "FTP AUDIT UNKNOWN - " },
		{ -1, "FTP AUDIT UNKNOWN - " },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char *out = print(NULL, 0, rows[i].status);

		assert_memory_equal(out, rows[i].begin, strlen(rows[i].begin));
		free(out);
	}
}

static void
of_many_reports_the_worst_comes_first(void **state)
{
	json_t *reports[12];
	char *out;

	(void)state;
	for (size_t i = 0; i < COUNT(reports); i++)
		reports[i] = report_of(REPORT("ftp://safe:21", "safe", "A",
		    QUESTION("T1", "bounce", "high", "safe", "e")));
	json_decref(reports[11]);
	reports[11] = report_of(REPORT("ftp://bad:21", "vulnerable", "F",
	    QUESTION("T1", "bounce", "critical", "vulnerable", "e")));
	json_object_set_new(reports[5], "duration_ms", json_integer(61002));
	out = print(reports, COUNT(reports), 1);
	assert_memory_equal(out, "FTP AUDIT WARNING - ftp://bad:21 grade F: "
	    "critical (bounce); ftp://safe:21", 60);
	assert_non_null(strstr(out, "; and 4 more | vulnerable=1 accepts=0 "
	    "inconclusive=0 time=61.002s\n"));
	free(out);
	for (size_t i = 0; i < COUNT(reports); i++)
		json_decref(reports[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_report_is_one_line),
		cmocka_unit_test(the_word_follows_the_status),
		cmocka_unit_test(of_many_reports_the_worst_comes_first),
	};

	return RUN(tests);
}
