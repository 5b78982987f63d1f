/*
 * report/tally.h: what a report counts, event by event, in any order.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "report/event.h"
#include "report/networks.h"
#include "report/table.h"

/* From this size on, a transfer's rate says something of its client. */
#define REPORT_BIG_BYTES (1u << 20)

#define REPORT_DEPTH_MOST 8	/* of datasets */

/*
 * All tables: rows at most, and bytes of their keys at most.  Together they
 * stay below 128 MiB.
 */
#define REPORT_TABLES(X) \
/*	name          rows      key bytes     what a row is */ \
	X(days,         4096,    64u << 10, "days") \
	X(datasets,    16384,     8u << 20, "datasets") \
	X(networks,    16384,     1u << 20, "networks") \
	X(clients,    131072,     4u << 20, "clients") \
	X(users,        4096,   256u << 10, "users") \
	X(files,       65536,    16u << 20, "files") \
	X(results,        64,     8u << 10, "results") \
	X(alerts,        256,    32u << 10, "kinds of alerts") \
	X(asked,       16384,     1u << 20, "addresses that were named") \
	X(commands,      512,    32u << 10, "refused commands") \
	X(counters,      256,    32u << 10, "counters")

enum report_table_id {
#define X(name, rows, bytes, what) REPORT_##name,
	REPORT_TABLES(X)
#undef X
	REPORT_TABLE_COUNT
};

/* Its name in JSON; what its rows are, for people. */
const char *report_table_name(enum report_table_id id);
const char *report_table_what(enum report_table_id id);

/*
 * Keys: days "2026-11-24"; datasets a byte with the depth, then the path;
 * networks as in networks.h; clients and asked a byte with the family, then
 * the address (16 bytes); alerts 'b' (blocked) or 'a' (allowed), then the
 * variant; commands "STOR 550"; counters "gate.events_dropped"; the others as
 * they are in events.
 */
struct report {
	struct report_table tables[REPORT_TABLE_COUNT];
	struct report_tally total;
	struct report_networks networks;
	unsigned depth;			/* of datasets: 1 to it */
	uint32_t from, to;		/* days; 0: no bound */
	uint64_t events;		/* that were counted */
	uint64_t outside;		/* before from, after to */
	uint64_t others;		/* of types that are not counted */
	uint64_t updates;		/* of a sensor's findings */
};

void report_init(struct report *r);
void report_free(struct report *r);
void report_take(struct report *r, const struct report_event *e);

/* An address as a key of clients and asked, and back. */
#define REPORT_ADDR_KEY 17
void report_addr_key(const struct addr *a, char key[REPORT_ADDR_KEY]);
const char *report_addr_text(struct sv key, char buf[ADDR_TEXT_MAX]);

/* How the clients of a network open their data connections. */
struct report_modes {
	uint64_t active_only, both, passive_only;	/* clients */
};

/*
 * out  one for each row of networks, and a last one for "others"
 *
 * A connection that was not made does not count: a client whose active
 * transfers all fail does not need them.
 */
void report_modes(const struct report *r, struct report_modes *out);
