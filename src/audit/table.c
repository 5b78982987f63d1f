/*
 * audit/table.c: see the header.  A line that is safe takes one line on the
 * screen; one that is not has its own paragraph, with what to do about it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "audit/table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "audit/form.h"

#define WIDTH 80
#define WIDTH_LEAST 60
#define HEAD_AT 11		/* columns of the texts */
#define TEXT_AT 40
#define PART_AT 20
#define PLAIN "\033[0m"

static const char *const verdict_colours[VERDICT_COUNT] = {
	[VERDICT_not_asked] = "\033[2m",
	[VERDICT_safe] = "\033[32m",
	[VERDICT_inconclusive] = "\033[36m",
	[VERDICT_accepts] = "\033[33m",
	[VERDICT_vulnerable] = "\033[31m",
};

static const char *const level_colours[LEVEL_COUNT] = {
	[LEVEL_INFO] = "\033[2m",
	[LEVEL_LOW] = "\033[36m",
	[LEVEL_MEDIUM] = "\033[33m",
	[LEVEL_HIGH] = "\033[31m",
	[LEVEL_CRITICAL] = "\033[1;31m",
};

/* Where on the screen the next byte goes. */
struct page {
	FILE *out;
	bool colour;
	bool verbose;
	size_t width;
	size_t at;
};

static void
put(struct page *p, const char *text)
{
	form_put(p->out, text);
	for (; *text != '\0'; text++)
		p->at += form_width(*text);
}

static void
put_in(struct page *p, const char *colour, const char *text)
{
	if (p->colour)
		fputs(colour, p->out);
	put(p, text);
	if (p->colour)
		fputs(PLAIN, p->out);
}

static void
put_char(struct page *p, char c)
{
	put(p, (const char[]) { c, '\0' });
}

static void
end_line(struct page *p)
{
	putc('\n', p->out);
	p->at = 0;
}

/* To this column; by one blank at least when it was passed. */
static void
go_to(struct page *p, size_t column)
{
	if (p->at > 0 && p->at >= column)
		put(p, " ");
	while (p->at < column)
		put(p, " ");
}

static size_t
word_width(const char *word, size_t len)
{
	size_t width = 0;

	for (size_t i = 0; i < len; i++)
		width += form_width(word[i]);
	return width;
}

/* A word that is wider than the page is broken where the page ends. */
static void
put_word(struct page *p, const char *word, size_t len, size_t column)
{
	size_t width = word_width(word, len);

	if (p->at > column && p->at + 1 + width > p->width) {
		end_line(p);
		go_to(p, column);
	} else if (p->at > column) {
		put(p, " ");
	}
	for (size_t i = 0; i < len; i++) {
		if (p->at + form_width(word[i]) > p->width) {
			end_line(p);
			go_to(p, column);
		}
		put_char(p, word[i]);
	}
}

/* From this column on, in as many lines as it takes. */
static void
put_wrapped(struct page *p, const char *text, size_t column)
{
	go_to(p, column);
	while (*text != '\0') {
		size_t len = strcspn(text, " ");

		if (len > 0)
			put_word(p, text, len, p->at < column ? p->at :
			    column);
		text += len;
		text += strspn(text, " ");
	}
	end_line(p);
}

/* What fits into this line, and "..." in the place of what does not. */
static void
put_cut(struct page *p, const char *text, size_t column)
{
	size_t room, n = 0, width = 0;

	go_to(p, column);
	room = p->width > p->at ? p->width - p->at : 0;
	if (word_width(text, strlen(text)) <= room) {
		put(p, text);
		end_line(p);
		return;
	}
	while (width + form_width(text[n]) + 3 <= room)
		width += form_width(text[n++]);
	for (size_t i = 0; i < n; i++)
		put_char(p, text[i]);
	put(p, "...");
	end_line(p);
}

/* ---- the head */

static void
put_field(struct page *p, const char *label, const char *text)
{
	if (text[0] == '\0')
		return;
	put(p, "  ");
	put(p, label);
	put_wrapped(p, text, HEAD_AT);
}

/* A text of unknown length that grows: closed by its user. */
struct text {
	char *ptr;
	size_t len;
	FILE *in;
};

static bool
text_open(struct text *t)
{
	*t = (struct text) { NULL, 0, NULL };
	return (t->in = open_memstream(&t->ptr, &t->len)) != NULL;
}

static void
text_put(struct text *t, struct page *p, const char *label)
{
	if (fclose(t->in) == 0)
		put_field(p, label, t->ptr);
	free(t->ptr);
}

/* "192.0.2.21, asked from 198.51.100.7, listening on 198.51.100.8" */
static void
put_addresses(struct page *p, const json_t *report)
{
	const json_t *listen = json_object_get(report, "listen"), *address;
	const char *before = ", listening on ";
	struct text t;
	size_t i;

	if (form_text(report, "address")[0] == '\0' || !text_open(&t))
		return;
	fputs(form_text(report, "address"), t.in);
	if (form_text(report, "from")[0] != '\0')
		fprintf(t.in, ", asked from %s", form_text(report, "from"));
	json_array_foreach(listen, i, address) {
		if (!json_is_string(address))
			continue;
		fprintf(t.in, "%s%s", before, json_string_value(address));
		before = i + 2 == json_array_size(listen) ? " and " : ", ";
	}
	text_put(&t, p, "address");
}

