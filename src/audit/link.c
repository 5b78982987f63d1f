/*
 * audit/link.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "audit/link.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "policy/named.h"
#include "proto/reply.h"
#include "proto/telnet.h"

#define COMMAND_MAX 1024
#define SENT_SHOWN 512
#define SILENCES 2
#define ODD_MS 2000		/* for a reply that may never come */

unsigned
link_patience(const struct link *l)
{
	return l->ask->audit->options->timeout_ms;
}

/* ---- what is written down */

static void
note(const struct link *l, const char *way, struct sv text)
{
	char safe[4096];
	const struct ask *q = l->ask;

	ask_printable(text, safe, sizeof(safe));
	json_array_append_new(q->exchange, json_pack("{s:i, s:I, s:s}",
	    "connection", (int)l->number, "at_ms",
	    (json_int_t)(place_now_ms() - q->audit->started_ms), way, safe));
}

/* Passwords are nobody's business, their length included. */
static void
note_sent(const struct link *l, struct sv raw)
{
	struct sv verb = raw;

	verb.len = raw.len < 5 ? raw.len : 5;
	if (l->ask->audit->target->user[0] != '\0' &&
	    sv_eq_nocase(verb, SV("PASS "))) {
		note(l, "send", SV("PASS ****"));
		return;
	}
	while (raw.len > 0 && (raw.ptr[raw.len - 1] == '\n' ||
	    raw.ptr[raw.len - 1] == '\r'))
		raw.len--;
	if (raw.len > SENT_SHOWN)
		raw.len = SENT_SHOWN;
	note(l, "send", raw);
}

void
link_note_kind(const struct link *l, enum bounce_kind kind, struct sv line,
    const struct addr *asked, uint16_t port)
{
	char ip[ADDR_TEXT_MAX] = "", text[SENT_SHOWN];
	const struct addr plain = addr_unmap(*asked);

	ask_printable(line, text, sizeof(text));
	if (plain.family != ADDR_NONE)
		addr_format_ip(&plain, ip);
	json_array_append_new(l->ask->asked, json_pack(
	    "{s:s, s:s, s:s, s:i, s:b}", "kind", bounce_kind_name(kind),
	    "command", text, "ip", ip, "port", (int)port, "tls",
	    l->tls != NULL));
}

/*
 * What the sensor would say of a line: the same reading, the same verdict.
 */
static void
note_named(const struct link *l, struct sv line)
{
	char room[LENIENT_LINE_MAX];
	const struct bounce_question who = { .peer = l->here,
		.local = l->ask->audit->place.server };
	enum ftp_verb verb;
	struct named named;
	struct sv arg;
	bool strict = command_parse(line, &verb, &arg) == FTP_OK;

	if (!strict && !named_is_asked(verb))
		if (!lenient_command(line, room, &verb, &arg))
			return;
	if (!named_is_asked(verb))
		return;
	named = named_judge(verb, arg, strict, &who);
	if (!l->logged_in)
		named.kind = KIND_preauth;
	else if (l->epsv_all)
		named.kind = KIND_epsv_all;
	if (named.kind != KIND_none)
		link_note_kind(l, named.kind, line, &named.asked,
		    named.asked.port);
}

/* Splits what is sent into the lines that a server sees. */
static void
note_lines(const struct link *l, struct sv raw)
{
	char buf[COMMAND_MAX];
	struct telnet t;

	telnet_init(&t, buf, sizeof(buf));
	for (;;)
		switch (telnet_feed(&t, &raw)) {
		case TELNET_MORE:
			return;
		case TELNET_LINE:
			note_named(l, telnet_line(&t));
			break;
		case TELNET_OVERLONG:
		case TELNET_OPTION:
			break;
		}
}

/* ---- bytes */

static bool
send_all(struct link *l, struct sv raw, uint64_t deadline_ms)
{
	struct pollfd p = { .fd = l->fd, .events = POLLOUT };

	if (l->tls != NULL)
		return tls_write(l->tls, raw.ptr, raw.len, deadline_ms) ==
		    (ssize_t)raw.len;
	while (raw.len > 0) {
		ssize_t n = send(l->fd, raw.ptr, raw.len, MSG_NOSIGNAL);

		if (n >= 0) {
			raw = sv_drop(raw, (size_t)n);
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return false;
		if (place_now_ms() >= deadline_ms)
			return false;
		poll(&p, 1, 100);
	}
	return true;
}

/*
 * A server may answer Telnet's options between its replies; what it says is
 * taken out.  Two bytes follow an IAC before an option, one before others.
 */
static size_t
without_telnet(struct link *l, char *buf, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)buf[i];

		if (l->telnet == 2 && c >= TELNET_WILL && c != TELNET_IAC)
			l->telnet = 1;
		else if (l->telnet == 0 && c == TELNET_IAC)
			l->telnet = 2;
		else if (l->telnet == 0)
			buf[kept++] = buf[i];
		else
			l->telnet = 0;
	}
	return kept;
}

