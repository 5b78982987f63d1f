/*
 * What code scanning refuses or shows wrongly is held here: a result without
 * a rule or a place, a URI with a scheme, fingerprints that move.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "audit/sarif.h"

#include "audit/questions.h"
#include "samples.h"

#define MIXED \
	QUESTION("T1", "bounce", "critical", "safe", "500 said") "," \
	QUESTION("T9", "theft", "high", "vulnerable", "the file came") "," \
	QUESTION("T7", "epsv_all_pasv", "low", "accepts", "200 said") "," \
	QUESTION("T11", "passive_ports", "medium", "inconclusive", "why") "," \
	QUESTION("X", "write", "high", "not_asked", "no --write") "," \
	QUESTION("Z", "of_the_future", "high", "vulnerable", "e")

/* The member at a path: names, and numbers for places in an array. */
static json_t *
at(json_t *value, const char *path)
{
	char copy[256], *rest = copy, *name;

	assert_true(strlen(path) < sizeof(copy));
	memcpy(copy, path, strlen(path) + 1);
	while (value != NULL && (name = strsep(&rest, " ")) != NULL)
		value = json_is_array(value) ? json_array_get(value,
		    strtoul(name, NULL, 10)) : json_object_get(value, name);
	if (value == NULL)
		fail_msg("nothing at %s", path);
	return value;
}

static const char *
text_at(json_t *value, const char *path)
{
	const char *text = json_string_value(at(value, path));

	if (text == NULL || text[0] == '\0')
		fail_msg("no text at %s", path);
	return text;
}

static json_t *
log_of(const char *text)
{
	json_t *report = report_of(text);
	json_t *log = sarif_log(&report, 1);

	assert_non_null(log);
	json_decref(report);
	return log;
}

static void
every_question_is_a_rule(void **state)
{
	static const char *const levels[LEVEL_COUNT] = { "note", "note",
		"warning", "error", "error" };
	static const double least[LEVEL_COUNT] = { 0, 0.1, 4.0, 7.0, 9.0 };
	static const double most[LEVEL_COUNT] = { 0, 3.9, 6.9, 8.9, 10.0 };
	json_t *log = sarif_log(NULL, 0), *rules, *rule;
	size_t i;

	(void)state;
	assert_string_equal(text_at(log, "version"), "2.1.0");
	assert_string_equal(text_at(log, "runs 0 tool driver name"),
	    "portcullis audit");
	assert_string_equal(text_at(log, "runs 0 tool driver version"),
	    PORTCULLIS_VERSION);
	assert_int_equal(json_array_size(at(log, "runs")), 1);
	assert_int_equal(json_array_size(at(log, "runs 0 results")), 0);
	rules = at(log, "runs 0 tool driver rules");
	assert_int_equal(json_array_size(rules), ASK_COUNT);
	json_array_foreach(rules, i, rule) {
		const struct question *q = &audit_questions[i];
		const char *score = json_string_value(json_object_get(
		    at(rule, "properties"), "security-severity"));

		assert_string_equal(text_at(rule, "id"), q->id);
		assert_string_equal(text_at(rule, "shortDescription text"),
		    q->title);
		assert_non_null(strstr(text_at(rule, "fullDescription text"),
		    q->gain));
		assert_non_null(strstr(text_at(rule, "help text"), q->gain));
		assert_non_null(strstr(text_at(rule, "help markdown"),
		    q->title));
		assert_string_equal(text_at(rule,
		    "defaultConfiguration level"), levels[q->level]);
		assert_string_equal(text_at(rule, "properties tags 0"),
		    "security");
		if (q->level == LEVEL_INFO) {
			assert_null(score);
			continue;
		}
		assert_non_null(score);
		assert_true(strtod(score, NULL) >= least[q->level]);
		assert_true(strtod(score, NULL) <= most[q->level]);
	}
	json_decref(log);
}

static void
results_are_what_is_not_safe(void **state)
{
	static const struct {
		const char *id, *kind, *level, *has;
	} rows[] = {
		{ "theft", "fail", "error", "the file came\nMend: mend of" },
		{ "epsv_all_pasv", "fail", "note", "200 said" },
		{ "passive_ports", "open", "none", "could not be told" },
	};
	json_t *log = log_of(REPORT(TARGET, "vulnerable", "D", MIXED));
	json_t *results = at(log, "runs 0 results");

	(void)state;
	assert_int_equal(json_array_size(results), COUNT(rows));
	for (size_t i = 0; i < COUNT(rows); i++) {
		json_t *result = json_array_get(results, i);
		size_t rule = (size_t)json_integer_value(at(result,
		    "ruleIndex"));

		assert_string_equal(text_at(result, "ruleId"), rows[i].id);
		assert_string_equal(text_at(json_array_get(at(log,
		    "runs 0 tool driver rules"), rule), "id"), rows[i].id);
		assert_string_equal(text_at(result, "kind"), rows[i].kind);
		assert_string_equal(text_at(result, "level"), rows[i].level);
		assert_non_null(strstr(text_at(result, "message text"),
		    rows[i].has));
		assert_non_null(strstr(text_at(result, "message text"),
		    TARGET));
		assert_string_equal(text_at(result, "locations 0 "
		    "physicalLocation artifactLocation uri"),
		    "ftp.example.org/21");
		assert_int_equal(json_integer_value(at(result, "locations 0 "
		    "physicalLocation region startLine")), 1);
		assert_string_equal(text_at(result, "locations 0 "
		    "logicalLocations 0 fullyQualifiedName"), TARGET);
	}
	assert_true(json_is_true(at(log,
	    "runs 0 invocations 0 executionSuccessful")));
	json_decref(log);
}

