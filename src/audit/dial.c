/*
 * audit/dial.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "audit/dial.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "audit/data.h"
#include "audit/report.h"
#include "proto/hostport.h"
#include "tls/digest.h"

#define EARLY_MS 50		/* for a connection that PORT made */
#define WATCH_MS 5000		/* for one that a transfer made */
#define BRIEF_MS 1500
#define AFTER_MS 300		/* once the transfer has failed */
#define BYTES_MOST 65536
#define LATE_MS 1000		/* for the last one that was refused */
#define QUEUE_MOST 8		/* connections that wait, at once */

/* ---- lines */

struct sv
dial_line(char buf[DIAL_LINE_MAX], const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(buf, DIAL_LINE_MAX, format, args);
	va_end(args);
	return (struct sv) { buf, n < 0 || n >= DIAL_LINE_MAX ? 0 :
		(size_t)n };
}

struct sv
dial_port(const struct addr *a, char buf[DIAL_LINE_MAX])
{
	char text[HOSTPORT_TEXT_MAX];

	hostport_format(a, text);
	return dial_line(buf, "PORT %s\r\n", text);
}

struct sv
dial_eprt(const struct addr *a, char buf[DIAL_LINE_MAX])
{
	char text[HOSTPORT_TEXT_MAX];

	eprt_format(a, text);
	return dial_line(buf, "EPRT %s\r\n", text);
}

struct sv
dial_any(const struct link *l, const struct addr *a, char buf[DIAL_LINE_MAX])
{
	if (a->family == ADDR_V4 && l->here.family == ADDR_V4)
		return dial_port(a, buf);
	return dial_eprt(a, buf);
}

/* ---- listeners */

bool
dial_open(struct dial *d, struct ask *q, const struct addr *named)
{
	const struct addr *here = &q->audit->place.here;
	bool own = addr_same_ip(named, here);
	bool alone = own || here->family != named->family;

	*d = DIAL_NONE;
	d->ask = own ? NULL : q;
	if (alone ? listener_open(&d->at[0], named, 0) :
	    listener_open_pair(&d->at[0], &d->at[1], named, here))
		return true;
	ask_answer(q, VERDICT_inconclusive, "no listener of our own: %s",
	    strerror(errno));
	return false;
}

bool
dial_open_low(struct dial *d, const struct addr *named)
{
	static const uint16_t ports[] = { 1023, 25, 21, 20, 19, 1, 1001,
		987 };

	*d = DIAL_NONE;
	for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++)
		if (listener_open(&d->at[0], named, ports[i]))
			return true;
	return false;
}

void
dial_close(struct dial *d)
{
	struct audit *a = d->ask == NULL ? NULL : d->ask->audit;

	if (a != NULL && d->at[0].fd >= 0 && a->lates < AUDIT_LATE) {
		a->late[a->lates++] = (struct late) { .at = d->at[0],
			.question = d->ask->question,
			.since_ms = sock_now_ms() };
		d->at[0].fd = -1;
	}
	listener_close(&d->at[0]);
	listener_close(&d->at[1]);
	if (d->stranger >= 0)
		close(d->stranger);
	d->stranger = -1;
}

/* A connection to a third party is a bounce, whatever it was named for. */
static enum audit_question
bounce_of(enum audit_question question)
{
	switch ((int)question) {
	case ASK_address_leak:
	case ASK_throttling:
	case ASK_log_trace:
		return ASK_bounce;
	default:
		return question;
	}
}

static void
tell_late(struct audit *a, const struct late *l, const struct addr *came)
{
	char from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX], said[ASK_EVIDENCE];

	snprintf(said, sizeof(said), "a connection came from %s to %s after "
	    "all, when the server had refused it, or seemed to have",
	    addr_format(came, from), addr_format(&l->at.at, to));
	if (!report_late(a, bounce_of(l->question), said) &&
	    !report_late(a, l->question, said))
		report_note(a, said);
}

void
dial_look_back(struct audit *a)
{
	struct addr from;
	int fd;

	if (a->lates > 0)
		sock_sleep_until(a->late[a->lates - 1].since_ms + LATE_MS);
	for (size_t i = 0; i < a->lates; i++) {
		struct late *l = &a->late[i];

		for (int n = 0; n < QUEUE_MOST &&
		    (fd = listener_accept(&l->at, &from)) >= 0; n++) {
			close(fd);
			if (addr_same_ip(&from, &a->place.server))
				tell_late(a, l, &from);
		}
		listener_close(&l->at);
	}
	a->lates = 0;
}

/* ---- watching */

static void
note_arrival(struct ask *q, const struct addr *came, const struct addr *at)
{
	char from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX];

	ask_event(q, "connection from %s to %s", addr_format(came, from),
	    addr_format(at, to));
}

/* The first stranger is kept; he may be the server by another address. */
static void
keep_stranger(struct dial *d, int fd, const struct addr *from, int which)
{
	if (d->stranger >= 0) {
		close(fd);
		return;
	}
	d->stranger = fd;
	d->from = *from;
	d->ignored = which == 1;
}

