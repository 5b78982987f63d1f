/*
 * watch/progress.h: how far a long reading has come, on a terminal.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "watch/source.h"

struct progress {
	bool wanted;		/* standard error is a terminal */
	bool shown;
	int64_t next_ms;
};

/* lines: standard output gets lines meanwhile; no bar may stand among them. */
void progress_begin(struct progress *p, bool lines);
/* To be called for each packet: looks at the clock now and then. */
void progress_show(struct progress *p, const struct source *s,
    uint64_t packets);
/* Leaves the line empty. */
void progress_end(struct progress *p);
