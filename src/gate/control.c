/*
 * gate/control.c: control listeners, and sessions as the gate knows them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "gate/gate.h"

#define BACKLOG 1024
#define ACCEPTS 64	/* in one turn, so that data ports get theirs */

/*
 * A control connection is silent while its transfer runs, for hours.  What
 * stands between forgets silent ones: load balancers of the large clouds
 * after 4 to 6 minutes, home routers and firewalls from 5 minutes up (RFC
 * 5382 wants 124).  A packet every 2 minutes keeps it known.  A peer that
 * does not answer for 10 more is gone, about as long as the kernel's default.
 */
#define KEEP_IDLE_S 120
#define KEEP_INTERVAL_S 60
#define KEEP_PROBES 10

/*
 * Options that accepted connections inherit, so that no worker needs
 * setsockopt: replies leave at once (Nagle and delayed ACK cost 44 ms each),
 * Telnet's urgent byte stays in the stream, a dead peer is noticed.
 */
static void
set_control_options(int fd)
{
	int one = 1, idle = KEEP_IDLE_S, interval = KEEP_INTERVAL_S;
	int probes = KEEP_PROBES;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval,
	    sizeof(interval));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
}

/* Into an empty buffer: sent whole, or not at all. */
static void
say(int fd, const char *text, size_t len)
{
	(void)!send(fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void
gate_say_421(const struct gate *g, int fd, const char *text)
{
	bool ask = g->conf.contact[0] != '\0';
	char line[CONF_TEXT_MAX + 128];

	snprintf(line, sizeof(line), "421 %s%s%s\r\n", text,
	    ask ? " Contact: " : "", g->conf.contact);
	say(fd, line, strlen(line));
}

void
gate_refuse(const struct gate *g, int fd, const char *text)
{
	gate_say_421(g, fd, text);
	close(fd);
}

static void
session_announce(struct gate_session *s, int fd)
{
	struct ipc_msg m = { .type = IPC_OPEN, .slot = s->slot,
		.generation = s->worker->generation[s->slot],
		.open = { .peer = s->who.client, .local = s->who.server,
			.flow = s->who.flow, .moved = s->moved } };

	ipc_send(&s->worker->channel, &m, fd);
}

bool
gate_session_enter(struct gate_session *s, struct gate_worker *w)
{
	int copy = fcntl(s->control_fd, F_DUPFD_CLOEXEC, 0);

	if (copy < 0)
		return false;
	if (w->solo)
		gate_tell_keeper(s, w->id);
	s->worker = w;
	s->slot = w->spare[w->slots - ++w->sessions];
	w->slot[s->slot] = s;
	w->generation[s->slot]++;
	session_announce(s, copy);
	return true;
}

void
gate_session_leave(struct gate_session *s)
{
	struct gate_worker *w = s->worker;

	w->slot[s->slot] = NULL;
	w->spare[w->slots - w->sessions--] = s->slot;
	s->worker = NULL;
}

bool
gate_session_is_alive(const struct gate_session *s)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	return getsockopt(s->control_fd, IPPROTO_TCP, TCP_INFO, &info, &len) ==
	    0 && info.tcpi_state == TCP_ESTABLISHED;
}

/* w: the worker that gets it; NULL: a solo one. */
static void
session_new(struct gate *g, struct gate_worker *w, int fd,
    const struct sockaddr_storage *peer, struct gate_peer *count)
{
	struct gate_session *s = calloc(1, sizeof(*s));
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	if (s == NULL ||
	    getsockname(fd, (struct sockaddr *)&ss, &len) != 0)
		goto refuse;
	s->gate = g;
	s->count = count;
	s->control_fd = fd;
	s->accepted_ms = g->loop.now_ms;
	s->who = (struct event_session) { .client = addr_of_sockaddr(peer),
		.server = addr_of_sockaddr(&ss), .flow = g->next_flow };
	if (ss.ss_family == AF_INET6)
		s->scope = ((struct sockaddr_in6 *)&ss)->sin6_scope_id;
	if (w != NULL && !gate_session_enter(s, w))
		goto refuse;
	g->next_flow++;
	g->counters.accepted++;
	if (w == NULL)
		gate_begin_solo(s);
	return;
 refuse:
	free(s);
	gate_peer_leave(g, count);
	gate_refuse(g, fd, "Out of resources, try again later.");
}

socklen_t
gate_sockaddr(const struct gate_session *s, const struct addr *a,
    struct sockaddr_storage *out)
{
	socklen_t len = addr_to_sockaddr(a, out);

	if (out->ss_family == AF_INET6)
		((struct sockaddr_in6 *)out)->sin6_scope_id = s->scope;
	return len;
}

void
gate_endpoint_void(struct gate_session *s)
{
	if (s->port != NULL)
		gate_port_free(s->port);
	for (size_t i = 0; i < GATE_DIALS; i++)
		if (s->dial[i] != NULL) {
			/* Else giving up early would make the tries free. */
			gate_peer_failed(s->gate, s->count);
			gate_dial_free(s->dial[i]);
		}
}

void
gate_session_free(struct gate_session *s)
{
	struct gate *g = s->gate;

	gate_endpoint_void(s);
	gate_flows_end(s);
	close(s->control_fd);
	gate_peer_leave(g, s->count);
	if (s->worker != NULL)
		gate_session_leave(s);
	free(s);
	if (g->paused)
		gate_pause_or_resume(g);
}

/* One accepted connection: to a worker, or refused in words. */
static void
admit(struct gate *g, int fd, const struct sockaddr_storage *peer,
    bool implicit)
{
	const struct board_content *b = board_look(&g->board);
	struct addr from = addr_of_sockaddr(peer);
	uint32_t group = gate_group_of(g, &from);
	struct gate_worker *w = NULL;
	struct gate_peer *count;
	bool full = false;

	if (b->downtime == BOARD_DOWN) {
		g->counters.refused_downtime++;
		say(fd, b->text, b->text_len);
		close(fd);
	} else if (gate_is_full(g, 0)) {
		g->counters.refused_full++;
		gate_refuse_number(g, fd, 0, LIMIT_sessions_max);
	} else if (gate_is_full(g, group)) {
		g->counters.refused_class++;
		gate_refuse_number(g, fd, group, LIMIT_sessions_max);
	} else if (!implicit && (w = gate_worker_choose(g)) == NULL) {
		g->counters.refused_no_worker++;
		gate_refuse(g, fd, "No session is free, try again shortly.");
	} else if ((count = gate_peer_enter(g, &from, &full)) != NULL) {
		session_new(g, w, fd, peer, count);
	} else if (full) {
		g->counters.refused_address++;
		gate_refuse_number(g, fd, group, LIMIT_sessions_per_address);
	} else {
		gate_refuse(g, fd, "Out of memory, try again later.");
	}
}

/*
 * No descriptor is left: give up the spare one to take the connection and
 * end it, so that the client learns it and the listener does not spin.
 */
static void
shed_one(struct gate *g, int listener)
{
	int fd;

	g->counters.descriptors_exhausted++;
	if (g->spare_fd < 0)
		g->spare_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
	if (g->spare_fd < 0)
		return;
	close(g->spare_fd);
	fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0)
		gate_refuse(g, fd, "Out of descriptors, try again later.");
	g->spare_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
}

