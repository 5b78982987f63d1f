/*
 * worker/descent.h: which directories LIST -R has still to go into.
 *
 * Depth first: what is beneath a directory comes before its neighbours, and
 * in the order in which it was listed.  Only names are kept, and of those no
 * more than DESCENT_NAMES_MAX bytes.  A descriptor for each level was
 * rejected, since a session would hold dozens; reading each directory a second
 * time, since it changes between the two.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/sv.h"

#define DESCENT_NAMES_MAX (1u << 20)	/* bytes */

enum descent_err {
	DESCENT_OK,
	DESCENT_TOO_DEEP,	/* or longer than a path can be */
	DESCENT_TOO_MANY,	/* names at once */
	DESCENT_NO_MEMORY,
};

struct descent;

/* depth: how many levels there may be beneath the top, which is listed first.
 * NULL without memory. */
struct descent *descent_new(unsigned depth);
void descent_free(struct descent *d);

/* A directory was met in the one that is listed now; name is copied. */
MUST_USE enum descent_err descent_add(struct descent *d, struct sv name);

/* The one that was listed is done: to the next; false: that was the last. */
bool descent_next(struct descent *d);

/*
 * What is listed now, seen from the top: "a/b", NUL-terminated; the top is
 * empty.  Valid until the next call.
 */
struct sv descent_path(const struct descent *d);
