/*
 * watch/address.c: data addresses: what was named, by whom, and what to
 * think of it.
 *
 * The grammar is the server's own; where it refuses, the careless readings
 * (proto/lenient.h) say what another server may have understood.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "watch/watch.h"

#define DOUBT_NS WATCH_S		/* copies follow each other closely */
#define FLOOD 500		/* addresses without a transfer */
#define EXHAUSTION 20		/* passive ports without a connection */
#define QUICK_NS WATCH_S	/* a refusal that came so fast was a RST */
#define STEP_MOST 16		/* of ports that are counted up */
#define SPREAD_MOST 8		/* of ports that are hardly spread */
#define CONTROL_PORT 21
#define LOW_PORT 1024

static const struct addr nowhere = { .family = ADDR_NONE };

static enum bounce_kind
verdict(const struct control *c, const struct addr *asked)
{
	struct bounce_question q = { .asked = *asked,
		.peer = c->flow->end[CLIENT], .local = c->flow->end[SERVER] };

	return bounce_judge(&q);
}

static struct named
understand(const struct control *c, enum ftp_verb verb, struct sv arg,
    bool strict)
{
	struct bounce_question who = { .peer = c->flow->end[CLIENT],
		.local = c->flow->end[SERVER] };

	return named_judge(verb, arg, strict, &who);
}

static bool
is_about_place(enum bounce_kind kind)
{
	return kind == KIND_third_party || kind == KIND_internal ||
	    kind == KIND_self || kind == KIND_loopback;
}

/* What the moment makes of it, and who else told the address. */
static void
judge_moment(struct watch *w, struct control *c, struct named *m)
{
	struct flow *f = c->flow;

	if (f->syn && f->syn_ack && f->bytes[SERVER] == 0)
		m->kind = KIND_alg_holepunch;
	else if (!c->logged_in && !c->password_sent)
		m->kind = KIND_preauth;
	else if (c->epsv_all)
		m->kind = KIND_epsv_all;
	else if (is_about_place(m->kind) && expect_is_told(w, &m->asked,
	    &f->end[CLIENT], &f->end[SERVER]))
		m->kind = KIND_fxp;
}

/* A private host behind a public client: a NAT that does not know FTP. */
static bool
is_nat(struct watch *w, struct control *c, const struct named *m)
{
	struct addr client = c->flow->end[CLIENT];
	struct client *who;

	client.port = LOW_PORT;
	if (m->kind != KIND_internal || m->asked.port < LOW_PORT ||
	    bounce_is_internal(&client))
		return false;
	if ((who = peers_client(w, &client)) == NULL)
		return false;
	if (!addr_same_ip(&who->private_host, &m->asked)) {
		who->private_host = m->asked;
		who->private_hosts++;
	}
	return who->private_hosts == 1;
}

static void
label_nse(struct control *c, const struct named *m)
{
	bool next = c->nse == 1 && m->asked.port == 80;

	if (next)
		c->label = "nmap ftp-bounce";
	c->nse = m->asked.port == 80 * 256 + 80 ? 1 : 0;
}

static void
joined_line(struct watch *w, struct control *c, const struct addr *asked,
    struct sv arg)
{
	struct finding *f = finding_of(w, KIND_cross_protocol,
	    &c->flow->end[CLIENT], &c->flow->end[SERVER], asked);

	if (f == NULL)
		return;
	f->detail = "a line with a data address hidden behind a path, in one "
	    "packet";
	finding_cap(f, LEVEL_MEDIUM);
	finding_quote(f, arg);
	finding_tell(w, f);
}

static void
keep_readings(struct watch *w, struct finding *f, const struct named *m)
{
	if (m->n < 2 && m->kind != KIND_evasion)
		return;
	w->counters.ambiguous++;
	for (size_t i = 0; i < m->n; i++)
		finding_read(f, &m->reading[i]);
}

static struct finding *
forbidden(struct watch *w, struct control *c, struct named *m, struct sv arg)
{
	bool nat = is_nat(w, c, m);
	struct finding *f;

	label_nse(c, m);
	f = finding_attempt(w, c, m->kind, &m->asked, arg);
	if (f == NULL)
		return NULL;
	f->nat = nat;
	if (m->kind == KIND_third_party && peers_are_one(w, &m->asked,
	    &c->flow->end[CLIENT]))
		finding_cap(f, LEVEL_INFO);
	keep_readings(w, f, m);
	return finding_count_port(w, c, f, &m->asked);
}

