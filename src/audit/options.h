/*
 * audit/options.h: the auditor's command line.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdio.h>

#include "audit/questions.h"
#include "audit/target.h"
#include "base/addr.h"

#define OPTIONS_LISTEN 8	/* --listen-address */
#define OPTIONS_TARGETS 100000
#define OPTIONS_JOBS 64
#define OPTIONS_DIRECTORY_MAX 301	/* bytes of --directory, with NUL */

enum audit_exit {
	AUDIT_EXIT_SAFE = 0,
	AUDIT_EXIT_VULNERABLE = 1,	/* and when the audit itself failed */
	AUDIT_EXIT_USAGE = 2,
	AUDIT_EXIT_INCONCLUSIVE = 3,
};

enum form { FORM_TABLE, FORM_JSON, FORM_SARIF, FORM_NAGIOS };

struct options {
	struct target *targets;
	size_t target_count;
	enum form form;
	struct addr listen[OPTIONS_LISTEN];
	size_t listens;
	struct addr balancer;		/* ADDR_NONE: none is known */
	const char *contact;		/* NULL: none */
	const char *directory;		/* NULL: where the login lands */
	const char *log;		/* NULL: no log to look into */
	const char *syslog;		/* NULL: no socket to be syslog on */
	const char *compare;		/* NULL: nothing to compare with */
	const char *output;		/* NULL: no file beside */
	bool asked[ASK_COUNT];		/* --only: all, unless given */
	bool write;
	bool verbose;
	bool colour;
	bool progress;
	int family;			/* AF_UNSPEC, AF_INET, AF_INET6 */
	enum bounce_level fail_on;
	unsigned jobs;
	unsigned rate;			/* commands a second */
	unsigned timeout_ms;		/* for a reply */
	unsigned patience_s;		/* for an unused listener; 0: not */
	unsigned max_time_s;		/* for one target, patience_s beside */
};

/*
 * Takes the command line apart; "-" as a target reads more of them from
 * standard input, one a line.  Returns -1 to go on, or the exit status when
 * all is said.  audit_options_free is fine in either case.
 */
int audit_options_take(struct options *o, int argc, char **argv);
void audit_options_free(struct options *o);
