/*
 * report/text.c: tables of 80 columns; see print.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <stdlib.h>

#include "report/order.h"
#include "report/print.h"

#define BAR 12		/* columns of a bar */
#define DAYS 31		/* shown, unless more are asked for */
#define CELL 24		/* a number or a size as text */

/* "312 B", "1.4 GiB": three or four digits say enough. */
static const char *
size_text(uint64_t bytes, char buf[CELL])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB",
		"PiB", "EiB" };
	double value = (double)bytes;
	size_t u = 0;

	/* 1023.96 would be printed as 1024.0. */
	for (; value >= 1023.95 && u < 6; u++)
		value /= 1024;
	if (u == 0)
		snprintf(buf, CELL, "%" PRIu64 " B", bytes);
	else
		snprintf(buf, CELL, "%.1f %s", value, units[u]);
	return buf;
}

/* "12.3%" of all; nothing of nothing. */
static const char *
share_text(uint64_t part, uint64_t all, char buf[CELL])
{
	if (all == 0)
		snprintf(buf, CELL, "-");
	else
		snprintf(buf, CELL, "%.1f%%", 100 * (double)part /
		    (double)all);
	return buf;
}

static const char *
day_text(uint32_t day, char buf[CELL])
{
	if (day == 0)
		snprintf(buf, CELL, "never");
	else
		snprintf(buf, CELL, "%04u-%02u-%02u",
		    (unsigned)(day / 10000), (unsigned)(day / 100 % 100),
		    (unsigned)(day % 100));
	return buf;
}

#define CUT 6		/* of a name's front that stays when it is cut */

/*
 * A name in so many columns, and a blank.  Bytes of the network reach no
 * terminal as they are; a name that is too long loses its middle, since
 * paths differ at their ends.
 */
static void
print_name(FILE *out, struct sv name, size_t width)
{
	char text[4 * 2048];
	size_t n = 0;

	for (size_t i = 0; i < name.len && n + 4 < sizeof(text); i++) {
		unsigned char c = (unsigned char)name.ptr[i];

		if (c >= 0x20 && c < 0x7f)
			text[n++] = (char)c;
		else
			n += (size_t)snprintf(text + n, 5, "\\x%02x", c);
	}
	if (n <= width)
		fprintf(out, "%.*s%*s", (int)n, text, (int)(width - n), "");
	else
		fprintf(out, "%.*s...%.*s", CUT, text,
		    (int)(width - CUT - 3), text + n - (width - CUT - 3));
	putc(' ', out);
}

static void
print_bar(FILE *out, uint64_t value, uint64_t most)
{
	int n = most == 0 ? 0 : (int)(BAR * (double)value / (double)most +
	    0.5);

	if (n == 0 && value > 0)
		n = 1;
	for (int i = 0; i < n; i++)
		putc('#', out);
	putc('\n', out);
}

/* What a table needs of the rows that it is made from. */
struct view {
	FILE *out;
	const struct report *r;
	unsigned top;
	const struct report_row **rows;
	size_t count, shown;
};

/* False, and nothing to free: the table is empty. */
static bool
open_view(struct view *v, enum report_table_id id, enum report_order order,
    char prefix)
{
	v->rows = report_sort(&v->r->tables[id], order, prefix, &v->count);
	if (v->rows == NULL) {
		fprintf(v->out, "\nout of memory for the table of %s\n",
		    report_table_what(id));
		return false;
	}
	v->shown = v->top == 0 || v->count < v->top ? v->count : v->top;
	if (v->count == 0) {
		free(v->rows);
		return false;
	}
	return true;
}

/* What is not in the table, below it. */
static void
close_view(struct view *v, enum report_table_id id)
{
	const struct report_table *t = &v->r->tables[id];

	if (v->count > v->shown)
		fprintf(v->out, "and %zu more (--top)\n",
		    v->count - v->shown);
	if (t->others_events > 0)
		fprintf(v->out, "others: %" PRIu64 " events that found no "
		    "room among %u %s\n", t->others_events,
		    (unsigned)t->count, report_table_what(id));
	free(v->rows);
}

