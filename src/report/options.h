/*
 * report/options.h: the command line of `portcullis report`.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct report_options {
	char **files;		/* borrowed of argv */
	size_t file_count;
	const char *networks;	/* NULL: none have names */
	bool json;
	unsigned depth;
	unsigned top;		/* rows of a table; 0: all */
	uint32_t from, to;	/* days; 0: no bound */
};

/* -1 to go on, or the exit status when all is said. */
int report_options_take(struct report_options *o, int argc, char **argv);
