/*
 * audit/data.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "audit/data.h"

#include <errno.h>
#include <stdio.h>

#include "proto/hostport.h"

#define CONNECT_MS 5000
#define PIECE 65536
#define SHUTDOWN_MS 1000

bool
data_begin(struct data *d, struct link *l, int fd)
{
	struct tls_client_want want = { .sni = l->ask->audit->target->host };

	*d = (struct data) { .fd = fd };
	if (!l->prot_p || l->tls == NULL)
		return true;
	if (l->session == NULL)	/* TLS 1.3 gives it with what is read */
		l->session = tls_session_take(l->tls);
	if (!l->no_resume)
		want.resume = l->session;
	d->tls = tls_connect(fd, &want, sock_now_ms() + link_patience(l),
	    &d->refusal);
	if (d->tls == NULL)
		ask_event(l->ask, "no TLS on the data connection: %s",
		    d->refusal.text);
	return d->tls != NULL;
}

ssize_t
data_read(struct data *d, void *buf, size_t n, uint64_t deadline_ms)
{
	return sock_read(d->fd, d->tls, buf, n, deadline_ms);
}

void
data_close(struct data *d)
{
	tls_free(d->tls);
	d->tls = NULL;
	sock_close(&d->fd);
}

/* ---- passive */

bool
data_named(const struct reply *r, struct addr *out)
{
	struct sv text = sv_drop(sv_of(r->text), 4);

	switch (r->code) {
	case 227:
		return pasv_reply_parse(text, out) == FTP_OK;
	case 228:
		return lpsv_reply_parse(text, out) == FTP_OK;
	case 229:
		return epsv_reply_parse(text, out) == FTP_OK;
	default:
		return false;
	}
}

bool
data_ask_passive(struct link *l, struct reply *r, const char *verb,
    struct addr *at)
{
	struct addr named;

	if (verb != NULL)
		link_command(l, r, "%s", verb);
	else if (link_command(l, r, "EPSV") != 229 && !l->over)
		link_command(l, r, "PASV");
	if (!data_named(r, &named))
		return false;
	if (named.port < 1024) {	/* a service's, and no transfer's */
		snprintf(r->text, sizeof(r->text), "it names port %u, to "
		    "which this audit does not connect", (unsigned)named.port);
		r->code = 0;
		return false;
	}
	*at = l->ask->audit->place.server;
	at->port = named.port;
	return true;
}

int
data_connect(const struct link *l, const struct addr *from,
    const struct addr *at)
{
	const struct addr *a = from != NULL ? from :
	    &l->ask->audit->place.here;
	char here[ADDR_TEXT_MAX], there[ADDR_TEXT_MAX];
	int fd = sock_connect(a, at, sock_now_ms() + CONNECT_MS);

	ask_event(l->ask, "%s %s %s", addr_format_ip(a, here), fd >= 0 ?
	    "connected to" : "could not connect to",
	    addr_format(at, there));
	return fd;
}

/* ---- whole transfers */

/* Opens the connection and sends the command; its 1yz is in *r. */
static bool
begin(struct link *l, struct reply *r, const char *command, struct data *d)
{
	struct addr at;
	int fd;

	d->fd = -1;
	d->tls = NULL;
	if (!data_ask_passive(l, r, NULL, &at))
		return false;
	fd = data_connect(l, NULL, &at);
	if (fd < 0) {
		snprintf(r->text, sizeof(r->text), "no connection to the "
		    "passive port: %s", strerror(errno));
		r->code = 0;
		return false;
	}
	d->fd = fd;
	if (link_command(l, r, "%s", command) / 100 != 1)
		return false;
	return data_begin(d, l, fd);
}

int64_t
data_fetch(struct link *l, struct reply *r, const char *command,
    data_piece *piece, void *arg)
{
	static char buf[PIECE];
	uint64_t end_ms = sock_now_ms() + DATA_FETCH_MS;
	int64_t total = 0;
	struct data d;
	ssize_t n;

	if (end_ms > l->ask->audit->deadline_ms)
		end_ms = l->ask->audit->deadline_ms;
	if (!begin(l, r, command, &d)) {
		/* A 226 without a 150 is a whole transfer, if an odd one. */
		data_close(&d);
		return -1;
	}
	while (total < DATA_FETCH_MOST && sock_now_ms() < end_ms) {
		n = data_read(&d, buf, sizeof(buf), sock_now_ms() +
		    link_patience(l));
		if (n <= 0)
			break;
		total += n;
		if (piece != NULL)
			piece(arg, (struct sv) { buf, (size_t)n });
	}
	data_close(&d);
	link_read(l, r, link_patience(l));
	if (n == 0)
		return total;
	snprintf(r->text, sizeof(r->text), "the transfer came to no end: "
	    "%lld bytes", (long long)total);
	return -1;
}

bool
data_store(struct link *l, struct reply *r, const char *command,
    struct sv bytes, bool *begun)
{
	struct data d;
	bool sent = false, ready = begin(l, r, command, &d);

	*begun = reply_begins(r) || reply_agrees(r);
	if (ready) {
		sent = sock_write(d.fd, d.tls, bytes, sock_now_ms() +
		    link_patience(l));
		if (d.tls != NULL)
			tls_shutdown(d.tls, sock_now_ms() + SHUTDOWN_MS);
	}
	data_close(&d);
	if (reply_begins(r))
		link_read(l, r, link_patience(l));
	return sent && r->code / 100 == 2;
}