static void
listener_ready(struct loop_watch *watch, uint32_t events)
{
	struct gate_listener *l = LOOP_OWNER(watch, struct gate_listener,
	    watch);
	struct gate *g = l->gate;
	struct sockaddr_storage peer;

	(void)events;
	for (int i = 0; i < ACCEPTS && !g->paused; i++) {
		socklen_t len = sizeof(peer);
		int fd = accept4(watch->fd, (struct sockaddr *)&peer, &len,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0)
			admit(g, fd, &peer, l->implicit);
		else if (errno == EMFILE || errno == ENFILE)
			shed_one(g, watch->fd);
		else if (errno == EAGAIN)
			return;
		gate_pause_or_resume(g);
	}
}

void
gate_pause_or_resume(struct gate *g)
{
	/* A full server says so; one whose workers are starting waits. */
	bool pause = g->stopping || (!gate_is_full(g, 0) &&
	    gate_worker_choose(g) == NULL);

	if (pause == g->paused)
		return;
	g->paused = pause;
	for (size_t i = 0; i < g->listeners; i++)
		loop_rewatch(&g->loop, &g->listener[i]->watch,
		    pause ? 0 : EPOLLIN);
}

static bool
is_wanted(const struct conf_listen *wanted, const struct addr *at)
{
	return addr_is_in(wanted->at, wanted->count, at);
}

