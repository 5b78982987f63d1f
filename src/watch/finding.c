/*
 * watch/finding.c: what is wrong, once for each matter; it rises, is told
 * when it has, and never falls.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "watch/watch.h"

#define ID_SEED 0x9d5c1f0e2b7a4863u	/* the same in every run */
#define SLOW_NS (600 * WATCH_S)
#define LOW_PORT 1024

/* What makes two attempts one matter. */
struct key {
	uint8_t client[16], target[16];
	uint16_t port;
	uint8_t kind, family;
};

static struct key
key_of(enum bounce_kind kind, const struct addr *client,
    const struct addr *server, const struct addr *asked)
{
	struct key k = { .kind = (uint8_t)kind, .family = asked->family };

	memcpy(k.client, client->ip, sizeof(k.client));
	if (kind == KIND_scan_horizontal)
		k.port = asked->port;
	else if (asked->family != ADDR_NONE)
		memcpy(k.target, asked->ip, sizeof(k.target));
	else
		memcpy(k.target, server->ip, sizeof(k.target));
	return k;
}

static struct finding *
find(const struct watch *w, uint64_t hash, uint64_t id)
{
	struct finding *f = table_first(&w->findings, hash);

	while (f != NULL && f->id != id)
		f = table_next(&w->findings, f);
	return f;
}

static void
scan_free(struct watch *w, struct finding *f)
{
	if (f->scan != NULL)
		w->scans--;
	free(f->scan);
	f->scan = NULL;
}

static void
finding_shed(void *arg, struct table_link *item)
{
	struct finding *f = (struct finding *)(void *)item;

	finding_tell(arg, f);
	scan_free(arg, f);
	f->serial = 0; /* for finding_get */
}

void
finding_init(struct watch *w)
{
	w->findings.shed = finding_shed;
	w->findings.arg = w;
}

struct finding *
finding_of(struct watch *w, enum bounce_kind kind, const struct addr *client,
    const struct addr *server, const struct addr *asked)
{
	struct addr plain = addr_unmap(*asked);
	struct key key = key_of(kind, client, server, &plain);
	uint64_t id = table_hash(ID_SEED, &key, sizeof(key));
	uint64_t hash = id ^ w->seed;
	struct finding *f = find(w, hash, id);

	if (f != NULL) {
		table_touch(&w->findings, f);
	} else {
		if ((f = table_add(&w->findings, hash)) == NULL) {
			w->counters.not_followed++;
			return NULL;
		}
		f->serial = ++w->serial;
		f->id = id;
		f->kind = kind;
		f->client = *client;
		f->server = *server;
		f->asked = plain;
		f->cap = LEVEL_CRITICAL;
		f->refused = true; /* until one is not */
		f->first_ns = w->now_ns;
		f->first_packet = w->segment != NULL ? w->segment->number : 0;
	}
	f->last_ns = w->now_ns;
	f->dirty = true;
	if (w->segment != NULL)
		f->last_packet = w->segment->number;
	return f;
}

struct finding *
finding_get(const struct watch *w, uint32_t number, uint32_t serial)
{
	struct finding *f = number == 0 ? NULL :
	    table_at(&w->findings, number);

	return f != NULL && f->serial == serial ? f : NULL;
}

/* ---- scans */

static bool
may_be_scan(const struct finding *f)
{
	switch ((int)f->kind) {
	case KIND_third_party:
	case KIND_privileged_port:
	case KIND_loopback:
	case KIND_self:
	case KIND_internal:
	case KIND_invalid_target:
	case KIND_evasion:
		return !f->nat && f->cap > LEVEL_INFO;
	default:
		return false;
	}
}

static bool
is_slow(const struct finding *f)
{
	return f->connections >= SCAN_SLOW_FLOWS ||
	    f->last_ns - f->first_ns > SLOW_NS;
}

static bool
is_scan(const struct finding *f)
{
	return f->kind == KIND_scan_vertical || f->kind == KIND_scan_slow;
}

static void
map_add(struct scan *scan, uint16_t port, enum port_state state)
{
	if ((scan->seen[port / 8] >> (port % 8) & 1) != 0)
		return;
	scan->seen[port / 8] |= (uint8_t)(1u << (port % 8));
	scan->ports++;
	if (scan->told == SCAN_MAP_MOST)
		return;
	scan->map[scan->told].port = port;
	scan->map[scan->told].state = (uint8_t)state;
	scan->told++;
}

/* From here on every port counts, while there is room to count them. */
static void
becomes_scan(struct watch *w, struct finding *f)
{
	if (w->scans < w->scans_most)
		f->scan = calloc(1, sizeof(*f->scan));
	if (f->scan != NULL)
		w->scans++;
	else if (!is_scan(f))
		w->counters.scan_maps_dropped++;
	for (unsigned i = 0; f->scan != NULL && i < f->ports; i++)
		map_add(f->scan, f->port[i], (enum port_state)f->state[i]);
	finding_turns(f, is_slow(f) ? KIND_scan_slow : KIND_scan_vertical);
}

