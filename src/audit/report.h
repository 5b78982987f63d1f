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

/* Where the auditor stands, and whom it met. */
void report_place(struct audit *a);
void report_server(struct audit *a, const struct server_known *known,
    const char *banner);
void report_note(struct audit *a, const char *text);

/* Why the server could not be audited at all: there are no lines then. */
void report_error(struct audit *a, const char *why);

/* One line; takes q's exchange and asked. */
void report_line(struct audit *a, struct ask *q, unsigned took_ms);

/*
 * Verdict, grade and duration, from the lines.  Of a report that lacks a line
 * (there was no memory for it) nobody says that the server is safe.
 */
void report_finish(struct audit *a);

/* The verdict of a whole report, as the exit status is made of it. */
enum verdict report_verdict(const json_t *report);
