/*
 * index/row.h: a line of an index, written and read.
 *
 *	SHA-256 TAB size TAB mtime TAB path
 *	link    TAB size TAB mtime TAB path TAB target
 *	?       TAB -    TAB -     TAB path
 *
 * "-" stands for a SHA-256 that was not asked for.  "?" is something that is
 * there and could not be read; when its path ends with "/", all below it.  It
 * has a line so that no mirror takes it for removed.  TAB separates, since no
 * escaped name holds one, and blanks in names need no quotes.
 *
 * Lines are in the order of their paths' bytes, as escaped (LC_ALL=C sort).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <limits.h>
#include <time.h>

#include "index/name.h"
#include "tls/digest.h"

#define INDEX_HEADER "# portcullis index 1"

/* "2026-11-25T10:58:06.123456789Z", and room for far years. */
#define INDEX_TIME_ROOM 48

/* An escaped path, and a line of two of them with its LF and NUL. */
#define INDEX_PATH_ROOM INDEX_NAME_ROOM(PATH_MAX)
#define INDEX_LINE_ROOM \
	(DIGEST_SHA256_HEX + 24 + INDEX_TIME_ROOM + 2 * INDEX_PATH_ROOM + 2)

enum index_kind { INDEX_FILE, INDEX_LINK, INDEX_LEFT };

struct index_row {
	enum index_kind kind;
	char hash[DIGEST_SHA256_HEX];	/* of a file; "-": not known */
	uint64_t size;
	char mtime[INDEX_TIME_ROOM];	/* compared as text: it has one form */
	const char *path;		/* escaped, borrowed */
	const char *target;		/* of a link: likewise */
};

/* UTC with nanoseconds; "@SECONDS.nanosZ" where no calendar reaches. */
void index_time_format(struct timespec t, char out[INDEX_TIME_ROOM]);

/* With LF and NUL; the length without the NUL. */
size_t index_row_format(const struct index_row *row,
    char out[INDEX_LINE_ROOM]);

/*
 * Reads a line without its LF.  NULL, or what is wrong with it.  The line is
 * cut up in place, and out borrows from it.
 */
MUST_USE const char *index_row_parse(char *line, struct index_row *out);
