/*
 * accounts/penalty.h: how long who guesses has to wait.  Pure but for its
 * memory: the clock is given with each call.
 *
 * A refused login counts against three: the source it came from (an IPv4
 * address, an IPv6 /64), that source's network (/24, /48), and the name that
 * was tried, whether there is such an account or not.  Each forgets one after
 * the other, and from some number on each makes the next try wait, twice as
 * long each time.  A source or network with too many is shut out for a time
 * that doubles when it goes on.  A name never is: who could shut out an
 * account by trying it would need no password to do harm; its waits end at
 * a few seconds.
 *
 * The wait comes before the password is looked at, so that right and wrong
 * ones wait alike.  Tries that are under way count for nothing, or a site
 * whose ten programs log in at the same moment would be shut out; who tries
 * many at once is stopped by asking penalty_is_shut again before each is
 * judged.  What is kept is a number for each, not the name: under a key of
 * this process, so that nobody can choose whom he shares a place with.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/addr.h"
#include "base/sv.h"

#define PENALTY_KINDS(X) \
/*	kind     forgets one     free  first  most   shut  for ...  at \
		 every ... ms          wait   wait   at    ms       most */ \
	X(SOURCE,  60000,        2,    1000,  16000, 10,   120000,  3600000) \
	X(NETWORK, 10000,        20,   1000,  8000,  60,   120000,  3600000) \
	X(NAME,    60000,        3,    1000,  4000,  0,    0,       0)

enum penalty_kind {
#define X(kind, ...) PENALTY_##kind,
	PENALTY_KINDS(X)
#undef X
	PENALTY_KIND_COUNT
};

/* Places to remember, of 32 bytes each.  The least guilty gives way. */
#define PENALTY_PLACES 16384

struct penalty;

/* NULL without memory or chance. */
struct penalty *penalty_new(void);
void penalty_free(struct penalty *p);

/* What one try is counted under. */
struct penalty_try {
	uint64_t key[PENALTY_KIND_COUNT];
};

struct penalty_try penalty_key(const struct penalty *p,
    const struct addr *peer, struct sv name);

/* The peer or his network is shut out now. */
bool penalty_is_shut(const struct penalty *p, const struct penalty_try *t,
    uint64_t now_ms);

/* How long a try that begins now has to wait until it is judged. */
uint64_t penalty_wait(const struct penalty *p, const struct penalty_try *t,
    uint64_t now_ms);

/* It was judged, and refused. */
void penalty_add(struct penalty *p, const struct penalty_try *t,
    uint64_t now_ms);
