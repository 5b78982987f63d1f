/*
 * watch/eve.c: EVE lines; see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "watch/eve.h"

#include <inttypes.h>

#include "guard/event.h"
#include "watch/community.h"

#define GID 1
#define SID_BASE 9590000	/* as the server's own alerts */
#define PORTS_MOST 64		/* of a scan, in one line */
#define FLOW_SEED 3		/* the same in every run */
#define FLOW_SHIFT 11		/* below 2^53: exact as JSON's readers have it */

static const char *const states[] = {
	[PORT_ASKED] = "asked",
	[PORT_OPEN] = "open",
	[PORT_CLOSED] = "closed",
	[PORT_FILTERED] = "filtered",
};

static void
put_line(FILE *out, struct event *e)
{
	struct sv line = event_line(e);

	fwrite(line.ptr, 1, line.len, out);
}

static void
put_alert(struct event *e, const struct finding *f)
{
	event_open(e, "alert");
	event_text(e, "action", SV("allowed"));
	event_number(e, "gid", GID);
	event_number(e, "signature_id", SID_BASE + (uint64_t)f->kind);
	event_number(e, "rev", 1);
	event_text(e, "signature", sv_of(bounce_kind_signature(f->kind)));
	event_text(e, "category", SV("Attempted Information Leak"));
	event_number(e, "severity",
	    (uint64_t)bounce_level_severity(f->level));
	event_close(e);
}

static void
put_ports(struct event *e, const char *key, const struct scan *scan,
    enum port_state state)
{
	char text[8];
	unsigned told = 0;

	event_list(e, key);
	for (uint32_t i = 0; i < scan->told && told < PORTS_MOST; i++) {
		if (scan->map[i].state != state)
			continue;
		snprintf(text, sizeof(text), "%u",
		    (unsigned)scan->map[i].port);
		event_item(e, sv_of(text));
		told++;
	}
	event_list_end(e);
}

static void
put_scan(struct event *e, const struct finding *f)
{
	event_open(e, "scan");
	if (f->scan != NULL) {
		event_number(e, "ports", f->scan->ports);
		for (int s = PORT_ASKED; s <= PORT_FILTERED; s++)
			put_ports(e, states[s], f->scan,
			    (enum port_state)s);
	} else {
		event_number(e, "targets", f->targets);
	}
	event_close(e);
}

static void
put_readings(struct event *e, const struct finding *f)
{
	char text[ADDR_TEXT_MAX];

	event_list(e, "readings");
	for (unsigned i = 0; i < f->readings; i++)
		event_item(e, sv_of(addr_format(&f->reading[i], text)));
	event_list_end(e);
}

/* Numbers of packets that show it, as they stand in the capture. */
static void
put_evidence(struct event *e, const struct finding *f)
{
	event_open(e, "packets");
	event_number(e, "first", f->first_packet);
	event_number(e, "last", f->last_packet);
	if (f->reply_packet != 0)
		event_number(e, "reply", f->reply_packet);
	if (f->syn_packet != 0)
		event_number(e, "syn", f->syn_packet);
	if (f->data_packet != 0)
		event_number(e, "data", f->data_packet);
	event_close(e);
}

static void
put_numbers(struct event *e, const struct finding *f)
{
	event_number(e, "attempts", f->attempts);
	event_number(e, "accepted", f->accepted);
	event_number(e, "refused", f->denied);
	event_number(e, "executed", f->executed);
	if (f->bytes_out + f->bytes_in > 0) {
		event_number(e, "bytes_sent", f->bytes_out);
		event_number(e, "bytes_received", f->bytes_in);
	}
	if (f->reply_code != 0)
		event_code(e, "completion_code", f->reply_code);
	if (f->offset > 0)
		event_number(e, "offset", f->offset);
}

static void
put_bounce(struct event *e, const struct finding *f)
{
	char id[24];

	snprintf(id, sizeof(id), "%016" PRIx64, f->id);
	event_open(e, "ftp_bounce");
	event_text(e, "id", sv_of(id));
	event_number(e, "update", f->updates);
	event_text(e, "variant", sv_of(bounce_kind_name(f->kind)));
	event_text(e, "stage", sv_of(bounce_stage_name(f->stage)));
	event_text(e, "level", sv_of(bounce_level_name(f->level)));
	event_address(e, "asked_ip", "asked_port", &f->asked);
	if (f->command_len > 0)
		event_text(e, "command_data",
		    (struct sv) { f->command, f->command_len });
	event_text(e, "confidence",
	    f->low_confidence ? SV("low") : SV("high"));
	if (f->label != NULL)
		event_text(e, "scanner", sv_of(f->label));
	if (f->detail != NULL)
		event_text(e, "detail", sv_of(f->detail));
	put_numbers(e, f);
	if (f->readings > 0)
		put_readings(e, f);
	if (f->scan != NULL || f->targets > 0)
		put_scan(e, f);
	put_evidence(e, f);
	event_close(e);
}

/* Of the control connection, whatever is said about it. */
static uint64_t
flow_id(const struct addr *client, const struct addr *server)
{
	const struct addr end[2] = { *client, *server };

	return table_hash(FLOW_SEED, end, sizeof(end)) >> FLOW_SHIFT;
}

void
eve_finding(FILE *out, const struct watch *w, const struct finding *f)
{
	struct event_session who = { .client = f->client,
		.server = f->server,
		.flow = flow_id(&f->client, &f->server) };
	char community[COMMUNITY_MAX];
	struct event e;

	event_begin_at(&e, w->now_ns, "alert", &who);
	if (w->interface != NULL)
		event_text(&e, "in_iface", sv_of(w->interface));
	event_text(&e, "app_proto", SV("ftp"));
	event_number(&e, "pcap_cnt", f->last_packet);
	event_text(&e, "community_id",
	    sv_of(community_id(&f->client, &f->server, community)));
	put_alert(&e, f);
	put_bounce(&e, f);
	put_line(out, &e);
}

void
eve_stats(FILE *out, const struct watch *w, const struct eve_count *more,
    size_t n)
{
	struct event e;

	event_begin_at(&e, w->now_ns, "stats", NULL);
	event_open(&e, "stats");
	event_text(&e, "process", SV("watch"));
#define X(name, text) event_number(&e, #name, w->counters.name);
	WATCH_COUNTERS(X)
#undef X
	event_number(&e, "flows_shed", w->flows.shed_count);
	event_number(&e, "expects_shed", w->expects.shed_count);
	event_number(&e, "findings_shed", w->findings.shed_count);
	for (size_t i = 0; i < n; i++)
		event_number(&e, more[i].name, more[i].value);
	event_close(&e);
	put_line(out, &e);
}
