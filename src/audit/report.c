/*
 * audit/report.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "audit/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "audit/sock.h"

/* Room for each byte of a target's user as \xNN, and more to be not cut. */
#define PRINTABLE_MAX (4 * TARGET_TEXT_MAX + 8)

static void
set(json_t *object, const char *key, const char *text)
{
	json_object_set_new(object, key, json_string(text));
}

json_t *
report_new(const struct target *t, const struct options *o)
{
	json_t *r = json_object();
	char url[TARGET_URL_MAX], user[PRINTABLE_MAX], when[32];
	time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	json_object_set_new(r, "portcullis_audit", json_integer(FORM_VERSION));
	set(r, "version", PORTCULLIS_VERSION);
	set(r, "target", target_url(t, url));
	set(r, "host", t->host);
	json_object_set_new(r, "port", json_integer(t->port));
	set(r, "user", t->user[0] == '\0' ? "anonymous" :
	    ask_printable(sv_of(t->user), user, sizeof(user)));
	if (o != NULL && o->contact != NULL)
		set(r, "contact", o->contact);
	set(r, "started", when);
	json_object_set_new(r, "duration_ms", json_integer(0));
	set(r, "verdict", verdict_name(VERDICT_inconclusive));
	set(r, "grade", "?");
	json_object_set_new(r, "notes", json_array());
	json_object_set_new(r, "questions", json_array());
	return r;
}

void
report_note(struct audit *a, const char *text)
{
	json_array_append_new(json_object_get(a->report, "notes"),
	    json_string(text));
}

void
report_error(struct audit *a, const char *why)
{
	char safe[ASK_EVIDENCE];

	set(a->report, "error", ask_printable(sv_of(why), safe,
	    sizeof(safe)));
}

static void
add_listen(json_t *list, const struct addr *a)
{
	char text[ADDR_TEXT_MAX];

	if (a->family == ADDR_NONE)
		return;
	addr_format_ip(a, text);
	for (size_t i = 0; i < json_array_size(list); i++)
		if (strcmp(json_string_value(json_array_get(list, i)),
		    text) == 0)
			return;
	json_array_append_new(list, json_string(text));
}

void
report_place(struct audit *a)
{
	const struct place *p = &a->place;
	json_t *list = json_array();
	char text[ADDR_TEXT_MAX];

	set(a->report, "address", addr_format_ip(&p->server, text));
	set(a->report, "from", addr_format_ip(&p->here, text));
	add_listen(list, &p->other);
	add_listen(list, &p->other4);
	add_listen(list, &p->other6);
	add_listen(list, &p->private4);
	json_object_set_new(a->report, "listen", list);
	json_object_set_new(a->report, "behind_nat",
	    json_boolean(p->behind_nat));
	if (p->other.family == ADDR_NONE)
		report_note(a, "this host has one address of that family (IPv4 "
		    "or IPv6): what a third party would see was not asked; "
		    "--listen-address names another");
	else if (!p->reachable)
		report_note(a, "no connection from the second address to the "
		    "server can be made: what a stranger can do was not "
		    "asked, and connections to it may not arrive");
	if (p->behind_nat)
		report_note(a, "this host's address is private and the "
		    "server's is not: a NAT stands between; active data "
		    "connections may not arrive, and to the server all "
		    "addresses of this host may be one");
}

void
report_server(struct audit *a, const struct server_known *known,
    const char *banner)
{
	json_t *s = json_object();

	set(s, "kind", server_kind_name(known->kind));
	set(s, "name", server_name(known->kind));
	json_object_set_new(s, "sure", json_boolean(known->sure));
	if (known->version[0] != '\0')
		set(s, "version", known->version);
	set(s, "banner", banner);
	json_object_set_new(a->report, "server", s);
}

/* Behind a balancer its own address is the balancer's, and so is the mend. */
static void
mend_self(struct audit *a)
{
	json_t *line;
	size_t i;

	json_array_foreach(json_object_get(a->report, "questions"), i, line) {
		if (strcmp(form_text(line, "id"),
		    audit_questions[ASK_self].id) == 0 &&
		    form_text(line, "mend")[0] != '\0')
			set(line, "mend", lore_mend(a->facts.kind,
			    ASK_balancer));
	}
}

void
report_line(struct audit *a, struct ask *q, unsigned took_ms)
{
	const struct question *what = &audit_questions[q->question];
	json_t *line = json_object();

	set(line, "test", what->test);
	set(line, "id", what->id);
	set(line, "level", bounce_level_name(what->level));
	set(line, "title", what->title);
	set(line, "gain", what->gain);
	set(line, "verdict", verdict_name(q->verdict));
	set(line, "evidence", q->evidence);
	if (verdict_is_defect(q->verdict))
		set(line, "mend", lore_mend(a->facts.kind, q->question));
	json_object_set_new(line, "commands", json_integer(q->commands));
	json_object_set_new(line, "duration_ms", json_integer(took_ms));
	json_object_set_new(line, "asked", q->asked);
	json_object_set_new(line, "exchange", q->exchange);
	q->asked = q->exchange = NULL;
	json_array_append_new(json_object_get(a->report, "questions"), line);
	if (q->question == ASK_balancer && verdict_is_defect(q->verdict))
		mend_self(a);
}

