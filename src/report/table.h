/*
 * report/table.h: counts by key (a day, a client, a path, ...), with a stated
 * maximum of rows and of bytes in keys.  What comes when a table is full is
 * counted in one row, "others": the sums stay true, and memory bounded.
 *
 * Rejected: to forget small rows for new ones (as sketches do).  Then no row
 * would be exact, and an operator could not check one against a log.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/sv.h"

/* What is counted of anything.  Days are numbers: 20261124. */
struct report_tally {
	uint64_t transfers;	/* files, listings and uploads */
	uint64_t files;
	uint64_t files_whole;
	uint64_t listings;
	uint64_t incomplete;	/* of transfers */
	uint64_t bytes;		/* of files and listings: sent */
	uint64_t stored, stored_whole, stored_bytes;	/* uploads */
	uint64_t active, active_bytes;
	uint64_t active_failed;	/* the connection was not made */
	uint64_t passive, passive_bytes;
	uint64_t passive_failed;
	uint64_t sessions, logins, login_failures;
	uint64_t alerts;
	uint64_t refused;	/* of commands */
	uint64_t big, big_bytes, big_ms;	/* transfers that tell a rate */
	uint64_t peak;		/* of counters: the highest that was seen */
	uint32_t first_day, last_day, last_active_day;
	uint32_t network;	/* of clients: 1 + its row; 0: "others" */
	uint32_t severity;	/* of alerts */
};

struct report_row {
	char *key;		/* owned; not NUL-terminated */
	size_t len;
	uint64_t hash;
	struct report_tally tally;
};

struct report_table {
	struct report_row *rows;	/* in order of appearance */
	uint32_t count, room, most;
	size_t key_bytes, key_bytes_most;
	uint32_t *slots;	/* 1 + row; 0: free */
	uint32_t slot_count;	/* a power of two */
	uint64_t seed[2];	/* clients choose names and addresses */
	struct report_tally others;
	uint64_t others_events;	/* how many found no room */
};

/* Nothing is allocated yet.  report_table_free is fine after it. */
void report_table_init(struct report_table *t, uint32_t most,
    size_t key_bytes_most);
void report_table_free(struct report_table *t);

/*
 * The row of that key, made when there is none; NULL when there is no room.
 * Valid until the next call.
 */
struct report_row *report_table_row(struct report_table *t, struct sv key);
/* The same, "others" where there is no room: never NULL. */
struct report_tally *report_table_at(struct report_table *t, struct sv key);
