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
print_time(FILE *out, int64_t ns)
{
	time_t seconds = (time_t)(ns / WATCH_S);
	char text[40];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	fputs(text, out);
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
	case KIND_pasv_redirect:
	case KIND_pasv_private:
		fprintf(out, "%s told %s to connect to %s", server, client,
		    addr_format(&f->asked, asked));
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
	else if (f->scan != NULL)
		fprintf(out, "%s asked %s to reach %u ports of %s", client,
		    server, (unsigned)f->scan->ports,
		    addr_format_ip(&f->asked, asked));
	else
		fprintf(out, "%s asked %s to reach %s", client, server,
		    addr_format(&f->asked, asked));
}

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
	return f->denied > 0 ? "the server refused" :
	    "asked; no answer was seen";
}

static void
print_progress(FILE *out, const struct finding *f)
{
	fprintf(out, LABEL "%s", "how far", how_far(f));
	if (f->reply_code != 0)
		fprintf(out, " (reply %u)", (unsigned)f->reply_code);
	if (f->bytes_out + f->bytes_in > 0)
		fprintf(out, ": %" PRIu64 " bytes sent, %" PRIu64
		    " received", f->bytes_out, f->bytes_in);
	if (f->attempts > 1)
		fprintf(out, "; %u attempts, %u refused",
		    (unsigned)f->attempts, (unsigned)f->denied);
	if (f->connections > 1)
		fprintf(out, ", over %u connections",
		    (unsigned)f->connections);
	putc('\n', out);
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
	fprintf(out, LABEL, "readings");
	for (unsigned i = 0; i < f->readings; i++)
		fprintf(out, "%s%s", i > 0 ? ", " : "",
		    addr_format(&f->reading[i], text));
	putc('\n', out);
}

static void
print_packet(FILE *out, const char *what, uint64_t number)
{
	if (number != 0)
		fprintf(out, ", %" PRIu64 " (%s)", number, what);
}

static void
print_evidence(FILE *out, const struct finding *f)
{
	fprintf(out, LABEL "packets %" PRIu64 " (first)", "evidence",
	    f->first_packet);
	print_packet(out, "reply", f->reply_packet);
	print_packet(out, "SYN", f->syn_packet);
	print_packet(out, "data", f->data_packet);
	print_packet(out, "last", f->last_packet);
	putc('\n', out);
}

static void
print_finding(FILE *out, const struct finding *f, bool colour)
{
	print_level(out, f->level, colour);
	fprintf(out, "  %s, %s   id %016" PRIx64 "\n",
	    bounce_kind_name(f->kind), bounce_stage_name(f->stage), f->id);
	fputs("  ", out);
	print_asked(out, f);
	putc('\n', out);
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
		    "confidence");
	print_evidence(out, f);
	putc('\n', out);
}

void
summary_line(FILE *out, const struct finding *f, bool colour)
{
	print_time(out, f->last_ns);
	fputs("  ", out);
	print_level(out, f->level, colour);
	fprintf(out, "  %-15s %-9s  ", bounce_kind_name(f->kind),
	    bounce_stage_name(f->stage));
	print_asked(out, f);
	putc('\n', out);
	fflush(out);
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
	for (size_t i = 0; i < n && (s->all || i < FINDINGS_MOST); i++)
		print_finding(out, all[i], s->colour);
	if (n > FINDINGS_MOST && !s->all)
		fprintf(out, "and %zu more, of level %s or less (--all shows "
		    "them)\n\n", n - FINDINGS_MOST,
		    bounce_level_name(all[FINDINGS_MOST]->level));
	if (n == 0)
		fputs("No alert.\n\n", out);
	free(all);
}

static void
count_levels(const struct watch *w, const struct server *s,
    unsigned count[LEVEL_COUNT])
{
	struct finding *f = table_oldest(&w->findings);

	for (; f != NULL; f = table_newer(&w->findings, f))
		if (f->told && addr_same_ip(&f->server, &s->at))
			count[f->level]++;
}

/* Of the longest name. */
static int
server_width(const struct watch *w)
{
	struct server *x = table_oldest(&w->servers);
	char text[ADDR_TEXT_MAX];
	size_t wide = strlen("server");

	for (; x != NULL; x = table_newer(&w->servers, x))
		if (strlen(addr_format(&x->at, text)) > wide)
			wide = strlen(text);
	return (int)wide;
}

static void
print_servers(FILE *out, const struct summary *s)
{
	struct server *x = table_oldest(&s->w->servers);
	int wide = server_width(s->w);
	char text[ADDR_TEXT_MAX];

	if (x == NULL) {
		fputs("No FTP was seen.\n\n", out);
		return;
	}
	fprintf(out, "%-*s %8s %8s %9s  %8s %5s %6s %4s %5s\n", wide, "server",
	    "sessions", "logins", "commands", "critical", "high", "medium",
	    "low", "info");
	for (; x != NULL; x = table_newer(&s->w->servers, x)) {
		unsigned n[LEVEL_COUNT] = { 0 };

		count_levels(s->w, x, n);
		fprintf(out, "%-*s %8" PRIu64 " %8" PRIu64 " %9" PRIu64
		    "  %8u %5u %6u %4u %5u\n", wide,
		    addr_format(&x->at, text),
		    x->sessions, x->logins, x->commands, n[LEVEL_CRITICAL],
		    n[LEVEL_HIGH], n[LEVEL_MEDIUM], n[LEVEL_LOW],
		    n[LEVEL_INFO]);
	}
	putc('\n', out);
}

static void
print_count(FILE *out, uint64_t n, const char *text)
{
	if (n > 0)
		fprintf(out, "  %12" PRIu64 "  %s\n", n, text);
}

static void
print_coverage(FILE *out, const struct summary *s)
{
	const struct watch *w = s->w;

	fputs("Seen, and not seen:\n", out);
#define X(name, text) print_count(out, w->counters.name, text);
	WATCH_COUNTERS(X)
#undef X
	print_count(out, w->flows.shed_count,
	    "connections forgotten for want of room (--memory)");
	print_count(out, w->expects.shed_count,
	    "expected data connections forgotten for want of room");
	print_count(out, w->findings.shed_count,
	    "findings forgotten for want of room");
	for (size_t i = 0; i < s->more_count; i++)
		print_count(out, s->more[i].value, s->more[i].name);
}

void
summary_print(FILE *out, const struct summary *s)
{
	if (s->first_ns != 0) {
		fprintf(out, "%" PRIu64 " packets, ",
		    s->w->counters.packets);
		print_time(out, s->first_ns);
		fputs(" to ", out);
		print_time(out, s->w->now_ns);
		fputs(" UTC\n\n", out);
	}
	print_findings(out, s);
	print_servers(out, s);
	print_coverage(out, s);
}