static void
note_port(struct watch *w, struct finding *f, uint16_t port)
{
	if (f->scan != NULL) {
		map_add(f->scan, port, PORT_ASKED);
		return;
	}
	for (unsigned i = 0; i < f->ports; i++)
		if (f->port[i] == port)
			return;
	if (f->ports < SCAN_PORTS) {
		f->port[f->ports] = port;
		f->state[f->ports++] = PORT_ASKED;
	}
	if (f->ports == SCAN_PORTS && (may_be_scan(f) || is_scan(f)))
		becomes_scan(w, f);
}

void
finding_port(struct finding *f, uint16_t port,
    enum port_state state)
{
	struct scan *scan = f->scan;

	f->dirty = true;
	for (unsigned i = 0; scan == NULL && i < f->ports; i++)
		if (f->port[i] == port && f->state[i] != PORT_OPEN)
			f->state[i] = (uint8_t)state;
	for (unsigned i = 0; scan != NULL && i < scan->told; i++)
		if (scan->map[i].port == port &&
		    scan->map[i].state != PORT_OPEN)
			scan->map[i].state = (uint8_t)state;
}

static void
count_target(struct finding *f, const struct addr *asked)
{
	for (unsigned i = 0; i < f->targets && i < SCAN_PORTS; i++)
		if (addr_same_ip(&f->target[i], asked))
			return;
	if (f->targets < SCAN_PORTS)
		f->target[f->targets] = *asked;
	f->targets++;
}

static void note_connection(struct finding *f, const struct control *c);

/*
 * One port of many hosts.  The first of them stand for themselves, in case
 * that there are no more; from the fourth on all are of one finding.
 */
static struct finding *
note_target(struct watch *w, struct control *c, struct finding *of,
    const struct addr *asked)
{
	struct finding *f = finding_of(w, KIND_scan_horizontal,
	    &c->flow->end[CLIENT], &c->flow->end[SERVER], asked);

	if (f == NULL)
		return of;
	f->attempts++;
	note_connection(f, c);
	count_target(f, asked);
	f->counting = f->targets < SCAN_PORTS;
	if (!f->counting && is_slow(f))
		f->kind = KIND_scan_slow;
	if (!f->counting && !of->told && of->attempts == 1) {
		table_drop(&w->findings, of);
		of->serial = 0;
		return f;
	}
	of->wide = f->link.self;
	of->wide_serial = f->serial;
	return of;
}

/* ---- attempts */

void
finding_quote(struct finding *f, struct sv command)
{
	size_t n = command.len < COMMAND_TEXT ? command.len : COMMAND_TEXT;

	if (f->command_len > 0 || n == 0)
		return;
	memcpy(f->command, command.ptr, n);
	f->command_len = (uint8_t)n;
}

/* The first few are told apart; later ones count when they come. */
static bool
is_known_flow(const struct finding *f, uint64_t flow)
{
	for (unsigned i = 0; i < f->connections && i < SCAN_SLOW_FLOWS; i++)
		if (f->flow[i] == flow)
			return true;
	return false;
}

static void
note_connection(struct finding *f, const struct control *c)
{
	uint64_t flow = c->flow->first_packet;

	if (!is_known_flow(f, flow)) {
		if (f->connections < SCAN_SLOW_FLOWS)
			f->flow[f->connections] = flow;
		f->connections++;
	}
	if (!addr_same_ip(&f->last_server, &c->flow->end[SERVER])) {
		f->servers++;
		f->last_server = c->flow->end[SERVER];
	}
	if (c->label != NULL)
		f->label = c->label;
	if (!c->from_start || !c->flow->syn_ack)
		f->low_confidence = true;
}

struct finding *
finding_attempt(struct watch *w, struct control *c, enum bounce_kind kind,
    const struct addr *asked, struct sv command)
{
	struct finding *f = finding_of(w, kind, &c->flow->end[CLIENT],
	    &c->flow->end[SERVER], asked);

	if (f == NULL)
		return NULL;
	w->counters.attempts++;
	f->attempts++;
	note_connection(f, c);
	finding_quote(f, command);
	return f;
}

struct finding *
finding_count_port(struct watch *w, struct control *c, struct finding *f,
    const struct addr *asked)
{
	if (asked->family == ADDR_NONE || (!may_be_scan(f) && !is_scan(f)))
		return f;
	note_port(w, f, asked->port);
	if (is_scan(f) && is_slow(f))
		f->kind = KIND_scan_slow;
	return note_target(w, c, f, asked);
}

struct finding *
finding_relay(struct watch *w, struct finding *f, enum bounce_kind kind,
    const char *detail)
{
	struct finding *relay = finding_of(w, kind, &f->client, &f->server,
	    &f->asked);

	if (relay == NULL)
		return NULL;
	relay->detail = detail;
	relay->attempts++;
	relay->refused = false;
	relay->label = f->label;
	relay->low_confidence = f->low_confidence;
	f->relay = relay->link.self;
	f->relay_serial = relay->serial;
	return relay;
}

