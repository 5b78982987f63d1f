/*
 * bench/session.c: one control connection seen from the client: sends a
 * command, waits for the final line of its reply, goes on.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Servers differ in what they put into one segment (150 and 226 together, a
 * greeting of ten lines), so replies are cut from a buffer line by line and
 * never taken for what one read returned.
 */
#include "load.h"

#include <sys/socket.h>

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void
session_init(struct session *s, struct load *l)
{
	*s = (struct session){ .load = l, .phase = PH_GONE };
	s->control = (struct endpoint){ -1, ROLE_CONTROL, s };
	s->data = (struct endpoint){ -1, ROLE_DATA, s };
	s->listener = (struct endpoint){ -1, ROLE_LISTENER, s };
}

/* The one place where a session changes phase: busy is counted here. */
static void
set_phase(struct session *s, enum phase phase)
{
	bool was_busy = s->phase != PH_GONE && s->phase != PH_READY;
	bool is_busy = phase != PH_GONE && phase != PH_READY;

	if (is_busy && !was_busy)
		s->load->busy++;
	if (was_busy && !is_busy)
		s->load->busy--;
	s->phase = phase;
}

static void
hang_up(struct session *s)
{
	net_close(&s->listener);
	net_close(&s->data);
	net_close(&s->control);
	set_phase(s, PH_GONE);
}

bool
session_send(struct session *s, const char *fmt, ...)
{
	char line[REPLY_MAX];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (len > 0 && (size_t)len < sizeof(line) &&
	    send(s->control.fd, line, (size_t)len, MSG_NOSIGNAL) == len)
		return true;
	session_fail(s, "cannot send", strerror(errno));
	return false;
}

void
session_start(struct session *s)
{
	s->in_len = 0;
	s->multiline = 0;
	s->warmup = s->load->set.warmup;
	set_phase(s, PH_GREETING);
	if (s->load->set.scenario == SC_SESSION)
		s->began_ns = clock_ns();
	if (!net_connect(s->load, &s->control,
	    ntohs(s->load->set.server.sin_port)))
		session_fail(s, "cannot connect", strerror(errno));
}

/*
 * In the session scenario a failed session makes room for the next; in the
 * others its place stays empty, and the run is marked.
 */
void
session_fail(struct session *s, const char *what, const char *detail)
{
	struct load *l = s->load;

	hang_up(s);
	load_error(l, what, detail);
	if (l->set.scenario == SC_SESSION && load_may_begin(l)) {
		l->started++;
		session_start(s);
	}
}

static void
session_ended(struct session *s)
{
	struct load *l = s->load;

	hang_up(s);
	if (l->set.scenario != SC_SESSION || !l->running)
		return;
	samples_add(&l->total, (double)(clock_ns() - s->began_ns) / 1e6);
	l->transfers++;
	if (load_may_begin(l)) {
		l->started++;
		session_start(s);
	}
}

void
session_transfer(struct session *s)
{
	set_phase(s, PH_OPEN);
	transfer_begin(s);
}

void
session_noop(struct session *s)
{
	set_phase(s, PH_NOOP);
	session_send(s, "NOOP\r\n");
}

void
session_quit(struct session *s)
{
	set_phase(s, PH_QUIT);
	session_send(s, "QUIT\r\n");
}

/* Logged in, or done with a transfer: what comes next? */
void
session_advance(struct session *s)
{
	struct load *l = s->load;

	if (l->set.scenario == SC_SESSION) {
		if (s->phase == PH_TRANSFER)
			session_quit(s);
		else
			session_transfer(s);
		return;
	}
	if (!l->running && s->warmup > 0) {
		s->warmup--;
		session_transfer(s);
	} else if (!l->running) {
		l->ready++;
		set_phase(s, PH_READY);
	} else if (load_may_begin(l)) {
		l->started++;
		session_transfer(s);
	} else {
		set_phase(s, PH_READY);
	}
}

/* Sends the command that leads to phase, or says what the server answered. */
static void
step(struct session *s, bool ok, const char *reply, enum phase phase,
    const char *command)
{
	if (!ok) {
		session_fail(s, "unexpected reply", reply);
		return;
	}
	set_phase(s, phase);
	session_send(s, "%s\r\n", command);
}

