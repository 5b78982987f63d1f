/*
 * policy/passive.h: which address a 227 reply names to this client, and from
 * which ports it is drawn.  Pure.
 *
 * Only the text of the reply is decided here.  Who may connect to the port is
 * another question, and its answer (the session's own client) does not depend
 * on what was told.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/addr.h"

/* A host name has at most 253 bytes (RFC 1035 §3.1); with its NUL. */
#define PASSIVE_NAME_MAX 256

enum passive_means {
	PASSIVE_LOCAL,	/* the control connection's own address */
	PASSIVE_FIXED,	/* `at` */
	PASSIVE_NAMED,	/* what `name` resolves to */
};

struct passive_entry {
	struct addr_net clients; /* IPv4; 0.0.0.0/0 is all of them */
	uint32_t means;		 /* enum passive_means */
	struct addr at;
	char name[PASSIVE_NAME_MAX];
};

/*
 * The entry of the smallest network that holds the client; NULL when none
 * does, which is PASSIVE_LOCAL.  No two entries have the same network.
 */
const struct passive_entry *passive_choose(const struct passive_entry *list,
    size_t count, const struct addr *client);

/* An IPv4 address of one host that a client could connect to. */
bool passive_can_be_told(const struct addr *a);

/* Ports for the sessions of one listener; both ends belong to it. */
struct passive_ports {
	struct addr at;
	uint32_t low;
	uint32_t high;
};

/*
 * The row of the listener that accepted a connection whose own end is
 * `local`: the one with that address, else the one with all addresses of the
 * family, on that port.  NULL: it has no ports of its own.
 */
const struct passive_ports *passive_ports_of(const struct passive_ports *list,
    size_t count, const struct addr *local);
