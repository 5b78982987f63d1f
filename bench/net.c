/*
 * bench/net.c: the sockets of ftpload.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "load.h"

#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <errno.h>
#include <time.h>
#include <unistd.h>

enum { ACTIVE_LOW = 10000, ACTIVE_HIGH = 59999, PORT_TRIES = 1000 };

uint64_t
clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/*
 * Readable is all we ever wait for: a failed connect shows as an error of the
 * first read, and commands are far smaller than any socket buffer.
 */
static bool
watch(struct load *l, struct endpoint *ep)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = ep };

	return epoll_ctl(l->epoll, EPOLL_CTL_ADD, ep->fd, &ev) == 0;
}

bool
net_connect(struct load *l, struct endpoint *ep, uint16_t port)
{
	struct sockaddr_in to = l->set.server;
	int one = 1;

	to.sin_port = htons(port);
	ep->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (ep->fd < 0)
		return false;
	if (ep->role == ROLE_CONTROL)
		setsockopt(ep->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(ep->fd, (struct sockaddr *)&to, sizeof(to)) != 0 &&
	    errno != EINPROGRESS)
		return false;
	return watch(l, ep);
}

/*
 * A new port for every active transfer, as real clients do, and walked in
 * order: a port picked at random often meets the server's own socket of an
 * earlier transfer, still in TIME_WAIT, and that connect fails.
 */
bool
net_listen(struct load *l, struct endpoint *ep, struct sockaddr_in *at)
{
	int one = 1, tries = 0, failed;

	ep->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (ep->fd < 0)
		return false;
	setsockopt(ep->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	do {
		if (l->active_port < ACTIVE_LOW ||
		    l->active_port >= ACTIVE_HIGH)
			l->active_port = ACTIVE_LOW;
		at->sin_port = htons(++l->active_port);
		failed = bind(ep->fd, (struct sockaddr *)at, sizeof(*at));
	} while (failed && errno == EADDRINUSE && ++tries < PORT_TRIES);
	return !failed && listen(ep->fd, 1) == 0 && watch(l, ep);
}

bool
net_accept(struct load *l, struct endpoint *from, struct endpoint *to)
{
	to->fd = accept4(from->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	return to->fd >= 0 && watch(l, to);
}

bool
net_local_addr(const struct endpoint *ep, struct sockaddr_in *out)
{
	socklen_t len = sizeof(*out);

	return getsockname(ep->fd, (struct sockaddr *)out, &len) == 0;
}

void
net_close(struct endpoint *ep)
{
	if (ep->fd >= 0)
		close(ep->fd);
	ep->fd = -1;
}
