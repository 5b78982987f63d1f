/*
 * audit/place.h: where the auditor stands: the addresses that it owns, and
 * sockets on them.  What it may name in a command is a listener of this file.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/addr.h"

/* Deadlines are moments of this clock (CLOCK_BOOTTIME), in ms. */
uint64_t place_now_ms(void);
void place_sleep_until(uint64_t when_ms);

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

/* ---- sockets; every descriptor is non-blocking and closed on exec */

struct listener {
	int fd;			/* -1: none */
	struct addr at;
};

/*
 * Listens on the address and the port (0: the kernel's choice).  False with
 * errno set when the address is not ours, or the port not to be had.
 */
MUST_USE bool listener_open(struct listener *l, const struct addr *ip,
    uint16_t port);
/* The same port of two addresses. */
MUST_USE bool listener_open_pair(struct listener *a, struct listener *b,
    const struct addr *ip_a, const struct addr *ip_b);
void listener_close(struct listener *l);

/* A connection that waits there, or -1. */
int listener_accept(const struct listener *l, struct addr *from);

/* Swallows what comes: further SYNs get no answer at all.  False: cannot. */
MUST_USE bool listener_make_silent(struct listener *l, int filler[4]);

/*
 * Connects from that address to that one.
 *
 * Returns the descriptor, or -1 with errno set: ETIMEDOUT at the deadline.
 */
MUST_USE int place_connect(const struct addr *from, const struct addr *to,
    uint64_t deadline_ms);

/* Waits until fd is readable; false at the deadline. */
bool place_readable(int fd, uint64_t deadline_ms);
