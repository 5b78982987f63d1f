/*
 * watch/summary.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "watch/summary.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#define PORTS_MOST 24		/* of one state, in a line */
#define FINDINGS_MOST 20	/* shown, unless all are asked for */
#define SERVERS_MOST 20
#define LABEL "  %-9s "

static const char *const colours[LEVEL_COUNT] = {
	[LEVEL_INFO] = "\033[2m",
	[LEVEL_LOW] = "\033[36m",
	[LEVEL_MEDIUM] = "\033[33m",
	[LEVEL_HIGH] = "\033[31m",
	[LEVEL_CRITICAL] = "\033[1;31m",
};

static void
print_level(FILE *out, enum bounce_level level, bool colour)
{
	fprintf(out, "%s%-8s%s", colour ? colours[level] : "",
	    bounce_level_name(level), colour ? "\033[0m" : "");
}

static void
print_time(FILE *out, int64_t ns, bool date)
{
	time_t seconds = (time_t)(ns / WATCH_S);
	char text[40];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	if (date)
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	else
		strftime(text, sizeof(text), "%H:%M:%S", &tm);
	fputs(text, out);
}

static void
print_span(FILE *out, int64_t from_ns, int64_t to_ns)
{
	const int64_t day = 86400 * WATCH_S;

	print_time(out, from_ns, true);
	if (from_ns / WATCH_S != to_ns / WATCH_S) {
		fputs(" to ", out);
		print_time(out, to_ns, from_ns / day != to_ns / day);
	}
	fputs(" UTC\n", out);
}

/* Bytes of the network reach no terminal as they are. */
static void
print_safe(FILE *out, struct sv text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (c < 0x20 || c >= 0x7f)
			fprintf(out, "\\x%02x", c);
		else
			putc(c, out);
	}
}

/* The far end opened the data connection itself: a stranger. */
static bool
is_by_stranger(const struct finding *f)
{
	return f->kind == KIND_pasv_theft || f->kind == KIND_pasv_race ||
	    f->kind == KIND_active_hijack;
}

/* A reply named the address, and not the client. */
static bool
is_told(const struct finding *f)
{
	return f->kind == KIND_pasv_redirect || f->kind == KIND_pasv_private ||
	    (f->kind == KIND_privileged_port &&
	    addr_same_ip(&f->asked, &f->server));
}

static void
print_asked(FILE *out, const struct finding *f)
{
	char client[ADDR_TEXT_MAX], server[ADDR_TEXT_MAX],
	    asked[ADDR_TEXT_MAX];

	addr_format_ip(&f->client, client);
	addr_format(&f->server, server);
	switch ((int)f->kind) {
	case KIND_pasv_theft:
	case KIND_pasv_race:
		fprintf(out, "%s came to a passive port of %s that was told "
		    "to %s", addr_format(&f->asked, asked), server, client);
		return;
	case KIND_active_hijack:
		fprintf(out, "%s connected to %s, who waited for %s",
		    addr_format(&f->asked, asked), client, server);
		return;
	case KIND_alg_reply_injection:
		fprintf(out, "%s was told, as if by %s, to connect to %s",
		    client, server, addr_format(&f->asked, asked));
		return;
	case KIND_unexplained_data_syn:
		fprintf(out, "%s connected to %s", server,
		    addr_format(&f->asked, asked));
		return;
	case KIND_scan_horizontal:
		fprintf(out, "%s asked %s to reach port %u of %u hosts",
		    client, server, (unsigned)f->asked.port,
		    (unsigned)f->targets);
		return;
	default:
		break;
	}
	if (f->asked.family == ADDR_NONE)
		fprintf(out, "%s at %s", client, server);
	else if (is_told(f))
		fprintf(out, "%s told %s to connect to %s", server, client,
		    addr_format(&f->asked, asked));
	else if (f->scan != NULL)
		fprintf(out, "%s asked %s to reach %u ports of %s", client,
		    server, (unsigned)f->scan->ports,
		    addr_format_ip(&f->asked, asked));
	else
		fprintf(out, "%s asked %s to reach %s", client, server,
		    addr_format(&f->asked, asked));
}

/* NULL: it goes nowhere, it is. */
static const char *
how_far(const struct finding *f)
{
	switch (f->stage) {
	case STAGE_completed:
		return "a connection was made, and data has flowed";
	case STAGE_executed:
		return "a connection was made";
	case STAGE_accepted:
		return "the server agreed; no connection was seen";
	case STAGE_attempt:
	case STAGE_COUNT:
		break;
	}
	if (f->denied > 0)
		return "the server refused";
	if (is_told(f) || f->kind == KIND_alg_reply_injection)
		return "no connection there was seen";
	if (is_by_stranger(f))
		return "tried; no connection was made";
	return f->asked.family != ADDR_NONE ? "asked; no answer was seen" :
	    NULL;
}

