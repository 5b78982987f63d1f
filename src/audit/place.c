/*
 * audit/place.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "audit/place.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <unistd.h>

#include "audit/sock.h"
#include "policy/bounce.h"

#define REACH_MS 3000		/* for a connection from B to the server */

bool
place_is_loopback(const struct addr *a)
{
	struct addr b = addr_unmap(*a);
	static const uint8_t one[16] = { [15] = 1 };

	return b.family == ADDR_V4 ? b.ip[0] == 127 :
	    memcmp(b.ip, one, 16) == 0;
}

static bool
is_link_local(const struct addr *a)
{
	return a->family == ADDR_V6 ? a->ip[0] == 0xfe &&
	    (a->ip[1] & 0xc0) == 0x80 : a->ip[0] == 169 && a->ip[1] == 254;
}

/* ADDR_NONE for one that is of another kind, or not up. */
static struct addr
address_of(const struct ifaddrs *i)
{
	struct sockaddr_storage ss = { 0 };

	if (i->ifa_addr == NULL || (i->ifa_flags & IFF_UP) == 0)
		return (struct addr) { 0 };
	if (i->ifa_addr->sa_family == AF_INET)
		memcpy(&ss, i->ifa_addr, sizeof(struct sockaddr_in));
	else if (i->ifa_addr->sa_family == AF_INET6)
		memcpy(&ss, i->ifa_addr, sizeof(struct sockaddr_in6));
	else
		return (struct addr) { 0 };
	return addr_of_sockaddr(&ss);
}

static bool
is_of_interface(const struct addr *a)
{
	struct ifaddrs *all, *i;
	bool found = false;

	if (getifaddrs(&all) != 0)
		return false;
	for (i = all; i != NULL && !found; i = i->ifa_next) {
		struct addr one = address_of(i);

		found = addr_same_ip(&one, a);
	}
	freeifaddrs(all);
	return found;
}

/*
 * Hosts that may take over others' addresses (keepalived) are often allowed to
 * bind any: there it proves nothing.
 */
static bool
binds_any(const struct addr *a)
{
	char c = '1';
	FILE *f = fopen(a->family == ADDR_V6 ?
	    "/proc/sys/net/ipv6/ip_nonlocal_bind" :
	    "/proc/sys/net/ipv4/ip_nonlocal_bind", "re");

	if (f == NULL)
		return true;	/* our unit shows no /proc/sys */
	if (fread(&c, 1, 1, f) != 1)
		c = '1';
	fclose(f);
	return c != '0';
}

static bool
is_owned(const struct addr *a)
{
	struct listener l;

	if (!listener_open(&l, a, 0))
		return false;
	listener_close(&l);
	return !binds_any(a) || place_is_loopback(a) || is_of_interface(a);
}

/* Takes a as what it can serve for and nothing before it did. */
static void
offer(struct place *p, const struct addr *a)
{
	struct addr one = addr_unmap(*a);
	struct addr *same = one.family == ADDR_V4 ? &p->other4 : &p->other6;

	one.port = 0;
	if (addr_same_ip(&one, &p->here) || addr_same_ip(&one, &p->server) ||
	    !is_owned(&one))
		return;
	if (one.family == ADDR_V4 && p->private4.family == ADDR_NONE &&
	    bounce_is_internal(&one) && !bounce_is_internal(&p->here))
		p->private4 = one;
	if (same->family == ADDR_NONE)
		*same = one;
}

static void
offer_interfaces(struct place *p)
{
	struct ifaddrs *all, *i;

	if (getifaddrs(&all) != 0)
		return;
	for (i = all; i != NULL; i = i->ifa_next) {
		struct addr a = address_of(i);

		if (a.family == ADDR_NONE)
			continue;
		/* From a loopback nothing is reached but the loopback. */
		if (!is_link_local(&a) &&
		    place_is_loopback(&a) == place_is_loopback(&p->server))
			offer(p, &a);
	}
	freeifaddrs(all);
}

/* All of 127.0.0.0/8 is ours on Linux, without being set up. */
static void
offer_loopback(struct place *p)
{
	struct addr a;

	if (place_is_loopback(&p->server) && addr_parse_ip(SV("127.0.0.2"), &a))
		offer(p, &a);
	if (place_is_loopback(&p->server) && addr_parse_ip(SV("127.0.0.3"), &a))
		offer(p, &a);
}

static bool
is_reachable(const struct place *p)
{
	int fd = sock_connect(&p->other, &p->server,
	    sock_now_ms() + REACH_MS);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

const char *
place_find(struct place *p, const struct addr *here,
    const struct addr *server, const struct addr *given, size_t n)
{
	*p = (struct place) { .here = addr_unmap(*here),
		.server = *server };
	p->here.port = 0;
	for (size_t i = 0; i < n; i++) {
		if (!is_owned(&given[i]))
			return "--listen-address: an address of this host "
			    "is needed, one that can be bound";
		offer(p, &given[i]);
	}
	offer_loopback(p);
	offer_interfaces(p);
	p->other = p->here.family == ADDR_V4 ? p->other4 : p->other6;
	p->reachable = p->other.family != ADDR_NONE && is_reachable(p);
	p->behind_nat = bounce_is_internal(&p->here) &&
	    !bounce_is_internal(&p->server) && !place_is_loopback(&p->server);
	return NULL;
}

bool
place_owns(const struct place *p, const struct addr *a)
{
	const struct addr *const ours[] = { &p->here, &p->other, &p->other4,
		&p->other6, &p->private4 };

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (ours[i]->family != ADDR_NONE && addr_same_ip(ours[i], a))
			return true;
	return false;
}
