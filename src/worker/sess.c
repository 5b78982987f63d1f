/*
 * worker/sess.c: a session's life, and the one clock that it has.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "conf/conf_limit.h"
#include "worker/hash.h"
#include "worker/secure.h"

#define FAREWELL_MS 5000	/* for a last reply that is not read */
#define PENALTY_MS 1000		/* RFC 2577 §5: who was refused waits */
#define DRAIN_MAX 65536

static void
session_event(struct sess *s, const char *action)
{
	struct event e;

	if (!event_wanted(&s->w->events))
		return;
	event_begin(&e, "ftp", &s->who);
	event_open(&e, "ftp");
	event_text(&e, "action", sv_of(action));
	event_close(&e);
	event_end(&e, &s->w->events);
}

/* It counts as a transfer at the gate: NOOP must not keep it for ever. */
static bool
data_is_unclaimed(const struct sess *s)
{
	return s->endpoint == ENDPOINT_CONNECTED &&
	    s->w->loop.now_ms >= s->data_until_ms;
}

static uint64_t
idle_ms(const struct sess *s)
{
	uint64_t ms = (uint64_t)s->w->conf.idle_timeout_s * 1000, left = 0;

	if (s->endpoint != ENDPOINT_CONNECTED)
		return ms;
	if (!data_is_unclaimed(s))
		left = s->data_until_ms - s->w->loop.now_ms;
	return left < ms ? left : ms;
}

/* One that was anonymous stays where it is: input of its has been read. */
static const char *
refused_text(const struct sess *s)
{
	if (s->w->conf.accounts_file[0] != '\0')
		return "This session is anonymous; as a user, connect anew.";
	return "Anonymous logins only; send no password here.";
}

/* Nothing can be said to the client now. */
static void
shaking_ended(struct sess *s, const char *side, const char *reason)
{
	secure_say_failed(s->w, &s->who, "control", side, reason);
	sess_close(s);
}

static void
clock_fired(struct loop_timer *t)
{
	struct sess *s = LOOP_OWNER(t, struct sess, clock);

	if (s->closing) {
		sess_close(s);
		return;
	}
	if (s->wait == WAIT_PENALTY) {
		sess_wait_for(s, WAIT_NOTHING);
		reply(s, 530, refused_text(s));
		control_continue(s);
		return;
	}
	if (s->wait == WAIT_NOTHING && data_is_unclaimed(s)) {
		endpoint_unclaimed(s);
		sess_clock_restart(s);
		return;
	}
	/* A disk that is slow is not his doing. */
	if (s->wait == WAIT_TRANSFER && s->xfer->committing) {
		sess_clock_restart(s);
		return;
	}
	if (s->wait == WAIT_TRANSFER && !xfer_is_too_slow(s->xfer) &&
	    xfer_progress(s->xfer) > s->xfer->acked) {
		s->xfer->acked = xfer_progress(s->xfer);
		sess_clock_restart(s);
		return;
	}
	if (s->wait == WAIT_HASH && hash_progressed(s->hash)) {
		sess_clock_restart(s);
		return;
	}
	s->w->counters.timeouts++;
	if (s->wait == WAIT_HASH)
		hash_stalled(s);
	else if (s->wait == WAIT_TRANSFER)
		xfer_stalled(s->xfer);
	else if (s->shaking)
		shaking_ended(s, "client", HANDSHAKE_STALLED);
	else if (s->wait == WAIT_NOTHING || s->wait == WAIT_KEEPER)
		sess_end(s, s->logged_in ? "Idle for too long." :
		    "Login took too long.");
	else
		sess_end(s, "The server could not go on with it.");
}

