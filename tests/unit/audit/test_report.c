/*
 * SPDX-License-Identifier: Apache-2.0
 */
#include "audit/report.h"

#include <stdlib.h>
#include <string.h>

#include "audit/sock.h"
#include "unit.h"

/* A line: what was asked, and its answer. */
struct answer {
	enum audit_question question;
	enum verdict verdict;
};

#define ANSWERS_MAX 3
#define NO_ANSWER { ASK_COUNT, VERDICT_not_asked }

static void
add(struct audit *a, const struct answer *answer)
{
	struct ask q = { .audit = a, .question = answer->question,
		.exchange = json_array(), .asked = json_array() };

	ask_answer(&q, answer->verdict, "evidence");
	ask_answer(&q, VERDICT_inconclusive, "the first answer stays");
	report_line(a, &q, 12);
	assert_null(q.exchange);
	assert_null(q.asked);
}

/* bounce is critical, theft_kills medium, listeners low, telling info. */
#define CRITICAL ASK_bounce
#define MEDIUM ASK_theft_kills
#define LOW ASK_listeners
#define INFO ASK_leading_zeros

static void
verdict_and_grade_come_from_the_lines(void **state)
{
	static const struct {
		struct answer answers[ANSWERS_MAX];
		enum bounce_level fail_on;
		bool no_login;
		const char *verdict, *grade;
	} rows[] = {
		{ { { CRITICAL, VERDICT_safe }, { LOW, VERDICT_not_asked },
		    NO_ANSWER }, LEVEL_LOW, false, "safe", "A" },
		{ { { CRITICAL, VERDICT_vulnerable }, { LOW, VERDICT_safe },
		    NO_ANSWER }, LEVEL_LOW, false, "vulnerable", "F" },
		/* What was agreed to weighs one level less. */
		{ { { CRITICAL, VERDICT_accepts }, NO_ANSWER, NO_ANSWER },
		  LEVEL_LOW, false, "vulnerable", "D" },
		{ { { LOW, VERDICT_accepts }, NO_ANSWER, NO_ANSWER },
		  LEVEL_LOW, false, "safe", "A" },
		{ { { LOW, VERDICT_accepts }, NO_ANSWER, NO_ANSWER },
		  LEVEL_INFO, false, "vulnerable", "A" },
		{ { { INFO, VERDICT_accepts }, NO_ANSWER, NO_ANSWER },
		  LEVEL_INFO, false, "vulnerable", "A" },
		{ { { INFO, VERDICT_vulnerable }, NO_ANSWER, NO_ANSWER },
		  LEVEL_LOW, false, "safe", "A" },
		/* --fail-on moves the verdict and never the grade. */
		{ { { MEDIUM, VERDICT_vulnerable }, NO_ANSWER, NO_ANSWER },
		  LEVEL_MEDIUM, false, "vulnerable", "C" },
		{ { { MEDIUM, VERDICT_vulnerable }, NO_ANSWER, NO_ANSWER },
		  LEVEL_HIGH, false, "safe", "C" },
		{ { { MEDIUM, VERDICT_accepts }, NO_ANSWER, NO_ANSWER },
		  LEVEL_MEDIUM, false, "safe", "B" },
		{ { { CRITICAL, VERDICT_accepts }, NO_ANSWER, NO_ANSWER },
		  LEVEL_CRITICAL, false, "safe", "D" },
		/* The gravest counts, wherever it stands. */
		{ { { LOW, VERDICT_vulnerable },
		    { MEDIUM, VERDICT_vulnerable }, { INFO, VERDICT_accepts } },
		  LEVEL_LOW, false, "vulnerable", "C" },
		/* Not to know is no defect, and no safety. */
		{ { { CRITICAL, VERDICT_inconclusive }, { LOW, VERDICT_safe },
		    NO_ANSWER }, LEVEL_LOW, false, "inconclusive", "A?" },
		{ { { CRITICAL, VERDICT_inconclusive },
		    { LOW, VERDICT_vulnerable }, NO_ANSWER }, LEVEL_LOW,
		  false, "vulnerable", "B?" },
		{ { { CRITICAL, VERDICT_inconclusive },
		    { LOW, VERDICT_vulnerable }, NO_ANSWER }, LEVEL_HIGH,
		  false, "inconclusive", "B?" },
		/* Without a login there is no A. */
		{ { { CRITICAL, VERDICT_inconclusive }, NO_ANSWER, NO_ANSWER },
		  LEVEL_LOW, true, "inconclusive", "?" },
		{ { { CRITICAL, VERDICT_vulnerable },
		    { LOW, VERDICT_inconclusive }, NO_ANSWER }, LEVEL_LOW,
		  true, "vulnerable", "F?" },
	};
	const struct target target = { .host = "h", .port = 21 };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct options o = { .fail_on = rows[i].fail_on };
		struct audit a = { .options = &o, .target = &target,
			.started_ms = sock_now_ms(),
			.facts.no_login = rows[i].no_login,
			.report = report_new(&target, &o) };

		for (size_t k = 0; k < ANSWERS_MAX; k++) {
			const struct answer *one = &rows[i].answers[k];

			if (one->question == ASK_COUNT)
				continue;
			o.asked[one->question] = true;
			add(&a, one);
		}
		report_finish(&a);
		if (strcmp(form_text(a.report, "verdict"),
		    rows[i].verdict) != 0 || strcmp(form_text(a.report,
		    "grade"), rows[i].grade) != 0)
			fail_msg("row %zu: %s, %s", i, form_text(a.report,
			    "verdict"), form_text(a.report, "grade"));
		assert_string_equal(verdict_name(report_verdict(a.report)),
		    rows[i].verdict);
		json_decref(a.report);
	}
}