static void
put_server(struct page *p, const json_t *report)
{
	const char *banner = form_text(json_object_get(report, "server"),
	    "banner");
	char server[FORM_SERVER_MAX];
	struct text t;

	if (json_object_get(report, "server") == NULL || !text_open(&t))
		return;
	form_server(report, server);
	fputs(server, t.in);
	if (banner[0] != '\0')
		fprintf(t.in, ": \"%s\"", banner);
	text_put(&t, p, "server");
}

/* "2026-11-25T03:00:00Z" is written with a blank and "UTC". */
static void
put_when(struct page *p, const json_t *report)
{
	const char *started = form_text(report, "started");
	int64_t ms = form_number(report, "duration_ms");
	size_t day = strcspn(started, "T"), rest;
	struct text t;

	if (started[0] == '\0' || !text_open(&t))
		return;
	fprintf(t.in, "%.*s", (int)(day < 32 ? day : 32), started);
	if (started[day] == 'T') {
		rest = strcspn(started + day + 1, "Z");
		fprintf(t.in, " %.*s", (int)(rest < 32 ? rest : 32),
		    started + day + 1);
		if (started[day + 1 + rest] == 'Z')
			fputs(" UTC", t.in);
	}
	fprintf(t.in, ", for %" PRId64 ".%" PRId64 " s", ms / 1000,
	    ms % 1000 / 100);
	text_put(&t, p, "when");
}

static void
put_head(struct page *p, const json_t *report)
{
	put_in(p, "\033[1m", form_target(report));
	end_line(p);
	put_addresses(p, report);
	put_server(p, report);
	put_when(p, report);
	put_field(p, "contact", form_text(report, "contact"));
}

/* ---- the questions */

static void
put_name(struct page *p, const struct form_line *l)
{
	put_in(p, verdict_colours[l->verdict], verdict_words(l->verdict));
	go_to(p, 14);
	put(p, l->test);
	go_to(p, 19);
	put(p, l->id);
}

static void
put_part(struct page *p, const char *label, const char *text)
{
	if (text[0] == '\0')
		return;
	go_to(p, 14);
	put_in(p, "\033[2m", label);
	put_wrapped(p, text, PART_AT);
}

/* " 3  0.012 >  PASV": connection, seconds, who spoke, what. */
static void
put_said(struct page *p, const json_t *said)
{
	int64_t ms = form_number(said, "at_ms");
	const char *text;
	char head[64];
	char who;

	if ((text = form_text(said, "send"))[0] != '\0')
		who = '>';
	else if ((text = form_text(said, "receive"))[0] != '\0')
		who = '<';
	else if ((text = form_text(said, "event"))[0] != '\0')
		who = '*';
	else
		return;
	if (json_object_get(said, "connection") != NULL)
		snprintf(head, sizeof(head), "%5" PRId64 " %7" PRId64
		    ".%03" PRId64 " %c", form_number(said, "connection"),
		    ms / 1000, ms % 1000, who);
	else
		snprintf(head, sizeof(head), "%5s %7" PRId64 ".%03" PRId64
		    " %c", "", ms / 1000, ms % 1000, who);
	put_in(p, "\033[2m", head);
	put_wrapped(p, text, PART_AT);
}

static void
put_exchange(struct page *p, const struct form_line *l)
{
	const json_t *said;
	size_t i;

	json_array_foreach(l->exchange, i, said)
		put_said(p, said);
}

static void
put_defect(struct page *p, const struct form_line *l)
{
	put_name(p, l);
	go_to(p, TEXT_AT);
	put_in(p, level_colours[l->level], bounce_level_name(l->level));
	end_line(p);
	put_wrapped(p, l->title, 14);
	put_part(p, "seen", l->evidence);
	put_part(p, "gain", l->gain);
	put_part(p, "mend", l->mend);
}

/* A paragraph has a blank line before it and behind it, and never two. */
static void
put_questions(struct page *p, const json_t *questions)
{
	bool was_paragraph = true;
	const char *last = "";		/* why nothing could be told */
	const json_t *question;
	size_t i;

	end_line(p);
	json_array_foreach(questions, i, question) {
		struct form_line l = form_line(question);
		bool paragraph = form_line_is_defect(&l) ||
		    (p->verbose && json_array_size(l.exchange) > 0);

		if (i > 0 && (paragraph || was_paragraph))
			end_line(p);
		was_paragraph = paragraph;
		if (form_line_is_defect(&l)) {
			put_defect(p, &l);
		} else {
			put_name(p, &l);
			if (l.verdict == VERDICT_inconclusive &&
			    strcmp(l.evidence, last) == 0)
				put_wrapped(p, "the same", TEXT_AT);
			else if (p->verbose ||
			    l.verdict == VERDICT_inconclusive)
				put_wrapped(p, l.evidence, TEXT_AT);
			else
				put_cut(p, l.evidence, TEXT_AT);
		}
		if (p->verbose)
			put_exchange(p, &l);
		last = l.verdict == VERDICT_inconclusive ? l.evidence : "";
	}
}

