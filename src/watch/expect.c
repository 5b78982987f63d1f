/*
 * watch/expect.c: data connections that somebody was told of, and those that
 * nobody was.
 *
 * They are followed by their SYN, SYN-ACK, RST, FIN and byte counts; of one
 * that goes where it should not, the first bytes are looked at.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "watch/watch.h"

#define DATA_PORT 20
#define TLS_NS (5 * WATCH_S)	/* a transfer follows its command */

struct expect *
expect_add(struct watch *w, struct control *c, enum expect_kind kind,
    const struct addr *at, const struct addr *from)
{
	struct addr plain = addr_unmap(*at);
	struct expect *x;

	plain.zoned = 0;
	x = table_add(&w->expects, watch_hash_at(w, &plain));
	if (x == NULL) {
		w->counters.not_followed++;
		return NULL;
	}
	x->at = plain;
	x->from = *from;
	x->since_ns = w->now_ns;
	x->control = c;
	x->kind = (uint8_t)kind;
	if (c != NULL) {
		x->client = c->flow->end[CLIENT];
		x->server = c->flow->end[SERVER];
	}
	return x;
}

static void
unlink_reading(struct expect **head, const struct expect *x)
{
	while (*head != NULL && *head != x)
		head = &(*head)->other;
	if (*head != NULL)
		*head = x->other;
}

/* It is over: what hung on it is told. */
static void
conclude(struct watch *w, struct expect *x)
{
	struct finding *f = finding_get(w, x->finding, x->serial);

	if (x->control != NULL) {
		unlink_reading(&x->control->active, x);
		unlink_reading(&x->control->stale, x);
		unlink_reading(&x->control->passive, x);
	}
	if (f == NULL)
		return;
	if (x->kind == EXPECT_PASSIVE)
		finding_settle(w, f);
	else
		finding_tell(w, f);
}

static void
expect_shed(void *arg, struct table_link *item)
{
	conclude(arg, (struct expect *)(void *)item);
}

void
expect_init(struct watch *w)
{
	w->expects.shed = expect_shed;
	w->expects.arg = w;
}

/* With the other readings of the same command. */
void
expect_drop(struct watch *w, struct expect *x)
{
	struct expect *next;

	for (; x != NULL; x = next) {
		next = x->other;
		conclude(w, x);
		table_drop(&w->expects, x);
	}
}

void
expect_sweep(struct watch *w)
{
	struct expect *x;

	/* They stand in the order in which they were made. */
	while ((x = table_oldest(&w->expects)) != NULL &&
	    w->now_ns - x->since_ns > EXPECT_NS) {
		conclude(w, x);
		table_drop(&w->expects, x);
	}
}

static struct expect *
first_at(const struct watch *w, const struct addr *at)
{
	return table_first(&w->expects, watch_hash_at(w, at));
}

static bool
is_at(const struct expect *x, const struct addr *at)
{
	return x->at.port == at->port && addr_same_ip(&x->at, at);
}

bool
expect_is_told(struct watch *w, const struct addr *at,
    const struct addr *client, const struct addr *not_server)
{
	struct addr plain = addr_unmap(*at);
	struct expect *x;

	plain.zoned = 0;
	for (x = first_at(w, &plain); x != NULL;
	    x = table_next(&w->expects, x))
		if (is_at(x, &plain) && x->kind == EXPECT_PASSIVE &&
		    addr_same_ip(&x->client, client) &&
		    !addr_same_ip(&x->server, not_server))
			return true;
	return false;
}

void
expect_redirect(struct watch *w, const struct control *c,
    const struct addr *to, const struct finding *f)
{
	struct expect *x;

	if (to->family == ADDR_NONE)
		return;
	x = expect_add(w, NULL, EXPECT_REDIRECT, to, &c->flow->end[CLIENT]);
	if (x == NULL)
		return;
	x->finding = f->link.self;
	x->serial = f->serial;
}

/* ---- a connection begins */

static void
becomes_data(struct flow *f, const struct expect *x)
{
	f->kind = FLOW_DATA;
	f->role = x->kind;
}

static void
belongs_to(struct flow *f, const struct finding *of)
{
	f->finding = of->link.self;
	f->serial = of->serial;
}