/* A colon in the first segment would be read as a scheme's end. */
static void
a_host_of_colons_is_still_a_relative_uri(void **state)
{
	json_t *log = log_of("{'target': 'ftp://[2001:db8::1]:2121',"
	    " 'host': '2001:db8::1', 'port': 2121, 'questions': ["
	    QUESTION("T9", "theft", "high", "vulnerable", "e") "]}");

	(void)state;
	assert_string_equal(text_at(log, "runs 0 results 0 locations 0 "
	    "physicalLocation artifactLocation uri"),
	    "2001%3Adb8%3A%3A1/2121");
	json_decref(log);
}

/* Of a result: what a scanner would call the same one. */
static char *
fingerprint(const char *text)
{
	json_t *log = log_of(text);
	char *print = strdup(text_at(log, "runs 0 results 0 "
	    "partialFingerprints primaryLocationLineHash"));

	assert_non_null(print);
	json_decref(log);
	return print;
}

static void
fingerprints_are_of_target_and_question_alone(void **state)
{
	char *first = fingerprint(REPORT(TARGET, "vulnerable", "D",
	    QUESTION("T9", "theft", "high", "vulnerable", "then")));
	char *again = fingerprint(REPORT(TARGET, "vulnerable", "F",
	    QUESTION("T9", "theft", "high", "accepts", "now")));
	char *other = fingerprint(REPORT(TARGET, "vulnerable", "D",
	    QUESTION("T9", "theft_kills", "high", "vulnerable", "then")));
	char *port = fingerprint("{'target': 'x', 'host': 'ftp.example.org',"
	    " 'port': 22, 'questions': ["
	    QUESTION("T9", "theft", "high", "vulnerable", "then") "]}");

	(void)state;
	assert_string_equal(first, again);
	assert_string_not_equal(first, other);
	assert_string_not_equal(first, port);
	/* Of the algorithm, too: old alerts must stay known. */
	assert_string_equal(first, "7325caf4974ece3a:1");
	free(first);
	free(again);
	free(other);
	free(port);
}

static void
a_target_that_was_not_reached_is_told(void **state)
{
	json_t *reports[2] = {
		report_of(REPORT(TARGET, "vulnerable", "D", MIXED)),
		report_of("{'target': 'ftp://down:21', 'host': 'down',"
		    " 'port': 21, 'error': 'refused', 'questions': []}"),
	};
	json_t *log = sarif_log(reports, 2), *invocation;

	(void)state;
	assert_int_equal(json_array_size(at(log, "runs 0 results")), 3);
	invocation = at(log, "runs 0 invocations 0");
	assert_true(json_is_false(at(invocation, "executionSuccessful")));
	assert_string_equal(text_at(invocation, "toolExecutionNotifications "
	    "0 message text"), "ftp://down:21: refused");
	json_decref(log);
	json_decref(reports[0]);
	json_decref(reports[1]);
}

/* The server writes evidence and errors, and dashboards show them. */
static void
a_reply_makes_no_link(void **state)
{
	json_t *log = log_of(REPORT(TARGET, "vulnerable", "D", QUESTION("T9",
	    "theft", "high", "vulnerable",
	    "[mended](http://x/) and [this](0) {0}")));

	(void)state;
	assert_non_null(strstr(text_at(log, "runs 0 results 0 message text"),
	    "[mended] (http://x/) and [this] (0) (0)"));
	json_decref(log);
	log = log_of("{'target': 'ftp://x:21', 'error': 'no: [a](http://b)',"
	    " 'verdict': 'inconclusive', 'questions': []}");
	assert_non_null(strstr(text_at(log, "runs 0 invocations 0 "
	    "toolExecutionNotifications 0 message text"), "[a] (http://b)"));
	json_decref(log);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_question_is_a_rule),
		cmocka_unit_test(results_are_what_is_not_safe),
		cmocka_unit_test(a_reply_makes_no_link),
		cmocka_unit_test(a_host_of_colons_is_still_a_relative_uri),
		cmocka_unit_test(fingerprints_are_of_target_and_question_alone),
		cmocka_unit_test(a_target_that_was_not_reached_is_told),
	};

	return RUN(tests);
}