static void
print_bytes(FILE *out, const struct finding *f)
{
	bool stranger = is_by_stranger(f);
	uint64_t to = stranger ? f->bytes_in : f->bytes_out;
	uint64_t from = stranger ? f->bytes_out : f->bytes_in;

	if (to + from > 0)
		fprintf(out, LABEL "%" PRIu64 " to the %s, %" PRIu64
		    " from there\n", "bytes", to,
		    stranger ? "stranger" : "target", from);
}

static void
print_progress(FILE *out, const struct finding *f)
{
	const char *far = how_far(f);

	if (far != NULL) {
		fprintf(out, LABEL "%s", "how far", far);
		if (f->reply_code != 0)
			fprintf(out, " (reply %u)", (unsigned)f->reply_code);
		putc('\n', out);
	}
	if (f->attempts > 1) {
		fprintf(out, LABEL "%u times, %u refused", "tried",
		    (unsigned)f->attempts, (unsigned)f->denied);
		if (f->connections > 1)
			fprintf(out, ", over %u connections",
			    (unsigned)f->connections);
		putc('\n', out);
	}
	print_bytes(out, f);
}

static void
print_state(FILE *out, const struct scan *scan, enum port_state state,
    const char *word)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < scan->told; i++) {
		if (scan->map[i].state != state)
			continue;
		if (n == 0)
			fprintf(out, LABEL "%s:", "learned", word);
		if (n++ < PORTS_MOST)
			fprintf(out, " %u", (unsigned)scan->map[i].port);
	}
	if (n > PORTS_MOST)
		fprintf(out, " and %u more", n - PORTS_MOST);
	if (n > 0)
		putc('\n', out);
}

static void
print_scan(FILE *out, const struct finding *f)
{
	if (f->scan == NULL)
		return;
	print_state(out, f->scan, PORT_OPEN, "open");
	print_state(out, f->scan, PORT_CLOSED, "closed");
	print_state(out, f->scan, PORT_FILTERED, "no answer");
	print_state(out, f->scan, PORT_ASKED, "not known");
}

static void
print_readings(FILE *out, const struct finding *f)
{
	char text[ADDR_TEXT_MAX];

	if (f->readings == 0)
		return;
	fprintf(out, LABEL, "read as");
	for (unsigned i = 0; i < f->readings; i++)
		fprintf(out, "%s%s", i > 0 ? " or " : "",
		    addr_format(&f->reading[i], text));
	putc('\n', out);
}

static void
print_evidence(FILE *out, const struct finding *f)
{
	const struct {
		const char *what;
		uint64_t number;
	} packets[] = {
		{ "first", f->first_packet }, { "reply", f->reply_packet },
		{ "SYN", f->syn_packet }, { "data", f->data_packet },
		{ "last", f->last_packet },
	};
	const size_t last = sizeof(packets) / sizeof(packets[0]) - 1;
	uint64_t before = 0;

	fprintf(out, LABEL, "evidence");
	for (size_t i = 0; i <= last; i++) {
		uint64_t number = packets[i].number;

		if (number == 0 || (i == last && number == before))
			continue;
		if (number == before)
			fprintf(out, ", %s", packets[i].what);
		else
			fprintf(out, "%s%" PRIu64 " (%s", before == 0 ?
			    "packets " : "), ", number, packets[i].what);
		before = number;
	}
	fputs(before == 0 ? "none\n" : ")\n", out);
}

static void
print_finding(FILE *out, const struct finding *f, bool colour)
{
	print_level(out, f->level, colour);
	fprintf(out, "  %s, %s: %s\n  ", bounce_kind_name(f->kind),
	    bounce_stage_name(f->stage), bounce_kind_signature(f->kind));
	print_asked(out, f);
	fprintf(out, "\n" LABEL, "when");
	print_span(out, f->first_ns, f->last_ns);
	print_progress(out, f);
	print_scan(out, f);
	print_readings(out, f);
	if (f->command_len > 0) {
		fprintf(out, LABEL, "said");
		print_safe(out, (struct sv) { f->command, f->command_len });
		putc('\n', out);
	}
	if (f->detail != NULL)
		fprintf(out, LABEL "%s\n", "because", f->detail);
	if (f->label != NULL)
		fprintf(out, LABEL "%s\n", "scanner", f->label);
	if (f->low_confidence)
		fprintf(out, LABEL "low: the connection was not seen whole\n",
		    "certainty");
	print_evidence(out, f);
	fprintf(out, LABEL "%016" PRIx64 "\n\n", "id", f->id);
}