static void
a_line_says_how_it_is_mended_where_there_is_a_defect(void **state)
{
	static const struct answer answers[] = {
		{ ASK_bounce, VERDICT_vulnerable },
		{ ASK_theft, VERDICT_accepts },
		{ ASK_listeners, VERDICT_safe },
		{ ASK_payload, VERDICT_inconclusive },
		{ ASK_write, VERDICT_not_asked },
	};
	const struct target target = { .host = "h", .port = 21 };
	struct options o = { .fail_on = LEVEL_LOW };
	struct audit a = { .options = &o, .target = &target,
		.report = report_new(&target, &o) };
	const json_t *lines, *line;
	size_t i;

	(void)state;
	for (size_t k = 0; k < COUNT(answers); k++)
		add(&a, &answers[k]);
	lines = json_object_get(a.report, "questions");
	assert_int_equal(json_array_size(lines), COUNT(answers));
	json_array_foreach(lines, i, line) {
		const struct question *what =
		    &audit_questions[answers[i].question];

		assert_string_equal(form_text(line, "id"), what->id);
		assert_string_equal(form_text(line, "test"), what->test);
		assert_string_equal(form_text(line, "level"),
		    bounce_level_name(what->level));
		assert_string_equal(form_text(line, "evidence"), "evidence");
		assert_int_equal(form_number(line, "duration_ms"), 12);
		assert_int_equal(json_object_get(line, "mend") != NULL,
		    answers[i].verdict >= VERDICT_accepts);
	}
	json_decref(a.report);
}

/* A line that was asked and is not there: nobody calls that safe. */
static void
a_report_that_lacks_a_line_is_not_safe(void **state)
{
	const struct answer safe = { ASK_bounce, VERDICT_safe };
	const struct target target = { .host = "h", .port = 21 };
	struct options o = { .fail_on = LEVEL_LOW,
		.asked = { [ASK_bounce] = true, [ASK_theft] = true } };
	struct audit a = { .options = &o, .target = &target,
		.report = report_new(&target, &o) };

	(void)state;
	assert_int_equal(report_verdict(a.report), VERDICT_inconclusive);
	add(&a, &safe);
	report_finish(&a);
	assert_int_equal(report_verdict(a.report), VERDICT_inconclusive);
	assert_string_equal(form_text(a.report, "grade"), "A?");
	json_decref(a.report);
}

static void
a_target_that_could_not_be_audited_says_why(void **state)
{
	const struct target target = { .host = "h", .port = 990, .tls = true,
		.user = "jos\xe9", .password = "secret" };
	json_t *report = audit_failed(&target, "no such \xff host");
	char *text;

	(void)state;
	assert_string_equal(form_text(report, "error"),
	    "no such \\xff host");
	assert_string_equal(form_text(report, "target"), "ftps://h:990");
	assert_string_equal(form_text(report, "user"), "jos\\xe9");
	assert_int_equal(report_verdict(report), VERDICT_inconclusive);
	assert_string_equal(form_grade(report), "?");
	text = json_dumps(report, JSON_COMPACT);
	assert_non_null(text);
	assert_null(strstr(text, "secret"));
	free(text);
	json_decref(report);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdict_and_grade_come_from_the_lines),
		cmocka_unit_test(
		    a_line_says_how_it_is_mended_where_there_is_a_defect),
		cmocka_unit_test(a_report_that_lacks_a_line_is_not_safe),
		cmocka_unit_test(a_target_that_could_not_be_audited_says_why),
	};

	return RUN(tests);
}