/* Where a connection may come from now: each reading has its own place. */
static struct expect *
expect_readings(struct watch *w, struct control *c, const struct named *m,
    const struct finding *f)
{
	struct expect *all = NULL;

	for (size_t i = 0; i < m->n; i++) {
		bool own = m->kind == KIND_none &&
		    verdict(c, &m->reading[i]) == KIND_none;
		struct expect *x = expect_add(w, c, own ? EXPECT_OWN :
		    EXPECT_FOREIGN, &m->reading[i], &c->flow->end[SERVER]);

		if (x == NULL)
			break;
		if (f != NULL) {
			x->finding = f->link.self;
			x->serial = f->serial;
		}
		x->other = all;
		all = x;
	}
	return all;
}

static void
count_unused(struct watch *w, struct control *c)
{
	struct finding *f;

	if (++c->unused_active != FLOOD)
		return;
	f = finding_of(w, KIND_port_flood, &c->flow->end[CLIENT],
	    &c->flow->end[SERVER], &nowhere);
	if (f != NULL)
		finding_tell(w, f);
}

/* Nobody holds it: it ends with its time. */
static void
let_go(struct expect *x)
{
	struct expect *next;

	for (; x != NULL; x = next) {
		next = x->other;
		x->other = NULL;
		x->control = NULL;
	}
}

/* ---- a second reading of the same bytes */

static const char packets_differ[] = "packets that a sensor and the server "
    "may read otherwise";

/* Its turn has not come yet: the other copy follows. */
static void
doubt_add(struct watch *w, struct control *c, const struct named *m,
    const struct finding *f)
{
	struct talk *t = talk_begin(w, c);

	if (t == NULL)
		return;
	t->doubt = (struct doubt) { .set = true, .reading = m->asked,
		.since_ns = w->now_ns };
	if (f != NULL) {
		t->doubt.finding = f->link.self;
		t->doubt.serial = f->serial;
	}
}

static struct doubt *
doubt_of(const struct watch *w, const struct control *c)
{
	struct doubt *d = c->talk == NULL ? NULL : &c->talk->doubt;

	if (d == NULL || !d->set)
		return NULL;
	d->set = w->now_ns - d->since_ns < DOUBT_NS;
	return d->set ? d : NULL;
}

void
address_doubted(struct watch *w, struct control *c, struct pending *p)
{
	struct doubt *d = doubt_of(w, c);

	if (d == NULL || d->finding == 0 || p->finding != 0)
		return;
	p->finding = d->finding;
	p->serial = d->serial;
	if (p->await == AWAIT_OTHER)
		p->await = AWAIT_ADDRESS;
	d->set = false;
}

static struct finding *
doubtful(struct watch *w, struct control *c, const struct named *m,
    struct sv arg)
{
	struct finding *f = finding_attempt(w, c, KIND_evasion, &m->asked,
	    arg);

	w->counters.ambiguous++;
	if (f == NULL)
		return NULL;
	f->detail = packets_differ;
	finding_read(f, &m->asked);
	let_go(expect_readings(w, c, m, f));
	return f;
}

/* The first copy was read already, and waits for its reply as p. */
static void
second_after(struct watch *w, struct control *c, const struct named *m,
    struct sv arg, struct pending *p)
{
	struct finding *f = finding_get(w, p->finding, p->serial);

	if (f == NULL && m->kind == KIND_none)
		return; /* both are the client's own */
	if (f != NULL && !f->told)
		f->kind = KIND_evasion;
	if (f == NULL && (f = doubtful(w, c, m, arg)) == NULL)
		return;
	f->detail = packets_differ;
	if (p->finding != 0)
		w->counters.ambiguous++;
	p->finding = f->link.self;
	p->serial = f->serial;
	if (c->active != NULL)
		finding_read(f, &c->active->at);
	finding_read(f, &m->asked);
}

void
address_second(struct watch *w, struct control *c, enum ftp_verb verb,
    struct sv arg, bool strict)
{
	struct named m = understand(c, verb, arg, strict);
	struct pending *p = control_latest(c);

