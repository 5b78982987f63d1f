/*
 * watch/peers.c: what is remembered of hosts beyond one connection.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "watch/watch.h"

#define ONE_SITE_BITS 64	/* IPv6 addresses that one host may have */

struct server *
peers_find_server(const struct watch *w, const struct addr *ip)
{
	struct server *s = table_first(&w->servers, watch_hash_ip(w, ip));

	while (s != NULL && !addr_same_ip(&s->at, ip))
		s = table_next(&w->servers, s);
	return s;
}

struct server *
peers_server(struct watch *w, const struct addr *at)
{
	struct server *s = peers_find_server(w, at);

	if (s != NULL)
		return s;
	s = table_add(&w->servers, watch_hash_ip(w, at));
	if (s != NULL)
		s->at = *at;
	return s;
}

struct client *
peers_client(struct watch *w, const struct addr *ip)
{
	uint64_t hash = watch_hash_ip(w, ip);
	struct client *c = table_first(&w->clients, hash);

	while (c != NULL && !addr_same_ip(&c->ip, ip))
		c = table_next(&w->clients, c);
	if (c == NULL && (c = table_add(&w->clients, hash)) != NULL)
		c->ip = *ip;
	return c;
}

static bool
is_pair(const struct pair *p, const struct addr *client,
    const struct addr *server)
{
	return memcmp(p->client, client->ip, sizeof(p->client)) == 0 &&
	    memcmp(p->server, server->ip, sizeof(p->server)) == 0;
}

struct pair *
peers_pair(struct watch *w, const struct addr *client,
    const struct addr *server, bool make)
{
	uint64_t hash = watch_hash_ip(w, client) * 3 +
	    watch_hash_ip(w, server);
	struct pair *p = table_first(&w->pairs, hash);

	while (p != NULL && !is_pair(p, client, server))
		p = table_next(&w->pairs, p);
	if (p != NULL || !make)
		return p;
	if ((p = table_add(&w->pairs, hash)) == NULL)
		return NULL;
	memcpy(p->client, client->ip, sizeof(p->client));
	memcpy(p->server, server->ip, sizeof(p->server));
	return p;
}

void
peers_release_pair(struct watch *w, struct pair *p)
{
	if (p->open > 0)
		p->open--;
	if (p->open == 0)
		table_drop(&w->pairs, p);
}

void
peers_note_upload(struct watch *w, uint64_t name)
{
	struct upload *u;

	if (peers_was_uploaded(w, name))
		return;
	if ((u = table_add(&w->uploads, name)) != NULL)
		u->name = name;
}

bool
peers_was_uploaded(const struct watch *w, uint64_t name)
{
	struct upload *u = table_first(&w->uploads, name);

	while (u != NULL && u->name != name)
		u = table_next(&w->uploads, u);
	return u != NULL;
}

bool
peers_are_one(const struct watch *w, const struct addr *a,
    const struct addr *b)
{
	struct addr_net site = { addr_unmap(*a), ONE_SITE_BITS };

	for (size_t i = 0; i < w->group_count; i++)
		if (addr_in_net(a, &w->groups[i]) &&
		    addr_in_net(b, &w->groups[i]))
			return true;
	return site.base.family == ADDR_V6 && addr_in_net(b, &site);
}
