/*
 * worker/control.c: the bytes of a control connection.
 *
 * Input is read in small pieces into one buffer of the process; a session
 * has memory of its own only for a line that is not complete, or that has to
 * wait for the command before it.  While replies are unsent nothing is read:
 * a client that pipelines without reading holds up itself alone.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "proto/err.h"
#include "worker/secure.h"

#define STRIKES 3	/* unknown commands before login; over-long lines */

static char line_room[LINE_MAX_BYTES];

/* What AT_TRANSFER's commands do not wait for. */
static bool
is_at_work(const struct sess *s)
{
	return s->wait == WAIT_TRANSFER || s->wait == WAIT_HASH;
}

static bool
may_run(const struct sess *s, enum ftp_verb verb)
{
	if (s->wait == WAIT_NOTHING)
		return true;
	return is_at_work(s) && verb != V_UNKNOWN &&
	    (ftp_commands[verb].at & AT_TRANSFER) != 0;
}

static void
note(struct sess *s, enum ftp_verb verb, struct sv arg)
{
	if (s->w->conf.events_commands != 0)
		note_asked(s, verb, arg);
}

void
control_foreign(struct sess *s, struct sv line)
{
	s->w->counters.foreign_protocols++;
	event_alert(&s->w->events, &s->who, KIND_cross_protocol,
	    &(struct addr) { 0 }, "blocked",
	    (struct sv) { line.ptr, line.len < 64 ? line.len : 64 });
	reply(s, 500, "This is an FTP server.");
	s->closing = true;
	sess_clock_restart(s);
}

static void
strike(struct sess *s, int code, const char *text)
{
	reply(s, code, text);
	if (++s->strikes >= STRIKES)
		sess_end(s, "Too many lines that are no commands.");
}

/* No verb of ours, or one that a NUL or CR cuts in two. */
static void
unknown(struct sess *s, enum ftp_err err)
{
	const char *text = err == FTP_UNKNOWN ? "Unknown command." :
	    "Syntax error.";

	s->w->counters.unknown_commands++;
	if (!s->logged_in)
		strike(s, ftp_err_reply(err), text);
	else
		reply(s, ftp_err_reply(err), text);
}

static void
malformed(struct sess *s, enum ftp_verb verb)
{
	const char *syntax = command_syntax(verb);

	/* A failed PORT leaves no earlier data address behind. */
	if (verb == V_PORT || verb == V_EPRT || verb == V_PASV ||
	    verb == V_EPSV)
		endpoint_void(s);
	reply_format(s, 501, "Syntax: %s%s%s", ftp_commands[verb].name,
	    *syntax != '\0' ? " " : "", syntax);
}

static bool
in_time(struct sess *s, enum ftp_verb verb)
{
	unsigned at = ftp_commands[verb].at;

	if (s->logged_in ? (at & AT_LOGGED_IN) : (at & AT_GREETED))
		return true;
	reply(s, s->logged_in ? 503 : 530,
	    s->logged_in ? "Already logged in." : "Log in first.");
	return false;
}

/* Runs one line; false when it has to wait for the command before it. */
static bool
run_line(struct sess *s, struct sv line)
{
	enum ftp_verb verb;
	struct sv arg;
	enum ftp_err err = command_parse(line, &verb, &arg);

	if (!may_run(s, verb))
		return false;
	s->w->counters.commands++;
	note(s, verb, arg);
	if (verb != V_RNTO)
		rename_forget(s);
	if (!s->spoken && command_is_foreign(line)) {
		control_foreign(s, line);
		return true;
	}
	s->spoken = true;
	if (verb == V_UNKNOWN) {
		unknown(s, err);
		endpoint_note_hidden(s, line);
	} else if (!in_time(s, verb)) {
		if (!s->logged_in)
			endpoint_note_preauth(s, verb, arg);
	} else if (err != FTP_OK) {
		malformed(s, verb);
		endpoint_note_hidden(s, line);
	} else if (!rights_allow(s, verb, arg)) {
		rights_refuse(s);
	} else {
		if (s->wait == WAIT_NOTHING)
			s->verb = verb;
		sess_command(s, verb, arg);
	}
	if (s->wait == WAIT_NOTHING && !s->dead)
		sess_clock_restart(s);
	return true;
}

