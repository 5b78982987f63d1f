/*
 * SPDX-License-Identifier: Apache-2.0
 */
#include "audit/table.h"

#include "audit/form.h"
#include "samples.h"

#define MIXED \
	QUESTION("T1", "bounce", "critical", "safe", "500 said") "," \
	QUESTION("T9", "theft", "high", "vulnerable", "the file came") "," \
	QUESTION("T7", "epsv_all_pasv", "low", "accepts", "200 said") "," \
	QUESTION("T11", "passive_ports", "medium", "inconclusive", "why") "," \
	QUESTION("X", "write", "high", "not_asked", "no --write")

static char *
print(const char *text, const struct table_style *style)
{
	json_t *report = report_of(text);
	char *out = NULL;
	size_t len;
	FILE *f = open_memstream(&out, &len);

	assert_non_null(f);
	table_print(f, report, style);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(strlen(out), len);
	json_decref(report);
	return out;
}

static void
assert_has(const char *text, const char *wanted)
{
	if (text == NULL)	/* UBSan asks, and gcc then sees a NULL */
		abort();
	if (strstr(text, wanted) == NULL)
		fail_msg("no \"%s\" in:\n%s", wanted, text);
}

static void
assert_lacks(const char *text, const char *unwanted)
{
	if (strstr(text, unwanted) != NULL)
		fail_msg("\"%s\" in:\n%s", unwanted, text);
}

/* Printable ASCII and line feeds alone, and no line is too wide. */
static void
assert_fits(const char *text, size_t width)
{
	size_t column = 0;

	for (const char *c = text; *c != '\0'; c++) {
		if (*c == '\n') {
			column = 0;
			continue;
		}
		assert_in_range(*c, 0x20, 0x7e);
		if (++column > width)
			fail_msg("wider than %zu:\n%s", width, text);
	}
}

static void
the_table_says_all_that_one_must_know(void **state)
{
	char *out = print(REPORT(TARGET, "vulnerable", "D?", MIXED),
	    &(struct table_style) { 0 });

	(void)state;
	assert_fits(out, 80);
	assert_has(out, TARGET "\n");
	assert_has(out, "  address  192.0.2.21, asked from 198.51.100.7, "
	    "listening on 198.51.100.8 and\n           2001:db8::8\n");
	assert_has(out, "  server   vsftpd 3.0.3: \"220 (vsFTPd 3.0.3)\"\n");
	assert_has(out, "  when     2026-11-25 03:00:00 UTC, for 20.3 s\n");
	assert_has(out, "\nsafe          T1   bounce               500 said\n");
	assert_has(out, "\nvulnerable    T9   theft                high\n"
	    "              title of theft\n"
	    "              seen  the file came\n"
	    "              gain  gain of theft\n"
	    "              mend  mend of theft\n\n");
	assert_has(out, "\naccepts       T7   epsv_all_pasv        low\n");
	assert_has(out, "\ninconclusive  T11  passive_ports        why\n");
	assert_has(out, "\nnot asked     X    write                no --wri");
	assert_has(out, "\n5 questions: 1 vulnerable, 1 accepts, "
	    "1 inconclusive, 1 safe, 1 not asked\n");
	assert_has(out, "\ngrade D?   vulnerable: the gravest defect is high "
	    "(theft); 1 question could not\n");
	assert_has(out, "\nnote       a note\n");
	assert_lacks(out, "mend of bounce");
	assert_lacks(out, "gain of passive_ports");
	assert_lacks(out, "PASV");
	assert_lacks(out, "\n\n\n");
	free(out);
}

static void
verbose_shows_every_command_and_reply(void **state)
{
	char *out = print(REPORT(TARGET, "vulnerable", "D?", MIXED),
	    &(struct table_style) { .verbose = true });

	(void)state;
	assert_fits(out, 80);
	assert_has(out, "    3       1.012 > PASV bounce\n"
	    "    3       1.013 < 227 bounce\n"
	    "            1.020 * connected bounce\n");
	assert_has(out, "> PASV theft\n");
	assert_has(out, "> PASV write\n");
	assert_lacks(out, "\n\n\n");
	free(out);
}

/* Colour adds escapes of ours, and nothing else. */
static void
colour_changes_no_word(void **state)
{
	const char *text = REPORT(TARGET, "vulnerable", "D?", MIXED);
	char *plain = print(text, &(struct table_style) { 0 });
	char *out = print(text, &(struct table_style) { .colour = true });
	size_t n = 0;

	(void)state;
	assert_has(out, "\033[31mvulnerable\033[0m");
	assert_has(out, "\033[31mhigh\033[0m");
	assert_has(out, "grade \033[31mD?\033[0m");
	for (const char *c = out; *c != '\0'; c++) {
		if (*c != '\033') {
			out[n++] = *c;
			continue;
		}
		c = strchr(c, 'm');
		assert_non_null(c);
	}
	out[n] = '\0';
	assert_string_equal(out, plain);
	free(out);
	free(plain);
}

#define HOSTILE "\\u001b]0;x\\u0007 \\u009b31m \\r\\n\\t \\u00e9 \\u202e y"

