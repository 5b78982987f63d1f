/*
 * audit/report.h: an audit's answer as JSON; its form is described in
 * docs/design/auditor.md.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "audit/ask.h"

/* A report without lines. */
json_t *report_new(const struct target *t, const struct options *o);

/* Where the auditor stands, and whom it met. */
void report_place(struct audit *a);
void report_server(struct audit *a, const struct server_known *known,
    const char *banner);
void report_note(struct audit *a, const char *text);

/* One line; takes q's exchange and asked. */
void report_line(struct audit *a, struct ask *q, unsigned took_ms);

/*
 * What was seen after the question was answered: its line says vulnerable.
 * False: it has none.
 */
bool report_late(struct audit *a, enum audit_question question,
    const char *evidence);

/* A server may repeat the password that it was told: it is taken out. */
void report_redact(json_t *report, const struct target *t);

/* Verdict, grade and duration, from the lines. */
void report_finish(struct audit *a);

/* The verdict of a whole report, as the exit status is made of it. */
enum verdict report_verdict(const json_t *report);
