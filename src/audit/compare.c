/*
 * audit/compare.c: see the header.  The earlier report may be of another
 * version of this program, which asked more or less; and it is a file that
 * anybody may have written.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "audit/compare.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "audit/form.h"

struct compare {
	json_t *reports;	/* an object: by target, the last of each */
};

/* What a report must be to be compared with; NULL: it is one. */
static const char *
why_no_report(const json_t *report)
{
	const json_t *version = json_object_get(report, "portcullis_audit");

	if (!json_is_object(report) || version == NULL)
		return "it has no \"portcullis_audit\"";
	if (json_integer_value(version) != FORM_VERSION)
		return "it is of another version of reports";
	if (!json_is_array(json_object_get(report, "questions")))
		return "it has no \"questions\"";
	if (form_target(report)[0] == '\0')
		return "it has no \"target\"";
	return NULL;
}

/* The parser's own error quotes the file, and is for a terminal. */
static void
make_printable(char *text)
{
	for (; *text != '\0'; text++)
		if (*text < 0x20 || *text >= 0x7f)
			*text = '?';
}

/* One line; false, and the error written, when it is no report. */
static bool
take_line(struct compare *c, const char *line, size_t len, const char *name,
    size_t number, char error[COMPARE_ERROR_MAX])
{
	const char *why;
	json_error_t e;
	json_t *report = json_loadb(line, len, JSON_REJECT_DUPLICATES, &e);

	if (report == NULL) {
		snprintf(error, COMPARE_ERROR_MAX, "%s:%zu: not JSON, or not "
		    "a report in one line (as --json writes it): %s, at byte "
		    "%d", name, number, e.text, e.position);
		make_printable(error);
		return false;
	}
	if ((why = why_no_report(report)) != NULL)
		snprintf(error, COMPARE_ERROR_MAX, "%s:%zu: not a report of "
		    "portcullis audit --json: %s", name, number, why);
	else if (json_object_set(c->reports, form_target(report),
	    report) != 0)
		snprintf(error, COMPARE_ERROR_MAX, "%s:%zu: out of memory",
		    name, number);
	else
		error[0] = '\0';
	form_forget_dialogue(report);
	json_decref(report);
	return error[0] == '\0';
}

static bool
is_blank(const char *line, size_t len)
{
	return strspn(line, " \t\r\n") >= len;
}

/* getline has no limit of its own; a report has. */
static bool
take_lines(struct compare *c, FILE *in, const char *name,
    char error[COMPARE_ERROR_MAX])
{
	size_t size = 0, number = 0;
	char *line = NULL;
	bool fine = true;
	ssize_t len;

	error[0] = '\0';
	while (fine && (len = getline(&line, &size, in)) >= 0) {
		number++;
		if ((size_t)len > COMPARE_LINE_MAX) {
			snprintf(error, COMPARE_ERROR_MAX, "%s:%zu: too long "
			    "for a report", name, number);
			fine = false;
		} else if (!is_blank(line, (size_t)len)) {
			fine = take_line(c, line, (size_t)len, name, number,
			    error);
		}
	}
	free(line);
	if (fine && ferror(in)) {
		snprintf(error, COMPARE_ERROR_MAX, "%s: %s", name,
		    strerror(errno));
		fine = false;
	}
	if (fine && json_object_size(c->reports) == 0) {
		snprintf(error, COMPARE_ERROR_MAX, "%s: holds no report",
		    name);
		fine = false;
	}
	return fine;
}

struct compare *
compare_read(FILE *in, const char *name, char error[COMPARE_ERROR_MAX])
{
	struct compare *c = calloc(1, sizeof(*c));

	if (c == NULL || (c->reports = json_object()) == NULL)
		snprintf(error, COMPARE_ERROR_MAX, "%s: out of memory", name);
	else if (take_lines(c, in, name, error))
		return c;
	compare_free(c);
	return NULL;
}

void
compare_free(struct compare *c)
{
	if (c == NULL)
		return;
	json_decref(c->reports);
	free(c);
}

const json_t *
compare_find(const struct compare *c, const char *target)
{
	return json_object_get(c->reports, target);
}

/* ---- what is different */

/* Those that are worse, and the others: joined at the end. */
struct lists {
	json_t *worse;
	json_t *rest;
	bool failed;		/* no memory */
};

/* change and text are given away. */
static void
put(struct lists *to, json_t *change, json_t *text, bool worse)
{
	if (json_object_set_new(change, "worse", json_boolean(worse)) != 0 ||
	    json_object_set_new(change, "text", text) != 0 ||
	    json_array_append(worse ? to->worse : to->rest, change) != 0)
		to->failed = true;
	json_decref(change);
}

static const json_t *
question_of(const json_t *report, const char *id)
{
	const json_t *question;
	size_t i;

	json_array_foreach(json_object_get(report, "questions"), i, question)
		if (strcmp(form_text(question, "id"), id) == 0)
			return question;
	return NULL;
}

static json_t *
change_of(const char *what, const struct form_line *l, const char *from,
    const char *to)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s}", "what", what,
	    "id", l->id, "level", bounce_level_name(l->level), "from", from,
	    "to", to);
}

static const char *
skip_digits(const char *p)
{
	return p + strspn(p, "0123456789");
}

