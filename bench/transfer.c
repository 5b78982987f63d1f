/*
 * bench/transfer.c: one data connection seen from the client: opens it
 * passively or actively, takes the payload, and believes nothing but an end
 * of data, the right length and a 2xx reply, in whatever order they come.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "load.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * The kernel counts what it throws away, but wants a buffer of that size;
 * nothing ever touches its pages unless a listing is read.
 */
static char sink[4 << 20];

static void
ask_active(struct session *s)
{
	struct sockaddr_in at;
	char host[INET_ADDRSTRLEN];
	unsigned port;

	if (!net_local_addr(&s->control, &at) ||
	    !net_listen(s->load, &s->listener, &at)) {
		session_fail(s, "cannot listen", strerror(errno));
		return;
	}
	port = ntohs(at.sin_port);
	inet_ntop(AF_INET, &at.sin_addr, host, sizeof(host));
	if (!s->old_verbs) {
		session_send(s, "EPRT |1|%s|%u|\r\n", host, port);
		return;
	}
	for (char *p = host; *p != '\0'; p++)
		if (*p == '.')
			*p = ',';
	session_send(s, "PORT %s,%u,%u\r\n", host, port >> 8, port & 255);
}

static void
ask(struct session *s)
{
	if (s->load->set.active)
		ask_active(s);
	else
		session_send(s, s->old_verbs ? "PASV\r\n" : "EPSV\r\n");
}

void
transfer_begin(struct session *s)
{
	s->data_done = s->reply_done = s->line_open = false;
	s->line_counts = false;
	s->fact_at = 0;
	s->bytes = s->lines = s->first_ns = 0;
	if (s->load->set.scenario != SC_SESSION)
		s->began_ns = clock_ns();
	ask(s);
}

/* The port of "229 text (|||port|)". */
static uint16_t
port_229(const char *text)
{
	const char *p = strstr(text, "(|||");
	unsigned port;
	char end;

	if (p == NULL || sscanf(p + 4, "%5u%c", &port, &end) != 2 ||
	    end != '|' || port > UINT16_MAX)
		return 0;
	return (uint16_t)port;
}

/* The port of "227 text (h1,h2,h3,h4,p1,p2)"; the host must be the server. */
static uint16_t
port_227(const char *text)
{
	unsigned high, low;

	text = strchr(text, '(');
	if (text == NULL || sscanf(text, "(%*u,%*u,%*u,%*u,%3u,%3u)",
	    &high, &low) != 2 || high > 255 || low > 255)
		return 0;
	return (uint16_t)(high << 8 | low);
}

static void
connect_passive(struct session *s, int code, const char *text)
{
	uint16_t port = code == 229 ? port_229(text) : port_227(text);

	if (port == 0)
		session_fail(s, "no port in", text);
	else if (!net_connect(s->load, &s->data, port))
		session_fail(s, "data connection", strerror(errno));
}

/* The reply to EPSV, PASV, EPRT or PORT. */
void
transfer_opened(struct session *s, int code, const char *text)
{
	bool active = s->load->set.active;

	if (code / 100 == 5 && !s->old_verbs) {
		net_close(&s->listener);
		s->old_verbs = true;
		ask(s);
		return;
	}
	if (active ? code != 200 : code != 229 && code != 227) {
		session_fail(s, "unexpected reply", text);
		return;
	}
	if (!active)
		connect_passive(s, code, text);
	if (s->phase != PH_OPEN || s->control.fd < 0 ||
	    (!active && s->data.fd < 0))
		return;		/* failed, perhaps begun anew */
	s->phase = PH_TRANSFER;	/* busy before and after */
	s->asked_ns = clock_ns();
	if (s->load->set.scenario == SC_LIST)
		session_send(s, s->load->set.mlsd ? "MLSD\r\n" : "LIST\r\n");
	else
		session_send(s, "RETR %s\r\n", s->load->set.path);
}

static void
record(struct session *s)
{
	struct load *l = s->load;

