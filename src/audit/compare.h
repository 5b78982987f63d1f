/*
 * audit/compare.h: what changed since an earlier audit.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <jansson.h>
#include <stdio.h>

#include "base/sv.h"

#define COMPARE_LINE_MAX ((size_t)64 << 20)	/* of the earlier reports */
#define COMPARE_ERROR_MAX 512

struct compare;

/*
 * Reads reports as --json wrote them, one a line; blank lines are skipped.
 *
 * name   of the file, for the error
 * error  written when NULL is returned: "old.json:3: not a report: ..."
 */
MUST_USE struct compare *compare_read(FILE *in, const char *name,
    char error[COMPARE_ERROR_MAX]);
void compare_free(struct compare *c);

/* The last report of this target; NULL: there was none.  Borrowed. */
const json_t *compare_find(const struct compare *c, const char *target);

/*
 * A new array of what is different, worse first:
 *
 *   {"what": "verdict", "id": "theft", "from": "safe", "to": "vulnerable",
 *    "level": "high", "worse": true, "text": "theft is vulnerable, was safe"}
 *
 * what  verdict, evidence (of the same verdict), new, gone, server, grade,
 *       error; id and level stand where it is about one question
 *
 * NULL when there is no memory for it.
 */
json_t *compare_changes(const json_t *old, const json_t *report);

/*
 * Puts "changes" into the report, and in "compared_to" when the earlier one
 * was started.  For a target that the earlier audit did not have, one change
 * of the kind "target" says so.  False when there is no memory for it.
 */
MUST_USE bool compare_add(const struct compare *c, json_t *report);