void
sess_clock_restart(struct sess *s)
{
	const struct conf *c = &s->w->conf;
	uint64_t elapsed_ms = s->w->loop.now_ms - s->started_ms, ms;

	if (s->closing)
		ms = FAREWELL_MS;
	else if (s->wait == WAIT_PENALTY)
		ms = PENALTY_MS;
	else if (s->wait != WAIT_NOTHING && s->wait != WAIT_KEEPER)
		ms = (uint64_t)c->data_timeout_s * 1000;
	else if (s->logged_in)
		ms = idle_ms(s);
	else	/* all told, not since the last command */
		ms = (uint64_t)c->login_timeout_s * 1000 > elapsed_ms ?
		    (uint64_t)c->login_timeout_s * 1000 - elapsed_ms : 0;
	/* The clock may stand later than this wait allows. */
	loop_timer_stop(&s->w->loop, &s->clock);
	loop_timer_set(&s->w->loop, &s->clock, ms);
}

void
sess_wait_for(struct sess *s, enum sess_wait wait)
{
	if (s->dead)
		return;
	s->wait = wait;
	sess_clock_restart(s);
}

/* What another process knew of it. */
static void
go_on(struct sess *s, const struct ipc_moved *m)
{
	struct worker *w = s->w;
	uint32_t site = sess_find_site(w, m->site);

	s->started_ms -= m->age_ms < s->started_ms ? m->age_ms : s->started_ms;
	s->spoken = true;
	s->attempts = m->attempts;
	s->strikes = m->strikes;
	sess_clock_restart(s);
	if (m->site == 0)
		return;
	if (site < w->conf.sites.count)
		sess_enter_site(s, site);
	else	/* a reload has taken it away */
		sess_end(s, "This site is not served any more.");
}

/* Nobody has read anything of it; there is no word in clear. */
static void
begin_implicit(struct sess *s)
{
	if (secure == NULL) {
		sess_close(s);
		return;
	}
	s->implicit = true;
	sess_begin_tls(s);
	if (!s->dead)
		sess_shake(s);
	if (!s->dead && !s->dirty)
		control_flush(s);
}

/* What this client's network has to do, when it is nobody. */
static void
ask_policy(struct sess *s)
{
	const struct conf *c = &s->w->conf;
	struct conf_limits l = conf_limits(c, conf_class_of(c, &s->who.client),
	    conf_minute(time(NULL)));

	s->tls_control = (uint8_t)l.of[LIMIT_tls_control];
	s->tls_data = (uint8_t)l.of[LIMIT_tls_data];
}

struct sess *
sess_new(struct worker *w, int fd, const struct ipc_msg *open)
{
	const struct ipc_moved *moved = &open->open.moved;
	struct sess *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->w = w;
	s->watch = (struct loop_watch) { .fd = fd, .ready = control_ready };
	s->clock.fire = clock_fired;
	s->who = (struct event_session) { .client = open->open.peer,
		.server = open->open.local, .flow = open->open.flow };
	ask_policy(s);
	sess_leave_site(s);
	s->slot = open->slot;
	s->generation = open->generation;
	s->started_ms = w->loop.now_ms;
	s->data_fd = -1;
	s->exact = w->looks;
	s->facts = LISTING_ALL_FACTS;
	telnet_init(&s->telnet, NULL, LINE_MAX_BYTES);
	if (!loop_watch(&w->loop, &s->watch, EPOLLIN)) {
		free(s);
		return NULL;
	}
	w->slot[s->slot] = s;
	w->sessions++;
	w->counters.sessions_total++;
	sess_clock_restart(s);
	if (moved->why == IPC_WHY_NONE || moved->why == IPC_WHY_IMPLICIT)
		session_event(s, "session_start");
	else
		go_on(s, moved);
	if (moved->why == IPC_WHY_IMPLICIT)
		begin_implicit(s);
	else if (w->finishing)
		sess_end(s, "The server is stopping, come back later.");
	else if (moved->why == IPC_WHY_NONE)
		reply(s, 220, s->banner);
	return s;
}

void
sess_end(struct sess *s, const char *text)
{
	if (s->closing || s->dead)
		return;
	if (s->shaking) {
		shaking_ended(s, "server", text);
		return;
	}
	if (s->xfer != NULL) {
		xfer_abandon(s->xfer);
		s->xfer = NULL;
	}
	hash_abandon(s);
	text_end(s, 421, text);
	s->closing = true;
	sess_clock_restart(s);
}

