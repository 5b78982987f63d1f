/*
 * gate/passive.c: ports on which the server waits for data connections.
 *
 * A port is drawn at random from the configured range, is bound to the local
 * address of one control connection, belongs to one session and takes one
 * connection.  A connection from anyone but the session's peer is closed and
 * costs the owner nothing: the port goes on waiting (RFC 2577 §5; servers
 * that give up here let a stranger kill transfers, those that do not look
 * let him have them).
 *
 * To save the client a round trip between two processes, each worker holds a
 * small stock of port numbers that are already listened on.  The worker's
 * CLAIM is sent before its 229, so when a connection comes to a stocked port
 * the CLAIM, if there is one, can already be read: a connection to a port
 * that is still nobody's then is a stranger's, without doubt.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "gate/gate.h"
#include "policy/bounce.h"

#define BACKLOG 16
#define DRAWS 64	/* random draws before the range is walked */
#define ACCEPTS 64	/* strangers closed in one turn */
#define STRANGERS_TOLD 5 /* alerts a session; all are counted */

static bool
port_is_taken(const struct gate *g, uint32_t port)
{
	return (g->port_taken[port / 8] >> (port % 8) & 1) != 0;
}

static void
port_mark(struct gate *g, uint32_t port, bool taken)
{
	if (taken)
		g->port_taken[port / 8] |= (uint8_t)(1u << (port % 8));
	else
		g->port_taken[port / 8] &= (uint8_t) ~(1u << (port % 8));
}

void
gate_limit_sends(int fd)
{
	struct timeval tv = { .tv_usec = GATE_LINGER_US };

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
}

/* A listening socket at this address and port; -1 with errno set. */
static int
listener_at(const struct addr *at, uint32_t scope)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(at, &ss);
	int one = 1, fd;

	if (ss.ss_family == AF_INET6)
		((struct sockaddr_in6 *)&ss)->sin6_scope_id = scope;
	fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
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
listener_somewhere(struct gate *g, struct addr *at, uint32_t scope)
{
	struct conf_range r = g->conf.passive_ports;
	uint32_t span = r.high - r.low + 1, start = 0;
	int fd;

	for (uint32_t i = 0; i < DRAWS + span; i++) {
		uint32_t port;

		if (i <= DRAWS)
			/* span is at most 2^16: the bias is below 2^-48 */
			start = (uint32_t)(gate_random() % span);
		port = r.low + (start + (i > DRAWS ? i - DRAWS : 0)) % span;
		if (port_is_taken(g, port))
			continue;
		at->port = (uint16_t)port;
		if ((fd = listener_at(at, scope)) >= 0)
			return fd;
		if (errno != EADDRINUSE)
			return -1;
	}
	errno = EADDRINUSE;
	return -1;
}

static void
stock_unlink(struct gate_port *p)
{
	if (p->prev == NULL)
		return;
	*p->prev = p->next;
	if (p->next != NULL)
		p->next->prev = p->prev;
	p->prev = NULL;
	p->worker->stocked[p->local]--;
}

static void
stock_link(struct gate_port *p)
{
	struct gate_port **head = &p->worker->stock[p->local];

	p->next = *head;
	p->prev = head;
	if (p->next != NULL)
		p->next->prev = &p->next;
	*head = p;
	p->worker->stocked[p->local]++;
}

static void
port_release(struct loop_grave *grave)
{
	free(LOOP_OWNER(grave, struct gate_port, grave));
}

void
gate_port_free(struct gate_port *p)
{
	struct gate *g = p->worker->gate;

	stock_unlink(p);
	if (p->owner != NULL)
		p->owner->port = NULL;
	loop_timer_stop(&g->loop, &p->expiry);
	loop_close(&p->watch);
	port_mark(g, p->at.port, false);
	loop_bury(&g->loop, &p->grave, port_release);
}

static void
deliver(struct gate_port *p, int fd, const struct addr *from)
{
	struct ipc_port m = { .port = p->at.port, .who = *from };

	gate_worker_tell(p->owner, IPC_DATA, m, fd);
	gate_port_free(p);
}

static void
stranger(struct gate_port *p, int fd, const struct addr *from)
{
	struct gate *g = p->worker->gate;

	close(fd);
	g->counters.strangers++;
	if (p->owner != NULL && p->owner->strangers < STRANGERS_TOLD) {
		p->owner->strangers++;
		event_alert(&g->events, &p->owner->who, KIND_pasv_theft, from,
		    "blocked", SV(""));
	}
}

/* The port is given up: its client learns it when it asks for data. */
static void
port_lost(struct gate_port *p)
{
	gate_worker_tell(p->owner, IPC_DATA_FAILED,
	    (struct ipc_port) { .port = p->at.port, .reason = IPC_BROKEN }, -1);
	gate_port_free(p);
}