/* One from the audited address that waits at either listener, or -1. */
static int
arrived(struct dial *d, struct ask *q)
{
	struct addr from;
	int fd;

	for (int i = 0; i < 2; i++)
		for (int n = 0; n < QUEUE_MOST &&
		    (fd = listener_accept(&d->at[i], &from)) >= 0; n++) {
			note_arrival(q, &from, &d->at[i].at);
			if (!addr_same_ip(&from, &q->audit->place.server)) {
				keep_stranger(d, fd, &from, i);
				continue;
			}
			d->from = from;
			d->ignored = i == 1;
			return fd;
		}
	return -1;
}

/* Nobody came from there: then whoever came. */
static int
take_stranger(struct dial *d)
{
	int fd = d->stranger;

	d->stranger = -1;
	d->foreign = fd >= 0;
	return fd;
}

/* Waits for a connection, or for bytes on the control connection. */
static void
wait_for_news(const struct dial *d, const struct link *l, unsigned ms)
{
	struct pollfd p[3] = {
		{ .fd = d->at[0].fd, .events = POLLIN },
		{ .fd = d->at[1].fd, .events = POLLIN },
		{ .fd = l == NULL ? -1 : l->fd, .events = POLLIN },
	};

	poll(p, 3, (int)ms);
}

/* Reads what the server sends to its end. */
static void
swallow(struct dial *d, struct link *l, int fd, uint64_t deadline_ms)
{
	char sha256[DIGEST_SHA256_HEX];
	static char bytes[BYTES_MOST];
	size_t have = 0;
	struct data data;
	ssize_t n = 1;

	if (data_begin(&data, l, fd))
		while (have < sizeof(bytes) && n > 0) {
			n = data_read(&data, bytes + have,
			    sizeof(bytes) - have, deadline_ms);
			if (n > 0)
				have += (size_t)n;
		}
	d->bytes = have;
	digest_sha256_hex(bytes, have, sha256);
	ask_event(l->ask, "%zu bytes on it, SHA-256 %s", have, sha256);
	data_close(&data);
}

/* ---- the dialogue */

bool
dial_name(struct dial *d, struct link *l, struct sv raw)
{
	d->end = DIAL_UNSENT;
	d->named = (struct reply) { 0 };
	if (!link_set_aside(l, &d->named) || !link_send(l, raw)) {
		snprintf(d->named.text, sizeof(d->named.text),
		    l->over ? "the session has ended" : "it was not sent");
		return false;
	}
	if (d->odd)
		link_read_odd(l, &d->named);
	else
		link_read(l, &d->named, link_patience(l));
	if (reply_refuses(&d->named) || d->named.ignored)
		d->end = DIAL_REFUSED;
	return d->named.code != 0 && d->end != DIAL_REFUSED;
}

/* The transfer's replies: 150 and its end, or its end alone. */
static void
read_reply(struct dial *d, struct link *l, unsigned ms)
{
	struct reply r;

	if (link_read(l, &r, ms) == 0)
		return;
	if (d->begun.code == 0)
		d->begun = r;
	if (!reply_begins(&r)) {
		d->done = r;
		d->took_ms = (unsigned)(sock_now_ms() - d->asked_ms);
	}
}

/* Until a connection is there, or none will come. */
static int
watch(struct dial *d, struct link *l, uint64_t deadline_ms)
{
	int fd;

	for (;;) {
		if ((fd = arrived(d, l->ask)) >= 0)
			return fd;
		if (l->over || d->done.code != 0 ||
		    sock_now_ms() >= deadline_ms)
			break;
		if (link_has_news(l))
			read_reply(d, l, link_patience(l));
		else
			wait_for_news(d, l, 100);
	}
	/* A SYN may be on its way still when the 425 is here. */
	wait_for_news(d, NULL, AFTER_MS);
	return arrived(d, l->ask);
}

static void
conclude(struct dial *d, struct link *l, int fd)
{
	char from[ADDR_TEXT_MAX];

	if (fd >= 0) {
		d->end = DIAL_MADE;
		swallow(d, l, fd, sock_now_ms() + WATCH_MS);
	} else {
		d->end = reply_begins(&d->begun) ? DIAL_NOBODY : DIAL_FAILED;
	}
	while (!l->over && d->done.code == 0) {
		int before = d->begun.code;

		read_reply(d, l, fd >= 0 ? link_patience(l) : AFTER_MS);
		if (d->done.code == 0 && d->begun.code == before)
			break;
	}
	if (d->done.code == 0)
		d->took_ms = (unsigned)(sock_now_ms() - d->asked_ms);
	if (d->foreign && d->done.code / 100 != 2)
		ask_answer(l->ask, VERDICT_inconclusive, "a connection came "
		    "from %s, which is not the audited address, and the "
		    "server says: %s", addr_format(&d->from, from),
		    d->done.code != 0 ? d->done.text : "nothing");
}