/* 0: the end; -1: nothing by the deadline; else how many bytes came. */
static ssize_t
receive(struct link *l, char *buf, size_t size, uint64_t deadline_ms)
{
	ssize_t n;

	if (l->tls != NULL) {
		n = tls_read(l->tls, buf, size, deadline_ms);
		if (n < 0 && tls_error(l->tls)->why != TLS_WHY_TIME)
			return 0;
		return n;
	}
	for (;;) {
		n = recv(l->fd, buf, size, 0);
		if (n >= 0)
			return n;
		if (errno != EAGAIN && errno != EINTR)
			return 0;	/* a reset is an end, too */
		if (!place_readable(l->fd, deadline_ms))
			return -1;
	}
}

bool
link_send(struct link *l, struct sv raw)
{
	if (l->over || !ask_may_send(l->ask))
		return false;
	note_sent(l, raw);
	note_lines(l, raw);
	if (send_all(l, raw, place_now_ms() + link_patience(l)))
		return true;
	l->over = true;
	return false;
}

/* ---- replies */

static int
no_reply(struct link *l, struct reply *r, const char *why)
{
	note(l, "receive", SV(""));
	ask_event(l->ask, "connection %u: %s", l->number, why);
	snprintf(r->text, sizeof(r->text), "%s", why);
	r->code = 0;
	l->over = true;
	return 0;
}

/*
 * Finds a whole reply at the front of buf (RFC 959 §4.2).  Returns its
 * length, 0 when it is not whole yet, -1 when no reply begins there.
 */
static ssize_t
whole_reply(struct sv have, int *code)
{
	struct reply_line first = { 0 };
	struct sv line;
	size_t at = 0;

	while (at < have.len) {
		const char *lf = memchr(have.ptr + at, '\n', have.len - at);

		if (lf == NULL)
			return 0;
		line = (struct sv) { have.ptr + at,
			(size_t)(lf - have.ptr) - at };
		if (line.len > 0 && line.ptr[line.len - 1] == '\r')
			line.len--;
		if (at == 0 && reply_parse(line, &first) != FTP_OK)
			return -1;
		at = (size_t)(lf - have.ptr) + 1;
		*code = first.code;
		if (!first.continues || reply_ends(line, first.code))
			return (ssize_t)at;
	}
	return 0;
}

/* Line ends become one blank, so that a reply stands in one line. */
static void
keep_text(struct reply *r, struct sv raw)
{
	char flat[sizeof(r->text)];
	size_t n = 0;

	for (size_t i = 0; i < raw.len && n < sizeof(flat); i++) {
		if (raw.ptr[i] == '\r')
			continue;
		flat[n++] = raw.ptr[i] == '\n' ? ' ' : raw.ptr[i];
	}
	while (n > 0 && flat[n - 1] == ' ')
		n--;
	ask_printable((struct sv) { flat, n }, r->text, sizeof(r->text));
	n = raw.len < sizeof(r->raw) ? raw.len : sizeof(r->raw) - 1;
	memcpy(r->raw, raw.ptr, n);
	r->raw[n] = '\0';
}

static int
take_reply(struct link *l, struct reply *r, size_t n)
{
	keep_text(r, (struct sv) { l->buf, n });
	note(l, "receive", sv_of(r->text));
	memmove(l->buf, l->buf + n, l->len - n);
	l->len -= n;
	if (r->code == 421) {
		l->told_421 = true;
		l->over = true;
	}
	return r->code;
}

/* What is beyond the room of a reply's text is read, and let go. */
static void
forget_middle(struct link *l)
{
	const char *lf = memrchr(l->buf, '\n', l->len);
	size_t first, last;
	const char *end = memchr(l->buf, '\n', l->len);

	if (end == NULL || lf == NULL) {
		l->len = LINK_REPLY_KEPT / 2;
		return;
	}
	first = (size_t)(end - l->buf) + 1;
	last = l->len - ((size_t)(lf - l->buf) + 1);
	memmove(l->buf + first, lf + 1, last);
	l->len = first + last;
}