	if (m.n == 0)
		return;
	if (p != NULL && p->await == AWAIT_ADDRESS &&
	    w->now_ns - p->asked_ns < DOUBT_NS)
		second_after(w, c, &m, arg, p);
	else
		doubt_add(w, c, &m, m.kind == KIND_none ? NULL :
		    doubtful(w, c, &m, arg));
}

/* What was seen of these bytes before, and may be what the server took. */
static void
settle_doubt(struct watch *w, struct control *c, struct finding *f,
    const struct named *m, struct pending *p)
{
	struct doubt *d = doubt_of(w, c);
	struct finding *other;

	if (d == NULL)
		return;
	d->set = false;
	other = finding_get(w, d->finding, d->serial);
	if (f != NULL) {
		finding_read(f, &d->reading);
		finding_read(f, &m->asked);
		f->detail = packets_differ;
		w->counters.ambiguous++;
	} else if (other != NULL) {
		finding_read(other, &m->asked);
		p->finding = other->link.self;
		p->serial = other->serial;
	}
}

void
address_named(struct watch *w, struct control *c, enum ftp_verb verb,
    struct sv arg, bool strict, struct pending *p)
{
	struct named m = understand(c, verb, arg, strict);
	struct finding *f = NULL;

	address_void(w, c);
	count_unused(w, c);
	judge_moment(w, c, &m);
	if (is_about_place(m.kind) && (c->odd || doubt_of(w, c) != NULL))
		m.kind = KIND_evasion;
	if (m.kind != KIND_none)
		f = forbidden(w, c, &m, arg);
	if (f != NULL && c->odd)
		f->detail = packets_differ;
	if (m.kind != KIND_none && c->joined)
		joined_line(w, c, &m.asked, arg);
	c->active = expect_readings(w, c, &m, f);
	if (f != NULL) {
		p->finding = f->link.self;
		p->serial = f->serial;
	}
	settle_doubt(w, c, f, &m, p);
	if (f != NULL && m.kind == KIND_alg_holepunch)
		finding_tell(w, f); /* a server that is none never answers */
}

void
address_void(struct watch *w, struct control *c)
{
	if (c->active == NULL)
		return;
	if (c->stale != NULL)
		expect_drop(w, c->stale);
	c->stale = c->active;
	c->active = NULL;
	for (struct expect *x = c->stale; x != NULL; x = x->other)
		if (x->kind == EXPECT_OWN)
			x->kind = EXPECT_STALE;
}

void
address_answered(struct watch *w, struct control *c, const struct pending *p,
    int code)
{
	struct finding *f = finding_get(w, p->finding, p->serial);
	bool agreed = code / 100 == 2;

	if (f != NULL)
		finding_answered(w, f, code);
	for (struct expect *x = c->active; x != NULL; x = x->other)
		x->accepted = agreed;
	/* An address of its own that was refused is nobody's. */
	if (!agreed && f == NULL && c->active != NULL) {
		expect_drop(w, c->active);
		c->active = NULL;
	}
}

static void
look_for_relay(struct watch *w, struct control *c, struct finding *f,
    const struct pending *p)
{
	bool chained = c->active->at.port == CONTROL_PORT;

	if (!peers_was_uploaded(w, p->name))
		return;
	if (!c->active->accepted)
		return;
	f = finding_relay(w, f, chained ? KIND_chained_control :
	    KIND_payload_relay,
	    "a file that was uploaded before is sent there");
	if (f == NULL)
		return;
	f->offset = c->rest;
	f->accepted++;
	finding_rise(w, f, STAGE_accepted);
	finding_tell(w, f);
}

void
address_transfer(struct watch *w, struct control *c, enum ftp_verb verb,
    struct pending *p)
{
	struct finding *f;

	c->unused_active = 0;
	if (c->active == NULL || c->active->kind != EXPECT_FOREIGN)
		return;
	f = finding_get(w, c->active->finding, c->active->serial);
	if (f == NULL)
		return;
	p->finding = f->link.self;
	p->serial = f->serial;
	p->port = c->active->at.port;
	if (verb == V_RETR)
		look_for_relay(w, c, f, p);
}

