/*
 * audit/form.h: what every form of a report needs to know of it.  The reports
 * come from a process that has read the network, or from a file: nothing in
 * them is relied on, and what is missing is an empty text or a zero.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "audit/questions.h"
#include "policy/kinds.h"

#define FORM_VERSION 1		/* of the report: "portcullis_audit" */

/* In the order of gravity: what is above is worse, for who compares two. */
#define AUDIT_VERDICTS(X) \
/*	name          for people */ \
	X(not_asked,    "not asked") \
	X(safe,         "safe") \
	X(inconclusive, "inconclusive") \
	X(accepts,      "accepts") \
	X(vulnerable,   "vulnerable")

enum verdict {
#define X(name, words) VERDICT_##name,
	AUDIT_VERDICTS(X)
#undef X
	VERDICT_COUNT
};

/* As the report spells it, "not_asked"; and for people, "not asked". */
const char *verdict_name(enum verdict v);
const char *verdict_words(enum verdict v);

/* VERDICT_inconclusive for a word that is none: it was not told. */
enum verdict verdict_find(const char *name);

/* The defect is there, or may be: such a line has a gain and a mend. */
bool verdict_is_defect(enum verdict v);

/* One question of a report; the texts are the report's own. */
struct form_line {
	const char *test;
	const char *id;
	const char *title;
	const char *gain;
	const char *evidence;
	const char *mend;
	enum verdict verdict;
	enum bounce_level level;
	const json_t *exchange;		/* NULL: none */
};

struct form_line form_line(const json_t *question);

/* verdict_is_defect, of the line's. */
bool form_line_is_defect(const struct form_line *l);

/*
 * What the line weighs (enum bounce_level), or -1 for no defect.  What was
 * agreed to and came to nothing weighs one level less.
 */
int form_line_weight(const struct form_line *l);

/* How many questions have each verdict. */
struct form_counts {
	size_t of[VERDICT_COUNT];
	size_t all;
	int worst;		/* weight of the gravest defect; -1: none */
	const char *worst_id;	/* its line: the first of that weight */
};

struct form_counts form_count(const json_t *report);

/* The member, or "" when there is none or it is no text. */
const char *form_text(const json_t *object, const char *key);

/* The member, or 0. */
int64_t form_number(const json_t *object, const char *key);

/* "ftp://host:21", or the host when the report names no target. */
const char *form_target(const json_t *report);

/*
 * Takes the dialogue out of a report that is kept for the sake of its verdicts:
 * it is nearly all of it, and there may be 100000 reports.
 */
void form_forget_dialogue(json_t *report);

/* "A" to "F", with "?" when a line is inconclusive; "?" for no grade. */
const char *form_grade(const json_t *report);

/*
 * "vsftpd 3.0.3", "looks like Portcullis", or "not recognised".
 *
 * out  room for FORM_SERVER_MAX bytes; cut when there are more
 */
#define FORM_SERVER_MAX 128
void form_server(const json_t *report, char out[FORM_SERVER_MAX]);

/*
 * Writes text with every byte that is not printable ASCII as \xNN: what the
 * server said reaches no terminal as it is.
 */
void form_put(FILE *out, const char *text);

/* The bytes that c takes there: 1 or 4. */
size_t form_width(char c);
