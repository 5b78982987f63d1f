/*
 * gate/rate.c: how fast data connections may go.
 *
 * The kernel paces each (SO_MAX_PACING_RATE is the socket's, whoever has
 * it), so that no worker waits or counts.  What several share is divided
 * once a second by what each address has taken since the last look: ten
 * connections of one client share what one would have, and what a slow
 * client leaves is the others'.  Between two looks a newcomer gets an equal
 * share while the others still have theirs: the sum may be exceeded for so
 * long, and by the first ten segments of each connection, which Linux does
 * not pace.
 *
 * Rejected: a token bucket in each worker (the sum is over all workers), and
 * traffic classes of the network card (a site's, not a program's).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <fcntl.h>
#include <linux/tcp.h>
#include <unistd.h>

#include "gate/gate.h"

#define LOOK_MS 1000
#define RATE_FLOOR 2000		/* a segment in each second, or it stalls */

/* A rate that is 0 in the configuration is none. */
static uint64_t
limit_of(const struct gate *g, uint32_t group, enum conf_limit limit)
{
	uint64_t rate = gate_limit(g, group, limit);

	return rate == 0 ? SHARE_ALL : rate;
}

/* Nobody is made so slow that his time-out, or rate.least, ends him. */
static uint64_t
not_too_slow(const struct gate *g, uint64_t rate)
{
	uint64_t least = 2 * g->conf.rate_least;

	return share_most(share_most(least, RATE_FLOOR), rate);
}

/* A worker can ask for less than the limit, and for nothing else. */
static uint64_t
session_most(const struct gate_session *s)
{
	uint64_t most = limit_of(s->gate, s->count->group, LIMIT_rate_session);

	return s->most_Bps == 0 ? most :
	    share_least(most, not_too_slow(s->gate, s->most_Bps));
}

/*
 * Little waits unsent in the kernel: a change of the rate is felt soon, and
 * a transfer that is over for us is nearly over for its client.
 */
static void
pace(int fd, uint64_t rate)
{
	unsigned long most = rate == SHARE_ALL ? ~0UL : rate;
	unsigned unsent = share_unsent(rate);

	setsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &most, sizeof(most));
	setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent,
	    sizeof(unsent));
}

/* Divides what the address has among its connections. */
static void
divide_address(struct gate *g, struct gate_peer *p)
{
	struct share *list = NULL;

	for (struct gate_flow *f = p->flows; f != NULL; f = f->next) {
		f->share.most = session_most(f->session);
		f->share.next = list;
		list = &f->share;
	}
	share_divide(list, p->share.rate);
	for (struct gate_flow *f = p->flows; f != NULL; f = f->next) {
		uint64_t rate = not_too_slow(g, f->share.rate);

		if (f->fd < 0 || !share_is_other(f->paced, rate))
			continue;
		f->paced = rate;
		pace(f->fd, rate);
	}
}

/* Bytes that the client has got since this was asked last. */
static uint64_t
moved(struct gate_flow *f)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);
	uint64_t before = f->acked;

	if (f->fd < 0 || getsockopt(f->fd, IPPROTO_TCP, TCP_INFO, &info,
	    &len) != 0 || info.tcpi_bytes_acked < before)
		return 0;
	f->acked = info.tcpi_bytes_acked;
	return f->acked - before;
}

/* What the address has taken since the last look; false: it has gone. */
static bool
measure(struct gate_peer *p, uint64_t ms)
{
	uint64_t bytes = p->moved, used;

	for (struct gate_flow *f = p->flows; f != NULL; f = f->next) {
		uint64_t n = moved(f);

		bytes += n;
		f->share.want = f->fresh ? SHARE_ALL :
		    share_want(n * 1000 / ms, f->paced, RATE_FLOOR);
		f->fresh = false;
	}
	used = bytes * 1000 / ms;
	p->share.want = p->fresh ? SHARE_ALL :
	    share_want(used, p->share.rate, RATE_FLOOR);
	p->fresh = false;
	p->moved = 0;
	return p->flows != NULL || bytes > 0;
}

