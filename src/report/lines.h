/*
 * report/lines.h: the lines of a file, plain or in gzip, or of standard
 * input.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/sv.h"

/* Sixteen times what the server writes; a longer one is told as such. */
#define REPORT_LINE_MAX 65536

struct report_lines;

enum report_lines_result {
	REPORT_LINE,
	REPORT_LINE_UNFINISHED,	/* the file ends in it, without its LF */
	REPORT_LINE_TOO_LONG,	/* skipped as a whole */
	REPORT_LINES_FAILED,	/* no more of this file: report_lines_error */
	REPORT_LINES_END,
};

/* name is "-" for standard input.  NULL: errno says why. */
MUST_USE struct report_lines *report_lines_open(const char *name);
void report_lines_free(struct report_lines *l);

/* out, without its LF, is valid until the next call. */
enum report_lines_result report_lines_next(struct report_lines *l,
    struct sv *out);
/* Why it failed; one line. */
const char *report_lines_error(struct report_lines *l);