static void
no_byte_of_the_network_reaches_the_terminal(void **state)
{
	static const char text[] = "{'portcullis_audit': 1, 'target': '"
	    HOSTILE "', 'address': '" HOSTILE "', 'from': '" HOSTILE "',"
	    " 'listen': ['" HOSTILE "'], 'contact': '" HOSTILE "',"
	    " 'started': '" HOSTILE "', 'server': {'name': '" HOSTILE "',"
	    " 'version': '" HOSTILE "', 'banner': '" HOSTILE "'},"
	    " 'grade': '" HOSTILE "', 'notes': ['" HOSTILE "'],"
	    " 'changes': [{'worse': true, 'text': '" HOSTILE "'}],"
	    " 'compared_to': '" HOSTILE "', 'questions': ["
	    "{'test': '" HOSTILE "', 'id': '" HOSTILE "', 'level': 'high',"
	    " 'title': '" HOSTILE "', 'gain': '" HOSTILE "',"
	    " 'mend': '" HOSTILE "', 'verdict': 'vulnerable',"
	    " 'evidence': '" HOSTILE "', 'exchange': ["
	    "{'send': '" HOSTILE "'}, {'receive': '" HOSTILE "'},"
	    " {'event': '" HOSTILE "'}]},"
	    "{'test': 'T1', 'id': 'bounce', 'verdict': 'safe',"
	    " 'evidence': '" HOSTILE HOSTILE HOSTILE "'}]}";
	char *out = print(text, &(struct table_style) { .verbose = true });
	char *error;

	(void)state;
	assert_has(out, "\\x1b]0;x\\x07 \\xc2\\x9b31m");
	assert_has(out, "> \\x1b]0;x\\x07");
	for (const char *c = out; *c != '\0'; c++)
		assert_true(*c == '\n' || (*c >= 0x20 && *c < 0x7f));
	free(out);
	error = print("{'target': 'x', 'error': '" HOSTILE "',"
	    " 'questions': []}", &(struct table_style) { 0 });
	assert_fits(error, 80);
	assert_has(error, "error    \\x1b]0;x\\x07");
	assert_lacks(error, "grade");
	free(error);
}

static void
long_texts_are_wrapped_and_long_words_broken(void **state)
{
	char word[301], text[4096];

	(void)state;
	memset(word, 'w', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	snprintf(text, sizeof(text), REPORT(TARGET, "vulnerable", "D",
	    QUESTION("T9", "theft", "high", "vulnerable", "%s a b c") ","
	    QUESTION("T1", "bounce", "high", "safe", "%s") ","
	    QUESTION("T2", "payload", "high", "inconclusive", "b %s")),
	    word, word, word);
	for (unsigned width = 0; width <= 200; width++) {
		char *out = print(text, &(struct table_style) {
		    .width = width, .verbose = width % 2 });
		size_t most = width == 0 ? 80 : width < 60 ? 60 : width;

		assert_fits(out, most);
		if (width == 0)
			assert_has(out, "wwwww...\n");
		free(out);
	}
}

static void
changes_stand_at_the_end(void **state)
{
	char *out = print("{'target': 'x', 'questions': [],"
	    " 'compared_to': 'then', 'changes': ["
	    "{'worse': true, 'text': 'theft is back'},"
	    "{'worse': false, 'text': 'write is gone'}]}",
	    &(struct table_style) { 0 });

	(void)state;
	assert_has(out, "\nChanged since then:\n"
	    "  worse    theft is back\n           write is gone\n");
	free(out);
	out = print("{'target': 'x', 'questions': [], 'changes': [],"
	    " 'compared_to': 'then'}", &(struct table_style) { 0 });
	assert_has(out, "\nNothing changed since then.\n");
	free(out);
}

/* What is no report is printed as far as it goes. */
static void
odd_reports_do_no_harm(void **state)
{
	static const char *const odd[] = {
		"{}", "[]", "{'questions': {}}", "{'questions': [1, null, []]}",
		"{'questions': [{'exchange': 7}], 'notes': 'x'}",
		"{'questions': [{'exchange': [7, {}]}], 'notes': [1]}",
		"{'server': 3, 'listen': [3], 'address': 'a', 'started': ''}",
		"{'started': 'T', 'duration_ms': -1, 'grade': 'E'}",
		"{'changes': 3}", "{'changes': [3]}",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(odd); i++) {
		char *out = print(odd[i], &(struct table_style) {
		    .verbose = true });

		assert_fits(out, 80);
		free(out);
	}
}

static void
verdicts_have_names_both_ways(void **state)
{
	(void)state;
	for (size_t v = 0; v < VERDICT_COUNT; v++)
		assert_int_equal(verdict_find(verdict_name((enum verdict)v)),
		    v);
	assert_int_equal(verdict_find("fine"), VERDICT_inconclusive);
}

static void
a_likeness_is_called_one(void **state)
{
	json_t *report = report_of("{'server': {'kind': 'portcullis',"
	    " 'name': 'Portcullis', 'sure': false}}");
	char server[FORM_SERVER_MAX];

	(void)state;
	form_server(report, server);
	assert_string_equal(server, "looks like Portcullis");
	json_decref(report);
	report = report_of("{'server': {'kind': 'unknown', 'name':"
	    " 'unknown', 'sure': false}}");
	form_server(report, server);
	assert_string_equal(server, "not recognised");
	json_decref(report);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_says_all_that_one_must_know),
		cmocka_unit_test(verbose_shows_every_command_and_reply),
		cmocka_unit_test(colour_changes_no_word),
		cmocka_unit_test(no_byte_of_the_network_reaches_the_terminal),
		cmocka_unit_test(long_texts_are_wrapped_and_long_words_broken),
		cmocka_unit_test(changes_stand_at_the_end),
		cmocka_unit_test(odd_reports_do_no_harm),
		cmocka_unit_test(verdicts_have_names_both_ways),
		cmocka_unit_test(a_likeness_is_called_one),
	};

	return RUN(tests);
}
