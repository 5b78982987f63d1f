/*
 * audit/theft.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "audit/theft.h"

#include <poll.h>

#include "audit/note.h"

#include "audit/dial.h"
#include "policy/bounce.h"

#define ALONE_MS 2500		/* for the stranger to be served, or not */
#define SETTLE_MS 200		/* for a server that accepts at once */
#define SERVED_MS 5000
#define UNASKED_MOST 8		/* replies to nothing, before LIST */

/* The passive transfer as it stands: two who may be served. */
struct scene {
	struct link *l;
	struct data stranger, owner;
	struct theft *t;
};

static bool
is_over(const struct scene *s)
{
	return s->l->over || s->t->done.code != 0;
}

static void
read_reply(struct scene *s)
{
	struct reply r;

	if (link_read(s->l, &r, link_patience(s->l)) != 0 &&
	    !reply_begins(&r))
		s->t->done = r;
}

/* Reads what is there; closes at its end.  True: something happened. */
static bool
drink(struct scene *s, struct data *d, int64_t *got)
{
	char buf[4096];
	ssize_t n;

	if (d->fd < 0 || (!sock_readable(d->fd, 0) &&
	    (d->tls == NULL || !tls_pending(d->tls))))
		return false;
	if (s->l->prot_p && d->tls == NULL && !data_begin(d, s->l, d->fd)) {
		data_close(d);
		return true;
	}
	n = data_read(d, buf, sizeof(buf), sock_now_ms() + SERVED_MS);
	if (n > 0) {
		*got += n;
		return true;
	}
	if (*got == 0 && d == &s->stranger)
		s->t->refused = true;
	data_close(d);
	return true;
}

/* TLS is begun by us: who waits for the server's first byte waits forever. */
static void
greet_tls(struct scene *s, struct data *d)
{
	if (s->l->prot_p && d->fd >= 0 && d->tls == NULL &&
	    !data_begin(d, s->l, d->fd))
		data_close(d);
}

/* A stranger who is alone was sent away: no more is to be seen. */
static bool
is_told_apart(const struct scene *s)
{
	return s->t->refused && s->t->owner_got < 0 && !s->l->prot_p;
}

/* Until the transfer is over and both are drunk dry, or the deadline. */
static void
run(struct scene *s, uint64_t deadline_ms)
{
	while (sock_now_ms() < deadline_ms && !is_told_apart(s)) {
		struct pollfd p[3] = {
			{ .fd = s->l->fd, .events = POLLIN },
			{ .fd = s->stranger.fd, .events = POLLIN },
			{ .fd = s->owner.fd, .events = POLLIN },
		};
		bool news = drink(s, &s->stranger, &s->t->stranger_got);

		news = drink(s, &s->owner, &s->t->owner_got) || news;
		if (!is_over(s) && link_has_news(s->l)) {
			read_reply(s);
			news = true;
		}
		if (!news && is_over(s))
			return;
		if (!news)
			poll(p, 3, 50);
	}
}

static void
come(struct scene *s, struct data *d, const struct addr *from,
    const struct addr *port, int64_t *got)
{
	*d = (struct data) { .fd = data_connect(s->l, from, port) };
	*got = d->fd < 0 ? -1 : 0;
}

static void
owner_comes(struct scene *s, const struct addr *port)
{
	come(s, &s->owner, NULL, port, &s->t->owner_got);
}

static void
play(struct scene *s, const struct addr *stranger, const struct addr *port,
    enum theft_order order)
{
	struct reply unasked;

	come(s, &s->stranger, stranger, port, &s->t->stranger_got);
	sock_sleep_until(sock_now_ms() + SETTLE_MS);
	if (order == THEFT_FIRST)
		owner_comes(s, port);
	/* Some complain of the stranger before anything was asked for. */
	for (int i = 0; i < UNASKED_MOST && !s->l->over &&
	    link_has_news(s->l); i++)
		if (link_read(s->l, &unasked, link_patience(s->l)) == 0)
			break;
	if (!link_send(s->l, SV("LIST\r\n")))
		return;
	if (order == THEFT_FIRST)
		greet_tls(s, &s->owner);
	else
		greet_tls(s, &s->stranger);
	run(s, sock_now_ms() + (order == THEFT_ALONE ? ALONE_MS :
	    SERVED_MS));
	if (order == THEFT_ALONE && s->t->stranger_got <= 0 && !is_over(s)) {
		owner_comes(s, port);
		greet_tls(s, &s->owner);
		run(s, sock_now_ms() + SERVED_MS);
		s->t->kept = s->t->owner_got > 0;
	}
}