	if (!l->running || l->set.scenario == SC_SESSION)
		return;
	l->transfers++;
	samples_add(&l->total, (double)(clock_ns() - s->began_ns) / 1e6);
	if (s->first_ns != 0)
		samples_add(&l->first,
		    (double)(s->first_ns - s->asked_ns) / 1e6);
	if (l->transfers == 1 || s->lines < l->lines_least)
		l->lines_least = s->lines;
	if (s->lines > l->lines_most)
		l->lines_most = s->lines;
	if (l->set.lines >= 0 && s->lines != (uint64_t)l->set.lines)
		l->cut++;
}

/* Both ends of the story are there: is it the right one? */
static void
finish(struct session *s)
{
	const struct settings *set = &s->load->set;
	char counts[80];

	if (!s->data_done || !s->reply_done)
		return;
	if (set->size >= 0 && s->bytes != (uint64_t)set->size) {
		snprintf(counts, sizeof(counts), "%" PRIu64 " of %" PRId64,
		    s->bytes, set->size);
		session_fail(s, "wrong number of bytes:", counts);
		return;
	}
	record(s);
	session_advance(s);
}

void
transfer_reply(struct session *s, int code, const char *text)
{
	if (code / 100 == 1)
		return;
	if (code / 100 != 2 || s->reply_done) {
		session_fail(s, "unexpected reply", text);
		return;
	}
	s->reply_done = true;
	finish(s);
}

void
transfer_accept(struct session *s)
{
	if (!net_accept(s->load, &s->listener, &s->data)) {
		if (errno != EAGAIN)
			session_fail(s, "cannot accept", strerror(errno));
		return;
	}
	net_close(&s->listener);
}

/*
 * Entries of a listing: whole lines that describe a file.  The "total" line
 * some servers begin with, and directories, do not count.
 */
static void
count_lines(struct session *s, const char *p, size_t len)
{
	const char *end = p + len, *nl;

	while (p < end) {
		if (!s->line_open) {
			s->line_open = true;
			s->line_counts = *p == '-';
		}
		nl = memchr(p, '\n', (size_t)(end - p));
		if (nl == NULL)
			return;
		s->lines += s->line_counts;
		s->line_open = false;
		p = nl + 1;
	}
}

/*
 * The same of MLSD, whose facts come in any order; those of the directory
 * itself and of the one above do not count.
 */
static void
count_facts(struct session *s, const char *p, size_t len)
{
	static const char fact[] = "type=file;";

	for (const char *end = p + len; p < end; p++) {
		if (*p == '\n') {
			s->lines += s->line_counts;
			s->line_counts = false;
			s->fact_at = 0;
		} else if (!s->line_counts) {
			/* No part of it begins as the whole does. */
			s->fact_at = (*p | 0x20) == (fact[s->fact_at] | 0x20) ?
			    s->fact_at + 1 : (*p | 0x20) == 't';
			s->line_counts = fact[s->fact_at] == '\0';
		}
	}
}

static void
took(struct session *s, size_t len)
{
	if (s->first_ns == 0)
		s->first_ns = clock_ns();
	s->bytes += len;
	if (s->load->running)
		s->load->bytes += len;
	if (s->load->set.scenario == SC_LIST && s->load->set.mlsd)
		count_facts(s, sink, len);
	else if (s->load->set.scenario == SC_LIST)
		count_lines(s, sink, len);
}

void
transfer_read(struct session *s)
{
	int flags = s->load->set.scenario == SC_LIST ? 0 : MSG_TRUNC;
	ssize_t n;

	/* the end of a file of known size is worth a second look at once */
	do {
		n = recv(s->data.fd, sink, sizeof(sink), flags);
		if (n > 0)
			took(s, (size_t)n);
	} while (n > 0 && s->bytes == (uint64_t)s->load->set.size);
	if (n == 0) {
		net_close(&s->data);
		s->data_done = true;
		finish(s);
	} else if (n < 0 && errno != EAGAIN && errno != EINTR) {
		session_fail(s, "data connection", strerror(errno));
	}
}
