/*
 * watch/summary.h: what the sensor saw, for people.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdio.h>

#include "watch/eve.h"
#include "watch/watch.h"

struct summary {
	const struct watch *w;
	bool colour;
	bool all;			/* the list is not cut */
	const struct eve_count *more;	/* what was not seen, and why */
	size_t more_count;
	int64_t first_ns;		/* of the first packet */
};

/* Findings, gravest first; servers; what was not seen. */
void summary_print(FILE *out, const struct summary *s);

/* One line for a finding that is new or has risen (live). */
void summary_line(FILE *out, const struct finding *f, bool colour);