static void
sess_release(struct loop_grave *g)
{
	struct sess *s = LOOP_OWNER(g, struct sess, grave);

	control_forget(s);
	free(s->out);
	free(s->cwd);
	free(s->told);
	free(s->ident);
	free(s->login);
	free(s->user);
	free(s->from);
	list_free(s->listing);
	free(s);
}

/*
 * Input that nobody reads would turn our FIN into a reset, and the reset
 * would take the last reply with it.  It may be a password: the kernel drops
 * it, and it is not copied here.
 */
static void
drain(int fd)
{
	for (size_t got = 0; got < DRAIN_MAX; got += READ_MAX)
		if (recv(fd, NULL, READ_MAX, MSG_TRUNC | MSG_DONTWAIT) <= 0)
			return;
}

/* The list of who has replies to send must not keep the dead. */
static void
unlink_dirty(struct sess *s)
{
	struct sess **link = &s->w->dirty;

	if (!s->dirty)
		return;
	while (*link != s)
		link = &(*link)->next_dirty;
	*link = s->next_dirty;
	s->dirty = false;
}

void
sess_close(struct sess *s)
{
	struct worker *w = s->w;

	if (s->dead)
		return;
	s->dead = true;
	note_unanswered(s);
	session_event(s, "session_end");
	loop_timer_stop(&w->loop, &s->clock);
	unlink_dirty(s);
	if (s->xfer != NULL)
		xfer_abandon(s->xfer);
	if (s->lookup != NULL)
		lookup_abandon(s->lookup);
	hash_abandon(s);
	link_close_data(s, &s->data_fd, s->data_number);
	/*
	 * The gate holds a duplicate: closing ours neither sends a FIN nor
	 * takes it out of our epoll set.
	 */
	loop_unwatch(&w->loop, &s->watch);
	if (s->tls != NULL)
		secure->end(s);
	shutdown(s->watch.fd, SHUT_WR);
	drain(s->watch.fd);
	close(s->watch.fd);
	link_tell(s, IPC_CLOSED, 0);
	w->slot[s->slot] = NULL;
	w->sessions--;
	loop_bury(&w->loop, &s->grave, sess_release);
	worker_exit_if_empty(w);
}

void
sess_move(struct sess *s)
{
	struct worker *w = s->w;

	/* Without a gate nobody can take it. */
	if (w->finishing || w->gate.fd < 0) {
		s->leaving = IPC_WHY_NONE;
		sess_end(s, "The server is stopping, come back later.");
		return;
	}
	s->dead = true;
	note_unanswered(s);
	loop_timer_stop(&w->loop, &s->clock);
	unlink_dirty(s);
	/* No shutdown: the connection goes on, and its input is not ours. */
	loop_unwatch(&w->loop, &s->watch);
	close(s->watch.fd);
	link_move(s);
	w->slot[s->slot] = NULL;
	w->sessions--;
	loop_bury(&w->loop, &s->grave, sess_release);
	worker_exit_if_empty(w);
}

void
sess_leave_site(struct sess *s)
{
	s->storage = s->w->storage;
	s->banner = s->w->conf.banner;
	s->who.site = NULL;
}

void
sess_reset(struct sess *s)
{
	endpoint_void(s);
	if (s->next_port != 0)
		link_void(s);
	/* A new login has its own time; asking again for one has not. */
	if (s->logged_in)
		s->started_ms = s->w->loop.now_ms;
	s->named = false;
	s->logged_in = false;
	s->rights = 0;
	s->drop_box = false;
	s->room = 0;
	rename_forget(s);
	s->ascii = false;
	restart_forget(s);
	s->algorithm = HASH_SHA256;
	s->facts = LISTING_ALL_FACTS;
	free(s->cwd);
	free(s->told);
	free(s->ident);
	free(s->login);
	s->login = NULL;
	s->cwd = NULL;
	s->told = NULL;
	s->ident = NULL;
}

void
sess_finish_if_idle(struct sess *s)
{
	if (s->w->finishing && s->wait == WAIT_NOTHING)
		sess_end(s, "The server is stopping, come back later.");
}