/* No memory for a line is no reason to pass over it. */
static bool
lacks_lines(const struct audit *a)
{
	size_t asked = 0;

	for (size_t i = 0; i < ASK_COUNT; i++)
		asked += a->options->asked[i];
	return json_array_size(json_object_get(a->report, "questions")) <
	    asked;
}

/* ---- secrets */

/* Shorter ones are in every text, by chance. */
#define SECRET_LEAST 4

/* The text without the secret; NULL when it does not hold it. */
static json_t *
without(const char *text, const char *secret)
{
	const char *found = strstr(text, secret);
	char *out = NULL;
	json_t *clean;
	size_t len;
	FILE *f;

	if (found == NULL || (f = open_memstream(&out, &len)) == NULL)
		return NULL;
	for (; found != NULL; found = strstr(text, secret)) {
		fprintf(f, "%.*s****", (int)(found - text), text);
		text = found + strlen(secret);
	}
	fputs(text, f);
	clean = fclose(f) == 0 ? json_string(out) : json_string("****");
	free(out);
	return clean;
}

/* All texts of an object or array, and those within them. */
static void
redact(json_t *in, const char *secret)
{
	json_t *value, *clean;
	const char *key;
	size_t i;
	void *next;

	json_object_foreach_safe(in, next, key, value) {
		redact(value, secret);
		if (json_is_string(value) && (clean = without(
		    json_string_value(value), secret)) != NULL)
			json_object_set_new(in, key, clean);
	}
	json_array_foreach(in, i, value) {
		redact(value, secret);
		if (json_is_string(value) && (clean = without(
		    json_string_value(value), secret)) != NULL)
			json_array_set_new(in, i, clean);
	}
}

static void
redact_member(json_t *object, const char *key, const char *secret)
{
	json_t *value = json_object_get(object, key), *clean;

	if (!json_is_string(value))
		redact(value, secret);
	else if ((clean = without(json_string_value(value), secret)) != NULL)
		json_object_set_new(object, key, clean);
}

void
report_redact(json_t *report, const struct target *t)
{
	static const char *const told[] = { "introduction", "notes",
		"error" };
	char secret[4 * TARGET_TEXT_MAX + 8];
	json_t *server = json_object_get(report, "server"), *line;
	size_t i;

	if (strlen(t->password) < SECRET_LEAST)
		return;
	ask_printable(sv_of(t->password), secret, sizeof(secret));
	for (i = 0; i < sizeof(told) / sizeof(told[0]); i++)
		redact_member(report, told[i], secret);
	redact_member(server, "banner", secret);
	redact_member(server, "version", secret);
	json_array_foreach(json_object_get(report, "questions"), i, line) {
		redact_member(line, "evidence", secret);
		redact_member(line, "exchange", secret);
	}
	explicit_bzero(secret, sizeof(secret));
}

bool
report_late(struct audit *a, enum audit_question question,
    const char *evidence)
{
	json_t *lines = json_object_get(a->report, "questions"), *line;
	size_t i;

	json_array_foreach(lines, i, line) {
		if (strcmp(form_text(line, "id"),
		    audit_questions[question].id) != 0)
			continue;
		if (verdict_find(form_text(line, "verdict")) ==
		    VERDICT_vulnerable)
			return true;
		set(line, "verdict", verdict_name(VERDICT_vulnerable));
		set(line, "evidence", evidence);
		set(line, "mend", lore_mend(a->facts.kind, question));
		return true;
	}
	return false;
}

void
report_finish(struct audit *a)
{
	static const char *const grades[LEVEL_COUNT] = {
		[LEVEL_INFO] = "A", [LEVEL_LOW] = "B", [LEVEL_MEDIUM] = "C",
		[LEVEL_HIGH] = "D", [LEVEL_CRITICAL] = "F" };
	const json_t *lines = json_object_get(a->report, "questions");
	enum verdict verdict = VERDICT_safe;
	bool open = lacks_lines(a);
	int worst = LEVEL_INFO;
	char grade[3];

	for (size_t i = 0; i < json_array_size(lines); i++) {
		struct form_line l = form_line(json_array_get(lines, i));
		int weight = form_line_weight(&l);

		if (weight > worst)
			worst = weight;
		if (weight >= (int)a->options->fail_on)
			verdict = VERDICT_vulnerable;
		if (l.verdict == VERDICT_inconclusive)
			open = true;
	}
	if (open && verdict == VERDICT_safe)
		verdict = VERDICT_inconclusive;
	/* Without a login nearly nothing was asked. */
	snprintf(grade, sizeof(grade), "%s%s", a->facts.no_login &&
	    worst == LEVEL_INFO ? "" : grades[worst], open ? "?" : "");
	set(a->report, "verdict", verdict_name(verdict));
	set(a->report, "grade", grade);
}

enum verdict
report_verdict(const json_t *report)
{
	return verdict_find(form_text(report, "verdict"));
}
