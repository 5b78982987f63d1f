/*
 * watch/options.h: the command line of `portcullis watch`.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/addr.h"
#include "watch/outputs.h"

#define OPTIONS_GROUPS 64

struct options {
	const char **files;	/* room for all arguments: the caller's */
	size_t file_count;
	const char *interface;	/* NULL: files */
	const char *filter;
	const char *user;
	unsigned buffer_mib;
	bool sandbox;
	bool all;		/* no list is cut */
	bool colour;
	int fail_on;		/* enum bounce_level; -1: never */
	size_t memory_mib;
	struct outputs_wanted outputs;
	struct addr_net group[OPTIONS_GROUPS];
	size_t groups;
};

/* An exit status, after saying why, or -1 to go on. */
int options_take(struct options *o, int argc, char **argv);