/*
 * A command may be carried out at once and call control_continue: that must
 * not run lines inside of the line that is being run.
 */
bool
control_run_line(struct sess *s)
{
	bool ran;

	s->running = true;
	ran = run_line(s, telnet_line(&s->telnet));
	s->running = false;
	return ran;
}

void
control_overlong(struct sess *s)
{
	s->w->counters.overlong_lines++;
	note(s, V_UNKNOWN, SV(""));
	strike(s, 500, "Line too long.");
}

/*
 * Gives the session a line buffer of its own, with what was read so far.  Of
 * a line that has been run nothing is kept: an idle session has no buffer.
 */
static bool
keep_line(struct sess *s)
{
	bool done = s->telnet.ended && !s->line_waits;

	if (s->line_buf != NULL || s->telnet.len == 0 || done)
		return true;
	if ((s->line_buf = malloc(LINE_MAX_BYTES)) == NULL)
		return false;
	memcpy(s->line_buf, s->telnet.buf, s->telnet.len);
	s->telnet.buf = s->line_buf;
	return true;
}

/* Before the first login it may have been a password. */
static void
forget(const struct sess *s, char *bytes, size_t n)
{
	if (bytes != NULL && !s->was_in)
		explicit_bzero(bytes, n);
	free(bytes);
}

static void
release_line(struct sess *s)
{
	forget(s, s->line_buf, LINE_MAX_BYTES);
	s->line_buf = NULL;
	s->line_waits = false;
}

void
control_forget(struct sess *s)
{
	forget(s, s->line_buf, LINE_MAX_BYTES);
	forget(s, s->held, s->held_len);
}

static bool
hold(struct sess *s, struct sv rest)
{
	char *copy = NULL;

	if (rest.len > 0) {
		if ((copy = malloc(rest.len)) == NULL)
			return false;
		memcpy(copy, rest.ptr, rest.len);
	}
	forget(s, s->held, s->held_len);
	s->held = copy;
	s->held_len = rest.len;
	return true;
}

/* What a session that cannot take more now does with its input. */
static void
keep(struct sess *s, struct sv in)
{
	if (!keep_line(s) || !hold(s, in))
		sess_close(s); /* no memory for 24 KiB */
}

/* Who sends without end and without a line end wastes our time alone. */
bool
control_floods(struct sess *s)
{
	if (s->telnet.lost < 16 * LINE_MAX_BYTES)
		return false;
	s->w->counters.overlong_lines++;
	sess_end(s, "Line too long.");
	return true;
}

static void
feed(struct sess *s, struct sv in)
{
	for (;;) {
		s->telnet.buf = s->line_buf != NULL ? s->line_buf : line_room;
		if (s->closing || s->dead)
			return;
		if (s->out_len >= REPLY_MAX / 2 || link_is_crowded(s->w)) {
			s->throttled = true; /* goes on after the flush */
			reply_raw(s, SV(""));
			keep(s, in);
			return;
		}
		switch (telnet_feed(&s->telnet, &in)) {
		case TELNET_MORE:
			if (!control_floods(s))
				keep(s, in);
			return;
		case TELNET_OVERLONG:
			release_line(s);
			control_overlong(s);
			break;
		case TELNET_OPTION: /* RFC 1123 §4.1.2.12: may be ignored */
			break;
		case TELNET_LINE:
			s->line_waits = !control_run_line(s);
			if (s->line_waits) {
				keep(s, in);
				if (!s->dead && s->xfer != NULL)
					xfer_hurry(s->xfer);
				return;
			}
			release_line(s);
			break;
		}
	}
}

void
control_continue(struct sess *s)
{
	bool may_be_secret = !s->was_in;
	struct sv held;
	char *owned;

	if (s->running)
		return; /* who runs the line goes on by himself */
	sess_finish_if_idle(s);
	if (s->dead || s->closing)
		return;
	if (s->line_waits) {
		if (!control_run_line(s))
			return;
		release_line(s);
	}
	owned = s->held;
	held = (struct sv) { s->held, s->held_len };
	s->held = NULL;
	s->held_len = 0;
	if (held.len > 0 && !s->dead)
		feed(s, held);
	if (may_be_secret && held.len > 0) {
		explicit_bzero(owned, held.len);
		explicit_bzero(line_room, sizeof(line_room));
	}
	free(owned);
	if (!s->dead && !s->dirty)
		control_flush(s); /* watches for what is to be read now */
}