/* A well-formed address, its client's own, that the server read otherwise. */
static struct finding *
unthought(struct watch *w, const struct expect *x)
{
	struct bounce_question q = { .asked = x->at, .peer = x->client,
		.local = x->server };
	struct finding *f = finding_of(w, bounce_judge(&q), &x->client,
	    &x->server, &x->at);
	const struct control *c = x->control;

	if (f == NULL || c == NULL)
		return f;
	f->attempts++;
	f->refused = false;
	for (const struct expect *o = c->active; o != NULL; o = o->other)
		finding_read(f, &o->at);
	w->counters.ambiguous++;
	return f;
}

/* The server connects where it was told to. */
static void
dialled(struct watch *w, struct flow *f, struct expect *x)
{
	struct finding *of = finding_get(w, x->finding, x->serial);
	bool own = x->kind == EXPECT_OWN;

	becomes_data(f, x);
	x->used = true;
	w->counters.data_active++;
	if (own)
		return;
	if (x->kind == EXPECT_STALE)
		of = finding_of(w, KIND_stale_address, &x->client, &x->server,
		    &x->at);
	else if (of == NULL)
		of = unthought(w, x);
	if (of == NULL)
		return;
	if (of->readings > 0)
		of->asked = x->at; /* the reading that the server has */
	x->finding = of->link.self;
	x->serial = of->serial;
	belongs_to(f, of);
	finding_rise(w, of, STAGE_executed);
	finding_tell(w, of);
}

/* Somebody else than the server connects to where it should. */
static void
hijacked(struct watch *w, struct flow *f, struct expect *x)
{
	struct finding *of = finding_of(w, KIND_active_hijack, &x->client,
	    &x->server, &f->end[CLIENT]);

	becomes_data(f, x);
	if (of == NULL)
		return;
	belongs_to(f, of);
	finding_tell(w, of);
}

static void
stranger(struct watch *w, struct flow *f, struct expect *x)
{
	struct finding *of = finding_of(w, KIND_pasv_theft, &x->client,
	    &x->server, &f->end[CLIENT]);

	becomes_data(f, x);
	if (of == NULL)
		return;
	if (!of->told)
		of->held = true; /* what he gets decides */
	of->owner_came = of->owner_came || x->used;
	x->finding = of->link.self;
	x->serial = of->serial;
	belongs_to(f, of);
}

static void
owner(struct watch *w, struct flow *f, struct expect *x)
{
	struct finding *of = finding_get(w, x->finding, x->serial);

	becomes_data(f, x);
	x->used = true;
	w->counters.data_passive++;
	if (x->control != NULL)
		x->control->unused_passive = 0;
	if (of == NULL)
		return;
	if (x->kind == EXPECT_PASSIVE) {
		of->owner_came = true;
		return;
	}
	belongs_to(f, of); /* he follows a redirection */
	finding_rise(w, of, STAGE_executed);
	finding_tell(w, of);
}

/* True when this expectation explains the connection. */
static bool
explains(struct watch *w, struct flow *f, struct expect *x)
{
	const struct addr *who = &f->end[CLIENT];
	bool right = addr_same_ip(who, &x->from) ||
	    peers_are_one(w, who, &x->from);

	switch ((enum expect_kind)x->kind) {
	case EXPECT_OWN:
	case EXPECT_FOREIGN:
	case EXPECT_STALE:
		if (right)
			dialled(w, f, x);
		else if (x->kind == EXPECT_OWN && x->accepted)
			hijacked(w, f, x);
		else
			return false;
		return true;
	case EXPECT_PASSIVE:
	case EXPECT_REDIRECT:
		if (right)
			owner(w, f, x);
		else if (x->kind == EXPECT_PASSIVE)
			stranger(w, f, x);
		else
			return false;
		return true;
	}
	return false;
}

/* A server that connects to somebody whom nobody has named. */
static void
unexplained(struct watch *w, struct flow *f)
{
	const struct addr *from = &f->end[CLIENT], *to = &f->end[SERVER];
	struct server *s = peers_find_server(w, from);
	struct finding *of;

	if (s == NULL || peers_pair(w, to, from, false) != NULL)
		return;
	if (from->port != DATA_PORT &&
	    (s->tls_ns == 0 || w->now_ns - s->tls_ns > TLS_NS))
		return;
	of = finding_of(w, KIND_unexplained_data_syn, &s->last_client, &s->at,
	    to);
	if (of == NULL)
		return;
	of->detail = s->tls_ns != 0 ? "its commands are encrypted" :
	    "from its data port";
	f->kind = FLOW_DATA;
	f->role = EXPECT_FOREIGN;
	belongs_to(f, of);
	finding_rise(w, of, STAGE_executed);
	finding_tell(w, of);
}