static void
count_paced(struct gate *g, const struct gate_peer *p, uint32_t more)
{
	g->group[0].paced += more;
	if (p->group > 0)
		g->group[p->group].paced += more;
}

static void
measure_all(struct gate *g, uint64_t ms)
{
	struct gate_peer **link = &g->paced, *p;

	while ((p = *link) != NULL) {
		if (measure(p, ms)) {
			link = &p->next_paced;
			continue;
		}
		*link = p->next_paced;
		p->paced = false; /* the next sweep may free it */
		count_paced(g, p, UINT32_MAX); /* one less */
	}
}

/* Divides `whole` among the addresses of a group; 0: among all. */
static void
divide(struct gate *g, uint32_t group, uint64_t whole)
{
	struct share *list = NULL;

	for (struct gate_peer *p = g->paced; p != NULL; p = p->next_paced) {
		if (group > 0 && p->group != group)
			continue;
		p->share.next = list;
		list = &p->share;
	}
	share_divide(list, whole);
}

static void
divide_all(struct gate *g)
{
	struct gate_peer *p;

	for (p = g->paced; p != NULL; p = p->next_paced)
		p->share.most = limit_of(g, p->group, LIMIT_rate_address);
	for (uint32_t i = 1; i <= g->conf.classes.count; i++)
		divide(g, i, limit_of(g, i, LIMIT_rate_all));
	for (p = g->paced; p != NULL; p = p->next_paced)
		if (p->group > 0)
			p->share.most = p->share.rate;
	divide(g, 0, limit_of(g, 0, LIMIT_rate_all));
	for (p = g->paced; p != NULL; p = p->next_paced)
		divide_address(g, p);
}

static void
look(struct loop_timer *t)
{
	struct gate *g = LOOP_OWNER(t, struct gate, rate_timer);
	uint64_t ms = g->loop.now_ms - g->rated_ms;

	g->rated_ms = g->loop.now_ms;
	measure_all(g, ms > 0 ? ms : 1);
	divide_all(g);
	if (g->paced != NULL)
		loop_timer_set(&g->loop, t, LOOK_MS);
}

/* An address that had nothing lately: an equal share, until it is looked at. */
static void
welcome(struct gate *g, struct gate_peer *p)
{
	uint64_t rate;

	/* Counted, not walked: who has a /48 could come from 65536 of them. */
	rate = share_least(limit_of(g, p->group, LIMIT_rate_address),
	    share_of_newcomer(limit_of(g, 0, LIMIT_rate_all),
	    g->group[0].paced));
	if (p->group > 0)
		rate = share_least(rate, share_of_newcomer(
		    limit_of(g, p->group, LIMIT_rate_all),
		    g->group[p->group].paced));
	p->share.rate = rate;
	p->fresh = p->paced = true;
	count_paced(g, p, 1);
	p->next_paced = g->paced;
	g->paced = p;
	if (g->rate_timer.slot != 0)
		return;
	g->rate_timer.fire = look;
	g->rated_ms = g->loop.now_ms;
	loop_timer_set(&g->loop, &g->rate_timer, LOOK_MS);
}

void
gate_rate_once(const struct gate_session *s, int fd)
{
	uint64_t rate = session_most(s);

	if (rate != SHARE_ALL)
		pace(fd, rate);
}

void
gate_rate_begin(struct gate_flow *f, int fd)
{
	struct gate_peer *p = f->session->count;
	struct gate *g = f->session->gate;

	if (g->shares_rates)
		f->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (f->fd < 0) {
		gate_rate_once(f->session, fd);
		return;
	}
	f->fresh = true;
	f->share.want = SHARE_ALL;
	if (!p->paced)
		welcome(g, p);
	divide_address(g, p);
}

void
gate_rate_end(struct gate_flow *f)
{
	struct gate_peer *p = f->session->count;

	if (f->fd < 0)
		return;
	p->moved += moved(f);
	/* With encryption in the kernel, closing could wait for the client. */
	shutdown(f->fd, SHUT_WR);
	close(f->fd);
	divide_address(f->session->gate, p);
}
