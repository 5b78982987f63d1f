/*
 * watch/outputs.h: everything that the sensor writes but for the summary.
 *
 * All of it is open before the first packet is read: what reads packets opens
 * nothing.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "watch/eve.h"
#include "watch/watch.h"

struct outputs_wanted {
	const char *eve;	/* a file each; NULL: not wanted */
	bool json;		/* EVE to standard output */
	const char *zeek;
	const char *metrics;
	const char *syslog_file;
	bool syslog;
	bool live;		/* each line at once, behind those there */
};

struct outputs;

/* NULL, and said on standard error, when one cannot be opened. */
struct outputs *outputs_open(const struct outputs_wanted *wanted);
/* Hooks what is wanted into the report; findings go to outputs_finding. */
void outputs_hook(struct outputs *o, struct watch_report *report);
void outputs_finding(struct outputs *o, const struct watch *w,
    const struct finding *f);
/* Counters; `more`: what feeds the sensor, by the names that events have. */
void outputs_stats(struct outputs *o, const struct watch *w,
    const struct eve_count *more, size_t n);
/* False, and said, when something could not be written.  NULL is fine. */
bool outputs_close(struct outputs *o);
