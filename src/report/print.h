/*
 * report/print.h: a report for people, and for programs.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdio.h>

#include "report/tally.h"

/* What was read, and what of it was no event. */
struct report_input {
	uint64_t files;
	uint64_t lines;
	uint64_t unfinished;		/* last lines that are still written */
	uint64_t bad;
	const char *bad_file;		/* the first of them */
	uint64_t bad_line;
	const char *bad_why;
};

/* Tables of 80 columns; top is how many rows each has, 0: all. */
void report_print_text(FILE *out, const struct report *r,
    const struct report_input *in, unsigned top);
/* One JSON object, with its LF.  False: no memory, or out has failed. */
MUST_USE bool report_print_json(FILE *out, const struct report *r,
    const struct report_input *in, unsigned top);
