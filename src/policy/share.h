/*
 * policy/share.h: dividing what there is among those who want it, max-min:
 * who wants less than an equal share has what he wants, and the others
 * divide the rest alike.  Pure arithmetic; units are the caller's.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SHARE_ALL UINT64_MAX	/* wants whatever there is */

struct share {
	struct share *next;
	uint64_t want;
	uint64_t most;		/* gets no more, whatever is left */
	uint64_t rate;		/* the outcome */
};

/*
 * Sets the rate of each in the list.  Their sum is at most whole, and none
 * gets less than the smaller of what he wants (and may have) and an equal
 * share.  What nobody wants is divided alike on top: a want is what was
 * measured, and its owner may want more a moment later.
 *
 * whole SHARE_ALL: each gets his most.  Else whole times the list's length
 * must fit into 64 bits.
 */
void share_divide(struct share *list, uint64_t whole);

/*
 * What who has used so much of his rate will want next: all, when he has
 * taken nearly all that he might, else a quarter more and `least`.
 */
uint64_t share_want(uint64_t used, uint64_t rate, uint64_t least);

uint64_t share_least(uint64_t a, uint64_t b);
uint64_t share_most(uint64_t a, uint64_t b);

/* A change from `now` that somebody would see: more than a thirty-second. */
bool share_is_other(uint64_t now, uint64_t rate);

/*
 * Bytes that may wait unsent for a connection of that rate: a quarter of a
 * second's, but a small file as a whole, and 4 MiB at most.  0, for SHARE_ALL,
 * is the system's default.
 */
uint32_t share_unsent(uint64_t rate);

/* An equal share, for one who comes to so many others before they are asked. */
uint64_t share_of_newcomer(uint64_t whole, uint64_t others);
