/*
 * audit/nagios.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "audit/nagios.h"

#include <inttypes.h>
#include <string.h>

#include "audit/form.h"

#define TOLD_MOST 8	/* reports, in words; pollers cut at 4 KiB or before */

/*
 * A bar would begin the numbers early.  And pollers hand the line on to their
 * notifiers, through printf(1)'s %b, a shell or a page of HTML: bytes that
 * mean something there are none of ours.
 */
static void
put(FILE *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (strchr("|\\", *text) != NULL)
			putc('/', out);
		else if (strchr("`$<>&\"'~", *text) != NULL)
			putc('?', out);
		else if (form_width(*text) > 1)
			putc('?', out);
		else
			putc(*text, out);
	}
}

static const char *
word_of(int status)
{
	switch (status) {
	case 0:
		return "OK";
	case 1:
		return "WARNING";
	case 2:
		return "CRITICAL";
	default:
		return "UNKNOWN";
	}
}

/* "ftp://h:21 grade C: medium (theft_kills), 2 inconclusive" */
static void
put_report(FILE *out, const json_t *report)
{
	struct form_counts n = form_count(report);
	const char *error = form_text(report, "error");

	put(out, form_target(report));
	if (error[0] != '\0') {
		fputs(": ", out);
		put(out, error);
		return;
	}
	fputs(" grade ", out);
	put(out, form_grade(report));
	fputs(": ", out);
	if (n.worst >= 0) {
		fprintf(out, "%s (", bounce_level_name(
		    (enum bounce_level)n.worst));
		put(out, n.worst_id);
		putc(')', out);
	} else {
		fprintf(out, "%zu safe", n.of[VERDICT_safe]);
	}
	if (n.of[VERDICT_inconclusive] > 0)
		fprintf(out, ", %zu inconclusive", n.of[VERDICT_inconclusive]);
}

/* Those of which there is something to say stand before the others. */
static int
weight(const json_t *report)
{
	return (int)verdict_find(form_text(report, "verdict"));
}

static void
put_reports(FILE *out, json_t *const *reports, size_t n)
{
	const char *before = "";
	size_t told = 0;

	for (int v = VERDICT_COUNT - 1; v >= 0; v--) {
		for (size_t i = 0; i < n && told < TOLD_MOST; i++) {
			if (weight(reports[i]) != v)
				continue;
			fputs(before, out);
			put_report(out, reports[i]);
			before = "; ";
			told++;
		}
	}
	if (n > told)
		fprintf(out, "; and %zu more", n - told);
	if (n == 0)
		fputs("no report", out);
}

void
nagios_print(FILE *out, json_t *const *reports, size_t n, int status)
{
	size_t of[VERDICT_COUNT] = { 0 };
	int64_t ms = 0;

	for (size_t i = 0; i < n; i++) {
		struct form_counts one = form_count(reports[i]);
		int64_t took = form_number(reports[i], "duration_ms");

		for (size_t v = 0; v < VERDICT_COUNT; v++)
			of[v] += one.of[v];
		if (took > ms)
			ms = took;
	}
	fprintf(out, "FTP AUDIT %s - ", word_of(status));
	put_reports(out, reports, n);
	fprintf(out, " | vulnerable=%zu accepts=%zu inconclusive=%zu "
	    "time=%" PRId64 ".%03" PRId64 "s\n", of[VERDICT_vulnerable],
	    of[VERDICT_accepts], of[VERDICT_inconclusive], ms / 1000,
	    ms % 1000);
}
