/*
 * gate/worker.c: what a worker may say, and when.
 *
 * Each message is checked against what its session may ask at that moment.
 * One about a session that has ended meanwhile is dropped (the two processes
 * are not in step); one that no honest worker could send ends the worker.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "gate/gate.h"

#define PACKETS 16	/* read from one worker in one turn */

static void channel_ready(struct loop_watch *watch, uint32_t events);

/* Slots start in order, so that a quiet worker touches little memory. */
static bool
slots_new(struct gate_worker *w, uint32_t n)
{
	w->slots = n;
	w->slot = calloc(n, sizeof(*w->slot));
	w->generation = calloc(n, sizeof(*w->generation));
	w->spare = calloc(n, sizeof(*w->spare));
	if (w->slot == NULL || w->generation == NULL || w->spare == NULL)
		return false;
	for (uint32_t i = 0; i < n; i++)
		w->spare[i] = n - 1 - i;
	return true;
}

static void
worker_release(struct loop_grave *grave)
{
	struct gate_worker *w = LOOP_OWNER(grave, struct gate_worker, grave);

	free(w->slot);
	free(w->generation);
	free(w->spare);
	free(w);
}

struct gate_worker *
gate_worker_new(struct gate *g, int fd, uint32_t id, bool solo)
{
	struct gate_worker *w = calloc(1, sizeof(*w));

	if (w == NULL || !slots_new(w, solo ? 1 : g->conf.worker_sessions))
		log_fatal(1, "out of memory for a worker");
	w->gate = g;
	w->id = id;
	/* What it was started with: the warden attaches no others. */
	w->tells_done = conf_needs_done(&g->conf);
	w->may_move = !solo && conf_moves(&g->conf);
	w->solo = solo;
	ipc_init(&w->channel, fd);
	w->watch = (struct loop_watch) { .fd = fd, .ready = channel_ready };
	if (!loop_watch(&g->loop, &w->watch, EPOLLIN))
		log_fatal(1, "cannot watch a worker err=%d", errno);
	w->next = g->workers;
	g->workers = w;
	return w;
}

void
gate_worker_free(struct gate_worker *w)
{
	struct gate *g = w->gate;
	struct gate_worker **link = &g->workers;

	w->dead = true;
	for (uint32_t i = 0; i < w->slots; i++)
		if (w->slot[i] != NULL)
			gate_session_free(w->slot[i]);
	while (*link != w)
		link = &(*link)->next;
	*link = w->next;
	loop_unwatch(&g->loop, &w->watch);
	ipc_free(&w->channel);
	loop_bury(&g->loop, &w->grave, worker_release);
	gate_pause_or_resume(g);
	if (g->stopping && g->workers == NULL)
		g->loop.stop = true;
}

void
gate_worker_retire(struct gate_worker *w)
{
	struct ipc_msg m = { .type = IPC_RETIRE };

	if (w->retired)
		return;
	w->retired = true;
	ipc_send(&w->channel, &m, -1);
}

void
gate_worker_expel(struct gate_worker *w, const char *why)
{
	struct gate *g = w->gate;
	struct ipc_msg m = { .type = IPC_EXPEL, .worker = w->id };

	log_line("worker %u ended: %s", w->id, why);
	g->counters.workers_expelled++;
	ipc_send(&g->warden, &m, -1);
	gate_worker_free(w);
}

static bool
has_room(const struct gate_worker *w)
{
	return !w->solo && !w->retired && !w->dead && w->sessions < w->slots &&
	    ipc_room(&w->channel) > IPC_QUEUE / 2;
}

static void
ask_for_another(struct gate *g)
{
	struct ipc_msg m = { .type = IPC_NEED };

	if (g->asked || g->stopping)
		return;
	g->asked = true; /* until it is attached */
	ipc_send(&g->warden, &m, -1);
}