static int
fail_read(struct link *l, struct reply *r, ssize_t n, unsigned ms)
{
	char why[64];

	if (n == 0)
		return no_reply(l, r, "the server closed the connection");
	snprintf(why, sizeof(why), "no reply within %.1f s", ms / 1000.0);
	return no_reply(l, r, why);
}

int
link_read(struct link *l, struct reply *r, unsigned ms)
{
	uint64_t begun = place_now_ms(), deadline = begun + ms;
	size_t total = l->len;

	*r = (struct reply) { 0 };
	for (;;) {
		ssize_t n = whole_reply((struct sv) { l->buf, l->len },
		    &r->code);

		r->took_ms = (unsigned)(place_now_ms() - begun);
		if (n > 0)
			return take_reply(l, r, (size_t)n);
		if (n < 0)
			return no_reply(l, r, "what came is no FTP reply");
		if (total > LINK_REPLY_READ)
			return no_reply(l, r, "the reply has no end: more "
			    "than 1 MiB came");
		if (l->len == LINK_REPLY_KEPT)
			forget_middle(l);
		n = receive(l, l->buf + l->len, LINK_REPLY_KEPT - l->len,
		    deadline);
		if (n <= 0)
			return fail_read(l, r, n, ms);
		l->len += without_telnet(l, l->buf + l->len, (size_t)n);
		total += (size_t)n;
	}
}

int
link_read_odd(struct link *l, struct reply *r)
{
	char said[200];

	if (link_has_news(l) || place_readable(l->fd, place_now_ms() +
	    ODD_MS))
		return link_read(l, r, link_patience(l));
	if (link_command(l, r, "SYST") != 215)
		return r->code;
	snprintf(said, sizeof(said), "%.150s", r->text);
	*r = (struct reply) { .ignored = true };
	snprintf(r->text, sizeof(r->text), "no reply; to SYST after it: %s",
	    said);
	return 0;
}

int
link_command(struct link *l, struct reply *r, const char *format, ...)
{
	char line[COMMAND_MAX];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof(line) - 2, format, args);
	va_end(args);
	*r = (struct reply) { 0 };
	if (n < 0 || (size_t)n >= sizeof(line) - 2) {
		snprintf(r->text, sizeof(r->text), "a command too long");
		return 0;
	}
	memcpy(line + n, "\r\n", 2);
	if (!link_send(l, (struct sv) { line, (size_t)n + 2 })) {
		snprintf(r->text, sizeof(r->text), "%s",
		    l->ask->commands == ASK_COMMANDS ? "64 commands were "
		    "sent: no more" : "the connection is closed");
		return 0;
	}
	return link_read(l, r, link_patience(l));
}

/* ---- beginning and end */

struct link *
link_attach(struct ask *q, int fd)
{
	struct link *l = calloc(1, sizeof(*l));

	if (l != NULL)
		l->buf = malloc(LINK_REPLY_KEPT);
	if (l == NULL || l->buf == NULL) {
		free(l);
		close(fd);
		return NULL;
	}
	l->ask = q;
	l->fd = fd;
	l->number = ++q->audit->connections;
	return l;
}

static void
link_free(struct link *l)
{
	tls_session_free(l->session);
	tls_free(l->tls);
	close(l->fd);
	free(l->buf);
	free(l);
}

void
link_close(struct link *l)
{
	struct reply r;

	if (l == NULL)
		return;
	if (!l->over && send_all(l, SV("QUIT\r\n"), place_now_ms() + 500)) {
		note_sent(l, SV("QUIT"));
		link_read(l, &r, 500);	/* so that it is no reset */
	}
	link_free(l);
}

bool
link_handshake(struct link *l, const struct tls_client_want *want)
{
	struct tls_error error;

	l->tls = tls_connect(l->fd, want, place_now_ms() + link_patience(l),
	    &error);
	if (l->tls != NULL) {
		ask_event(l->ask, "connection %u: TLS", l->number);
		return true;
	}
	ask_event(l->ask, "connection %u: no TLS: %s", l->number, error.text);
	l->tls_refusal = error;
	l->over = true;
	return false;
}

static bool
begin_tls(struct link *l)
{
	const struct tls_client_want want = {
		.sni = l->ask->audit->target->host };

	if (link_handshake(l, &want))
		return true;
	ask_answer(l->ask, VERDICT_inconclusive, "no TLS: %s",
	    l->tls_refusal.text);
	return false;
}