static struct sv
key_of(const struct report_row *row)
{
	return (struct sv) { row->key, row->len };
}

/* ---- the whole */

static const char *
plural(uint64_t n, const char *one, const char *many)
{
	return n == 1 ? one : many;
}

static void
print_period(FILE *out, const struct report *r)
{
	uint32_t days = r->tables[REPORT_days].count;
	char from[CELL], to[CELL];

	fputs(day_text(r->total.first_day, from), out);
	if (r->total.last_day != r->total.first_day)
		fprintf(out, " to %s", day_text(r->total.last_day, to));
	fprintf(out, " (UTC), %u %s with events\n\n", (unsigned)days,
	    plural(days, "day", "days"));
}

static void
print_mode(FILE *out, const char *label, uint64_t n, uint64_t all,
    uint64_t bytes, uint64_t failed)
{
	char size[CELL], share[CELL];

	fprintf(out, "  %-9s %" PRIu64 " %s (%s), %s", label, n,
	    plural(n, "transfer", "transfers"), share_text(n, all, share),
	    size_text(bytes, size));
	if (failed > 0)
		fprintf(out, "; %" PRIu64 " without a connection (425)",
		    failed);
	putc('\n', out);
}

static void
print_total(FILE *out, const struct report *r)
{
	const struct report_tally *t = &r->total;
	const struct report_table *clients = &r->tables[REPORT_clients];
	bool more = clients->others_events > 0;
	char size[CELL];

	fprintf(out, "  %-9s %s: %" PRIu64 " %s (%" PRIu64 " whole), %" PRIu64
	    " %s\n", "sent", size_text(t->bytes, size), t->files,
	    plural(t->files, "file", "files"), t->files_whole, t->listings,
	    plural(t->listings, "listing", "listings"));
	if (t->stored > 0)
		fprintf(out, "  %-9s %s: %" PRIu64 " %s (%" PRIu64
		    " whole)\n", "received", size_text(t->stored_bytes, size),
		    t->stored, plural(t->stored, "file", "files"),
		    t->stored_whole);
	print_mode(out, "passive", t->passive, t->transfers,
	    t->passive_bytes, t->passive_failed);
	print_mode(out, "active", t->active, t->transfers, t->active_bytes,
	    t->active_failed);
	fprintf(out, "  %-9s %s%u %s of %u %s\n", "clients", more ?
	    "more than " : "", (unsigned)clients->count,
	    plural(clients->count, "address", "addresses"),
	    (unsigned)r->tables[REPORT_networks].count,
	    plural(r->tables[REPORT_networks].count, "network", "networks"));
	fprintf(out, "  %-9s %" PRIu64 "; %" PRIu64 " %s, %" PRIu64
	    " refused\n", "sessions", t->sessions, t->logins,
	    plural(t->logins, "login", "logins"), t->login_failures);
	fprintf(out, "  %-9s %" PRIu64 "\n", "alerts", t->alerts);
}

/* ---- days, networks, datasets, files */

static uint64_t
most_bytes(const struct view *v, size_t from)
{
	uint64_t most = 0;

	for (size_t i = from; i < v->count; i++)
		if (v->rows[i]->tally.bytes > most)
			most = v->rows[i]->tally.bytes;
	return most;
}