static bool
wants_input(const struct sess *s)
{
	/* What is only looked at stays there, and would wake us for ever. */
	if (look_first(s) && (s->wait != WAIT_NOTHING || s->leaving != 0))
		return false;
	return !s->closing && !s->line_waits && s->held_len == 0 &&
	    s->out_len == 0 && !s->tls_next;
}

/*
 * Within TLS a whole record each time: what the library had left of one would
 * wake nobody.
 */
static ssize_t
receive(struct sess *s, char *room)
{
	return s->tls != NULL ? secure->read(s, room, RECORD_MAX) :
	    recv(s->watch.fd, room, READ_MAX, MSG_DONTWAIT);
}

static void
take_input(struct sess *s)
{
	static char room[RECORD_MAX];
	bool may_be_secret = !s->was_in;
	ssize_t n = receive(s, room);

	/* A TLS handshake (record type 22) has no line end to wait for. */
	if (n > 0 && s->tls == NULL && !s->spoken && s->telnet.len == 0 &&
	    room[0] == 22)
		control_foreign(s, (struct sv) { room, (size_t)n });
	else if (n > 0)
		feed(s, (struct sv) { room, (size_t)n });
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		sess_close(s);
	if (!may_be_secret)
		return;
	explicit_bzero(room, n > 0 ? (size_t)n : 0);
	explicit_bzero(line_room, sizeof(line_room));
}

static void
read_more(struct sess *s, uint32_t events)
{
	if (s->shaking)
		sess_shake(s);
	else if (look_first(s))
		look_at_input(s, (events & EPOLLRDHUP) != 0);
	else
		take_input(s);
}

void
control_ready(struct loop_watch *w, uint32_t events)
{
	struct sess *s = LOOP_OWNER(w, struct sess, watch);

	/* What has come of a handshake may say why it ends. */
	if ((events & (EPOLLERR | EPOLLHUP)) != 0 && !s->shaking) {
		sess_close(s);
		return;
	}
	if (s->shaking || ((events & EPOLLIN) != 0 && wants_input(s)) ||
	    (s->tls_writes && (events & EPOLLOUT) != 0))
		read_more(s, events);
	else if ((events & EPOLLRDHUP) != 0 && is_at_work(s))
		sess_close(s);
	if (!s->dead && !s->dirty)
		control_flush(s);
}

static ssize_t
send_replies(struct sess *s)
{
	return s->tls != NULL ? secure->write(s, s->out, s->out_len) :
	    send(s->watch.fd, s->out, s->out_len,
	    MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* What waited for the replies to be out; false: the rest is done, too. */
static bool
go_on_after_replies(struct sess *s, bool sent)
{
	free(s->out);
	s->out = NULL;
	s->out_cap = 0;
	if (s->closing) {
		sess_close(s);
		return false;
	}
	if (s->leaving != 0) {
		sess_move(s);
		return false;
	}
	if (s->tls_next)
		sess_begin_tls(s);
	if (s->dead)
		return false;
	if (s->held_len == 0 || s->line_waits || (!sent && !s->throttled))
		return true;
	s->throttled = false;
	control_continue(s);
	return false;
}

static void
watch_for_what_is_next(struct sess *s)
{
	uint32_t events = 0;

	if (wants_input(s))
		events |= EPOLLIN;
	/* Beside EPOLLIN it says nothing new, but saves a call a transfer. */
	if (wants_input(s) || is_at_work(s))
		events |= EPOLLRDHUP;
	if (s->out_len > 0 || s->tls_writes)
		events |= EPOLLOUT;
	/* Half a line stays there: more of it wakes us, and it does not. */
	if (look_first(s) && s->half_line)
		events |= EPOLLET;
	loop_rewatch(&s->w->loop, &s->watch, events);
}

void
control_flush(struct sess *s)
{
	ssize_t n = s->out_len > 0 ? send_replies(s) : 0;

	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		sess_close(s);
		return;
	}
	if (n > 0 && (size_t)n < s->out_len)
		memmove(s->out, s->out + n, s->out_len - (size_t)n);
	s->out_len -= n > 0 ? (size_t)n : 0;
	if (s->out_len > 0 || go_on_after_replies(s, n > 0))
		watch_for_what_is_next(s);
}