void
finding_read(struct finding *f, const struct addr *reading)
{
	struct addr plain = addr_unmap(*reading);

	for (unsigned i = 0; i < f->readings; i++)
		if (memcmp(&f->reading[i], &plain, sizeof(plain)) == 0)
			return;
	if (f->readings < LENIENT_READINGS)
		f->reading[f->readings++] = plain;
	f->dirty = true;
}

static struct finding *
wide_of(const struct watch *w, const struct finding *f)
{
	return finding_get(w, f->wide, f->wide_serial);
}

static struct finding *
relay_of(const struct watch *w, const struct finding *f)
{
	return finding_get(w, f->relay, f->relay_serial);
}

void
finding_answered(struct watch *w, struct finding *f, int code)
{
	f->reply_code = (uint16_t)code;
	f->dirty = true;
	if (w->segment != NULL)
		f->last_packet = w->segment->number;
	if (w->segment != NULL && f->reply_packet == 0)
		f->reply_packet = w->segment->number;
	if (wide_of(w, f) != NULL)
		finding_answered(w, wide_of(w, f), code);
	if (code / 100 == 2) {
		f->accepted++;
		f->refused = false;
		finding_rise(w, f, STAGE_accepted);
	} else if (code / 100 >= 4) {
		f->denied++;
	} else {
		f->refused = false;
	}
	finding_tell(w, f);
}

void
finding_rise(struct watch *w, struct finding *f, enum bounce_stage stage)
{
	f->dirty = true;
	if (w->segment != NULL) {
		f->last_packet = w->segment->number;
		if (stage == STAGE_executed && f->syn_packet == 0)
			f->syn_packet = w->segment->number;
		if (stage == STAGE_completed && f->data_packet == 0)
			f->data_packet = w->segment->number;
	}
	f->last_ns = w->now_ns;
	if (stage == STAGE_executed)
		f->executed++;
	if (stage >= STAGE_executed)
		f->refused = false;
	if (stage > f->stage)
		f->stage = stage;
	if (wide_of(w, f) != NULL)
		finding_rise(w, wide_of(w, f), stage);
	if (relay_of(w, f) != NULL)
		finding_rise(w, relay_of(w, f), stage);
}

/* The order in which one matter outweighs another. */
static int
weight(enum bounce_kind kind)
{
	switch ((int)kind) {
	case KIND_scan_slow:
		return 2;
	case KIND_scan_vertical:
	case KIND_scan_horizontal:
		return 1;
	default:
		return 0;
	}
}

void
finding_turns(struct finding *f, enum bounce_kind kind)
{
	if (weight(kind) > weight(f->kind))
		f->kind = kind;
}

void
finding_cap(struct finding *f, enum bounce_level level)
{
	f->cap = level;
}

/* A stranger's visit that has ended, or will not change any more. */
void
finding_settle(struct watch *w, struct finding *f)
{
	if (!f->held)
		return;
	f->held = false;
	if (f->owner_came && f->stage < STAGE_completed)
		f->kind = KIND_pasv_race;
	finding_tell(w, f);
}

static enum bounce_level
level_of(const struct finding *f)
{
	bool refused = f->refused && f->denied > 0;
	enum bounce_level level = bounce_level_of(f->kind, f->stage, refused,
	    f->asked.port < LOW_PORT);

	/* Behind a NAT that does not know FTP, refused, no harm done. */
	if (f->nat && refused && f->stage < STAGE_executed)
		level = LEVEL_LOW;
	return level < f->cap ? level : f->cap;
}

/* It has risen, or is asked for again and again; numbers wait for the end. */
static bool
is_news(const struct watch *w, const struct finding *f)
{
	if (!f->told || f->told_kind != f->kind || f->told_stage != f->stage ||
	    f->told_level != f->level)
		return true;
	return (f->attempts > f->told_attempts &&
	    f->attempts / 4 >= f->told_attempts) ||
	    (w->segment == NULL && f->dirty);
}

void
finding_tell(struct watch *w, struct finding *f)
{
	enum bounce_level level = level_of(f);

	if (wide_of(w, f) != NULL)
		finding_tell(w, wide_of(w, f));
	if (relay_of(w, f) != NULL)
		finding_tell(w, relay_of(w, f));
	if (f->held || f->counting)
		return;
	if (level > f->level || !f->told)
		f->level = level;
	if (!is_news(w, f))
		return;
	if (f->told)
		f->updates++;
	f->told = true;
	f->told_kind = (uint8_t)f->kind;
	f->told_stage = (uint8_t)f->stage;
	f->told_level = (uint8_t)f->level;
	f->told_attempts = f->attempts;
	f->dirty = false;
	if (w->report.finding != NULL)
		w->report.finding(w->report.arg, w, f);
}
