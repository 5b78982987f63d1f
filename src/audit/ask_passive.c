/*
 * audit/ask_passive.c: T9 to T13: whose the passive data connection is.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <unistd.h>

#include "audit/data.h"
#include "audit/ports.h"
#include "audit/theft.h"
#include "policy/bounce.h"

/* ---- T9, T10: theft */

void
ask_theft(struct ask *q)
{
	struct theft t;
	struct link *l;

	if (!theft_can(q) || (l = link_login(q)) == NULL)
		return;
	if (theft_try(&t, l, &q->audit->place.other, THEFT_ALONE))
		theft_answer(&t, q);
	link_close(l);
}

/* Both come, the stranger first. */
static bool
race(struct ask *q, struct theft *t)
{
	struct link *l;
	bool done;

	if (!theft_can(q) || (l = link_login(q)) == NULL)
		return false;
	done = theft_try(t, l, &q->audit->place.other, THEFT_FIRST);
	link_close(l);
	return done;
}

void
ask_theft_kills(struct ask *q)
{
	struct theft t;

	if (!race(q, &t))
		return;
	if (t.stranger_got > 0)
		ask_answer(q, VERDICT_safe, "it was not lost: the stranger "
		    "got it (theft_race)");
	else if (t.owner_got > 0)
		ask_answer(q, VERDICT_safe, "a stranger came first, and the "
		    "owner got %lld bytes (%s)", (long long)t.owner_got,
		    t.done.text);
	else if (!theft_has_one_address(q))
		ask_answer(q, VERDICT_vulnerable, "a stranger came first, "
		    "and the owner got nothing: %s", t.done.code != 0 ?
		    t.done.text : "no final reply");
}

void
ask_theft_race(struct ask *q)
{
	struct theft t;

	if (!race(q, &t))
		return;
	if (t.stranger_got > 0 && theft_has_one_address(q))
		return;
	if (t.stranger_got > 0)
		ask_answer(q, VERDICT_vulnerable, "a stranger came first, and "
		    "got %lld bytes of the owner's (%s)",
		    (long long)t.stranger_got, t.done.text);
	else
		ask_answer(q, VERDICT_safe, "a stranger came first, and got "
		    "nothing (%s)", t.done.code != 0 ? t.done.text :
		    "no final reply");
}

/* Without TLS nobody can tell two processes of one address apart. */
void
ask_theft_same_address(struct ask *q)
{
	struct link *l = link_login(q);
	struct theft t;

	if (l == NULL)
		return;
	if (theft_try(&t, l, &q->audit->place.here, THEFT_ALONE))
		ask_answer(q, VERDICT_safe, t.stranger_got > 0 ? "another "
		    "connection from the same address got the data: without "
		    "TLS no server can tell" : "another connection from the "
		    "same address got nothing");
	link_close(l);
}

/* ---- T11 */

#define PORTS_LEAST 8		/* of fewer nothing is said */

/* PASV shows the port as every client sees it; IPv6 has only EPSV. */
static const char *
verb_for(const struct link *l)
{
	return l->here.family == ADDR_V6 ? "EPSV" : "PASV";
}

/* As many passive ports as one question may ask for. */
static bool
collect(struct ask *q, struct link *l, struct ports *all)
{
	struct reply r;
	struct addr at;

	while (all->n < PORTS_MAX) {
		int fd;

		if (!data_ask_passive(l, &r, verb_for(l), &at)) {
			if (all->n == 0)
				ask_answer(q, VERDICT_inconclusive,
				    "no passive port: %s", r.text);
			return all->n >= PORTS_LEAST;
		}
		all->port[all->n++] = at.port;
		fd = data_connect(l, NULL, &at);
		if (fd >= 0)
			close(fd);
	}
	return true;
}

void
ask_passive_ports(struct ask *q)
{
	struct ports all = { 0 };
	struct link *l = link_login(q);
	struct ports_look look;

	if (l == NULL)
		return;
	if (collect(q, l, &all)) {
		look = ports_look(&all);
		ask_answer(q, look.guessable ? VERDICT_vulnerable :
		    VERDICT_safe, "%u ports of %u to %u, %u different, "
		    "correlation %.2f, %u steps of %+d", all.n,
		    (unsigned)look.least, (unsigned)look.most, look.distinct,
		    look.correlation, look.steps, look.step);
	}
	link_close(l);
}

