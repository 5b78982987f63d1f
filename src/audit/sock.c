/*
 * audit/sock.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "audit/sock.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#define BACKLOG 8
#define PAIR_TRIES 16		/* ports of one address, free at the other? */
#define FILL_MS 200		/* for a connection to our own full queue */

uint64_t
sock_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int
left_ms(uint64_t deadline_ms)
{
	uint64_t now = sock_now_ms();

	if (now >= deadline_ms)
		return 0;
	return deadline_ms - now > INT_MAX ? INT_MAX :
	    (int)(deadline_ms - now);
}

void
sock_sleep_until(uint64_t when_ms)
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
sock_readable(int fd, uint64_t deadline_ms)
{
	return wait_for(fd, POLLIN, deadline_ms);
}

void
sock_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* ---- sockets of our addresses */

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
	sock_close(&l->fd);
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

/*
 * With a full queue of connections, Linux drops the next SYN.  How many it
 * takes to fill it, the kernel decides: a backlog of 0 has room for one or two.
 */
bool
silence_open(struct silence *s, struct listener *l)
{
	bool full = false;

	s->fd = l->fd;
	l->fd = -1;
	for (int i = 0; i < SILENCE_FILLERS; i++)
		s->filler[i] = -1;
	if (listen(s->fd, 0) != 0)
		return false;
	for (int i = 0; i < SILENCE_FILLERS && !full; i++) {
		s->filler[i] = sock_connect(&l->at, &l->at, sock_now_ms() +
		    FILL_MS);
		full = s->filler[i] < 0 && errno == ETIMEDOUT;
	}
	return full;
}

void
silence_close(struct silence *s)
{
	for (int i = 0; i < SILENCE_FILLERS; i++)
		sock_close(&s->filler[i]);
	sock_close(&s->fd);
}

int
sock_connect(const struct addr *from, const struct addr *to,
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

/* ---- bytes */

static bool
is_for_later(int error)
{
	return error == EAGAIN || error == EINTR;
}

ssize_t
sock_read(int fd, struct tls *tls, void *buf, size_t n, uint64_t deadline_ms)
{
	ssize_t got;

	if (tls != NULL) {
		got = tls_read(tls, buf, n, deadline_ms);
		return got < 0 && tls_error(tls)->why != TLS_WHY_TIME ? 0 :
		    got;
	}
	for (;;) {
		got = recv(fd, buf, n, 0);
		if (got >= 0)
			return got;
		if (!is_for_later(errno))
			return 0;
		if (!sock_readable(fd, deadline_ms))
			return -1;
	}
}

bool
sock_write(int fd, struct tls *tls, struct sv bytes, uint64_t deadline_ms)
{
	if (tls != NULL)
		return tls_write(tls, bytes.ptr, bytes.len, deadline_ms) ==
		    (ssize_t)bytes.len;
	while (bytes.len > 0) {
		ssize_t n = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);

		if (n >= 0)
			bytes = sv_drop(bytes, (size_t)n);
		else if (!is_for_later(errno) ||
		    !wait_for(fd, POLLOUT, deadline_ms))
			return false;
	}
	return true;
}
