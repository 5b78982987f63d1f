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

#define SHARE_FLOOR 2000		/* a segment, or it stalls */
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

/*
 * Nobody is made so slow that his time-out ends him: at least a segment in
 * each second, and twice what he must have.
 */
uint64_t share_not_too_slow(uint64_t rate, uint64_t must_have);

/* How much may wait unsent at that rate; 0: what the system takes. */
unsigned share_unsent(uint64_t rate);

uint64_t share_least(uint64_t a, uint64_t b);

/* A change that nobody would see is not worth a system call. */
bool share_is_other(uint64_t now, uint64_t rate);

/* An equal share, for one who comes to so many others before they are asked. */
uint64_t share_of_newcomer(uint64_t whole, uint64_t others);