bool
link_has_news(const struct link *l)
{
	return l->len > 0 || (l->tls != NULL && tls_pending(l->tls)) ||
	    place_readable(l->fd, 0);
}

/* A server that says nothing, twice in a row, is not waited for again. */
static void
note_silence(struct audit *a, const char *why)
{
	if (++a->silences >= SILENCES)
		audit_stop(a, "the server answers no more: %s", why);
}

/* A 421 here is the server's wish to be left alone. */
static void
refuse_greeting(struct link *l, const struct reply *r)
{
	struct audit *a = l->ask->audit;

	if (r->code == 421)
		audit_stop(a, "the server asked to be left alone: %s",
		    r->text);
	else if (r->code == 0)
		note_silence(a, r->text);
	ask_answer(l->ask, VERDICT_inconclusive, "no greeting: %s", r->text);
}

static struct link *
connect_from(struct ask *q, const struct addr *from)
{
	struct audit *a = q->audit;
	const struct addr *here = from != NULL ? from : &a->place.here;
	int fd = place_connect(here, &a->place.server, place_now_ms() +
	    a->options->timeout_ms);
	struct link *l = fd < 0 ? NULL : link_attach(q, fd);

	if (l != NULL) {
		l->here = *here;
		return l;
	}
	note_silence(a, strerror(errno));
	ask_answer(q, VERDICT_inconclusive, "no connection: %s",
	    strerror(errno));
	return NULL;
}

struct link *
link_connect(struct ask *q)
{
	return connect_from(q, NULL);
}

struct link *
link_open(struct ask *q, const struct addr *from)
{
	struct link *l = connect_from(q, from);
	struct reply r;

	if (l == NULL)
		return NULL;
	if (q->audit->target->tls && !begin_tls(l)) {
		link_free(l);
		return NULL;
	}
	if (link_read(l, &r, link_patience(l)) / 100 == 2) {
		q->audit->silences = 0;
		return l;
	}
	refuse_greeting(l, &r);
	link_free(l);
	return NULL;
}

/* Who asks, for the server's log. */
static void
anonymous_password(const struct audit *a, char buf[256])
{
	char host[128] = "";

	if (a->options->contact != NULL) {
		snprintf(buf, 256, "%s", a->options->contact);
		return;
	}
	if (gethostname(host, sizeof(host) - 1) != 0 || host[0] == '\0')
		snprintf(host, sizeof(host), "localhost");
	snprintf(buf, 256, "portcullis-audit@%s", host);
}

bool
link_user(struct link *l)
{
	const struct audit *a = l->ask->audit;
	char password[256];
	struct reply r;
	int code;

	if (a->target->user[0] != '\0') {
		snprintf(password, sizeof(password), "%s",
		    a->target->password);
		code = link_command(l, &r, "USER %s", a->target->user);
	} else {
		anonymous_password(a, password);
		code = link_command(l, &r, "USER anonymous");
	}
	if (code == 331)
		code = link_command(l, &r, "PASS %s", password);
	explicit_bzero(password, sizeof(password));
	l->logged_in = code == 230 || code == 232;
	if (l->logged_in)
		l->ask->audit->silences = 0;
	else if (code == 0)
		note_silence(l->ask->audit, r.text);
	if (!l->logged_in)
		ask_answer(l->ask, VERDICT_inconclusive, "no login: %s",
		    r.text);
	return l->logged_in;
}

/* AUTH TLS before USER, and PROT P behind it: for who insists on both. */
static bool
login_within_tls(struct link *l)
{
	struct reply r;

	if (link_command(l, &r, "AUTH TLS") != 234) {
		ask_answer(l->ask, VERDICT_inconclusive, "AUTH TLS: %s",
		    r.text);
		return false;
	}
	if (!begin_tls(l) || !link_user(l))
		return false;
	link_command(l, &r, "PBSZ 0");
	l->prot_p = link_command(l, &r, "PROT P") / 100 == 2;
	return true;
}

struct link *
link_login(struct ask *q)
{
	struct audit *a = q->audit;
	struct link *l;

	if (a->facts.no_login) {
		ask_answer(q, VERDICT_inconclusive, "%s",
		    a->facts.login_reply);
		return NULL;
	}
	l = link_open(q, NULL);
	if (l == NULL || (a->facts.login_tls ? login_within_tls(l) :
	    link_user(l)))
		return l;
	if (l->told_421)
		audit_stop(a, "the server ended a login with 421");
	link_close(l);
	return NULL;
}
