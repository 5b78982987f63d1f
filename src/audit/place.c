/*
 * audit/place.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "audit/place.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "policy/bounce.h"

#define BACKLOG 8
#define PAIR_TRIES 16
#define REACH_MS 3000

uint64_t
place_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int
left_ms(uint64_t deadline_ms)
{
	uint64_t now = place_now_ms();

	return now >= deadline_ms ? 0 : (int)(deadline_ms - now);
}

void
place_sleep_until(uint64_t when_ms)
{
	int ms;

	while ((ms = left_ms(when_ms)) > 0)
		poll(NULL, 0, ms);
}

static bool
wait_for(int fd, short events, uint64_t deadline_ms)
{
	struct pollfd p = { .fd = fd, .events = events };

	for (;;) {
		int n = poll(&p, 1, left_ms(deadline_ms));

		if (n > 0)
			return true;
		if (n == 0 || errno != EINTR)
			return false;
	}
}

bool
place_readable(int fd, uint64_t deadline_ms)
{
	return wait_for(fd, POLLIN, deadline_ms);
}

/* ---- sockets */

static int
new_socket(const struct addr *a)
{
	return socket(a->family == ADDR_V6 ? AF_INET6 : AF_INET,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static bool
bind_to(int fd, const struct addr *a, uint16_t port)
{
	struct addr at = *a;
	struct sockaddr_storage ss;
	socklen_t len;

	at.port = port;
	len = addr_to_sockaddr(&at, &ss);
	return bind(fd, (struct sockaddr *)&ss, len) == 0;
}

static struct addr
own_end(int fd)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof(ss);

	if (getsockname(fd, (struct sockaddr *)&ss, &len) != 0)
		return (struct addr) { 0 };
	return addr_of_sockaddr(&ss);
}

bool
listener_open(struct listener *l, const struct addr *ip, uint16_t port)
{
	int one = 1, saved, fd = new_socket(ip);

	l->fd = -1;
	if (fd < 0)
		return false;
	/*
	 * A port that was just let go is ours again.  Where the kernel shall
	 * choose it would choose one that cannot be listened on.
	 */
	if (port != 0)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (!bind_to(fd, ip, port) || listen(fd, BACKLOG) != 0) {
		saved = errno;
		close(fd);
		errno = saved;
		return false;
	}
	l->fd = fd;
	l->at = own_end(fd);
	return true;
}

bool
listener_open_pair(struct listener *a, struct listener *b,
    const struct addr *ip_a, const struct addr *ip_b)
{
	b->fd = -1;
	for (int i = 0; i < PAIR_TRIES; i++) {
		if (!listener_open(a, ip_a, 0))
			return false;
		if (listener_open(b, ip_b, a->at.port))
			return true;
		listener_close(a);
	}
	return false;
}

void
listener_close(struct listener *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

int
listener_accept(const struct listener *l, struct addr *from)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof(ss);
	int fd;

	if (l->fd < 0)
		return -1;
	fd = accept4(l->fd, (struct sockaddr *)&ss, &len,
	    SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0)
		*from = addr_of_sockaddr(&ss);
	return fd;
}

/* With a full queue of connections, Linux drops the next SYN. */
bool
listener_make_silent(struct listener *l, int filler[4])
{
	bool full = listen(l->fd, 0) == 0;

	for (int i = 0; i < 4; i++) {
		filler[i] = -1;
		if (full)
			filler[i] = place_connect(&l->at, &l->at,
			    place_now_ms() + 200);
	}
	/* The last ones found no room: so will the next. */
	for (int i = 0; i < 4; i++)
		if (filler[i] < 0)
			return full;
	return false;
}

int
place_connect(const struct addr *from, const struct addr *to,
    uint64_t deadline_ms)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(to, &ss), size = sizeof(int);
	int fd = new_socket(to), failed = 0;

	if (fd < 0)
		return -1;
	if (from != NULL && from->family != ADDR_NONE &&
	    !bind_to(fd, from, 0))
		failed = errno;
	else if (connect(fd, (struct sockaddr *)&ss, len) != 0) {
		if (errno != EINPROGRESS)
			failed = errno;
		else if (!wait_for(fd, POLLOUT, deadline_ms))
			failed = ETIMEDOUT;
		else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed,
		    &size) != 0)
			failed = errno;
	}
	if (failed == 0)
		return fd;
	close(fd);
	errno = failed;
	return -1;
}

/* ---- addresses */

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

static bool
is_owned(const struct addr *a)
{
	struct listener l;

	if (!listener_open(&l, a, 0))
		return false;
	listener_close(&l);
	return true;
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
		struct sockaddr_storage ss = { 0 };
		struct addr a;

		if (i->ifa_addr == NULL || (i->ifa_flags & IFF_UP) == 0)
			continue;
		if (i->ifa_addr->sa_family == AF_INET)
			memcpy(&ss, i->ifa_addr, sizeof(struct sockaddr_in));
		else if (i->ifa_addr->sa_family == AF_INET6)
			memcpy(&ss, i->ifa_addr, sizeof(struct sockaddr_in6));
		else
			continue;
		a = addr_of_sockaddr(&ss);
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
	int fd = place_connect(&p->other, &p->server,
	    place_now_ms() + REACH_MS);

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
