/*
 * gate/move.c: sessions that need a process of their own.
 *
 * A shared worker says MOVE when it has met, and not taken, the line that
 * begins a secret.  The gate has the control connection as before, and gives
 * it to a solo worker; who is at the far end, the count of its address and
 * the flow stay what the gate has written down.  So nothing that a worker
 * says here changes whom the gate would connect to.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gate/gate.h"

#include <sys/socket.h>

#define DROP_MAX 65536

/*
 * The line that it was to be moved for is still there, and what is unread at
 * a close makes a reset of it, which takes the reply along.  It is dropped in
 * the kernel: no byte of it comes into this process.
 */
static void
drop_input(int fd)
{
	shutdown(fd, SHUT_WR);
	(void)!recv(fd, NULL, DROP_MAX, MSG_TRUNC | MSG_DONTWAIT);
}

static void
refuse(struct gate_session *s, const char *text)
{
	struct gate *g = s->gate;

	g->counters.refused_solo++;
	if (s->moved.why != IPC_WHY_IMPLICIT)	/* it would be no TLS */
		gate_say_421(g, s->control_fd, text);
	drop_input(s->control_fd);
	/*
	 * Its worker said that it began; there is none to say that it ends.
	 * Of one that begins with TLS nobody has said anything.
	 */
	event_session(&g->events, &s->who, s->moved.why == IPC_WHY_IMPLICIT ?
	    "session_refused" : "session_end", text);
	gate_session_free(s);
}

static void
wait_no_more(struct gate_session *s)
{
	struct gate *g = s->gate;

	loop_timer_stop(&g->loop, &s->patience);
	TAILQ_REMOVE(&g->waiting, s, in_waiting);
}

static void
patience_ended(struct loop_timer *t)
{
	struct gate_session *s = LOOP_OWNER(t, struct gate_session, patience);

	wait_no_more(s);
	refuse(s, "No process is free for a user, try again shortly.");
}

/* Login has a time, all told; waiting is part of it. */
static void
wait_for_one(struct gate_session *s)
{
	struct gate *g = s->gate;
	uint64_t most = (uint64_t)g->conf.login_timeout_s * 1000;
	uint64_t age = g->loop.now_ms - s->accepted_ms;

	TAILQ_INSERT_TAIL(&g->waiting, s, in_waiting);
	s->patience.fire = patience_ended;
	loop_timer_set(&g->loop, &s->patience, most > age ? most - age : 0);
}

/* A solo worker that waits; *busy: how many have a session. */
static struct gate_worker *
choose(const struct gate *g, uint32_t *busy)
{
	struct gate_worker *found = NULL;

	*busy = 0;
	for (struct gate_worker *w = g->workers; w != NULL; w = w->next) {
		if (!w->solo || w->dead)
			continue;
		if (w->sessions > 0)
			(*busy)++;
		else if (!w->retired)
			found = w;
	}
	return found;
}

/* What does not get there is nobody's, and no password of his looked at. */
void
gate_tell_keeper(const struct gate_session *s, uint32_t worker)
{
	struct gate *g = s->gate;
	struct ipc_msg m = { .type = IPC_PEER,
		.peer = { .at = s->who.client, .worker = worker } };

	if (g->keeper.fd < 0)
		return;
	ipc_send(&g->keeper, &m, -1);
	if (ipc_flush(&g->keeper) == IPC_GONE)
		ipc_free(&g->keeper);
}

static void
give(struct gate_session *s, struct gate_worker *w)
{
	struct gate *g = s->gate;
	struct ipc_msg taken = { .type = IPC_TAKEN, .worker = w->id };
	uint64_t age_ms = g->loop.now_ms - s->accepted_ms;

	s->moved.age_ms = age_ms < UINT32_MAX ? (uint32_t)age_ms : UINT32_MAX;
	if (!gate_session_enter(s, w)) {
		refuse(s, "Out of resources, try again later.");
		return;
	}
	w->retired = true;	/* one session, and no other */
	g->counters.moved++;
	ipc_send(&g->warden, &taken, -1);
}

static bool
is_in_order(const struct gate_session *s, const struct ipc_moved *m)
{
	/* Who logs in for the first time has wanted no data connection. */
	for (size_t i = 0; i < GATE_DIALS; i++)
		if (s->dial[i] != NULL)
			return false;
	return s->epoch == 0 && s->handed == 0 && s->port == NULL &&
	    m->why > IPC_WHY_NONE && m->why < IPC_WHY_IMPLICIT &&
	    m->attempts <= IPC_TRIES_MAX && m->strikes <= IPC_TRIES_MAX;
}

/* Each costs a process, and most a handshake: attack E09. */
static bool
is_too_soon(struct gate_session *s)
{
	bool early = !pace_take(&s->count->solo_ms, s->gate->loop.now_ms,
	    s->gate->conf.solo_per_address);

	s->gate->counters.refused_pace += early;
	return early;
}

/* Finds a solo worker for one that has no worker. */
static void
place(struct gate_session *s)
{
	struct gate *g = s->gate;
	struct gate_worker *w;
	uint32_t busy;

	w = choose(g, &busy);
	if (g->stopping || !conf_moves(&g->conf))
		refuse(s, "This server has no users any more.");
	else if (w == NULL && busy >= g->conf.solo_max)
		refuse(s, "All places for users are taken, try again later.");
	else if (is_too_soon(s))
		refuse(s, "Too many sessions from your address in a minute, "
		    "try again later.");
	else if (w != NULL && TAILQ_EMPTY(&g->waiting))
		give(s, w);
	else
		wait_for_one(s);
}

void
gate_begin_solo(struct gate_session *s)
{
	s->moved.why = IPC_WHY_IMPLICIT;
	place(s);
}

bool
gate_move(struct gate_session *s, const struct ipc_moved *m)
{
	struct gate *g = s->gate;

	if (!is_in_order(s, m))
		return false;
	gate_session_leave(s);
	s->moved = *m;
	if (g->paused)
		gate_pause_or_resume(g);	/* a slot is free */
	place(s);
	return true;
}

/* Of all who wait, one whose address has had least of late; NULL: nobody. */
static struct gate_session *
next_of(const struct gate *g)
{
	struct gate_session *first = TAILQ_FIRST(&g->waiting), *s;

	TAILQ_FOREACH(s, &g->waiting, in_waiting)
		if (s->count->solo_ms < first->count->solo_ms)
			first = s;
	return first;
}

void
gate_moves_go_on(struct gate *g)
{
	struct gate_session *s;
	struct gate_worker *w;
	uint32_t busy;

	while ((s = next_of(g)) != NULL) {
		/* No process for a client that has gone. */
		if (!gate_session_is_alive(s)) {
			wait_no_more(s);
			refuse(s, "The connection was closed.");
		} else if ((w = choose(g, &busy)) != NULL) {
			wait_no_more(s);
			give(s, w);
		} else {
			return;
		}
	}
}

void
gate_moves_refuse(struct gate *g, const char *text)
{
	struct gate_session *s;

	while ((s = TAILQ_FIRST(&g->waiting)) != NULL) {
		wait_no_more(s);
		refuse(s, text);
	}
}