/* In the order of the calendar, the last ones. */
static void
print_days(struct view *v)
{
	unsigned top = v->top == 0 ? 0 : v->top > DAYS ? v->top : DAYS;
	size_t from;
	uint64_t most;

	if (!open_view(v, REPORT_days, REPORT_BY_KEY, 0))
		return;
	from = top == 0 || v->count < top ? 0 : v->count - top;
	most = most_bytes(v, from);
	fprintf(v->out, "\n%-10s %8s %7s %8s %8s %6s %10s\n", "Days",
	    "sessions", "files", "listings", "active", "alerts", "sent");
	for (size_t i = from; i < v->count; i++) {
		const struct report_tally *t = &v->rows[i]->tally;
		char size[CELL];

		print_name(v->out, key_of(v->rows[i]), 10);
		fprintf(v->out, "%8" PRIu64 " %7" PRIu64 " %8" PRIu64 " %8"
		    PRIu64 " %6" PRIu64 " %10s ", t->sessions, t->files,
		    t->listings, t->active, t->alerts,
		    size_text(t->bytes, size));
		print_bar(v->out, t->bytes, most);
	}
	v->shown = v->count;
	if (from > 0)
		fprintf(v->out, "and %zu days before (--top)\n", from);
	close_view(v, REPORT_days);
}

#define NAME_WIDTH     43
#define RECEIVED_WIDTH 11

/* What was received has a column where anything was. */
static size_t
name_width(const struct view *v)
{
	return NAME_WIDTH - (v->r->total.stored > 0 ? RECEIVED_WIDTH : 0);
}

static void
print_amount(struct view *v, const struct report_tally *t)
{
	char size[CELL], share[CELL];

	if (v->r->total.stored > 0)
		fprintf(v->out, " %10s", size_text(t->stored_bytes, size));
	fprintf(v->out, " %10s %6s\n", size_text(t->bytes, size),
	    share_text(t->bytes, v->r->total.bytes, share));
}

static void
print_volume(struct view *v, const struct report_row *row, struct sv name)
{
	const struct report_tally *t = &row->tally;

	print_name(v->out, name, name_width(v));
	fprintf(v->out, "%8" PRIu64 " %8" PRIu64, t->files, t->listings);
	print_amount(v, t);
}

static void
print_heading(struct view *v, const char *title, const char *one,
    const char *two)
{
	fprintf(v->out, "\n%-*s %8s %8s%s %10s %6s\n", (int)name_width(v),
	    title, one, two, v->r->total.stored > 0 ? "   received" : "",
	    "sent", "share");
}

static void
print_volume_heading(struct view *v, const char *title)
{
	print_heading(v, title, "files", "listings");
}

static void
print_datasets(struct view *v)
{
	for (unsigned depth = 1; depth <= v->r->depth; depth++) {
		char title[64];

		if (!open_view(v, REPORT_datasets, REPORT_BY_BYTES,
		    (char)depth))
			continue;
		snprintf(title, sizeof(title), "Datasets (%u %s)", depth,
		    plural(depth, "component", "components"));
		print_volume_heading(v, title);
		for (size_t i = 0; i < v->shown; i++)
			print_volume(v, v->rows[i],
			    sv_drop(key_of(v->rows[i]), 1));
		close_view(v, REPORT_datasets);
	}
}

static void
print_networks(struct view *v)
{
	char text[ADDR_TEXT_MAX];

	if (!open_view(v, REPORT_networks, REPORT_BY_BYTES, 0))
		return;
	print_volume_heading(v, "Networks");
	for (size_t i = 0; i < v->shown; i++)
		print_volume(v, v->rows[i], sv_of(report_networks_text(
		    key_of(v->rows[i]), text)));
	close_view(v, REPORT_networks);
}

static void
print_users(struct view *v)
{
	if (!open_view(v, REPORT_users, REPORT_BY_BYTES, 0))
		return;
	print_volume_heading(v, "Users");
	for (size_t i = 0; i < v->shown; i++)
		print_volume(v, v->rows[i], key_of(v->rows[i]));
	close_view(v, REPORT_users);
}