static void
listener_add(struct gate *g, int fd, const struct addr *at)
{
	struct gate_listener *l = calloc(1, sizeof(*l));

	if (l == NULL || g->listeners == CONF_LISTEN_MAX)
		log_fatal(1, "out of memory for a listener");
	*l = (struct gate_listener) {
		.watch = { .fd = fd, .ready = listener_ready },
		.gate = g,
		.at = *at,
		.implicit = is_wanted(&g->conf.tls_listen, at),
	};
	if (!loop_watch(&g->loop, &l->watch, g->paused ? 0 : EPOLLIN))
		log_fatal(1, "cannot watch a listener err=%d", errno);
	g->listener[g->listeners++] = l;
}

void
gate_listener_adopt(struct gate *g, int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct addr at;

	if (getsockname(fd, (struct sockaddr *)&ss, &len) != 0)
		log_fatal(1, "inherited listener fd=%d err=%d", fd, errno);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	at = addr_of_sockaddr(&ss);
	listener_add(g, fd, &at);
}

static int
bind_listener(const struct addr *at)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(at, &ss);
	int one = 1, fd, error;

	fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	/* One family a socket: no address is ever an IPv4-mapped one. */
	if (at->family == ADDR_V6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	set_control_options(fd);
	if (bind(fd, (struct sockaddr *)&ss, len) == 0 &&
	    listen(fd, BACKLOG) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

static bool
is_listening(const struct gate *g, const struct addr *at)
{
	for (size_t i = 0; i < g->listeners; i++)
		if (addr_same(&g->listener[i]->at, at))
			return true;
	return false;
}

static void
listener_release(struct loop_grave *grave)
{
	free(LOOP_OWNER(grave, struct gate_listener, grave));
}

static void
listener_close(struct gate *g, size_t i)
{
	struct gate_listener *l = g->listener[i];

	/* Who has connected is not reset: our copy is the last. */
	if (!g->paused)
		listener_ready(&l->watch, EPOLLIN);
	g->listener[i] = g->listener[--g->listeners];
	loop_unwatch(&g->loop, &l->watch);
	close(l->watch.fd);
	loop_bury(&g->loop, &l->grave, listener_release);
}

static bool
listen_at_all(struct gate *g, const struct conf_listen *wanted,
    struct addr *failed)
{
	for (uint32_t i = 0; i < wanted->count; i++) {
		const struct addr *at = &wanted->at[i];
		int fd;

		if (is_listening(g, at))
			continue;
		if ((fd = bind_listener(at)) < 0) {
			*failed = *at;
			return false;
		}
		listener_add(g, fd, at);
	}
	return true;
}

bool
gate_listen(struct gate *g, struct addr *failed)
{
	const struct conf_listen *tls = &g->conf.tls_listen;

	/* What stays is not bound again: the warden's copy holds it open. */
	for (size_t i = g->listeners; i > 0; i--) {
		struct gate_listener *l = g->listener[i - 1];

		l->implicit = is_wanted(tls, &l->at);
		if (!l->implicit && !is_wanted(&g->conf.listen, &l->at))
			listener_close(g, i - 1);
	}
	return listen_at_all(g, &g->conf.listen, failed) &&
	    listen_at_all(g, tls, failed);
}

void
gate_listeners_close(struct gate *g)
{
	while (g->listeners > 0)
		listener_close(g, g->listeners - 1);
}