/* Under which name a sensor sees it. */
static void
note_stranger(const struct scene *s, const struct addr *stranger,
    const struct addr *port)
{
	bool race = s->t->stranger_got <= 0 && s->t->owner_got >= 0;

	if (addr_same_ip(stranger, &s->l->here) || s->t->stranger_got < 0)
		return;
	note_kind(s->l, race ? KIND_pasv_race : KIND_pasv_theft,
	    SV("LIST"), stranger, port->port);
}

bool
theft_try(struct theft *t, struct link *l, const struct addr *stranger,
    enum theft_order order)
{
	struct scene s = { .l = l, .t = t, .stranger = { .fd = -1 },
		.owner = { .fd = -1 } };
	struct addr port;
	struct reply r;

	*t = (struct theft) { .stranger_got = -1, .owner_got = -1 };
	if (!data_ask_passive(l, &r, NULL, &port)) {
		ask_answer(l->ask, VERDICT_inconclusive, "no passive port: "
		    "%s", r.text);
		return false;
	}
	play(&s, stranger, &port, order);
	if (t->stranger_got < 0 && t->owner_got < 0) {
		ask_answer(l->ask, VERDICT_inconclusive, "the passive port "
		    "could not be connected to");
		data_close(&s.stranger);
		data_close(&s.owner);
		return false;
	}
	note_stranger(&s, stranger, &port);
	ask_event(l->ask, "the stranger got %lld bytes, the owner %lld",
	    (long long)t->stranger_got, (long long)t->owner_got);
	data_close(&s.stranger);
	data_close(&s.owner);
	return true;
}

bool
theft_can(struct ask *q)
{
	const struct place *p = &q->audit->place;

	if (p->other.family == ADDR_NONE)
		ask_answer(q, VERDICT_inconclusive, "this host has no second "
		    "address to be a stranger: --listen-address names one");
	else if (!p->reachable)
		ask_answer(q, VERDICT_inconclusive, "no connection from the "
		    "second address to the server can be made");
	return !q->answered;
}

/* Is what the client calls its own address another's to the server? */
static bool
is_own_refused(struct ask *q)
{
	char line[DIAL_LINE_MAX];
	struct link *l = link_login(q);
	bool refused = false;
	struct dial d;

	if (l == NULL)
		return true;
	if (dial_open(&d, q, &q->audit->place.here)) {
		refused = !dial_name(&d, l, dial_any(l, &d.at[0].at, line));
		dial_close(&d);
	}
	link_close(l);
	return refused;
}

bool
theft_has_one_address(struct ask *q)
{
	const struct place *p = &q->audit->place;

	if (!p->behind_nat && (!bounce_is_internal(&p->here) ||
	    place_is_loopback(&p->server) || !is_own_refused(q)))
		return false;
	ask_answer(q, VERDICT_inconclusive, "%s: to the server, stranger and "
	    "owner may have the same address; ask from outside of it",
	    p->behind_nat ? "a NAT stands between" : "a NAT may stand "
	    "between, as PORT of the client's own address is refused");
	return true;
}

void
theft_answer(const struct theft *t, struct ask *q)
{
	if (t->stranger_got > 0 && theft_has_one_address(q))
		return;
	if (t->stranger_got > 0)
		ask_answer(q, VERDICT_vulnerable, "a stranger at the passive "
		    "port got %lld bytes of the listing (%s)",
		    (long long)t->stranger_got, t->done.text);
	else if (t->kept)
		ask_answer(q, VERDICT_safe, "the stranger got nothing, and "
		    "the owner, who came later, was served");
	else
		ask_answer(q, VERDICT_safe, "the stranger got nothing; the "
		    "transfer: %s", t->done.code != 0 ? t->done.text :
		    "no final reply");
}
