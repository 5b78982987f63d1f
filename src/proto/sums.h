/*
 * proto/sums.h: files of checksums, as sha256sum(1) and the BSDs' sha256(1)
 * write them:
 *
 *	<64 digits>  NAME		"*NAME" when it was read as binary
 *	\<64 digits>  A\nB		an escaped name: \n, \r, \\
 *	SHA256 (NAME) = <64 digits>
 *	<64 digits>			in a file for one name alone
 *
 * Read in pieces of any size, with memory for one line.  Other lines are
 * passed over.  Pure: no I/O, no allocation.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/sv.h"

#define SUMS_BYTES 32

/* The longest line that can hold a name: each of its bytes escaped. */
#define SUMS_LINE_MAX 1024

struct sums {
	struct sv name;		/* borrowed: whose digest is looked for */
	bool bare;		/* a digest without a name is meant for it */
	bool overlong;		/* the rest of this line is passed over */
	bool found;
	bool contradicts;	/* a second, other digest: neither is one */
	size_t len;
	uint8_t digest[SUMS_BYTES];
	char line[SUMS_LINE_MAX];
};

void sums_init(struct sums *s, struct sv name, bool bare);
void sums_feed(struct sums *s, struct sv bytes);

/* At the end of the file; false: it says nothing about that name. */
MUST_USE bool sums_end(struct sums *s, uint8_t digest[SUMS_BYTES]);
