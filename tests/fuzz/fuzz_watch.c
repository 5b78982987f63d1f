/*
 * tests/fuzz/fuzz_watch.c: any segments, on a handful of connections between
 * a client, a server, another server and a third party.  The sensor's tables
 * stay within their bounds, what it finds is consistent and never falls, each
 * finding makes a line, and all memory comes back.
 *
 * Input, segment by segment: four bytes (connection, direction and flags;
 * place in the sequence; what is odd about it; length), then the payload.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "fuzz.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "watch/eve.h"
#include "watch/watch.h"

#define MEMORY (256u << 10)	/* small, so that tables are full at times */
#define HEADER 20
#define PAYLOAD_MOST 255
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What the third byte says of a segment. */
enum odd {
	ODD_LATER = 0x07,	/* two to the power of it, in 16 ms */
	ODD_TTL = 0x08,
	ODD_CHECKSUM = 0x10,
	ODD_URGENT = 0x20,
	ODD_FRAGMENTS = 0x40,
	ODD_CUT = 0x80,
};

static const char *const places[][2] = {
	{ "198.51.100.7:40000", "192.0.2.21:21" },
	{ "198.51.100.7:40001", "192.0.2.21:2121" },
	{ "[2001:db8:1::7]:40000", "[2001:db8:2::21]:21" },
	{ "198.51.100.7:40002", "192.0.2.22:21" },
	{ "192.0.2.21:20", "203.0.113.99:80" },
	{ "192.0.2.21:20", "198.51.100.7:50000" },
	{ "203.0.113.99:33333", "192.0.2.21:40000" },
	{ "198.51.100.7:33334", "192.0.2.21:40000" },
};

static const uint8_t flags[] = {
	SEGMENT_PSH | SEGMENT_ACK, SEGMENT_SYN, SEGMENT_SYN | SEGMENT_ACK,
	SEGMENT_ACK, SEGMENT_FIN | SEGMENT_ACK, SEGMENT_RST,
	SEGMENT_RST | SEGMENT_ACK, 0, SEGMENT_SYN | SEGMENT_FIN,
	SEGMENT_PSH | SEGMENT_ACK, SEGMENT_PSH | SEGMENT_ACK,
	SEGMENT_PSH | SEGMENT_ACK, SEGMENT_PSH | SEGMENT_ACK,
	SEGMENT_PSH | SEGMENT_ACK, SEGMENT_PSH | SEGMENT_ACK, 0xff,
};

struct told {
	uint64_t id;
	enum bounce_stage stage;
	enum bounce_level level;
};

struct world {
	struct watch watch;
	struct addr end[COUNT(places)][2];
	uint32_t seq[COUNT(places)][2];
	uint64_t syns, last_syn;
	struct told told[512];
	size_t told_count;
	FILE *lines;
	char line[8192];
	uint8_t tcp[HEADER + PAYLOAD_MOST];
};

/* ---- what must hold */

static void
never_falls(struct world *x, const struct finding *f)
{
	for (size_t i = 0; i < x->told_count; i++) {
		struct told *t = &x->told[i];

		if (t->id != f->id)
			continue;
		assert(f->stage >= t->stage && f->level >= t->level);
		*t = (struct told) { f->id, f->stage, f->level };
		return;
	}
	if (x->told_count < COUNT(x->told))
		x->told[x->told_count++] = (struct told) { f->id, f->stage,
			f->level };
}

static void
check_finding(void *arg, const struct watch *w, const struct finding *f)
{
	struct world *x = arg;

	assert(f->kind > KIND_none && f->kind < KIND_COUNT);
	assert(f->stage < STAGE_COUNT && f->level < LEVEL_COUNT);
	assert(f->stage < STAGE_executed || x->syns > 0);
	assert(f->executed == 0 || f->stage >= STAGE_executed);
	assert(f->accepted == 0 || f->stage >= STAGE_accepted);
	assert(f->syn_packet <= x->last_syn);
	assert(f->first_packet <= f->last_packet);
	assert(f->ports <= SCAN_PORTS && f->readings <= LENIENT_READINGS);
	assert(f->command_len <= COMMAND_TEXT);
	if (f->scan != NULL)
		assert(f->scan->told <= SCAN_MAP_MOST &&
		    f->scan->told <= f->scan->ports);
	if (w->findings.shed_count == 0)
		never_falls(x, f);
	rewind(x->lines);
	eve_finding(x->lines, w, f);
	assert(ftell(x->lines) > 2);
}

static void
check_table(const struct table *t)
{
	uint32_t n = 0;

	assert(t->count <= t->made && t->made <= t->most);
	for (const void *i = table_oldest(t); i != NULL;
	    i = table_newer(t, i))
		n++;
	assert(n == t->count);
}

static void
check_scans(const struct watch *w)
{
	uint32_t n = 0;

	for (const struct finding *f = table_oldest(&w->findings); f != NULL;
	    f = table_newer(&w->findings, f))
		n += f->scan != NULL;
	assert(n == w->scans && n <= w->scans_most);
}

