/*
 * audit/report.h: an audit's answer as JSON; its form is described in
 * docs/design/auditor.md.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "audit/ask.h"

/* A report without lines, inconclusive so far; NULL: there is no memory. */
MUST_USE json_t *report_new(const struct target *t, const struct options *o);

/* Where the auditor stands: a->place, with notes of what that hinders. */
void report_place(struct audit *a);

/* Whom it met; banner is printable ASCII (struct reply's text). */
void report_server(struct audit *a, const struct server_known *known,
    const char *banner);

/* A sentence for people, of the whole audit; ASCII. */
void report_note(struct audit *a, const char *text);

/* Why the server could not be audited at all: there are no lines then. */
void report_error(struct audit *a, const char *why);

/* One line, of an answered question; q's exchange and asked are taken. */
void report_line(struct audit *a, struct ask *q, unsigned took_ms);

/*
 * What was seen after the question was answered: its line says vulnerable.
 * False: it has none.
 */
bool report_late(struct audit *a, enum audit_question question,
    const char *evidence);

/* A server may repeat the password that it was told: it is taken out. */
void report_redact(json_t *report, const struct target *t);

/*
 * Verdict, grade and duration, from the lines.  Of a report that lacks a line
 * (there was no memory for it) nobody says that the server is safe.
 */
void report_finish(struct audit *a);

/* The verdict of a whole report, as the exit status is made of it. */
enum verdict report_verdict(const json_t *report);