static void
logged_in(struct session *s)
{
	char cwd[REPLY_MAX];

	if (s->load->set.scenario != SC_LIST) {
		session_advance(s);
		return;
	}
	snprintf(cwd, sizeof(cwd), "CWD %s", s->load->set.path);
	step(s, true, "", PH_CWD, cwd);
}

static void
noop_reply(struct session *s, int code)
{
	if (code / 100 == 2) {
		s->load->alive++;
		set_phase(s, PH_READY);
	} else {
		hang_up(s);
	}
}

/* A whole reply; 1xx before login only asks for patience (120). */
static void
reply(struct session *s, int code, const char *text)
{
	if (code / 100 == 1 && s->phase != PH_TRANSFER)
		return;
	switch (s->phase) {
	case PH_GREETING:
		step(s, code == 220, text, PH_USER, "USER anonymous");
		break;
	case PH_USER:
		if (code == 230)
			step(s, true, text, PH_TYPE, "TYPE I");
		else
			step(s, code == 331, text, PH_PASS, "PASS bench@");
		break;
	case PH_PASS:
		step(s, code == 230 || code == 202, text, PH_TYPE, "TYPE I");
		break;
	case PH_TYPE:
	case PH_CWD:
		if (code / 100 != 2)
			session_fail(s, "unexpected reply", text);
		else if (s->phase == PH_TYPE)
			logged_in(s);
		else
			session_advance(s);
		break;
	case PH_OPEN:
		transfer_opened(s, code, text);
		break;
	case PH_TRANSFER:
		transfer_reply(s, code, text);
		break;
	case PH_NOOP:
		noop_reply(s, code);
		break;
	case PH_QUIT:
		session_ended(s);
		break;
	case PH_READY:
	case PH_GONE:
		session_fail(s, "reply to nothing", text);
		break;
	}
}

/* "226 text" ends a reply, "226-text" opens one that "226 " ends. */
static void
reply_line(struct session *s, const char *line)
{
	int code = 0;

	for (int i = 0; i < 3 && isdigit((unsigned char)line[i]); i++)
		code = code * 10 + line[i] - '0';
	if (s->multiline != 0) {
		if (code != s->multiline || line[3] != ' ')
			return;
		s->multiline = 0;
	} else if (code < 100) {
		session_fail(s, "not a reply", line);
		return;
	} else if (line[3] == '-') {
		s->multiline = code;
		return;
	}
	reply(s, code, line);
}

/* Hands out every whole line; the session may be gone, or new, after one. */
static void
take_lines(struct session *s)
{
	char line[REPLY_MAX], *nl;
	size_t len;

	while ((nl = memchr(s->in, '\n', s->in_len)) != NULL) {
		len = (size_t)(nl - s->in) + 1;
		memset(line, 0, 4);
		memcpy(line, s->in, len - 1);
		line[len - 1] = '\0';
		if (len > 1 && line[len - 2] == '\r')
			line[len - 2] = '\0';
		s->in_len -= len;
		memmove(s->in, nl + 1, s->in_len);
		reply_line(s, line);
	}
	if (s->in_len == sizeof(s->in))
		session_fail(s, "reply line too long", "");
}

static void
control_read(struct session *s)
{
	ssize_t n = recv(s->control.fd, s->in + s->in_len,
	    sizeof(s->in) - s->in_len, 0);

	if (n > 0) {
		s->in_len += (size_t)n;
		take_lines(s);
	} else if (n == 0 && s->phase == PH_NOOP) {
		session_ended(s);
	} else if (n == 0) {
		session_fail(s, "control connection closed", "");
	} else if (errno != EAGAIN && errno != EINTR) {
		session_fail(s, "control connection", strerror(errno));
	}
}

/*
 * An event may be older than what its session did since: an endpoint closed
 * within the same round is skipped, one opened anew reads EAGAIN.
 */
void
session_event(struct endpoint *ep)
{
	if (ep->fd < 0)
		return;
	switch (ep->role) {
	case ROLE_CONTROL:
		control_read(ep->sess);
		break;
	case ROLE_DATA:
		transfer_read(ep->sess);
		break;
	case ROLE_LISTENER:
		transfer_accept(ep->sess);
		break;
	}
}
