/*
 * report/event.h: one line of an event file, as docs/design/events.md has it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <jansson.h>

#include "base/addr.h"

enum report_event_type {
	REPORT_SESSION_START,
	REPORT_SESSION_END,
	REPORT_LOGIN,
	REPORT_LOGIN_FAILED,
	REPORT_TRANSFER,
	REPORT_ALERT,
	REPORT_COMMAND,		/* that was answered with 400 or above */
	REPORT_STATS,
	REPORT_OTHER,		/* an event, and none that is counted here */
};

struct report_event {
	json_t *json;		/* owned; the texts below are borrowed of it */
	enum report_event_type type;
	uint32_t day;		/* UTC: 20261124 */
	struct addr client;	/* unmapped, port 0; ADDR_NONE of stats */
	/* of transfers */
	struct sv filename;
	struct sv user;		/* "anonymous" where none is named */
	struct sv result;
	uint64_t bytes, duration_ms;
	bool listing;		/* LIST, NLST, MLSD; else a file */
	bool upload;		/* STOR, APPE, STOU: the client sent it */
	bool active;
	/* of commands */
	struct sv verb, code;
	/* of alerts */
	struct sv variant;
	bool blocked;		/* the server's; else a sensor's */
	bool update;		/* a finding that was told before */
	uint32_t severity;	/* 1 high to 4 low; 0: none given */
	struct addr asked;	/* ADDR_NONE: none, or port 0 */
	/* of stats */
	struct sv process;
	json_t *stats;
};

/*
 * Reads a line without its LF.  False when it is none of ours: no JSON
 * object, no timestamp in UTC, or without what its type must have; *wrong is
 * then why, in a word or two.
 *
 * An event is freed by report_event_free, which does no harm after a failure.
 */
MUST_USE bool report_event_parse(struct sv line, struct report_event *out,
    const char **wrong);
void report_event_free(struct report_event *e);

/*
 * "2026-11-24" at the front of text: 20261124.  False when it is not one, or
 * no day of the calendar.
 */
MUST_USE bool report_day_parse(struct sv text, uint32_t *out);
