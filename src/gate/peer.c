/*
 * gate/peer.c: what is counted for each client address.
 *
 * An IPv6 client has a /64 to itself and picks addresses in it at will, so a
 * /64 counts as one.  The table is keyed with a random seed: nobody outside
 * can choose addresses that fall into one bucket.  An entry lives while it
 * has sessions, or for a minute after a failed connect, or until it has earned
 * back what it took of processes (a minute at most).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gate/gate.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/log.h"

#define MINUTE_MS 60000
#define BUCKETS_LEAST 256

/* Drawn from the kernel 32 at a time: one system call for many ports. */
uint64_t
gate_random(void)
{
	static uint64_t drawn[32];
	static size_t left;

	if (left == 0) {
		if (getrandom(drawn, sizeof(drawn), 0) != sizeof(drawn))
			log_fatal(1, "getrandom failed err=%d", errno);
		left = sizeof(drawn) / sizeof(drawn[0]);
	}
	return drawn[--left];
}

void
gate_peers_init(struct gate *g)
{
	g->peer_buckets = BUCKETS_LEAST;
	while (g->peer_buckets < g->conf.sessions_max)
		g->peer_buckets *= 2;
	g->peer_bucket = calloc(g->peer_buckets, sizeof(*g->peer_bucket));
	if (g->peer_bucket == NULL)
		log_fatal(1, "out of memory for %zu clients", g->peer_buckets);
	g->peer_seed = gate_random() | 1;
}

static struct gate_peer **
bucket_of(struct gate *g, const uint64_t key[2])
{
	uint64_t h = (key[1] ^ g->peer_seed) * (g->peer_seed | 1);

	h = (h ^ h >> 29 ^ key[0]) * 0xbf58476d1ce4e5b9u;
	return &g->peer_bucket[(h ^ h >> 32) & (g->peer_buckets - 1)];
}

static struct gate_peer *
find_or_make(struct gate *g, const struct addr *a)
{
	struct gate_peer **bucket, *p;
	uint64_t key[2];

	addr_client_key(a, key);
	bucket = bucket_of(g, key);
	for (p = *bucket; p != NULL; p = p->next)
		if (p->key[0] == key[0] && p->key[1] == key[1])
			return p;
	if ((p = calloc(1, sizeof(*p))) == NULL)
		return NULL;
	p->key[0] = key[0];
	p->key[1] = key[1];
	p->group = gate_group_of(g, a);
	p->next = *bucket;
	*bucket = p;
	g->peer_count++;
	return p;
}

static bool
still_counts(const struct gate *g, const struct gate_peer *p)
{
	return p->sessions > 0 || p->paced || p->solo_ms > g->loop.now_ms ||
	    (p->failures > 0 && g->loop.now_ms - p->minute_ms < MINUTE_MS);
}

static void
drop_if_idle(struct gate *g, struct gate_peer *p)
{
	struct gate_peer **link;

	if (still_counts(g, p))
		return;
	link = bucket_of(g, p->key);
	while (*link != p)
		link = &(*link)->next;
	*link = p->next;
	g->peer_count--;
	free(p);
}

struct gate_peer *
gate_peer_enter(struct gate *g, const struct addr *a, bool *full)
{
	struct gate_peer *p = find_or_make(g, a);
	uint64_t most;

	if (p == NULL)
		return NULL;
	most = gate_limit(g, p->group, LIMIT_sessions_per_address);
	*full = most > 0 && p->sessions >= most;
	if (*full)
		return NULL;
	p->sessions++;
	g->group[0].sessions++;
	if (p->group > 0)
		g->group[p->group].sessions++;
	return p;
}

void
gate_peer_leave(struct gate *g, struct gate_peer *p)
{
	p->sessions--;
	g->group[0].sessions--;
	if (p->group > 0)
		g->group[p->group].sessions--;
	drop_if_idle(g, p);
}

void
gate_peer_failed(struct gate *g, struct gate_peer *p)
{
	if (g->loop.now_ms - p->minute_ms >= MINUTE_MS) {
		p->minute_ms = g->loop.now_ms;
		p->failures = 0;
	}
	p->failures++;
}

bool
gate_peer_may_dial(struct gate *g, struct gate_peer *p)
{
	return p->failures < g->conf.active_failures ||
	    g->loop.now_ms - p->minute_ms >= MINUTE_MS;
}

void
gate_peers_sweep(struct gate *g)
{
	for (size_t i = 0; i < g->peer_buckets; i++)
		for (struct gate_peer *p = g->peer_bucket[i], *next; p != NULL;
		    p = next) {
			next = p->next;
			drop_if_idle(g, p);
		}
}

void
gate_peers_regroup(struct gate *g)
{
	for (size_t i = 0; i <= CONF_CLASSES_MAX; i++)
		g->group[i].sessions = g->group[i].transfers =
		    g->group[i].paced = 0;
	for (size_t i = 0; i < g->peer_buckets; i++)
		for (struct gate_peer *p = g->peer_bucket[i]; p != NULL;
		    p = p->next) {
			struct addr a = addr_of_client_key(p->key);

			p->group = gate_group_of(g, &a);
			g->group[0].sessions += p->sessions;
			g->group[0].transfers += p->transfers;
			g->group[0].paced += p->paced;
			if (p->group == 0)
				continue;
			g->group[p->group].sessions += p->sessions;
			g->group[p->group].transfers += p->transfers;
			g->group[p->group].paced += p->paced;
		}
}
