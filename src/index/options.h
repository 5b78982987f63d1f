/*
 * index/options.h: the command line of `portcullis index`.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/sv.h"

#define INDEX_EXCLUDES 256

struct index_options {
	const char *directory;
	const char *output;	/* NULL: standard output */
	const char *previous;	/* NULL: none */
	const char *check;	/* NULL: an index is made */
	struct sv excludes[INDEX_EXCLUDES];
	size_t exclude_count;
	unsigned jobs;
	size_t memory;		/* bytes, for names */
	bool no_hash, one_file_system, quiet;
};

/* True: go on.  False: exit with *status. */
bool index_options_take(struct index_options *o, int argc, char **argv,
    int *status);