static void
print_clients(struct view *v)
{
	char text[ADDR_TEXT_MAX];

	if (!open_view(v, REPORT_clients, REPORT_BY_BYTES, 0))
		return;
	print_volume_heading(v, "Clients");
	for (size_t i = 0; i < v->shown; i++)
		print_volume(v, v->rows[i], sv_of(report_addr_text(
		    key_of(v->rows[i]), text)));
	close_view(v, REPORT_clients);
}

static void
print_files(struct view *v)
{
	if (!open_view(v, REPORT_files, REPORT_BY_BYTES, 0))
		return;
	print_heading(v, "Files", "times", "whole");
	for (size_t i = 0; i < v->shown; i++) {
		const struct report_tally *t = &v->rows[i]->tally;

		print_name(v->out, key_of(v->rows[i]), name_width(v));
		fprintf(v->out, "%8" PRIu64 " %8" PRIu64, t->files,
		    t->files_whole);
		print_amount(v, t);
	}
	close_view(v, REPORT_files);
}

/* ---- active mode */

static void
print_active_row(struct view *v, const struct report_row *row,
    const struct report_modes *m)
{
	const struct report_tally *t = &row->tally;
	char text[ADDR_TEXT_MAX], share[CELL], day[CELL];

	print_name(v->out, sv_of(report_networks_text(key_of(row), text)),
	    18);
	fprintf(v->out, "%6" PRIu64 " %4" PRIu64 " %7" PRIu64 "  %7" PRIu64
	    " %7" PRIu64 " %6s %6" PRIu64 " %10s\n", m->active_only, m->both,
	    m->passive_only, t->active, t->passive, share_text(t->active,
	    t->transfers, share), t->active_failed,
	    day_text(t->last_active_day, day));
}

/* The sentence that the operator wants. */
static void
print_verdict(struct view *v, const struct report_modes *modes)
{
	uint64_t only = 0, both = 0, networks = 0;
	uint32_t n = v->r->tables[REPORT_networks].count;
	char day[CELL];

	for (uint32_t i = 0; i <= n; i++) {
		only += modes[i].active_only;
		both += modes[i].both;
		networks += modes[i].active_only > 0;
	}
	if (v->r->total.active == 0)
		fputs("Nobody has used active mode: it can go.\n", v->out);
	else if (only + both == 0)
		fputs("Active mode was asked for, and no connection was made "
		    "in it: it can go.\n", v->out);
	else if (only == 0)
		fprintf(v->out, "Without active mode nobody would be cut off: "
		    "%" PRIu64 " %s used it, and passive\nmode, too. The "
		    "last time was %s.\n", both, plural(both, "client",
		    "clients"), day_text(v->r->total.last_active_day, day));
	else
		fprintf(v->out, "Without active mode %" PRIu64 " %s of %"
		    PRIu64 " %s would be cut off, who used\nnothing else. "
		    "The last time was %s.\n", only, plural(only, "client",
		    "clients"), networks, plural(networks, "network",
		    "networks"), day_text(v->r->total.last_active_day, day));
	if (v->r->tables[REPORT_clients].others_events > 0)
		fputs("This says nothing of clients that found no room.\n",
		    v->out);
}

static const struct report_modes *sorted_modes;
static const struct report_row *sorted_rows;

/* Those who would be cut off, first. */
static int
by_need(const void *a, const void *b)
{
	const struct report_row *x = *(const struct report_row *const *)a;
	const struct report_row *y = *(const struct report_row *const *)b;
	const struct report_modes *m = &sorted_modes[x - sorted_rows];
	const struct report_modes *n = &sorted_modes[y - sorted_rows];

	if (m->active_only != n->active_only)
		return m->active_only > n->active_only ? -1 : 1;
	if (x->tally.active != y->tally.active)
		return x->tally.active > y->tally.active ? -1 : 1;
	return x < y ? -1 : x > y;
}

