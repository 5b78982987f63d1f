/*
 * gate/active.c: data connections that the server makes (RFC 959 §3.2).
 *
 * This is where a bounce would happen, and the whole of why it cannot: the
 * address is the gate's own record of who is at the control connection's far
 * end, and that connection must be alive.  What is left to an attacker is his
 * own host's ports, which is why low ones are refused (RFC 2577 §3) and
 * failures are counted: behind a NAT, "his own host" is the NAT.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

#include "gate/gate.h"
#include "policy/bounce.h"

static void
answer(struct gate_session *s, enum ipc_reason reason, uint16_t port)
{
	gate_worker_tell(s, IPC_DATA_FAILED,
	    (struct ipc_port) { .port = port, .reason = reason, .active = 1 },
	    -1);
}

static enum ipc_reason
reason_of(int error)
{
	switch (error) {
	case ECONNREFUSED:
	case ECONNRESET:
		return IPC_REFUSED;
	case ETIMEDOUT:
		return IPC_TIMEOUT;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case ENOBUFS:
		return IPC_BROKEN;
	default:
		return IPC_UNREACHABLE;
	}
}

/* A socket that will leave from the control connection's local address. */
static int
socket_from(const struct gate_session *s)
{
	uint16_t port = (uint16_t)s->gate->conf.active_source_port;
	struct addr from = s->who.server;
	struct sockaddr_storage ss;
	int one = 1, fd;
	socklen_t len;

	from.port = port;
	len = gate_sockaddr(s, &from, &ss);
	fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    0);
	if (fd < 0)
		return -1;
	gate_limit_sends(fd);
	if (port != 0)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	else
		setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one,
		    sizeof(one));
	if (bind(fd, (struct sockaddr *)&ss, len) == 0)
		return fd;
	close(fd);
	return -1;
}

static int
connect_to_peer(const struct gate_session *s, int fd, uint16_t port)
{
	struct addr to = s->who.client;	/* what accept(2) said, no one else */
	struct sockaddr_storage ss;
	socklen_t len;

	to.port = port;
	len = gate_sockaddr(s, &to, &ss);
	return connect(fd, (struct sockaddr *)&ss, len);
}

static void
dial_release(struct loop_grave *grave)
{
	free(LOOP_OWNER(grave, struct gate_dial, grave));
}

void
gate_dial_free(struct gate_dial *d)
{
	struct gate_session *s = d->session;
	struct gate *g = s->gate;

	for (size_t i = 0; i < GATE_DIALS; i++)
		if (s->dial[i] == d)
			s->dial[i] = NULL;
	loop_timer_stop(&g->loop, &d->expiry);
	loop_unwatch(&g->loop, &d->watch);
	if (d->watch.fd >= 0)
		close(d->watch.fd);
	loop_bury(&g->loop, &d->grave, dial_release);
}

static void
dial_failed(struct gate_dial *d, enum ipc_reason reason)
{
	struct gate_session *s = d->session;
	struct gate *g = s->gate;

	g->counters.active_failed++;
	if (reason != IPC_BROKEN)
		gate_peer_failed(g, s->count);
	answer(s, reason, d->port);
	gate_dial_free(d);
}

static void
dial_done(struct gate_dial *d)
{
	struct gate_session *s = d->session;
	struct gate *g = s->gate;
	struct ipc_port p = { .port = d->port, .active = 1,
		.who = s->who.client };

	g->counters.active_connected++;
	loop_unwatch(&g->loop, &d->watch);
	p.who.port = d->port;
	if (gate_flow_is_refused(s, &p)) {
		gate_worker_tell(s, IPC_DATA_FAILED, p, -1);
		gate_dial_free(d);
		return;
	}
	fcntl(d->watch.fd, F_SETFL, O_RDWR); /* blocking, with a limit */
	gate_flow_begin(s, p, d->watch.fd);
	d->watch.fd = -1; /* the worker's now */
	gate_dial_free(d);
}

static void
dial_ready(struct loop_watch *w, uint32_t events)
{
	struct gate_dial *d = LOOP_OWNER(w, struct gate_dial, watch);
	int error = 0;
	socklen_t len = sizeof(error);

	(void)events;
	getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	if (error != 0)
		dial_failed(d, reason_of(error));
	else
		dial_done(d);
}

static void
dial_expired(struct loop_timer *t)
{
	dial_failed(LOOP_OWNER(t, struct gate_dial, expiry), IPC_TIMEOUT);
}

static void
dial_start(struct gate_session *s, struct gate_dial **place, uint16_t port)
{
	struct gate *g = s->gate;
	struct gate_dial *d = calloc(1, sizeof(*d));

	if (d == NULL) {
		answer(s, IPC_BROKEN, port);
		return;
	}
	*d = (struct gate_dial) { .session = s, .port = port };
	*place = d;
	d->watch = (struct loop_watch) { .fd = socket_from(s),
		.ready = dial_ready };
	d->expiry.fire = dial_expired;
	if (d->watch.fd < 0)
		dial_failed(d, IPC_BROKEN);
	else if (connect_to_peer(s, d->watch.fd, port) == 0)
		dial_done(d); /* on the loopback at once */
	else if (errno != EINPROGRESS)
		dial_failed(d, reason_of(errno));
	else if (!loop_watch(&g->loop, &d->watch, EPOLLOUT))
		dial_failed(d, IPC_BROKEN);
	else
		loop_timer_set(&g->loop, &d->expiry,
		    (uint64_t)g->conf.active_timeout_s * 1000);
}

static struct gate_dial **
dial_place(struct gate_session *s)
{
	for (size_t i = 0; i < GATE_DIALS; i++)
		if (s->dial[i] == NULL)
			return &s->dial[i];
	return NULL;
}

/* What the worker's own check should have stopped: say so, loudly. */
static void
refuse(struct gate_session *s, enum bounce_kind kind, uint16_t port)
{
	struct gate *g = s->gate;
	struct addr asked = s->who.client;

	asked.port = port;
	g->counters.active_refused++;
	event_alert(&g->events, &s->who, kind, &asked, "blocked",
	    SV("gate: connect refused"));
	answer(s, IPC_FORBIDDEN, port);
}

/* One transfer too many: said before anything is sent to the client's host. */
static bool
is_busy(struct gate_session *s, uint16_t port)
{
	struct ipc_port busy = { .port = port, .active = 1 };

	if (!gate_flow_is_refused(s, &busy))
		return false;
	gate_worker_tell(s, IPC_DATA_FAILED, busy, -1);
	return true;
}

void
gate_active_connect(struct gate_session *s, uint16_t port)
{
	struct gate *g = s->gate;
	struct gate_dial **place = dial_place(s);
	enum bounce_kind kind = bounce_judge_peer_port(&s->who.client, port,
	    g->conf.active_deny.at, g->conf.active_deny.count);

	if (kind != KIND_none) {
		refuse(s, kind, port);
	} else if (is_busy(s, port)) {
		return;
	} else if (place == NULL || !gate_peer_may_dial(g, s->count)) {
		g->counters.active_rate_limited++;
		answer(s, IPC_RATE, port);
	} else if (!gate_session_is_alive(s)) {
		answer(s, IPC_UNREACHABLE, port);
	} else {
		dial_start(s, place, port);
	}
}