/* What the client learns of the port, if nothing was seen on the wire. */
void
address_transfer_answered(struct watch *w, struct control *c,
    const struct pending *p, int code)
{
	struct finding *f = finding_get(w, p->finding, p->serial);
	bool quick = w->now_ns - p->asked_ns < QUICK_NS;

	c->rest = 0;
	if (f == NULL)
		return;
	if (code / 100 == 1 || code / 100 == 2)
		finding_port(f, p->port, PORT_OPEN);
	else if (code == 425 || code == 426)
		finding_port(f, p->port,
		    quick ? PORT_CLOSED : PORT_FILTERED);
}

/* ---- what servers tell */

static void
tell_of_server(struct watch *w, struct control *c, enum bounce_kind kind,
    const struct addr *named)
{
	struct finding *f = finding_of(w, kind, &c->flow->end[CLIENT],
	    &c->flow->end[SERVER], named);

	if (f != NULL)
		finding_tell(w, f);
}

/* Ports that rise by one step, or lie close together. */
static bool
is_predictable(const struct server *s)
{
	uint16_t least = UINT16_MAX, most = 0;
	int step = (uint16_t)(s->passive[1] - s->passive[0]);
	bool steady = step != 0 && step <= STEP_MOST;

	for (unsigned i = 0; i < PASSIVE_PORTS; i++) {
		if (i > 0 && (uint16_t)(s->passive[i] - s->passive[i - 1]) !=
		    step)
			steady = false;
		if (s->passive[i] < least)
			least = s->passive[i];
		if (s->passive[i] > most)
			most = s->passive[i];
	}
	return steady || most - least < SPREAD_MOST;
}

static void
note_passive_port(struct watch *w, struct control *c, uint16_t port)
{
	struct server *s = c->server;

	if (s == NULL || s->told_predictable)
		return;
	memmove(s->passive, s->passive + 1,
	    sizeof(s->passive) - sizeof(s->passive[0]));
	s->passive[PASSIVE_PORTS - 1] = port;
	if (++s->passive_replies < PASSIVE_PORTS || !is_predictable(s))
		return;
	s->told_predictable = true;
	tell_of_server(w, c, KIND_pasv_predictable, &nowhere);
}

static void
count_unused_passive(struct watch *w, struct control *c)
{
	if (++c->unused_passive == EXHAUSTION)
		tell_of_server(w, c, KIND_pasv_exhaustion, &nowhere);
}

static void
redirected(struct watch *w, struct control *c, const struct addr *named)
{
	struct finding *f = finding_of(w, KIND_pasv_redirect,
	    &c->flow->end[CLIENT], &c->flow->end[SERVER], named);

	if (f == NULL)
		return;
	finding_tell(w, f);
	expect_redirect(w, c, named, f);
}

static void
judge_told(struct watch *w, struct control *c, const struct addr *named)
{
	const struct addr *server = &c->flow->end[SERVER];
	enum bounce_kind kind = bounce_judge_passive(named, server);
	bool other = named->family != ADDR_NONE &&
	    !addr_same_ip(named, server);
	struct addr at = other ? *named : *server;

	at.port = named->port;
	if (kind == KIND_pasv_redirect)
		redirected(w, c, named);
	else if (kind != KIND_none)
		tell_of_server(w, c, kind, &at);
	else if (other && c->server != NULL && !c->server->told_private) {
		c->server->told_private = true;
		tell_of_server(w, c, KIND_pasv_private, named);
	}
}

void
address_told(struct watch *w, struct control *c, int code, struct sv text)
{
	struct addr named = nowhere, at = c->flow->end[SERVER];
	enum ftp_err err;

	if (code == 229)
		err = epsv_reply_parse(text, &named);
	else if (code == 228)
		err = lpsv_reply_parse(text, &named);
	else
		err = pasv_reply_parse(text, &named);
	if (err != FTP_OK)
		return;
	judge_told(w, c, &named);
	count_unused_passive(w, c);
	note_passive_port(w, c, named.port);
	if (c->passive != NULL)
		expect_drop(w, c->passive);
	at.port = named.port;
	c->passive = expect_add(w, c, EXPECT_PASSIVE, &at,
	    &c->flow->end[CLIENT]);
}