void
expect_syn(struct watch *w, struct flow *f)
{
	struct expect *x = first_at(w, &f->end[SERVER]), *next;

	for (; x != NULL; x = next) {
		next = table_next(&w->expects, x);
		if (is_at(x, &f->end[SERVER]) && explains(w, f, x))
			return;
	}
	unexplained(w, f);
}

/* ---- what is seen on it */

static const struct {
	const char *begins;
	enum bounce_kind kind;
	const char *detail;
} payloads[] = {
	{ "GET ", KIND_payload_relay, "HTTP is sent there" },
	{ "POST ", KIND_payload_relay, "HTTP is sent there" },
	{ "PUT ", KIND_payload_relay, "HTTP is sent there" },
	{ "HEAD ", KIND_payload_relay, "HTTP is sent there" },
	{ "HELO ", KIND_payload_relay, "SMTP is sent there" },
	{ "EHLO ", KIND_payload_relay, "SMTP is sent there" },
	{ "MAIL FROM:", KIND_payload_relay, "SMTP is sent there" },
	{ "*1\r\n$", KIND_payload_relay, "Redis is sent there" },
	{ "*2\r\n$", KIND_payload_relay, "Redis is sent there" },
	{ "*3\r\n$", KIND_payload_relay, "Redis is sent there" },
	{ "*4\r\n$", KIND_payload_relay, "Redis is sent there" },
	{ "CONFIG SET ", KIND_payload_relay, "Redis is sent there" },
	{ "SLAVEOF ", KIND_payload_relay, "Redis is sent there" },
	{ "FLUSHALL", KIND_payload_relay, "Redis is sent there" },
	{ "USER ", KIND_chained_control, "FTP commands are sent there" },
};

static void
look_at_payload(struct watch *w, struct finding *of)
{
	const struct segment *s = w->segment;

	for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
		size_t n = strlen(payloads[i].begins);

		if (s->len < n || memcmp(s->data, payloads[i].begins, n) != 0)
			continue;
		of = finding_relay(w, of, payloads[i].kind,
		    payloads[i].detail);
		if (of != NULL)
			finding_rise(w, of, STAGE_completed);
		return;
	}
}

static bool
is_by_server(const struct flow *f)
{
	return f->role == EXPECT_FOREIGN || f->role == EXPECT_STALE;
}

static void
bytes_came(struct watch *w, struct finding *of)
{
	of->held = false;
	finding_rise(w, of, STAGE_completed);
	finding_tell(w, of);
}

static void
synack_came(struct watch *w, struct flow *f, struct finding *of)
{
	if (is_by_server(f)) {
		finding_port(of, f->end[SERVER].port, PORT_OPEN);
		return;
	}
	/* A stranger is let in, or a client by the wrong host. */
	finding_rise(w, of, STAGE_executed);
	finding_tell(w, of);
}

void
expect_data(struct watch *w, struct flow *f, enum end from)
{
	const struct segment *s = w->segment;
	struct finding *of = finding_get(w, f->finding, f->serial);

	if (of == NULL)
		return;
	if (from == SERVER && (s->flags & SEGMENT_SYN) != 0)
		synack_came(w, f, of);
	if (from == SERVER && (s->flags & SEGMENT_RST) != 0 && !f->syn_ack &&
	    is_by_server(f))
		finding_port(of, f->end[SERVER].port, PORT_CLOSED);
	if (s->wire_len == 0)
		return;
	if (f->role == EXPECT_FOREIGN && from == CLIENT &&
	    f->bytes[CLIENT] == s->wire_len)
		look_at_payload(w, of);
	if (of->stage < STAGE_completed || !f->told) {
		f->told = true;
		bytes_came(w, of);
	}
}

void
expect_end(struct watch *w, struct flow *f)
{
	struct finding *of = finding_get(w, f->finding, f->serial);

	if (of == NULL)
		return;
	of->dirty = true;
	of->bytes_out += f->bytes[CLIENT];
	of->bytes_in += f->bytes[SERVER];
	if (is_by_server(f) && !f->syn_ack && !f->reset)
		finding_port(of, f->end[SERVER].port, PORT_FILTERED);
}