/* ---- the end */

/* "60 questions: 1 vulnerable, 2 accepts, 57 safe" */
static void
put_counts(struct page *p, const struct form_counts *n)
{
	const char *before = ": ";
	char text[64];

	snprintf(text, sizeof(text), "%zu question%s", n->all,
	    n->all == 1 ? "" : "s");
	put(p, text);
	for (int v = VERDICT_COUNT - 1; v >= 0; v--) {
		if (n->of[v] == 0)
			continue;
		put(p, before);
		snprintf(text, sizeof(text), "%zu %s", n->of[v],
		    verdict_words((enum verdict)v));
		put_in(p, verdict_colours[v], text);
		before = ", ";
	}
	end_line(p);
}

static const char *
grade_colour(const char *grade)
{
	static const char *const colours[] = { "\033[32m", "\033[36m",
		"\033[33m", "\033[31m", NULL, "\033[1;31m" };

	if (grade[0] < 'A' || grade[0] > 'F' || grade[0] == 'E')
		return "\033[36m";
	return colours[grade[0] - 'A'];
}

static void
put_grade(struct page *p, const json_t *report, const struct form_counts *n)
{
	const char *grade = form_grade(report);
	size_t unsure = n->of[VERDICT_inconclusive];
	struct text t;

	if (!text_open(&t))
		return;
	if (form_text(report, "verdict")[0] != '\0')
		fprintf(t.in, "%s: ", form_text(report, "verdict"));
	if (n->worst >= 0)
		fprintf(t.in, "the gravest defect is %s (%s)",
		    bounce_level_name((enum bounce_level)n->worst),
		    n->worst_id);
	else if (n->of[VERDICT_safe] > 0)
		fputs("no defect was seen", t.in);
	else
		fputs("nothing could be told", t.in);
	if (unsure > 0)
		fprintf(t.in, "; %zu question%s could not be answered, and "
		    "may make it worse", unsure, unsure == 1 ? "" : "s");
	put(p, "grade ");
	put_in(p, grade_colour(grade), grade);
	if (fclose(t.in) == 0)
		put_wrapped(p, t.ptr, HEAD_AT);
	free(t.ptr);
}

static void
put_list(struct page *p, const char *label, const json_t *list)
{
	const json_t *text;
	size_t i;

	json_array_foreach(list, i, text) {
		if (!json_is_string(text))
			continue;
		put(p, label);
		put_wrapped(p, json_string_value(text), HEAD_AT);
	}
}

static bool
is_gone(const json_t *change)
{
	return strcmp(form_text(change, "what"), "gone") == 0;
}

/* With --only these are many. */
static void
put_gone(struct page *p, const json_t *changes)
{
	const json_t *change;
	const char *before = "no longer asked: ";
	struct text t;
	size_t i;

	if (!text_open(&t))
		return;
	json_array_foreach(changes, i, change) {
		if (!is_gone(change))
			continue;
		fprintf(t.in, "%s%s", before, form_text(change, "id"));
		before = ", ";
	}
	text_put(&t, p, "");
}

/* Of audit/compare.h: every change has a text. */
static void
put_changes(struct page *p, const json_t *report)
{
	const json_t *changes = json_object_get(report, "changes"), *change;
	size_t i;

	if (changes == NULL)
		return;
	end_line(p);
	put(p, json_array_size(changes) == 0 ? "Nothing changed" : "Changed");
	if (form_text(report, "compared_to")[0] != '\0') {
		put(p, " since ");
		put(p, form_text(report, "compared_to"));
	}
	put(p, json_array_size(changes) == 0 ? "." : ":");
	end_line(p);
	json_array_foreach(changes, i, change) {
		bool worse = json_is_true(json_object_get(change, "worse"));

		if (is_gone(change))
			continue;
		put(p, "  ");
		if (worse)
			put_in(p, verdict_colours[VERDICT_vulnerable], "worse");
		put_wrapped(p, form_text(change, "text"), HEAD_AT);
	}
	put_gone(p, changes);
}

void
table_print(FILE *out, const json_t *report, const struct table_style *style)
{
	const json_t *questions = json_object_get(report, "questions");
	struct form_counts n = form_count(report);
	struct page p = { .out = out, .colour = style->colour,
		.verbose = style->verbose,
		.width = style->width > 0 ? style->width : WIDTH };

	if (p.width < WIDTH_LEAST)
		p.width = WIDTH_LEAST;
	put_head(&p, report);
	if (form_text(report, "error")[0] != '\0') {
		put_field(&p, "error", form_text(report, "error"));
		put_field(&p, "verdict", "inconclusive: nothing was asked");
		put_list(&p, "  note", json_object_get(report, "notes"));
		put_changes(&p, report);
		return;
	}
	if (n.all > 0)
		put_questions(&p, questions);
	end_line(&p);
	put_counts(&p, &n);
	put_grade(&p, report, &n);
	put_list(&p, "note", json_object_get(report, "notes"));
	put_changes(&p, report);
}