void
summary_line(FILE *out, const struct finding *f, bool colour)
{
	print_time(out, f->last_ns, true);
	fputs("  ", out);
	print_level(out, f->level, colour);
	fprintf(out, "  %-20s %-9s  ", bounce_kind_name(f->kind),
	    bounce_stage_name(f->stage));
	print_asked(out, f);
	putc('\n', out);
	fflush(out);
}

/* A scan before its single attempts, a relay before the way that it took. */
static int
weight(const struct finding *f)
{
	return (int)bounce_level_of(f->kind, STAGE_attempt, false, false);
}

static int
by_gravity(const void *a, const void *b)
{
	const struct finding *x = *(const struct finding *const *)a;
	const struct finding *y = *(const struct finding *const *)b;

	if (x->level != y->level)
		return x->level > y->level ? -1 : 1;
	if (x->stage != y->stage)
		return x->stage > y->stage ? -1 : 1;
	if (weight(x) != weight(y))
		return weight(x) > weight(y) ? -1 : 1;
	return x->first_packet < y->first_packet ? -1 :
	    x->first_packet > y->first_packet;
}

static size_t
collect(const struct watch *w, const struct finding **out)
{
	struct finding *f = table_oldest(&w->findings);
	size_t n = 0;

	for (; f != NULL; f = table_newer(&w->findings, f))
		if (f->told)
			out[n++] = f;
	qsort(out, n, sizeof(*out), by_gravity);
	return n;
}

/* "3 findings: 1 critical, 2 low; ..." */
static void
print_verdict(FILE *out, const struct finding *const *all, size_t n)
{
	size_t count[LEVEL_COUNT] = { 0 };
	const char *before = ": ";

	if (n == 0) {
		fputs("No alert.\n\n", out);
		return;
	}
	for (size_t i = 0; i < n; i++)
		count[all[i]->level]++;
	fprintf(out, "%zu finding%s", n, n == 1 ? "" : "s");
	for (int l = LEVEL_COUNT - 1; l >= 0; l--) {
		if (count[l] == 0)
			continue;
		fprintf(out, "%s%zu %s", before, count[l],
		    bounce_level_name((enum bounce_level)l));
		before = ", ";
	}
	fputs("; what a name means: --explain NAME\n\n", out);
}

static void
print_findings(FILE *out, const struct summary *s)
{
	const struct finding **all = calloc((size_t)s->w->findings.count + 1,
	    sizeof(*all));
	size_t n;

	if (all == NULL) {
		fputs("out of memory for the list of findings\n", out);
		return;
	}
	n = collect(s->w, all);
	print_verdict(out, all, n);
	for (size_t i = 0; i < n && (s->all || i < FINDINGS_MOST); i++)
		print_finding(out, all[i], s->colour);
	if (n > FINDINGS_MOST && !s->all)
		fprintf(out, "and %zu more, of level %s or less (--all shows "
		    "them)\n\n", n - FINDINGS_MOST,
		    bounce_level_name(all[FINDINGS_MOST]->level));
	free(all);
}

/* ---- servers */

struct row {
	const struct server *server;
	unsigned count[LEVEL_COUNT];	/* of findings */
};

static int
by_findings(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	for (int l = LEVEL_COUNT - 1; l >= 0; l--)
		if (x->count[l] != y->count[l])
			return x->count[l] > y->count[l] ? -1 : 1;
	if (x->server->sessions != y->server->sessions)
		return x->server->sessions > y->server->sessions ? -1 : 1;
	return memcmp(&x->server->at, &y->server->at, sizeof(x->server->at));
}

/* One for each server, the worst first; freed by the caller. */
static struct row *
tabulate(const struct watch *w)
{
	struct row *rows = calloc((size_t)w->servers.made + 1, sizeof(*rows));
	struct server *x = table_oldest(&w->servers);
	struct finding *f = table_oldest(&w->findings);
	size_t n = 0;

	if (rows == NULL)
		return NULL;
	for (; x != NULL; x = table_newer(&w->servers, x))
		rows[x->link.self].server = x;
	for (; f != NULL; f = table_newer(&w->findings, f))
		if (f->told &&
		    (x = peers_find_server(w, &f->server)) != NULL)
			rows[x->link.self].count[f->level]++;
	for (size_t i = 0; i <= w->servers.made; i++)
		if (rows[i].server != NULL)
			rows[n++] = rows[i];
	qsort(rows, n, sizeof(*rows), by_findings);
	return rows;
}