static void
port_ready(struct loop_watch *w, uint32_t events)
{
	struct gate_port *p = LOOP_OWNER(w, struct gate_port, watch);
	struct sockaddr_storage ss;

	(void)events;
	if (p->owner == NULL)
		gate_worker_read(p->worker, true); /* the CLAIM first */
	for (int i = 0; i < ACCEPTS && p->watch.ready != NULL; i++) {
		socklen_t len = sizeof(ss);
		struct addr from;
		int fd = accept4(w->fd, (struct sockaddr *)&ss, &len,
		    SOCK_CLOEXEC);

		if (fd < 0) {
			if (errno != EMFILE && errno != ENFILE)
				return;
			/* Or it would spin; a stocked one is promised. */
			if (p->owner == NULL)
				gate_shed_one(p->worker->gate, w->fd, NULL);
			else
				port_lost(p);
			return;
		}
		from = addr_of_sockaddr(&ss);
		if (p->owner == NULL ||
		    !bounce_is_owner(&from, &p->owner->who.client)) {
			stranger(p, fd, &from);
			continue;
		}
		deliver(p, fd, &from);
		return;
	}
}

static void
port_expired(struct loop_timer *t)
{
	struct gate_port *p = LOOP_OWNER(t, struct gate_port, expiry);

	p->worker->gate->counters.passive_expired++;
	gate_worker_tell(p->owner, IPC_DATA_FAILED,
	    (struct ipc_port) { .port = p->at.port, .reason = IPC_TIMEOUT },
	    -1);
	gate_port_free(p);
}

/* A new port at a local address, watched and nobody's; NULL with errno. */
static struct gate_port *
port_new(struct gate_worker *w, const struct addr *local, uint32_t scope)
{
	struct gate *g = w->gate;
	struct gate_port *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	*p = (struct gate_port) { .worker = w, .at = *local };
	p->watch.fd = listener_somewhere(g, &p->at, scope);
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
	port_mark(g, p->at.port, true);
	g->counters.passive_opened++;
	return p;
}

static void
port_give(struct gate_port *p, struct gate_session *s)
{
	struct gate *g = p->worker->gate;

	if (s->port != NULL)
		gate_port_free(s->port); /* one a session */
	stock_unlink(p);
	p->owner = s;
	s->port = p;
	loop_timer_set(&g->loop, &p->expiry,
	    (uint64_t)g->conf.passive_timeout_s * 1000);
}

/* What the range allows each worker to hold back. */
static uint32_t
stock_limit(const struct gate *g)
{
	uint32_t span = g->conf.passive_ports.high - g->conf.passive_ports.low +
	    1, workers = 0;

	for (struct gate_worker *w = g->workers; w != NULL; w = w->next)
		workers++;
	span /= 16 * (workers + 1);
	return span < GATE_STOCK_MOST ? span : GATE_STOCK_MOST;
}

/* The worker had to wait for a port: it needs a larger stock. */
static void
stock_grow(struct gate_worker *w, uint16_t local)
{
	uint32_t wanted = w->wanted[local] == 0 ? GATE_STOCK_LEAST :
	    w->wanted[local] * 2u, limit = stock_limit(w->gate);

	w->wanted[local] = (uint8_t)(wanted < limit ? wanted : limit);
	gate_stock_fill(w, local);
}

void
gate_stock_fill(struct gate_worker *w, uint16_t local)
{
	struct gate *g = w->gate;

	/*
	 * Half a stock at a time: one packet, and one wake-up of the worker,
	 * for many ports.
	 */
	if (w->stocked[local] > w->wanted[local] / 2)
		return;
	while (w->stocked[local] < w->wanted[local] &&
	    ipc_room(&w->channel) > IPC_QUEUE / 2) {
		struct gate_port *p = port_new(w, &g->local[local], 0);
		struct ipc_msg m = { .type = IPC_STOCK, .local = local };

		if (p == NULL)
			return;
		p->local = local;
		stock_link(p);
		m.port.port = p->at.port;
		ipc_send(&w->channel, &m, -1);
	}
}

void
gate_passive_listen(struct gate_session *s)
{
	struct gate_worker *w = s->worker;
	struct gate *g = w->gate;
	struct gate_port *p;
	struct ipc_port answer = { 0 };

	if (s->port != NULL)
		gate_port_free(s->port);
	if ((p = port_new(w, &s->who.server, s->scope)) == NULL) {
		answer.reason = errno == EADDRINUSE ? IPC_FULL : IPC_BROKEN;
		g->counters.passive_full++;
		gate_worker_tell(s, IPC_LISTEN_FAILED, answer, -1);
		return;
	}
	port_give(p, s);
	answer.port = p->at.port;
	gate_worker_tell(s, IPC_LISTENING, answer, -1);
	if (s->local != IPC_NO_STOCK)
		stock_grow(w, s->local);
}

bool
gate_passive_claim(struct gate_session *s, uint16_t port)
{
	struct gate_port *p;

	if (s->local == IPC_NO_STOCK)
		return false;
	for (p = s->worker->stock[s->local]; p != NULL; p = p->next)
		if (p->at.port == port)
			break;
	if (p == NULL)
		return false;
	port_give(p, s);
	gate_stock_fill(s->worker, s->local);
	return true;
}