struct gate_worker *
gate_worker_choose(struct gate *g)
{
	struct gate_worker *best = NULL;
	uint32_t spare = 0;

	for (struct gate_worker *w = g->workers; w != NULL; w = w->next) {
		if (!has_room(w))
			continue;
		spare += w->slots - w->sessions;
		if (best == NULL || w->sessions < best->sessions)
			best = w;
	}
	/* Ask before the last slot is gone: starting one takes a while. */
	if (spare <= g->conf.worker_sessions / 8 &&
	    g->group[0].sessions + spare < g->conf.sessions_max)
		ask_for_another(g);
	return best;
}

void
gate_worker_tell(struct gate_session *s, enum ipc_type type,
    struct ipc_port port, int fd)
{
	struct gate_worker *w = s->worker;
	struct ipc_msg m = { .type = (uint8_t)type, .slot = s->slot,
		.generation = w->generation[s->slot], .port = port };

	/* A full queue is seen, and the worker ended, in the flush. */
	ipc_send(&w->channel, &m, fd);
}

/* The session that a message is about; NULL when it has ended meanwhile. */
static struct gate_session *
session_of(const struct gate_worker *w, const struct ipc_msg *m)
{
	if (m->slot >= w->slots || w->generation[m->slot] != m->generation)
		return NULL;
	return w->slot[m->slot];
}

/* A worker that was started for a crowd goes home when it has gone. */
static void
session_closed(struct gate_session *s)
{
	struct gate_worker *w = s->worker;
	struct gate *g = w->gate;
	uint32_t others = 0;

	gate_session_free(s);
	if (w->sessions > 0 || w->solo)
		return;	/* a solo worker goes by itself */
	for (struct gate_worker *o = g->workers; o != NULL; o = o->next)
		if (o != w && has_room(o))
			others++;
	if (others >= g->standing)
		gate_worker_retire(w);
}

/* Acts on one message; false when no honest worker could have sent it. */
static bool
act(struct gate_worker *w, const struct ipc_msg *m)
{
	struct gate_session *s = session_of(w, m);

	if (m->slot >= w->slots)
		return false;
	if (m->type == IPC_MOVE)
		return w->may_move && (s == NULL || gate_move(s, &m->moved));
	if (m->port.port > UINT16_MAX)
		return false;
	switch ((int)m->type) {
	case IPC_LISTEN:
		if (s != NULL)
			gate_passive_listen(s);
		return true;
	case IPC_CONNECT:
		if (s != NULL)
			gate_active_connect(s, (uint16_t)m->port.port);
		return true;
	case IPC_VOID:
		if (s != NULL) {
			s->epoch++;
			gate_endpoint_void(s);
		}
		return true;
	case IPC_DONE:
		if (s != NULL)
			gate_flow_done(s, m->port.number);
		return true;
	case IPC_SLOWER:
		if (s != NULL)
			s->most_Bps = m->port.number;
		return true;
	case IPC_CLOSED:
		if (s != NULL)
			session_closed(s);
		return true;
	default:
		return false;
	}
}

/* One packet, of *n messages; false when none is there, or none wanted. */
static bool
read_packet(struct gate_worker *w, size_t *n)
{
	struct ipc_msg m[IPC_BATCH];

	/* Who does not read our answers is not asked for more questions. */
	if (w->dead || ipc_room(&w->channel) < IPC_QUEUE / 2)
		return false;
	switch (ipc_receive(&w->channel, m, n, NULL, NULL)) {
	case IPC_GOOD:
		break;
	case IPC_AGAIN:
		return false;
	case IPC_GONE:
		gate_worker_free(w);
		return false;
	case IPC_BAD:
	default:
		gate_worker_expel(w, "malformed message");
		return false;
	}
	for (size_t i = 0; i < *n && !w->dead; i++)
		if (!act(w, &m[i]))
			gate_worker_expel(w, "message out of place");
	return true;
}

static void
channel_ready(struct loop_watch *watch, uint32_t events)
{
	struct gate_worker *w = LOOP_OWNER(watch, struct gate_worker, watch);
	size_t n = IPC_BATCH;

	/* What could not be sent is tried again in the flush. */
	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0)
		return;
	/* Behind a packet that is not full there is hardly another. */
	for (int i = 0; i < PACKETS && n == IPC_BATCH; i++)
		if (!read_packet(w, &n))
			return;
}