void
dial_transfer(struct dial *d, struct link *l, const char *transfer)
{
	char line[DIAL_LINE_MAX];
	struct reply second;
	int fd;

	wait_for_news(d, NULL, EARLY_MS);
	fd = arrived(d, l->ask);
	/* A line that held the transfer, too, has asked for it. */
	d->early = fd >= 0 && transfer != NULL;
	if (d->early)
		l->ask->audit->facts.dials_early = true;
	/* A second reply to the address is none to the transfer. */
	if (transfer != NULL && !link_set_aside(l, &second))
		d->named = second;
	if (transfer != NULL &&
	    !link_send(l, dial_line(line, "%s\r\n", transfer))) {
		if (fd >= 0)
			close(fd);
		d->end = d->early ? DIAL_MADE : DIAL_UNSENT;
		return;
	}
	d->asked_ms = sock_now_ms();
	if (fd < 0)
		fd = watch(d, l, d->asked_ms + (d->brief ? BRIEF_MS :
		    WATCH_MS));
	if (fd < 0)
		fd = take_stranger(d);
	conclude(d, l, fd);
}

void
dial_try(struct dial *d, struct link *l, struct sv raw, const char *transfer)
{
	if (dial_name(d, l, raw))
		dial_transfer(d, l, transfer);
}

/* ---- the answer */

static void
answer_made(const struct dial *d, struct ask *q, const char *sent)
{
	char from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX];

	addr_format(&d->from, from);
	addr_format(&d->at[d->ignored ? 1 : 0].at, to);
	if (d->ignored)
		ask_answer(q, VERDICT_safe, "%s: %d, but it connected to %s: "
		    "the address that was named is not used", sent,
		    d->named.code, to);
	else
		ask_answer(q, VERDICT_vulnerable, "%s: %d, and a connection "
		    "came from %s to %s with %llu bytes%s", sent,
		    d->named.code, from, to, (unsigned long long)d->bytes,
		    d->early ? ", before any transfer was asked for" : "");
}

/*
 * Through a NAT no connection arrives, and a server may take a private
 * address for its client's own, as ProFTPD does: that it agreed is no proof.
 */
static bool
is_hidden(const struct dial *d, struct ask *q, const char *sent)
{
	if (!q->audit->place.behind_nat ||
	    (d->end != DIAL_FAILED && d->end != DIAL_NOBODY))
		return false;
	ask_answer(q, VERDICT_inconclusive, "%s: %d; through the NAT no "
	    "connection can arrive: ask from outside of it", sent,
	    d->named.code);
	return true;
}

void
dial_answer(const struct dial *d, struct ask *q, const char *sent)
{
	if (is_hidden(d, q, sent))
		return;
	switch (d->end) {
	case DIAL_MADE:
		answer_made(d, q, sent);
		return;
	case DIAL_REFUSED:
		ask_answer(q, VERDICT_safe, "%s: %s", sent, d->named.text);
		return;
	case DIAL_FAILED:
		ask_answer(q, VERDICT_accepts, "%s: %d, but the transfer was "
		    "refused and nobody came: %s", sent, d->named.code,
		    d->done.code != 0 ? d->done.text : d->begun.text);
		return;
	case DIAL_NOBODY:
		ask_answer(q, VERDICT_accepts, "%s: %d, and nobody came "
		    "within %u ms: %s", sent, d->named.code, d->took_ms,
		    d->done.code != 0 ? d->done.text : d->begun.text);
		return;
	case DIAL_UNSENT:
		ask_answer(q, VERDICT_inconclusive, "%s: %s", sent,
		    d->named.text);
		return;
	}
}

bool
dial_needs(struct ask *q, const struct addr *named)
{
	if (named->family != ADDR_NONE)
		return true;
	ask_answer(q, VERDICT_inconclusive, "this host has no second address "
	    "to be the third party: --listen-address names one");
	return false;
}

struct link *
dial_begin(struct dial *d, struct ask *q, const struct addr *named)
{
	struct link *l;

	if (!dial_needs(q, named) || (l = link_login(q)) == NULL)
		return NULL;
	if (dial_open(d, q, named))
		return l;
	link_close(l);
	return NULL;
}

void
dial_end(struct dial *d, struct link *l)
{
	dial_close(d);
	link_close(l);
}

void
dial_once(struct ask *q, const struct addr *named,
    struct sv (*spell)(const struct addr *a, char buf[DIAL_LINE_MAX]),
    const char *sent, const char *transfer)
{
	char line[DIAL_LINE_MAX];
	struct dial d;
	struct link *l = dial_begin(&d, q, named);

	if (l == NULL)
		return;
	dial_try(&d, l, spell(&d.at[0].at, line), transfer);
	dial_answer(&d, q, sent);
	dial_end(&d, l);
}

void
dial_reply_only(struct dial *d, struct ask *q, struct link *l, struct sv line,
    const char *sent)
{
	if (dial_name(d, l, line))
		ask_answer(q, VERDICT_accepts, "%s: %s; no transfer was asked "
		    "for, as no such port of our own could be had (root?)",
		    sent, d->named.text);
	else
		dial_answer(d, q, sent);
}
