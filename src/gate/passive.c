/*
 * gate/passive.c: ports on which the server waits for data connections.
 *
 * A port is drawn at random from the configured range, is bound to the local
 * address of one control connection, belongs to one session and takes one
 * connection.  A connection from anyone but the session's peer is closed and
 * costs the owner nothing: the port goes on waiting (RFC 2577 §8; servers
 * that give up here let a stranger kill transfers, those that do not look
 * let him have them).
 *
 * A session that fetches one file after another gets its next port along
 * with the present data connection, so that its next 229 waits for no one.
 * That port is its own from the start: what connects to it early is either
 * its client, whom the worker then turns away, or a stranger.  When the range
 * is full, one that has been idle for a while yields to who asks for a port.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "gate/gate.h"
#include "policy/bounce.h"
#include "policy/passive.h"

#define BACKLOG 16
#define DRAWS 64	/* random draws before the range is walked */
#define ACCEPTS 64	/* strangers closed in one turn */
#define STRANGERS_TOLD 5 /* alerts a session; all are counted */
#define YIELD_MS 2000	/* who wants his next port has told it by then */

/* The ports of the listener that the session came by. */
static struct conf_range
range_of(const struct gate_session *s)
{
	const struct conf *c = &s->gate->conf;
	const struct passive_ports *p = passive_ports_of(
	    c->passive_ports_at.at, c->passive_ports_at.count,
	    &s->who.server);

	if (p == NULL)
		return c->passive_ports;
	return (struct conf_range) { .low = p->low, .high = p->high };
}

void
gate_limit_sends(int fd)
{
	struct timeval tv = { .tv_usec = GATE_LINGER_US };

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
}

/* A listening socket at this address and port; -1 with errno set. */
static int
listener_at(const struct gate_session *s, const struct addr *at)
{
	struct sockaddr_storage ss;
	socklen_t len = gate_sockaddr(s, at, &ss);
	int one = 1, fd;

	fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    0);
	if (fd < 0)
		return -1;
	/* Old connections of this port in TIME_WAIT must not stop us. */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	gate_limit_sends(fd); /* what is accepted inherits it */
	if (bind(fd, (struct sockaddr *)&ss, len) == 0 &&
	    listen(fd, BACKLOG) == 0)
		return fd;
	close(fd);
	return -1;
}

/*
 * Draws a free port and listens on it: at random first, then, when the range
 * is nearly full, by walking it from a random place, so that a free port is
 * found if there is one.  -1 with errno EADDRINUSE when there is none.
 */
static int
listener_somewhere(const struct gate_session *s, struct addr *at)
{
	const struct gate *g = s->gate;
	struct conf_range r = range_of(s);
	uint32_t span = r.high - r.low + 1, start = 0;
	int fd;

	for (uint32_t i = 0; i < DRAWS + span; i++) {
		uint16_t port;

		if (i <= DRAWS)
			/* span is at most 2^16: the bias is below 2^-48 */
			start = (uint32_t)(gate_random() % span);
		port = (uint16_t)(r.low +
		    (start + (i > DRAWS ? i - DRAWS : 0)) % span);
		if (ports_is_taken(&g->taken, port))
			continue;
		at->port = port;
		if ((fd = listener_at(s, at)) >= 0)
			return fd;
		if (errno != EADDRINUSE)
			return -1;
	}
	errno = EADDRINUSE;
	return -1;
}

static void
port_release(struct loop_grave *grave)
{
	free(LOOP_OWNER(grave, struct gate_port, grave));
}

void
gate_port_free(struct gate_port *p)
{
	struct gate *g = p->owner->gate;

	p->owner->port = NULL;
	loop_timer_stop(&g->loop, &p->expiry);
	loop_close(&p->watch);
	ports_mark(&g->taken, p->at.port, false);
	if (p->ahead)
		TAILQ_REMOVE(&g->ahead, p, in_ahead);
	loop_bury(&g->loop, &p->grave, port_release);
}

static void port_ready(struct loop_watch *w, uint32_t events);
static void port_expired(struct loop_timer *t);

/* A new port for this session, in place of the one it has; NULL with errno. */
static struct gate_port *
port_new(struct gate_session *s, uint64_t lasts_ms)
{
	struct gate *g = s->gate;
	struct gate_port *p = calloc(1, sizeof(*p));

	if (s->port != NULL)
		gate_port_free(s->port);
	if (p == NULL)
		return NULL;
	*p = (struct gate_port) { .owner = s, .at = s->who.server,
		.since_ms = g->loop.now_ms };
	p->watch.fd = listener_somewhere(s, &p->at);
	p->watch.ready = port_ready;
	p->expiry.fire = port_expired;
	if (p->watch.fd < 0) {
		free(p);
		return NULL;
	}
	if (!loop_watch(&g->loop, &p->watch, EPOLLIN)) {
		close(p->watch.fd);
		free(p);
		return NULL;
	}
	s->port = p;
	ports_mark(&g->taken, p->at.port, true);
	g->counters.passive_opened++;
	loop_timer_set(&g->loop, &p->expiry, lasts_ms);
	return p;
}

