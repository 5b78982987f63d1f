/*
 * audit/form.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "audit/form.h"

#include <string.h>

static const char *const names[VERDICT_COUNT] = {
#define X(name, words) [VERDICT_##name] = #name,
	AUDIT_VERDICTS(X)
#undef X
};

static const char *const in_words[VERDICT_COUNT] = {
#define X(name, words) [VERDICT_##name] = words,
	AUDIT_VERDICTS(X)
#undef X
};

const char *
verdict_name(enum verdict v)
{
	return names[v];
}

const char *
verdict_words(enum verdict v)
{
	return in_words[v];
}

enum verdict
verdict_find(const char *name)
{
	for (size_t v = 0; v < VERDICT_COUNT; v++)
		if (strcmp(names[v], name) == 0)
			return (enum verdict)v;
	return VERDICT_inconclusive;
}

bool
verdict_is_defect(enum verdict v)
{
	return v == VERDICT_vulnerable || v == VERDICT_accepts;
}

const char *
form_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

int64_t
form_number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* INFO for a word that is none: a report of ours has no such word. */
static enum bounce_level
level_find(const char *name)
{
	for (int l = 0; l < LEVEL_COUNT; l++)
		if (strcmp(bounce_level_name((enum bounce_level)l), name) == 0)
			return (enum bounce_level)l;
	return LEVEL_INFO;
}

struct form_line
form_line(const json_t *question)
{
	return (struct form_line) {
		.test = form_text(question, "test"),
		.id = form_text(question, "id"),
		.title = form_text(question, "title"),
		.gain = form_text(question, "gain"),
		.evidence = form_text(question, "evidence"),
		.mend = form_text(question, "mend"),
		.verdict = verdict_find(form_text(question, "verdict")),
		.level = level_find(form_text(question, "level")),
		.exchange = json_object_get(question, "exchange"),
	};
}

bool
form_line_is_defect(const struct form_line *l)
{
	return verdict_is_defect(l->verdict);
}

int
form_line_weight(const struct form_line *l)
{
	if (l->verdict == VERDICT_vulnerable)
		return (int)l->level;
	if (l->verdict == VERDICT_accepts)
		return l->level > LEVEL_INFO ? (int)l->level - 1 : LEVEL_INFO;
	return -1;
}

struct form_counts
form_count(const json_t *report)
{
	struct form_counts n = { .worst = -1, .worst_id = "" };
	const json_t *question;
	size_t i;

	json_array_foreach(json_object_get(report, "questions"), i, question) {
		struct form_line l = form_line(question);

		n.of[l.verdict]++;
		n.all++;
		if (form_line_weight(&l) <= n.worst)
			continue;
		n.worst = form_line_weight(&l);
		n.worst_id = l.id;
	}
	return n;
}

const char *
form_target(const json_t *report)
{
	const char *target = form_text(report, "target");

	return target[0] != '\0' ? target : form_text(report, "host");
}

void
form_forget_dialogue(json_t *report)
{
	json_t *question;
	size_t i;

	json_object_del(report, "introduction");
	json_array_foreach(json_object_get(report, "questions"), i, question) {
		json_object_del(question, "exchange");
		json_object_del(question, "asked");
	}
}

const char *
form_grade(const json_t *report)
{
	const char *grade = form_text(report, "grade");

	return grade[0] != '\0' ? grade : "?";
}

void
form_server(const json_t *report, char out[FORM_SERVER_MAX])
{
	const json_t *server = json_object_get(report, "server");
	const char *name = form_text(server, "name");
	const char *version = form_text(server, "version");

	if (name[0] == '\0' ||
	    strcmp(form_text(server, "kind"), "unknown") == 0)
		snprintf(out, FORM_SERVER_MAX, "not recognised");
	else
		snprintf(out, FORM_SERVER_MAX, "%s%s%s%s",
		    json_is_false(json_object_get(server, "sure")) ?
		    "looks like " : "", name,
		    version[0] != '\0' ? " " : "", version);
}

static bool
is_printable(char c)
{
	return c >= 0x20 && c < 0x7f;
}

size_t
form_width(char c)
{
	return is_printable(c) ? 1 : 4;
}

void
form_put(FILE *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (is_printable(*text))
			putc(*text, out);
		else
			fprintf(out, "\\x%02x", (unsigned char)*text);
	}
}
