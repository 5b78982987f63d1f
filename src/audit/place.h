/*
 * audit/place.h: where the auditor stands: which addresses it owns, and which
 * of them serve for what.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/addr.h"

struct place {
	struct addr here;	/* A: connects, and is the client */
	struct addr server;	/* the audited address, with its port */
	struct addr other;	/* B, of A's family; ADDR_NONE: there is none */
	struct addr other4;	/* an own address that is not A, of each */
	struct addr other6;	/* family; one of them is B */
	struct addr private4;	/* one that RFC 1918 sets apart, if A is not */
	bool reachable;		/* a connection from B to the server is made */
	bool behind_nat;	/* A is private, and the server is not */
};

bool place_is_loopback(const struct addr *a);

/*
 * Finds the other addresses of the host.
 *
 * here, server  the ends of a control connection that was made
 * given, n      addresses that the user wants named; found ones come after
 *
 * Returns NULL, or what is wrong with a given address.
 */
MUST_USE const char *place_find(struct place *p, const struct addr *here,
    const struct addr *server, const struct addr *given, size_t n);

/* One of the addresses above that are ours: it may be named. */
bool place_owns(const struct place *p, const struct addr *a);
