/*
 * audit/table.h: a report for people.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct table_style {
	bool colour;
	bool verbose;		/* every command and reply; nothing is cut */
	unsigned width;		/* columns; 0 is 80, the least is 60 */
};

/*
 * Who was asked and how, question by question, the count and the grade; and
 * what changed, when the report was compared (audit/compare.h).  Every byte
 * from the report is escaped unless it is printable ASCII, and every line,
 * but for the escapes of colour, is at most as wide as the style says.
 */
void table_print(FILE *out, const json_t *report,
    const struct table_style *style);
