/*
 * SPDX-License-Identifier: Apache-2.0
 */
#include "audit/compare.h"

#include "report.h"

static struct compare *
read_text(const char *text, char error[COMPARE_ERROR_MAX])
{
	char *copy = json_text(text);
	FILE *f = fmemopen(copy, strlen(copy), "r");
	struct compare *c;

	assert_non_null(f);
	c = compare_read(f, "old.json", error);
	fclose(f);
	free(copy);
	return c;
}

static const char *
text_of(const json_t *change, const char *key)
{
	const char *text = json_string_value(json_object_get(change, key));

	return text != NULL ? text : "";
}

#define OLD \
	QUESTION("T1", "bounce", "critical", "safe", "500") "," \
	QUESTION("T2", "payload", "critical", "safe", "500") "," \
	QUESTION("T9", "theft", "high", "safe", "refused") "," \
	QUESTION("T10", "theft_race", "high", "vulnerable", "came") "," \
	QUESTION("X", "write", "high", "not_asked", "no --write") "," \
	QUESTION("X", "overwrite", "high", "inconclusive", "who knows") "," \
	QUESTION("T8", "before_login", "high", "safe", "530")

#define NEW \
	QUESTION("T1", "bounce", "critical", "safe", "501 no") "," \
	QUESTION("T2", "payload", "critical", "safe", "500") "," \
	QUESTION("T9", "theft", "high", "accepts", "agreed") "," \
	QUESTION("T10", "theft_race", "high", "safe", "refused") "," \
	QUESTION("X", "write", "high", "safe", "550") "," \
	QUESTION("X", "overwrite", "high", "vulnerable", "stored") "," \
	QUESTION("T3", "low_port_own", "medium", "accepts", "200")

static void
changes_are_told_worse_first(void **state)
{
	static const struct {
		const char *what, *id, *from, *to;
		bool worse;
		const char *text;
	} rows[] = {
		{ "grade", "", "B", "D?", true, "grade: D?, was B" },
		{ "verdict", "theft", "safe", "accepts", true,
		  "theft (high): accepts, was safe: agreed" },
		{ "verdict", "overwrite", "inconclusive", "vulnerable", true,
		  "overwrite (high): vulnerable, was inconclusive: stored" },
		{ "new", "low_port_own", "", "accepts", true,
		  "low_port_own: new, accepts: 200" },
		{ "server", "", "vsftpd 3.0.2", "vsftpd 3.0.3", false,
		  "server: vsftpd 3.0.3, was vsftpd 3.0.2" },
		{ "evidence", "bounce", "500", "501 no", false,
		  "bounce: still safe, but now: 501 no (was: 500)" },
		{ "verdict", "theft_race", "vulnerable", "safe", false,
		  "theft_race (high): safe, was vulnerable: refused" },
		{ "verdict", "write", "not_asked", "safe", false,
		  "write (high): safe, was not asked: 550" },
		{ "gone", "before_login", "safe", "", false,
		  "before_login: no longer asked, was safe" },
	};
	json_t *old = report_of(REPORT(TARGET, "vulnerable", "B", OLD));
	json_t *report = report_of(REPORT(TARGET, "vulnerable", "D?", NEW));
	json_t *changes;

	(void)state;
	json_object_set_new(json_object_get(old, "server"), "version",
	    json_string("3.0.2"));
	changes = compare_changes(old, report);
	assert_int_equal(json_array_size(changes), COUNT(rows));
	for (size_t i = 0; i < COUNT(rows); i++) {
		const json_t *c = json_array_get(changes, i);

		assert_string_equal(text_of(c, "text"), rows[i].text);
		assert_string_equal(text_of(c, "what"), rows[i].what);
		assert_string_equal(text_of(c, "id"), rows[i].id);
		assert_string_equal(text_of(c, "from"), rows[i].from);
		assert_string_equal(text_of(c, "to"), rows[i].to);
		assert_int_equal(json_is_true(json_object_get(c, "worse")),
		    rows[i].worse);
	}
	json_decref(changes);
	/* And nothing is told of what is the same. */
	changes = compare_changes(old, old);
	assert_int_equal(json_array_size(changes), 0);
	json_decref(changes);
	json_decref(old);
	json_decref(report);
}

static void
a_server_that_is_down_has_lost_no_questions(void **state)
{
	json_t *old = report_of(REPORT(TARGET, "vulnerable", "B", OLD));
	json_t *report = report_of("{'target': '" TARGET "', 'error':"
	    " 'refused', 'questions': []}"), *changes;

	(void)state;
	changes = compare_changes(old, report);
	assert_int_equal(json_array_size(changes), 2);
	assert_string_equal(text_of(json_array_get(changes, 0), "text"),
	    "error: refused, was none");
	assert_true(json_is_true(json_object_get(json_array_get(changes, 0),
	    "worse")));
	assert_string_equal(text_of(json_array_get(changes, 1), "text"),
	    "grade: ?, was B");
	json_decref(changes);
	json_decref(old);
	json_decref(report);
}