static void
print_active_rows(struct view *v, const struct report_modes *modes)
{
	const struct report_table *networks = &v->r->tables[REPORT_networks];

	if (!open_view(v, REPORT_networks, REPORT_BY_ACTIVE, 0))
		return;
	sorted_modes = modes;
	sorted_rows = networks->rows;
	qsort(v->rows, v->count, sizeof(*v->rows), by_need);
	fprintf(v->out, "%-18s %19s  %s\n", "", "clients that use --",
	    "transfers ---- of them active: ---------");
	fprintf(v->out, "%-18s %6s %4s %7s  %7s %7s %6s %6s %10s\n",
	    "network", "active", "both", "passive", "active", "passive",
	    "share", "failed", "last");
	for (size_t i = 0; i < v->shown; i++)
		print_active_row(v, v->rows[i],
		    &modes[v->rows[i] - networks->rows]);
	close_view(v, REPORT_networks);
}

static void
print_active(struct view *v)
{
	uint32_t networks = v->r->tables[REPORT_networks].count;
	struct report_modes *modes;

	if (v->r->total.transfers == 0)
		return;
	modes = calloc((size_t)networks + 1, sizeof(*modes));
	if (modes == NULL) {
		fputs("\nout of memory for active mode\n", v->out);
		return;
	}
	report_modes(v->r, modes);
	fputs("\nActive mode\n", v->out);
	print_verdict(v, modes);
	print_active_rows(v, modes);
	free(modes);
}

/* ---- what is slow, what failed, what was refused */

static void
print_slowest(struct view *v)
{
	if (!open_view(v, REPORT_clients, REPORT_BY_SLOWNESS, 0))
		return;
	fprintf(v->out, "\n%-43s %8s %10s %14s\n", "Slowest clients (transfers "
	    "from 1 MiB)", "count", "sent", "rate");
	for (size_t i = 0; i < v->shown; i++) {
		const struct report_tally *t = &v->rows[i]->tally;
		char text[ADDR_TEXT_MAX], size[CELL], rate[CELL];

		print_name(v->out, sv_of(report_addr_text(key_of(v->rows[i]),
		    text)), 43);
		fprintf(v->out, "%8" PRIu64 " %10s %12s/s\n", t->big,
		    size_text(t->big_bytes, size),
		    size_text(report_rate_Bps(t), rate));
	}
	close_view(v, REPORT_clients);
}

static const char *
result_text(struct sv result)
{
	static const struct {
		const char *result, *meaning;
	} meanings[] = {
		{ "peer_closed", "the client closed before the end" },
		{ "not_connected", "no data connection (425)" },
		{ "busy", "too many transfers (425)" },
		{ "aborted", "the client sent ABOR (426)" },
		{ "stalled", "nothing moved for too long (426)" },
		{ "too_slow", "slower than rate.least (426)" },
		{ "session_ended", "the session ended before it (426)" },
		{ "read_error", "the file could not be read (451)" },
		{ "changed", "the file changed meanwhile (451)" },
		{ "tls_failed", "no TLS for the data (522)" },
		{ "not_resumed", "its TLS session is another (522)" },
		{ "tls_cut", "TLS was cut off (426)" },
		{ "no_space", "the disk was full (452)" },
		{ "over_quota", "the quota is used up (552)" },
		{ "mismatch", "its .sha256 says otherwise (550)" },
		{ "write_error", "the file could not be written (451)" },
		{ "over_limit", "LIST -R came to its limit (451)" },
	};

	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (sv_eq(result, sv_of(meanings[i].result)))
			return meanings[i].meaning;
	return "";
}

static void
print_results(struct view *v)
{
	if (v->r->total.incomplete == 0 || !open_view(v, REPORT_results,
	    REPORT_BY_TRANSFERS, 0))
		return;
	fprintf(v->out, "\n%-16s %8s %8s %8s  %s\n", "Not complete", "all",
	    "active", "passive", "meaning");
	for (size_t i = 0; i < v->count; i++) {
		const struct report_tally *t = &v->rows[i]->tally;

		if (t->incomplete == 0)
			continue;
		print_name(v->out, key_of(v->rows[i]), 16);
		fprintf(v->out, "%8" PRIu64 " %8" PRIu64 " %8" PRIu64
		    "  %s\n", t->incomplete, t->active, t->passive,
		    result_text(key_of(v->rows[i])));
	}
	v->shown = v->count;
	close_view(v, REPORT_results);
}