/* Of the longest name. */
static int
server_width(const struct row *rows, size_t n)
{
	char text[ADDR_TEXT_MAX];
	size_t wide = strlen("server");

	for (size_t i = 0; i < n; i++)
		if (strlen(addr_format(&rows[i].server->at, text)) > wide)
			wide = strlen(text);
	return (int)wide;
}

static void
print_rows(FILE *out, const struct row *rows, size_t n)
{
	int wide = server_width(rows, n);
	char text[ADDR_TEXT_MAX];

	fprintf(out, "%-*s %8s %8s %9s  %8s %5s %6s %4s %5s\n", wide, "server",
	    "sessions", "logins", "commands", "critical", "high", "medium",
	    "low", "info");
	for (size_t i = 0; i < n; i++) {
		const struct server *x = rows[i].server;
		const unsigned *count = rows[i].count;

		fprintf(out, "%-*s %8" PRIu64 " %8" PRIu64 " %9" PRIu64
		    "  %8u %5u %6u %4u %5u\n", wide,
		    addr_format(&x->at, text), x->sessions, x->logins,
		    x->commands, count[LEVEL_CRITICAL], count[LEVEL_HIGH],
		    count[LEVEL_MEDIUM], count[LEVEL_LOW], count[LEVEL_INFO]);
	}
}

static void
print_servers(FILE *out, const struct summary *s)
{
	size_t n = s->w->servers.count;
	struct row *rows;

	if (n == 0) {
		fputs("No FTP was seen.\n\n", out);
		return;
	}
	if ((rows = tabulate(s->w)) == NULL) {
		fputs("out of memory for the list of servers\n\n", out);
		return;
	}
	print_rows(out, rows, s->all || n < SERVERS_MOST ? n : SERVERS_MOST);
	if (n > SERVERS_MOST && !s->all)
		fprintf(out, "and %zu more servers (--all shows them)\n",
		    n - SERVERS_MOST);
	putc('\n', out);
	free(rows);
}

/* ---- coverage */

enum {
#define X(name, text) COUNTER_##name,
	WATCH_COUNTERS(X)
#undef X
	COUNTERS
};

/* What tells how much was seen; all else tells what was not. */
static const bool sights[COUNTERS] = {
	[COUNTER_packets] = true,
	[COUNTER_segments] = true,
	[COUNTER_flows] = true,
	[COUNTER_midstream] = true,
	[COUNTER_control] = true,
	[COUNTER_control_not_ftp] = true,
	[COUNTER_commands] = true,
	[COUNTER_replies] = true,
	[COUNTER_logins] = true,
	[COUNTER_data_active] = true,
	[COUNTER_data_passive] = true,
	[COUNTER_data_bytes] = true,
	[COUNTER_attempts] = true,
};

/* The heading comes with the first line beneath it. */
static void
print_count(FILE *out, const char **heading, uint64_t n, const char *text)
{
	if (n == 0)
		return;
	if (*heading != NULL)
		fprintf(out, "%s:\n", *heading);
	*heading = NULL;
	fprintf(out, "  %12" PRIu64 "  %s\n", n, text);
}

static void
print_counters(FILE *out, const struct watch *w, bool sight,
    const char **heading)
{
#define X(name, text) \
	if (sights[COUNTER_##name] == sight) \
		print_count(out, heading, w->counters.name, text);
	WATCH_COUNTERS(X)
#undef X
}

static void
print_coverage(FILE *out, const struct summary *s)
{
	const char *seen = "Seen", *unseen = "\nNot seen, or not for certain",
	    *unread = "\nPackets that hold no TCP segment";
	const struct watch *w = s->w;

	print_counters(out, w, true, &seen);
	print_counters(out, w, false, &unseen);
	print_count(out, &unseen, w->flows.shed_count,
	    "connections forgotten for want of room (--memory)");
	print_count(out, &unseen, w->expects.shed_count,
	    "expected data connections forgotten for want of room");
	print_count(out, &unseen, w->findings.shed_count,
	    "findings forgotten for want of room");
	for (size_t i = 0; i < s->more_count; i++)
		print_count(out, &unread, s->more[i].value, s->more[i].name);
}

void
summary_print(FILE *out, const struct summary *s)
{
	if (s->w->counters.packets == 0) {
		fputs("No packet was read.\n\nNo FTP was seen.\n", out);
		return;
	}
	fprintf(out, "%" PRIu64 " packets, ", s->w->counters.packets);
	print_span(out, s->first_ns, s->w->now_ns);
	print_findings(out, s);
	print_servers(out, s);
	print_coverage(out, s);
}
