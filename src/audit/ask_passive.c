/*
 * audit/ask_passive.c: T9 to T13: whose the passive data connection is.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "audit/data.h"
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

#define PORTS 32
#define STEP_MOST 16		/* a step that can be guessed */
#define FEW 8			/* ports within so many of each other */

struct ports {
	unsigned n;
	uint16_t port[PORTS];
};

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

	while (all->n < PORTS) {
		int fd;

		if (!data_ask_passive(l, &r, verb_for(l), &at)) {
			if (all->n == 0)
				ask_answer(q, VERDICT_inconclusive,
				    "no passive port: %s", r.text);
			return all->n >= FEW;
		}
		all->port[all->n++] = at.port;
		fd = data_connect(l, NULL, &at);
		if (fd >= 0)
			close(fd);
	}
	return true;
}

static unsigned
count_distinct(const struct ports *all)
{
	unsigned distinct = 0;

	for (unsigned i = 0; i < all->n; i++) {
		unsigned k = 0;

		while (k < i && all->port[k] != all->port[i])
			k++;
		distinct += k == i;
	}
	return distinct;
}

/* How often the most frequent small step was made from port to port. */
static unsigned
count_steps(const struct ports *all, int *step)
{
	unsigned best = 0;

	for (int s = -STEP_MOST; s <= STEP_MOST; s++) {
		unsigned n = 0;

		for (unsigned i = 1; i < all->n; i++)
			n += all->port[i] - all->port[i - 1] == s;
		if (n > best) {
			best = n;
			*step = s;
		}
	}
	return best;
}

/* Of each port with the next, in hundredths: about 0 for random ones. */
static int
correlation(const struct ports *all)
{
	double sum = 0, top = 0, bottom = 0, mean;

	for (unsigned i = 0; i < all->n; i++)
		sum += all->port[i];
	mean = sum / all->n;
	for (unsigned i = 0; i < all->n; i++) {
		bottom += (all->port[i] - mean) * (all->port[i] - mean);
		if (i > 0)
			top += (all->port[i] - mean) *
			    (all->port[i - 1] - mean);
	}
	return bottom > 0 ? (int)(100 * top / bottom) : 100;
}

void
ask_passive_ports(struct ask *q)
{
	struct ports all = { 0 };
	struct link *l = link_login(q);
	uint16_t least = UINT16_MAX, most = 0;
	unsigned distinct, steps;
	int step = 0;

	if (l == NULL)
		return;
	if (collect(q, l, &all)) {
		for (unsigned i = 0; i < all.n; i++) {
			least = all.port[i] < least ? all.port[i] : least;
			most = all.port[i] > most ? all.port[i] : most;
		}
		distinct = count_distinct(&all);
		steps = count_steps(&all, &step);
		ask_answer(q, steps > all.n / 2 || most - least < FEW ?
		    VERDICT_vulnerable : VERDICT_safe, "%u ports of %u to %u, "
		    "%u different, correlation %.2f, %u steps of %+d", all.n,
		    (unsigned)least, (unsigned)most, distinct,
		    correlation(&all) / 100.0, steps, step);
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
		place_sleep_until(place_now_ms() + seconds * 1000ull);
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