/* ---- T12 */

/* NULL, or what is wrong with the address that a reply names. */
static const char *
wrong_with(const struct audit *a, const struct addr *named)
{
	switch ((int)bounce_judge_passive(named, &a->place.server)) {
	case KIND_none:
		return NULL;
	case KIND_pasv_redirect:
		return "another host";
	case KIND_privileged_port:
		return "a port below 1024";
	case KIND_malformed:
		return "port 0";
	default:
		return "an address that is no host's";
	}
}

static bool
is_inner(const struct audit *a, const struct addr *named)
{
	return named->family != ADDR_NONE && bounce_is_internal(named) &&
	    !addr_same_ip(named, &a->place.server);
}

/* EPSV names no address; PASV names the server's own. */
static bool
look_at(struct ask *q, struct link *l, const char *verb)
{
	const char *wrong;
	struct addr named;
	struct reply r;

	link_command(l, &r, "%s", verb);
	if (!data_named(&r, &named))
		return false;
	wrong = wrong_with(q->audit, &named);
	if (wrong != NULL)
		ask_answer(q, VERDICT_vulnerable, "%s names %s: %s", verb,
		    wrong, r.text);
	else if (is_inner(q->audit, &named))
		ask_answer(q, VERDICT_accepts, "%s tells an inner address: "
		    "%s", verb, r.text);
	return true;
}

void
ask_passive_address(struct ask *q)
{
	struct link *l = link_login(q);
	bool pasv, epsv, again;

	if (l == NULL)
		return;
	pasv = look_at(q, l, "PASV");
	epsv = !l->over && look_at(q, l, "EPSV");
	again = !l->over && look_at(q, l, "PASV");
	if (pasv || again)
		ask_answer(q, VERDICT_safe, "PASV%s the server's own address",
		    epsv ? " and EPSV name" : " names");
	else if (epsv)
		ask_answer(q, VERDICT_safe, "EPSV names no address");
	ask_answer(q, VERDICT_inconclusive, "no passive port");
	link_close(l);
}

/* ---- T13 */

#define LISTENERS 5

void
ask_listeners(struct ask *q)
{
	struct link *l = link_login(q);
	struct addr at[LISTENERS];
	unsigned n = 0, open = 0;
	struct reply r;

	if (l == NULL)
		return;
	while (n < LISTENERS && data_ask_passive(l, &r, verb_for(l), &at[n]))
		n++;
	for (unsigned i = 0; i < n; i++) {
		int fd = data_connect(l, NULL, &at[i]);

		if (fd < 0)
			continue;
		open++;
		close(fd);
	}
	if (n == 0)
		ask_answer(q, VERDICT_inconclusive, "no passive port: %s",
		    r.text);
	if (open == 0)
		ask_answer(q, VERDICT_inconclusive, "none of %u passive "
		    "ports could be connected to", n);
	ask_answer(q, open > 1 ? VERDICT_vulnerable : VERDICT_safe,
	    "after %u times PASV, %u of the ports still listened", n, open);
	link_close(l);
}

void
ask_listener_lifetime(struct ask *q)
{
	unsigned seconds = q->audit->options->patience_s;
	struct link *l;
	struct reply r;
	struct addr at;
	int fd;

	if (seconds == 0) {
		ask_answer(q, VERDICT_not_asked, "--patience was not given");
		return;
	}
	if ((l = link_login(q)) == NULL)
		return;
	if (data_ask_passive(l, &r, NULL, &at)) {
		sock_sleep_until(sock_now_ms() + seconds * 1000ull);
		fd = data_connect(l, NULL, &at);
		ask_answer(q, fd >= 0 ? VERDICT_vulnerable : VERDICT_safe,
		    "an unused passive port %s after %u s", fd >= 0 ?
		    "still listened" : "was closed", seconds);
		if (fd >= 0)
			close(fd);
	}
	ask_answer(q, VERDICT_inconclusive, "no passive port: %s", r.text);
	link_close(l);
}
