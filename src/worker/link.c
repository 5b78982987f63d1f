/*
 * worker/link.c: messages from and to the gate and the warden.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "conf/conf_limit.h"
#include "ipc/inherit.h"
#include "worker/worker.h"

#define PACKETS 16	/* read from the gate in one turn */

void
link_tell(struct sess *s, enum ipc_type type, uint16_t port)
{
	struct ipc_msg m = { .type = (uint8_t)type, .slot = s->slot,
		.generation = s->generation, .port = { .port = port } };

	if (!ipc_send(&s->w->gate, &m, -1) && s->w->gate.fd >= 0)
		log_fatal(1, "the gate does not read its messages");
}

void
link_move(struct sess *s)
{
	struct ipc_msg m = { .type = IPC_MOVE, .slot = s->slot,
		.generation = s->generation,
		.moved = { .why = s->leaving, .attempts = s->attempts,
			.strikes = s->strikes,
			.site = s->who.site == NULL ? 0 :
			    board_name(s->who.site) } };

	if (!ipc_send(&s->w->gate, &m, -1) && s->w->gate.fd >= 0)
		log_fatal(1, "the gate does not read its messages");
}

void
link_slower(struct sess *s, uint64_t rate_Bps)
{
	struct ipc_msg m = { .type = IPC_SLOWER, .slot = s->slot,
		.generation = s->generation,
		.port = { .number = (uint32_t)rate_Bps } };

	if (rate_Bps > UINT32_MAX || rate_Bps == 0)
		return;		/* no line that we know is so fast */
	if (!ipc_send(&s->w->gate, &m, -1) && s->w->gate.fd >= 0)
		log_fatal(1, "the gate does not read its messages");
}

/* Leaves room for what must be said: ends of sessions. */
bool
link_is_crowded(const struct worker *w)
{
	return ipc_room(&w->gate) < IPC_QUEUE / 2;
}

/* Either one closes the port that the session has at the gate. */
static void
tell_new_epoch(struct sess *s, enum ipc_type type)
{
	s->epoch++;
	s->next_port = 0;
	link_tell(s, type, 0);
}

void
link_listen(struct sess *s)
{
	tell_new_epoch(s, IPC_LISTEN);
}

void
link_void(struct sess *s)
{
	tell_new_epoch(s, IPC_VOID);
}

void
link_done(struct sess *s, uint32_t number)
{
	struct ipc_msg m = { .type = IPC_DONE, .slot = s->slot,
		.generation = s->generation, .port = { .number = number } };

	if (!s->w->tells_done)
		return;
	if (!ipc_send(&s->w->gate, &m, -1) && s->w->gate.fd >= 0)
		log_fatal(1, "the gate does not read its messages");
}

void
link_close_data(struct sess *s, int *fd, uint32_t number)
{
	if (*fd < 0)
		return;
	/* The gate has a duplicate: closing ours alone would send no end. */
	if (s->w->tells_done)
		shutdown(*fd, SHUT_WR);
	close(*fd);
	*fd = -1;
	link_done(s, number);
}

uint16_t
link_next_port(struct sess *s)
{
	uint16_t port = s->next_port;

	s->next_port = 0;
	return s->w->loop.now_ms < s->next_until_ms ? port : 0;
}

/*
 * The gate sent it before it had read our last LISTEN or VOID, when the
 * epochs differ: that port is closed again.
 */
static void
keep_next_port(struct sess *s, const struct ipc_port *p)
{
	s->next_port = p->epoch == s->epoch ? (uint16_t)p->next : 0;
	s->next_until_ms = s->w->loop.now_ms + IPC_NEXT_MS;
}

bool
link_flush(struct worker *w)
{
	enum ipc_status status;

	if (w->gate.fd < 0)
		return true;
	status = ipc_flush_plain(&w->gate);
	if (w->gate_watch.ready != NULL)
		loop_rewatch(&w->loop, &w->gate_watch,
		    status == IPC_AGAIN ? EPOLLIN | EPOLLOUT : EPOLLIN);
	return status != IPC_AGAIN;
}

