/*
 * report/networks.h: which network a client belongs to: the longest that has
 * a name, or else its /24 (IPv4) or /48 (IPv6).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdio.h>

#include "base/addr.h"

#define REPORT_NETWORKS 4096	/* that have names */
#define REPORT_NETWORK_NAME 32	/* bytes of a name */
#define REPORT_NETWORK_KEY (REPORT_NETWORK_NAME + 1)

struct report_network {
	char name[REPORT_NETWORK_NAME + 1];
	struct addr_net net;
};

struct report_networks {
	struct report_network *list;
	size_t count;
};

/*
 * Reads lines "NAME NETWORK [NETWORK...]"; blank lines and those that begin
 * with # are left out.  A name may come again.  name is in.  False when
 * something is wrong, which is then said on standard error.
 */
MUST_USE bool report_networks_read(struct report_networks *n, FILE *in,
    const char *name);
void report_networks_free(struct report_networks *n);

/* A key for tables, of at most REPORT_NETWORK_KEY bytes; their number. */
size_t report_networks_key(const struct report_networks *n,
    const struct addr *client, char key[REPORT_NETWORK_KEY]);
/* A key as text: a name, or "192.0.2.0/24". */
const char *report_networks_text(struct sv key, char buf[ADDR_TEXT_MAX]);