/* Ports, times and made-up names are others each time, and no news. */
static bool
is_same_but_numbers(const char *a, const char *b)
{
	for (; *a != '\0' || *b != '\0'; a++, b++) {
		const char *after_a = skip_digits(a), *after_b = skip_digits(b);

		if ((after_a > a) != (after_b > b))
			return false;
		a = after_a;
		b = after_b;
		if (*a != *b)
			return false;
		if (*a == '\0')
			return true;
	}
	return true;
}

/*
 * Worse is what is nearer to a defect than it was.  That a line which was
 * never asked is now safe, or no longer asked, is neither.
 */
static bool
is_worse(const struct form_line *was, const struct form_line *is)
{
	return is->verdict > was->verdict && is->verdict > VERDICT_safe;
}

static void
put_line(struct lists *to, const struct form_line *was,
    const struct form_line *is)
{
	if (was->verdict != is->verdict)
		put(to, change_of("verdict", is, verdict_name(was->verdict),
		    verdict_name(is->verdict)),
		    json_sprintf("%s (%s): %s, was %s: %s", is->id,
		    bounce_level_name(is->level), verdict_words(is->verdict),
		    verdict_words(was->verdict), is->evidence),
		    is_worse(was, is));
	else if (!is_same_but_numbers(was->evidence, is->evidence))
		put(to, change_of("evidence", is, was->evidence,
		    is->evidence),
		    json_sprintf("%s: still %s, but now: %s (was: %s)", is->id,
		    verdict_words(is->verdict), is->evidence, was->evidence),
		    false);
}

static void
put_lines(struct lists *to, const json_t *old, const json_t *report)
{
	const json_t *question;
	size_t i;

	json_array_foreach(json_object_get(report, "questions"), i, question) {
		const json_t *before = question_of(old,
		    form_text(question, "id"));
		struct form_line is = form_line(question),
		    was = form_line(before);

		if (before != NULL)
			put_line(to, &was, &is);
		else
			put(to, change_of("new", &is, "",
			    verdict_name(is.verdict)),
			    json_sprintf("%s: new, %s: %s", is.id,
			    verdict_words(is.verdict), is.evidence),
			    form_line_is_defect(&is));
	}
}

static void
put_gone(struct lists *to, const json_t *old, const json_t *report)
{
	const json_t *question;
	size_t i;

	json_array_foreach(json_object_get(old, "questions"), i, question) {
		struct form_line was = form_line(question);

		if (question_of(report, was.id) == NULL)
			put(to, change_of("gone", &was,
			    verdict_name(was.verdict), ""),
			    json_sprintf("%s: no longer asked, was %s",
			    was.id, verdict_words(was.verdict)), false);
	}
}

/* "grade", "server" and "error": of the whole report. */
static void
put_whole(struct lists *to, const char *what, const char *was,
    const char *is, bool worse)
{
	if (strcmp(was, is) == 0)
		return;
	put(to, json_pack("{s:s, s:s, s:s}", "what", what, "from", was, "to",
	    is), json_sprintf("%s: %s, was %s", what,
	    is[0] != '\0' ? is : "none", was[0] != '\0' ? was : "none"),
	    worse);
}

/* "C?" is no better and no worse than "C". */
static bool
is_worse_grade(const char *was, const char *is)
{
	return was[0] >= 'A' && was[0] <= 'F' && is[0] >= 'A' &&
	    is[0] <= 'F' && is[0] > was[0];
}

static void
put_all(struct lists *to, const json_t *old, const json_t *report)
{
	char was[FORM_SERVER_MAX], is[FORM_SERVER_MAX];

	put_whole(to, "grade", form_grade(old), form_grade(report),
	    is_worse_grade(form_grade(old), form_grade(report)));
	put_whole(to, "error", form_text(old, "error"),
	    form_text(report, "error"),
	    form_text(report, "error")[0] != '\0');
	/* Of what could not be reached, every question would be gone. */
	if (form_text(report, "error")[0] != '\0' ||
	    form_text(old, "error")[0] != '\0')
		return;
	form_server(old, was);
	form_server(report, is);
	put_whole(to, "server", was, is, false);
	put_lines(to, old, report);
	put_gone(to, old, report);
}

json_t *
compare_changes(const json_t *old, const json_t *report)
{
	struct lists to = { json_array(), json_array(), false };

	if (to.worse != NULL && to.rest != NULL)
		put_all(&to, old, report);
	else
		to.failed = true;
	if (!to.failed && json_array_extend(to.worse, to.rest) != 0)
		to.failed = true;
	json_decref(to.rest);
	if (to.failed) {
		json_decref(to.worse);
		return NULL;
	}
	return to.worse;
}

bool
compare_add(const struct compare *c, json_t *report)
{
	const json_t *old = compare_find(c, form_target(report));
	json_t *changes;

	if (old == NULL)
		changes = json_pack("[{s:s, s:b, s:s}]", "what", "target",
		    "worse", false, "text",
		    "this target is not among the earlier reports");
	else
		changes = compare_changes(old, report);
	if (json_object_set_new(report, "changes", changes) != 0)
		return false;
	return old == NULL || json_object_set_new(report, "compared_to",
	    json_string(form_text(old, "started"))) == 0;
}