static void
print_kinds(struct view *v)
{
	if (!open_view(v, REPORT_alerts, REPORT_BY_ALERTS, 0))
		return;
	fprintf(v->out, "\n%-25s %-12s %8s %10s %10s %10s\n",
	    "Refused, and alerts", "", "count", "severity", "first", "last");
	for (size_t i = 0; i < v->shown; i++) {
		const struct report_tally *t = &v->rows[i]->tally;
		bool blocked = v->rows[i]->key[0] == 'b';
		char first[CELL], last[CELL];

		print_name(v->out, sv_drop(key_of(v->rows[i]), 1), 25);
		fprintf(v->out, "%-12s %8" PRIu64 " %10u %10s %10s\n",
		    blocked ? "refused" : "seen only", t->alerts,
		    (unsigned)t->severity, day_text(t->first_day, first),
		    day_text(t->last_day, last));
	}
	close_view(v, REPORT_alerts);
}

/* Only where events.commands of the server asks for them. */
static void
print_commands(struct view *v)
{
	if (!open_view(v, REPORT_commands, REPORT_BY_REFUSED, 0))
		return;
	fprintf(v->out, "\n%-38s %8s %10s %10s\n",
	    "Commands that were refused, and code", "count", "first", "last");
	for (size_t i = 0; i < v->shown; i++) {
		const struct report_tally *t = &v->rows[i]->tally;
		char first[CELL], last[CELL];

		print_name(v->out, key_of(v->rows[i]), 38);
		fprintf(v->out, "%8" PRIu64 " %10s %10s\n", t->refused,
		    day_text(t->first_day, first),
		    day_text(t->last_day, last));
	}
	close_view(v, REPORT_commands);
}

static void
print_addresses(struct view *v, enum report_table_id id, const char *title)
{
	if (!open_view(v, id, REPORT_BY_ALERTS, 0))
		return;
	fprintf(v->out, "\n%-47s %8s %10s %10s\n", title, "alerts", "first",
	    "last");
	for (size_t i = 0; i < v->shown; i++) {
		const struct report_tally *t = &v->rows[i]->tally;
		char text[ADDR_TEXT_MAX], first[CELL], last[CELL];

		print_name(v->out, sv_of(report_addr_text(key_of(v->rows[i]),
		    text)), 47);
		fprintf(v->out, "%8" PRIu64 " %10s %10s\n", t->alerts,
		    day_text(t->first_day, first),
		    day_text(t->last_day, last));
	}
	close_view(v, id);
}

/* ---- what the log does not have */

/* Counters that tell of what has no event of its own. */
static const struct {
	const char *key, *meaning;
} told[] = {
	{ "gate.refused_full", "connections refused (421): full" },
	{ "gate.refused_class", "connections refused (421): a class is full" },
	{ "gate.refused_address", "connections refused (421): one address" },
	{ "gate.busy_full", "transfers refused (425): too many" },
	{ "gate.busy_class", "transfers refused (425): of a class" },
	{ "gate.busy_address", "transfers refused (425): of one address" },
	{ "gate.refused_no_worker", "connections refused (421): no worker" },
	{ "gate.refused_solo", "sessions ended (421): no process for a user" },
	{ "gate.refused_pace", "of these: too many from one address" },
	{ "gate.descriptors_exhausted", "times without descriptors" },
	{ "gate.passive_full", "passive ports refused (425): none free" },
	{ "gate.passive_expired", "passive ports that nobody used" },
	{ "gate.active_rate_limited", "active connections put off" },
	{ "worker.refused_addresses", "data addresses refused" },
	{ "worker.unknown_commands", "commands refused (500): unknown" },
	{ "worker.overlong_lines", "lines refused (500): too long" },
	{ "worker.timeouts", "sessions ended (421): idle" },
	{ "gate.events_dropped", "events of the gate lost" },
	{ "worker.events_dropped", "events of a worker lost" },
	{ "worker.xferlog_dropped", "xferlog lines of a worker lost" },
	{ "watch.findings_shed", "findings of the sensor lost" },
};

