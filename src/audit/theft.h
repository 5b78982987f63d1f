/*
 * audit/theft.h: a stranger at a passive port (the "pizza thief"): B, or
 * another connection of A's, comes to the port that was told to A.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "audit/data.h"

enum theft_order {
	THEFT_ALONE,	/* the stranger, LIST; the owner only if nothing came */
	THEFT_FIRST,	/* the stranger, then the owner, then LIST */
};

struct theft {
	int64_t stranger_got, owner_got;	/* bytes; -1: no connection */
	bool refused;		/* the stranger's connection was closed */
	bool kept;		/* the owner's was served after that */
	struct reply done;	/* of the transfer */
};

/* B is there and reaches the server; else the question is answered. */
MUST_USE bool theft_can(struct ask *q);

/*
 * Whether the server may see one address for both, as behind a NAT: what a
 * stranger got is then no proof, and the question is answered with that.
 */
MUST_USE bool theft_has_one_address(struct ask *q);

/* False: there was no passive port, and the question is answered so. */
MUST_USE bool theft_try(struct theft *t, struct link *l,
    const struct addr *stranger, enum theft_order order);

/* Answers the question of a stranger alone. */
void theft_answer(const struct theft *t, struct ask *q);
