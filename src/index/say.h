/*
 * index/say.h: what is said on standard error, and how far it has come.
 * One thread's: the one that walks.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdint.h>

/* A line, behind the program's name; the progress makes room for it. */
__attribute__((format(printf, 1, 2))) void index_say(const char *format, ...);

struct index_progress {
	uint64_t entries, bytes;
	const char *path;	/* escaped */
};

/* From here on index_progress_show shows, on a terminal. */
void index_progress_begin(void);

/* Shown at most five times a second. */
void index_progress_show(const struct index_progress *p);
void index_progress_end(void);