static uint64_t
peak_of(const struct report *r, const char *key)
{
	const struct report_table *t = &r->tables[REPORT_counters];

	for (uint32_t i = 0; i < t->count; i++)
		if (sv_eq(key_of(&t->rows[i]), sv_of(key)))
			return t->rows[i].tally.peak;
	return 0;
}

static void
print_counters(struct view *v)
{
	bool any = false;

	if (v->r->tables[REPORT_counters].count == 0)
		return;
	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
		uint64_t peak = peak_of(v->r, told[i].key);

		if (peak == 0)
			continue;
		if (!any)
			fputs("\nCounted by one process since its start, at "
			    "least\n", v->out);
		any = true;
		fprintf(v->out, "  %12" PRIu64 "  %s\n", peak,
		    told[i].meaning);
	}
	if (peak_of(v->r, "gate.events_dropped") +
	    peak_of(v->r, "worker.events_dropped") > 0)
		fputs("Events were lost: all counts above are too small.\n",
		    v->out);
	else
		fputs("\nNo event was lost, as far as the processes have "
		    "said.\n", v->out);
}

static void
print_file_name(FILE *out, const char *name)
{
	for (; *name != '\0'; name++) {
		unsigned char c = (unsigned char)*name;

		fprintf(out, c < 0x20 || c == 0x7f ? "\\x%02x" : "%c", c);
	}
}

static void
print_input(FILE *out, const struct report *r, const struct report_input *in)
{
	fprintf(out, "\n%" PRIu64 " %s of %" PRIu64 " %s were read: %" PRIu64
	    " %s counted", in->lines, plural(in->lines, "line", "lines"),
	    in->files, plural(in->files, "file", "files"), r->events,
	    plural(r->events, "event", "events"));
	if (r->outside > 0)
		fprintf(out, ",\n%" PRIu64 " outside the days", r->outside);
	if (r->others > 0)
		fprintf(out, ",\n%" PRIu64 " of types that are not counted",
		    r->others);
	if (r->updates > 0)
		fprintf(out, ",\n%" PRIu64 " updates of findings", r->updates);
	if (in->unfinished > 0)
		fprintf(out, ",\n%" PRIu64 " still being written",
		    in->unfinished);
	fputs(".\n", out);
	if (in->bad == 0)
		return;
	fprintf(out, "%" PRIu64 " %s no event; the first is\n", in->bad,
	    plural(in->bad, "line is", "lines are"));
	print_file_name(out, in->bad_file);
	fprintf(out, ":%" PRIu64 ": %s\n", in->bad_line, in->bad_why);
}

void
report_print_text(FILE *out, const struct report *r,
    const struct report_input *in, unsigned top)
{
	struct view v = { .out = out, .r = r, .top = top };

	if (r->total.first_day == 0) {
		fputs("No event of a session.\n", out);
	} else {
		print_period(out, r);
		print_total(out, r);
	}
	print_days(&v);
	print_datasets(&v);
	print_files(&v);
	print_users(&v);
	print_networks(&v);
	print_active(&v);
	print_clients(&v);
	print_slowest(&v);
	print_results(&v);
	print_commands(&v);
	print_kinds(&v);
	print_addresses(&v, REPORT_clients, "Who was refused, or alerted of");
	print_addresses(&v, REPORT_asked, "Whom they named");
	print_counters(&v);
	print_input(out, r, in);
}