static void
check_watch(const struct watch *w)
{
	const struct watch_counters *n = &w->counters;

	check_table(&w->flows);
	check_table(&w->expects);
	check_table(&w->findings);
	check_table(&w->pairs);
	check_table(&w->clients);
	check_table(&w->servers);
	check_table(&w->uploads);
	check_scans(w);
	assert(w->controls.used <= w->flows.count);
	assert(w->talks.used <= w->talks.made);
	assert(w->talks.made <= w->talks.most);
	assert(w->early_bytes <= w->early_most);
	assert(n->control <= n->flows && n->midstream <= n->flows);
	assert(n->control_midstream <= n->control);
	assert(n->control_one_sided <= n->control);
	assert(n->control_encrypted <= n->control);
	assert(n->control_not_ftp <= n->control);
	assert(n->logins <= n->replies);
}

/* ---- a segment */

static void
put32(uint8_t *at, uint32_t value)
{
	value = htonl(value);
	memcpy(at, &value, sizeof(value));
}

static uint32_t
sum_of(const uint8_t *bytes, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
	return sum;
}

/* The header, for segment_checksum. */
static void
put_tcp(uint8_t *tcp, const struct segment *s, bool damaged)
{
	size_t ip = s->src.family == ADDR_V4 ? 4 : 16;
	uint32_t len = HEADER + s->wire_len, sum;

	put32(tcp, (uint32_t)s->src.port << 16 | s->dst.port);
	put32(tcp + 4, s->seq);
	put32(tcp + 8, s->ack);
	put32(tcp + 12, 5u << 28 | (uint32_t)s->flags << 16 | s->window);
	put32(tcp + 16, s->urgent);
	sum = sum_of(s->src.ip, ip) + sum_of(s->dst.ip, ip) + 6 + len +
	    sum_of(tcp, len);
	while (sum > UINT16_MAX)
		sum = (sum & UINT16_MAX) + (sum >> 16);
	put32(tcp + 16, (~sum & UINT16_MAX) << 16 | s->urgent);
	if (damaged)
		tcp[16] ^= 0x55;
}

/* Where it stands: in its turn, near it, or far off. */
static uint32_t
seq_of(uint32_t next, int32_t place)
{
	if (place >= 120)
		return next + ((uint32_t)place << 20);
	return next + (uint32_t)place;
}

static void
pass(struct world *x, const uint8_t head[4], const uint8_t *payload,
    size_t len)
{
	unsigned at = head[0] & 7, from = head[0] >> 3 & 1, odd = head[2];
	uint32_t *next = &x->seq[at][from];
	struct segment s = {
		.number = x->watch.counters.segments + 1,
		.ts_ns = x->watch.now_ns +
		    (INT64_C(1) << (odd & ODD_LATER) * 2) * 16000000,
		.src = x->end[at][from],
		.dst = x->end[at][1 - from],
		.seq = seq_of(*next, (int8_t)head[1]),
		.ack = x->seq[at][1 - from],
		.window = 65535,
		.flags = flags[head[0] >> 4],
		.ttl = (odd & ODD_TTL) != 0 ? 2 : 64,
		.fragments_differ = (odd & ODD_FRAGMENTS) != 0,
		.cut = (odd & ODD_CUT) != 0,
		.tcp_header = HEADER,
		.len = (uint32_t)len,
		.wire_len = (uint32_t)len + ((odd & ODD_CUT) != 0 ? 9 : 0),
		.data = x->tcp + HEADER,
		.tcp = x->tcp,
	};

	if ((odd & ODD_URGENT) != 0) {
		s.flags |= SEGMENT_URG;
		s.urgent = (uint16_t)(1 + head[3] % 8);
	}
	if (len > 0)
		memcpy(x->tcp + HEADER, payload, len);
	if (!s.cut)
		put_tcp(x->tcp, &s, (odd & ODD_CHECKSUM) != 0);
	if ((s.flags & SEGMENT_SYN) != 0) {
		x->syns++;
		x->last_syn = s.number;
	}
	if (head[1] == 0)
		*next += s.wire_len + ((s.flags & SEGMENT_SYN) != 0 ? 1 : 0);
	watch_segment(&x->watch, &s);
}

static void
prepare(struct world *x)
{
	*x = (struct world) { .told_count = 0 };
	for (size_t i = 0; i < COUNT(places); i++)
		for (int e = 0; e < 2; e++) {
			bool ok = addr_parse_ip_port(sv_of(places[i][e]),
			    &x->end[i][e]);

			assert(ok);
			x->seq[i][e] = e == 0 ? 1000 : UINT32_MAX - 100;
		}
	x->lines = fmemopen(x->line, sizeof(x->line), "w");
	assert(x->lines != NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world x;
	bool ok;

	prepare(&x);
	ok = watch_init(&x.watch, MEMORY, 1);
	assert(ok);
	x.watch.now_ns = 1795478400 * WATCH_S;
	x.watch.report.finding = check_finding;
	x.watch.report.arg = &x;
	while (size >= 4) {
		size_t len = data[3] < size - 4 ? data[3] : size - 4;

		pass(&x, data, data + 4, len);
		data += 4 + len;
		size -= 4 + len;
	}
	check_watch(&x.watch);
	watch_finish(&x.watch);
	check_watch(&x.watch);
	assert(x.watch.flows.count == 0 && x.watch.pairs.count == 0);
	assert(x.watch.controls.used == 0 && x.watch.talks.used == 0);
	assert(x.watch.early_bytes == 0);
	watch_free(&x.watch);
	fclose(x.lines);
	return 0;
}