static uint64_t
timeout_ms(const struct gate *g)
{
	return (uint64_t)g->conf.passive_timeout_s * 1000;
}

/*
 * The port after the present one, for a session that is likely to want it;
 * none when ports are scarce.
 */
static uint16_t
next_port(struct gate_session *s)
{
	struct gate *g = s->gate;
	struct conf_range r = range_of(s);
	struct gate_port *p;

	if (!s->repeats || (r.high - r.low + 1) / 2 <=
	    ports_count(&g->taken, (uint16_t)r.low, (uint16_t)r.high))
		return 0;
	p = port_new(s, IPC_NEXT_MS + timeout_ms(g));
	if (p == NULL)
		return 0;
	p->ahead = true;
	TAILQ_INSERT_TAIL(&g->ahead, p, in_ahead);
	return p->at.port;
}

static void
deliver(struct gate_port *p, int fd, const struct addr *from)
{
	struct gate_session *s = p->owner;
	struct ipc_port m = { .port = p->at.port, .who = *from,
		.epoch = s->epoch };

	gate_port_free(p);
	if (gate_flow_is_refused(s, &m)) {
		close(fd);
		gate_worker_tell(s, IPC_DATA_FAILED, m, -1);
		return;
	}
	m.next = next_port(s);
	s->repeats = true;
	gate_flow_begin(s, m, fd);
}

static void
stranger(struct gate_port *p, int fd, const struct addr *from)
{
	struct gate_session *s = p->owner;
	struct gate *g = s->gate;

	close(fd);
	g->counters.strangers++;
	if (s->strangers >= STRANGERS_TOLD)
		return;
	s->strangers++;
	event_alert(&g->events, &s->who, KIND_pasv_theft, from, "blocked",
	    SV(""));
}

/* The port is given up: its client learns it when it asks for data. */
static void
port_lost(struct gate_port *p, enum ipc_reason reason)
{
	gate_worker_tell(p->owner, IPC_DATA_FAILED,
	    (struct ipc_port) { .port = p->at.port, .reason = reason }, -1);
	gate_port_free(p);
}

static void
port_ready(struct loop_watch *w, uint32_t events)
{
	struct gate_port *p = LOOP_OWNER(w, struct gate_port, watch);
	struct sockaddr_storage ss;

	(void)events;
	for (int i = 0; i < ACCEPTS; i++) {
		socklen_t len = sizeof(ss);
		struct addr from;
		int fd = accept4(w->fd, (struct sockaddr *)&ss, &len,
		    SOCK_CLOEXEC);

		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE)
				port_lost(p, IPC_BROKEN); /* or it would spin */
			return;
		}
		from = addr_of_sockaddr(&ss);
		if (bounce_is_owner(&from, &p->owner->who.client)) {
			deliver(p, fd, &from);
			return;
		}
		stranger(p, fd, &from);
	}
}

static void
port_expired(struct loop_timer *t)
{
	struct gate_port *p = LOOP_OWNER(t, struct gate_port, expiry);
	struct gate_counters *c = &p->owner->gate->counters;

	if (p->ahead)
		c->passive_unclaimed++;
	else
		c->passive_expired++;
	port_lost(p, IPC_TIMEOUT);
}

/*
 * Takes back the port of this range that was given ahead and has been idle
 * longest; false when there is none.  Whether its client has been told it
 * only the worker knows; if so, that one gets the 425 that the other is spared.
 */
static bool
take_back(struct gate *g, struct conf_range r)
{
	struct gate_port *p;

	TAILQ_FOREACH(p, &g->ahead, in_ahead) {
		if (g->loop.now_ms - p->since_ms < YIELD_MS)
			return false;
		if (p->at.port < r.low || p->at.port > r.high)
			continue;
		g->counters.passive_unclaimed++;
		port_lost(p, IPC_FULL);
		return true;
	}
	return false;
}

void
gate_passive_listen(struct gate_session *s)
{
	struct gate *g = s->gate;
	struct gate_port *p = port_new(s, timeout_ms(g));
	struct ipc_port answer = { 0 };

	s->epoch++;
	if (p == NULL && errno == EADDRINUSE && take_back(g, range_of(s)))
		p = port_new(s, timeout_ms(g));
	if (p == NULL) {
		answer.reason = errno == EADDRINUSE ? IPC_FULL : IPC_BROKEN;
		if (answer.reason == IPC_FULL)
			g->counters.passive_full++;
		gate_worker_tell(s, IPC_LISTEN_FAILED, answer, -1);
		return;
	}
	answer.port = p->at.port;
	gate_worker_tell(s, IPC_LISTENING, answer, -1);
}