void
worker_exit_if_empty(struct worker *w)
{
	if ((w->retired || w->finishing) && w->sessions == 0 && w->xfers == 0)
		w->loop.stop = true;
}

/* Idle sessions are told 421; the others end with their transfers. */
static void
finish(struct worker *w)
{
	if (w->finishing)
		return;
	w->finishing = true;
	for (uint32_t i = 0; i < w->conf.worker_sessions; i++)
		if (w->slot[i] != NULL)
			sess_finish_if_idle(w->slot[i]);
	loop_timer_set(&w->loop, &w->stop_timer,
	    (uint64_t)w->conf.stop_timeout_s * 1000);
	worker_exit_if_empty(w);
}

static void
stop_now(struct loop_timer *t)
{
	LOOP_OWNER(t, struct worker, stop_timer)->loop.stop = true;
}

static void
session_open(struct worker *w, const struct ipc_msg *m, int fd)
{
	struct ipc_msg closed = { .type = IPC_CLOSED, .slot = m->slot,
		.generation = m->generation };

	if (m->slot >= w->conf.worker_sessions || w->slot[m->slot] != NULL)
		log_fatal(1, "the gate opened a session out of place");
	/*
	 * No descriptor was free for it, or no memory: that one session ends
	 * (the gate's copy is the last), and the others go on.
	 */
	w->retired = w->retired || w->solo;
	if (fd >= 0 && sess_new(w, fd, m) != NULL)
		return;
	if (fd >= 0)
		close(fd);
	if (!ipc_send(&w->gate, &closed, -1) && w->gate.fd >= 0)
		log_fatal(1, "the gate does not read its messages");
	worker_exit_if_empty(w);
}

/* The answer may be about an endpoint that is void by now: ports tell. */
static bool
xfer_waits_for(const struct sess *s, const struct ipc_port *p)
{
	return s->xfer != NULL && s->xfer->data_fd < 0 &&
	    s->xfer->active == (p->active != 0) &&
	    s->xfer->data_port == p->port;
}

static bool
sess_waits_for(const struct sess *s, const struct ipc_port *p)
{
	return s->endpoint == ENDPOINT_PASSIVE && p->active == 0 &&
	    s->data_port == p->port;
}

static void
data_failed(struct sess *s, const struct ipc_port *p)
{
	/* The gate gave up what no client was told yet. */
	if (p->active == 0 && p->port == s->next_port)
		s->next_port = 0;
	/* Who tries again at a busy server does not probe it. */
	if (p->reason >= IPC_BUSY)
		s->unused = 0;
	if (xfer_waits_for(s, p)) {
		xfer_not_connected(s->xfer, p);
	} else if (sess_waits_for(s, p)) {
		s->endpoint = ENDPOINT_FAILED;
		s->failed = *p;
	}
}

/* It came, and no descriptor was free for it: the kernel has closed it. */
static void
data_lost(struct sess *s, struct ipc_port p)
{
	link_done(s, p.number);
	p.reason = IPC_BROKEN;
	data_failed(s, &p);
}

/* The data connection that a session, or its transfer, waits for. */
static void
data_came(struct sess *s, int fd, const struct ipc_port *p)
{
	if (p->active == 0)
		keep_next_port(s, p);
	if (fd < 0) {
		data_lost(s, *p);
		return;
	}
	if (xfer_waits_for(s, p)) {
		xfer_connected(s->xfer, fd, p->number);
	} else if (sess_waits_for(s, p)) {
		s->endpoint = ENDPOINT_CONNECTED;
		s->data_fd = fd;
		s->data_number = p->number;
		s->data_until_ms = s->w->loop.now_ms +
		    (uint64_t)s->w->conf.passive_timeout_s * 1000;
		if (s->wait == WAIT_NOTHING && !s->closing)
			sess_clock_restart(s);
	} else {
		link_close_data(s, &fd, p->number);
	}
}

