/*
 * worker/look.c: input before login, where some of it is not for us to read.
 *
 * A session that is to say a secret is moved to a process of its own, exact to
 * the byte: what is there is looked at (MSG_PEEK), and no more is taken than
 * lines that are carried out here.  The line that begins a secret stays in the
 * kernel with all that is behind it; the other process finds it there.  So
 * nothing has to be carried over, and what was seen of it is wiped.
 *
 * Rejected: reading one byte at a time, at a system call each; handing the
 * rest to the gate, which would then hold passwords.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "worker/worker.h"

static char seen[LOOK_MAX];
static char line_room[LINE_MAX_BYTES];

bool
look_first(const struct sess *s)
{
	return s->exact && !s->logged_in;
}

/* Which line is not for a process that others share. */
static enum ipc_why
is_for_another(const struct sess *s, struct sv line)
{
	enum ftp_verb verb;
	struct sv arg;

	if (s->w->solo || command_parse(line, &verb, &arg) != FTP_OK)
		return IPC_WHY_NONE;
	if (verb == V_AUTH && sess_may_have_tls(s))
		return IPC_WHY_AUTH;
	if (verb == V_USER && s->w->conf.accounts_file[0] != '\0' &&
	    !account_lacks_tls(s) && !sess_is_anonymous(arg))
		return IPC_WHY_USER;
	return IPC_WHY_NONE;
}

/* Takes n bytes that were looked at: the kernel drops them. */
static void
take(struct sess *s, size_t n)
{
	ssize_t got = n == 0 ? 0 : recv(s->watch.fd, NULL, n,
	    MSG_TRUNC | MSG_DONTWAIT);

	if (got != (ssize_t)n)
		sess_close(s);	/* what is taken twice would be run twice */
}

/*
 * What of `line` is Telnet's, before the first byte of text.  The other
 * process starts with that byte, whatever came before it in pieces.
 */
static size_t
before_text(const struct sess *s, struct sv line)
{
	struct telnet t = s->telnet;
	size_t n = 0;

	t.buf = line_room;
	while (n < line.len) {
		struct sv byte = { line.ptr + n, 1 };

		(void)!telnet_feed(&t, &byte);
		if (t.len > 0 || t.cr)
			return n;
		n++;
	}
	return n;
}

static enum telnet_event
next_line(struct telnet *t, struct sv *in)
{
	enum telnet_event event;

	t->buf = line_room;
	do
		event = telnet_feed(t, in);
	while (event == TELNET_OPTION);
	return event;
}

/*
 * No line ends in what is there.  What is too long already can go; so can
 * Telnet's bytes alone: a look does not see behind an urgent one of these
 * (RFC 959 §4.1.3) until what is before it is gone.
 */
static void
take_part(struct sess *s, const struct telnet *t, size_t n)
{
	s->half_line = !t->overlong && (t->len > 0 || t->cr);
	if (s->half_line)
		return;
	s->telnet = *t;
	take(s, n);
	if (!s->dead)
		(void)control_floods(s);
}

/* One line off the front of *in; false: no more can be done now. */
static bool
run_one(struct sess *s, struct sv *in)
{
	struct telnet t = s->telnet;
	struct sv rest = *in;
	enum telnet_event event = next_line(&t, &rest);
	size_t used = in->len - rest.len;
	bool ran;

	if (event == TELNET_LINE &&
	    (s->leaving = (uint8_t)is_for_another(s, telnet_line(&t))) != 0) {
		take(s, before_text(s, *in));
		return false;
	}
	if (event == TELNET_MORE) {
		take_part(s, &t, in->len);
		return false;
	}
	s->telnet = t;
	take(s, used);
	*in = rest;
	if (s->dead)
		return false;
	if (event == TELNET_OVERLONG) {
		control_overlong(s);
		return true;
	}
	ran = control_run_line(s);
	assert(ran);	/* can_go_on: there is no command before it */
	return ran;
}

/* Commands before login are carried out at once, but for a penalty. */
static bool
can_go_on(const struct sess *s)
{
	return !s->dead && !s->closing && !s->tls_next &&
	    s->wait == WAIT_NOTHING && s->out_len < REPLY_MAX / 2;
}

void
look_at_input(struct sess *s, bool at_end)
{
	ssize_t n = recv(s->watch.fd, seen, sizeof(seen),
	    MSG_PEEK | MSG_DONTWAIT);
	struct sv in = { seen, n > 0 ? (size_t)n : 0 };

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		sess_close(s);
		return;
	}
	s->half_line = false;
	/* A TLS handshake (record type 22) has no line end to wait for. */
	if (n > 0 && !s->spoken && s->telnet.len == 0 && seen[0] == 22)
		control_foreign(s, in);
	else
		while (in.len > 0 && can_go_on(s) && look_first(s) &&
		    run_one(s, &in))
			;
	explicit_bzero(seen, (size_t)(n > 0 ? n : 0));
	explicit_bzero(line_room, sizeof(line_room));
	if (!at_end || !s->half_line || s->dead)
		return;
	if (s->out_len == 0)
		sess_close(s);
	s->half_line = false;	/* replies first; then we are woken again */
}
