/*
 * audit/link.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "audit/link.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "audit/note.h"
#include "audit/rule.h"
#include "proto/reply.h"
#include "proto/telnet.h"

#define PASSWORD_MAX TARGET_TEXT_MAX
#define SILENCES 2		/* in a row, and no more is asked */
#define FAREWELL_MS 500		/* for QUIT to be sent, and for its 221 */
#define UNASKED_MOST 8		/* replies, one after the other */
#define TLS_NEWS_MS 20
#define ODD_MS 2000		/* for a reply that may never come */

unsigned
link_patience(const struct link *l)
{
	const struct audit *a = l->ask->audit;
	uint64_t now = sock_now_ms(), left = a->deadline_ms > now ?
	    a->deadline_ms - now : 0;

	return left < a->options->timeout_ms ? (unsigned)left :
	    a->options->timeout_ms;
}

/* ---- bytes */

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

bool
link_send(struct link *l, struct sv raw)
{
	if (l->over || !rule_allows(l, raw) ||
	    !ask_may_send(l->ask))
		return false;
	note_sent(l, raw);
	if (sock_write(l->fd, l->tls, raw, sock_now_ms() + link_patience(l)))
		return true;
	l->over = true;
	return false;
}

/* ---- replies */

static int
no_reply(struct link *l, struct reply *r, const char *why)
{
	note_received(l, SV(""));
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
	note_received(l, sv_of(r->text));
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

	if (end != NULL && lf != NULL) {
		first = (size_t)(end - l->buf) + 1;
		last = l->len - ((size_t)(lf - l->buf) + 1);
		memmove(l->buf + first, lf + 1, last);
		l->len = first + last;
	}
	/* A line's beginning tells what it is; and room there must be. */
	if (l->len > LINK_REPLY_KEPT / 2)
		l->len = LINK_REPLY_KEPT / 2;
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
	uint64_t begun = sock_now_ms(), deadline = begun + ms;
	size_t total = l->len;

	*r = (struct reply) { 0 };
	for (;;) {
		ssize_t n = whole_reply((struct sv) { l->buf, l->len },
		    &r->code);

		r->took_ms = (unsigned)(sock_now_ms() - begun);
		if (n > 0)
			return take_reply(l, r, (size_t)n);
		if (n < 0)
			return no_reply(l, r, "what came is no FTP reply");
		if (total > LINK_REPLY_READ)
			return no_reply(l, r, "the reply has no end: more "
			    "than 1 MiB came");
		/* Who always has another byte ready keeps nobody. */
		if (sock_now_ms() >= deadline)
			return fail_read(l, r, -1, ms);
		if (l->len == LINK_REPLY_KEPT)
			forget_middle(l);
		n = sock_read(l->fd, l->tls, l->buf + l->len,
		    LINK_REPLY_KEPT - l->len, deadline);
		if (n <= 0)
			return fail_read(l, r, n, ms);
		l->len += without_telnet(l, l->buf + l->len, (size_t)n);
		total += (size_t)n;
	}
}

/* What TLS says to itself (session tickets) is no news. */
bool
link_has_news(struct link *l)
{
	ssize_t n;

	if (l->len > 0)
		return true;
	if (l->tls == NULL)
		return sock_readable(l->fd, 0);
	if (!tls_pending(l->tls) && !sock_readable(l->fd, 0))
		return false;
	n = sock_read(l->fd, l->tls, l->buf, LINK_REPLY_KEPT, sock_now_ms() +
	    TLS_NEWS_MS);
	if (n > 0)
		l->len = without_telnet(l, l->buf, (size_t)n);
	return n == 0 || l->len > 0;
}

bool
link_set_aside(struct link *l, struct reply *r)
{
	/* What comes while --rate is waited for is not asked for either. */
	sock_sleep_until(l->ask->audit->may_send_ms);
	for (int i = 0; !l->over && link_has_news(l); i++) {
		if (i == UNASKED_MOST) {
			no_reply(l, r, "it speaks without being asked");
			break;
		}
		if (link_read(l, r, link_patience(l)) != 0)
			ask_event(l->ask, "connection %u: nothing asked for "
			    "that", l->number);
		if (l->over)
			return false;
	}
	return !l->over;
}

int
link_read_odd(struct link *l, struct reply *r)
{
	char said[200];

	if (link_has_news(l) || sock_readable(l->fd, sock_now_ms() +
	    ODD_MS))
		return link_read(l, r, link_patience(l));
	/* Its reply may still come, and must not be set aside. */
	if (!link_send(l, SV("SYST\r\n")) ||
	    link_read(l, r, link_patience(l)) != 215)
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
	char line[LINK_COMMAND_MAX];
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
	if (!l->over && !link_set_aside(l, r))
		return r->code;
	if (!link_send(l, (struct sv) { line, (size_t)n + 2 })) {
		snprintf(r->text, sizeof(r->text), "%s",
		    l->ask->commands == ASK_COMMANDS ? "64 commands were "
		    "sent: no more" : l->over ? "the connection is closed" :
		    "it could not be sent");
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
	if (!l->over && sock_write(l->fd, l->tls, SV("QUIT\r\n"),
	    sock_now_ms() + FAREWELL_MS)) {
		note_sent(l, SV("QUIT"));
		link_read(l, &r, FAREWELL_MS);	/* so that it is no reset */
	}
	link_free(l);
}

bool
link_handshake(struct link *l, const struct tls_client_want *want)
{
	struct tls_error error;

	l->tls = tls_connect(l->fd, want, sock_now_ms() + link_patience(l),
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
	int fd = sock_connect(here, &a->place.server, sock_now_ms() +
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
anonymous_password(const struct audit *a, char buf[PASSWORD_MAX])
{
	char host[HOST_NAME_MAX + 1] = "";

	if (a->options->contact != NULL) {
		snprintf(buf, PASSWORD_MAX, "%s", a->options->contact);
		return;
	}
	if (gethostname(host, sizeof(host) - 1) != 0 || host[0] == '\0')
		snprintf(host, sizeof(host), "localhost");
	snprintf(buf, PASSWORD_MAX, "portcullis-audit@%s", host);
}

bool
link_say_user(struct link *l, struct reply *r)
{
	struct audit *a = l->ask->audit;
	char password[PASSWORD_MAX];
	int code;

	if (a->target->user[0] != '\0') {
		snprintf(password, sizeof(password), "%s",
		    a->target->password);
		code = link_command(l, r, "USER %s", a->target->user);
	} else {
		anonymous_password(a, password);
		code = link_command(l, r, "USER anonymous");
	}
	if (code == 331)
		code = link_command(l, r, "PASS %s", password);
	explicit_bzero(password, sizeof(password));
	l->logged_in = code == 230 || code == 232;
	if (l->logged_in)
		a->silences = 0;
	else if (code == 0)
		note_silence(a, r->text);
	return l->logged_in;
}

bool
link_user(struct link *l)
{
	struct reply r;

	if (link_say_user(l, &r))
		return true;
	ask_answer(l->ask, VERDICT_inconclusive, "no login: %s", r.text);
	return false;
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