static void
gate_says(struct worker *w, const struct ipc_msg *m, int fd)
{
	struct sess *s = NULL;

	if (m->slot < w->conf.worker_sessions)
		s = w->slot[m->slot];
	if (s != NULL && s->generation != m->generation)
		s = NULL;
	if (m->type == IPC_OPEN) {
		session_open(w, m, fd);
	} else if (m->type == IPC_RETIRE) {
		w->retired = true;
		worker_exit_if_empty(w);
	} else if (s == NULL || s->dead) {
		if (fd >= 0)
			close(fd); /* the session has ended meanwhile */
	} else if (m->type == IPC_LISTENING) {
		endpoint_listening(s, (uint16_t)m->port.port);
	} else if (m->type == IPC_LISTEN_FAILED) {
		endpoint_listen_failed(s,
		    (enum ipc_reason)m->port.reason);
	} else if (m->type == IPC_DATA) {
		data_came(s, fd, &m->port);
	} else if (m->type == IPC_DATA_FAILED) {
		data_failed(s, &m->port);
	}
}

/* Without a gate there are no new data connections: finish what runs. */
static void
gate_gone(struct worker *w)
{
	loop_unwatch(&w->loop, &w->gate_watch);
	ipc_free(&w->gate);
	finish(w);
}

/* One packet; false when there is hardly another behind it. */
static bool
gate_read(struct worker *w)
{
	struct ipc_msg m[IPC_BATCH];
	int fds[IPC_BATCH];
	size_t n, nfds, next = 0;

	switch (ipc_receive(&w->gate, m, &n, fds, &nfds)) {
	case IPC_GOOD:
		break;
	case IPC_AGAIN:
		return false;
	case IPC_GONE:
		gate_gone(w);
		return false;
	case IPC_BAD:
	default:
		log_fatal(1, "malformed message from the gate");
	}
	for (size_t i = 0; i < n; i++) {
		bool carries = m[i].type == IPC_OPEN || m[i].type == IPC_DATA;

		gate_says(w, &m[i],
		    carries && next < nfds ? fds[next++] : -1);
	}
	return n == IPC_BATCH;
}

static void
gate_ready(struct loop_watch *watch, uint32_t events)
{
	struct worker *w = LOOP_OWNER(watch, struct worker, gate_watch);

	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0)
		return;
	for (int i = 0; i < PACKETS && gate_read(w); i++)
		;
}

static void
warden_ready(struct loop_watch *watch, uint32_t events)
{
	struct worker *w = LOOP_OWNER(watch, struct worker, warden_watch);
	struct ipc_msg m[IPC_BATCH];
	size_t n;

	(void)events;
	switch (ipc_receive(&w->warden, m, &n, NULL, NULL)) {
	case IPC_AGAIN:
		return;
	case IPC_GONE:
		loop_unwatch(&w->loop, &w->warden_watch);
		finish(w);
		return;
	case IPC_BAD:
		log_fatal(1, "malformed message from the warden");
	case IPC_GOOD:
	default:
		break;
	}
	for (size_t i = 0; i < n; i++)
		if (m[i].type == IPC_STOP)
			finish(w);
}

bool
link_start(struct worker *w)
{
	w->stop_timer.fire = stop_now;
	w->tells_done = conf_needs_done(&w->conf);
	w->looks = conf_moves(&w->conf);
	ipc_init(&w->gate, INHERIT_GATE);
	ipc_init(&w->warden, INHERIT_WARDEN);
	w->gate_watch = (struct loop_watch) { .fd = INHERIT_GATE,
		.ready = gate_ready };
	w->warden_watch = (struct loop_watch) { .fd = INHERIT_WARDEN,
		.ready = warden_ready };
	return account_start(w) &&
	    loop_watch(&w->loop, &w->gate_watch, EPOLLIN) &&
	    loop_watch(&w->loop, &w->warden_watch, EPOLLIN);
}