static void
the_last_line_of_a_target_counts(void **state)
{
	char error[COMPARE_ERROR_MAX];
	struct compare *c = read_text(REPORT(TARGET, "safe", "A", "") "\n"
	    REPORT("ftp://other:21", "safe", "B", "") "\n\n"
	    REPORT(TARGET, "safe", "C", "") "\n", error);

	(void)state;
	assert_non_null(c);
	assert_string_equal(text_of(compare_find(c, TARGET), "grade"), "C");
	assert_string_equal(text_of(compare_find(c, "ftp://other:21"),
	    "grade"), "B");
	assert_null(compare_find(c, "ftp://ftp.example.org"));
	compare_free(c);
	compare_free(NULL);
}

static void
changes_become_part_of_the_report(void **state)
{
	char error[COMPARE_ERROR_MAX];
	struct compare *c = read_text(REPORT(TARGET, "safe", "A", ""), error);
	json_t *report = report_of(REPORT(TARGET, "safe", "B", ""));
	json_t *other = report_of(REPORT("ftp://other:21", "safe", "B", ""));

	(void)state;
	assert_non_null(c);
	assert_true(compare_add(c, report));
	assert_string_equal(text_of(report, "compared_to"),
	    "2026-11-25T03:00:00Z");
	assert_int_equal(json_array_size(json_object_get(report, "changes")),
	    1);
	assert_true(compare_add(c, other));
	assert_null(json_object_get(other, "compared_to"));
	assert_string_equal(text_of(json_array_get(json_object_get(other,
	    "changes"), 0), "what"), "target");
	json_decref(report);
	json_decref(other);
	compare_free(c);
}

#define GOOD REPORT(TARGET, "safe", "A", "") "\n"

static void
what_is_no_report_is_named_with_its_line(void **state)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
		{ "\n", "old.json: holds no report" },
		{ "hello\n", "old.json:1: not JSON" },
		{ GOOD "{'portcullis_audit': 1,\n", "old.json:2: not JSON" },
		{ GOOD "\n[]\n", "old.json:3: not a report" },
		{ "{'version': '2.1.0', 'runs': []}", "old.json:1: not a "
		  "report of portcullis audit --json: it has no "
		  "\"portcullis_audit\"" },
		{ "{'portcullis_audit': 2, 'target': 'x', 'questions': []}",
		  "old.json:1: not a report of portcullis audit --json: it is "
		  "of another version of reports" },
		{ "{'portcullis_audit': '1', 'target': 'x', 'questions': []}",
		  "old.json:1: not a report" },
		{ "{'portcullis_audit': 1, 'target': 'x'}",
		  "old.json:1: not a report of portcullis audit --json: it "
		  "has no \"questions\"" },
		{ "{'portcullis_audit': 1, 'questions': []}",
		  "old.json:1: not a report of portcullis audit --json: it "
		  "has no \"target\"" },
		{ "{'portcullis_audit': 1, 'portcullis_audit': 1}",
		  "old.json:1: not JSON" },
		{ GOOD GOOD "{} {}", "old.json:3: not JSON" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char error[COMPARE_ERROR_MAX] = "";

		assert_null(read_text(rows[i].text, error));
		if (strncmp(error, rows[i].error, strlen(rows[i].error)) != 0)
			fail_msg("row %zu: %s", i, error);
	}
}

/* A NUL, deep nesting, and what is not UTF-8. */
static void
odd_files_are_refused(void **state)
{
	static char deep[20000];
	const struct sv rows[] = {
		SV("{\"portcullis_audit\": 1, \"questions\": [],"
		    " \"target\": \"\0\"}"),
		SV("{\"portcullis_audit\": 1, \"questions\": [],"
		    " \"target\": \"\xff\"}"),
		{ deep, sizeof(deep) },
		SV("\033]0;x\007"),
		SV("{\"\033[31m"),
	};

	(void)state;
	memset(deep, '[', sizeof(deep));
	for (size_t i = 0; i < COUNT(rows); i++) {
		char error[COMPARE_ERROR_MAX] = "";
		FILE *f = tmpfile();

		assert_non_null(f);
		assert_int_equal(fwrite(rows[i].ptr, 1, rows[i].len, f),
		    rows[i].len);
		rewind(f);
		assert_null(compare_read(f, "old.json", error));
		assert_memory_equal(error, "old.json:1: not JSON", 20);
		for (const char *c = error; *c != '\0'; c++)
			assert_in_range(*c, 0x20, 0x7e);
		fclose(f);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_are_told_worse_first),
		cmocka_unit_test(a_server_that_is_down_has_lost_no_questions),
		cmocka_unit_test(the_last_line_of_a_target_counts),
		cmocka_unit_test(changes_become_part_of_the_report),
		cmocka_unit_test(what_is_no_report_is_named_with_its_line),
		cmocka_unit_test(odd_files_are_refused),
	};

	return RUN(tests);
}
