/*
 * worker/secure.c: TLS between a session, or a transfer, and the library; see
 * the header.
 *
 * The loop may wait for the signer: it serves one session, which waits too.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "worker/secure.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#include "base/log.h"
#include "ipc/inherit.h"
#include "ipc/sign.h"
#include "ipc/texts.h"
#include "tls/server.h"

static struct sign_channel channel = { .fd = INHERIT_SIGNER };
static struct tls_server *server;

/*
 * One question at a time: a transfer that was aborted may still be in its
 * handshake when the next one begins.
 */
static bool
sign(void *arg, uint32_t key, uint32_t scheme, const uint8_t *bytes, size_t n,
    uint8_t out[SIGN_OUTPUT_MAX], size_t *out_len)
{
	static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;
	bool ok;

	pthread_mutex_lock(&one);
	ok = sign_ask(arg, key, scheme, bytes, n, out, out_len);
	pthread_mutex_unlock(&one);
	return ok;
}

static const struct tls_signer signer = { .sign = sign, .arg = &channel };

/* ---- the start */

/* 0: the first site; i + 1: conf.sites.at[i]. */
static uint32_t
site_of(const struct conf *c, struct sv name)
{
	for (uint32_t i = 0; i < c->sites.count; i++)
		if (hostname_is_in(sv_of(c->sites.at[i].names), name))
			return i + 1;
	return 0;
}

static void
lay_out(const struct conf *c, const struct texts_head *h,
    struct tls_server_cert certs[CONF_CERTS_MAX])
{
	for (uint32_t i = 0; i < h->count; i++) {
		const struct texts_cert *t = &h->cert[i];

		certs[i] = (struct tls_server_cert) { .key = i,
			.chain = texts_part(h, t->chain_at, t->chain_len),
			.ocsp = texts_part(h, t->ocsp_at, t->ocsp_len),
			.site = site_of(c, sv_of(
			    c->tls_certificate.at[i].site)) };
	}
}

static _Noreturn void
refuse(const struct conf *c, const struct tls_server_fault *f)
{
	const struct conf_cert *cert = &c->tls_certificate.at[f->cert];
	const char *key = "tls.certificate", *file = cert->chain;
	char line[16] = "";

	if (f->in == TLS_TEXT_CA) {
		key = "tls.client_ca";
		file = c->tls_client_ca;
	} else if (f->in == TLS_TEXT_CRL) {
		key = "tls.client_crl";
		file = c->tls_client_crl;
	} else if (f->in == TLS_TEXT_OCSP)
		file = cert->ocsp;
	else if (f->in == TLS_TEXT_KEY && cert->key[0] != '\0')
		file = cert->key;
	if (f->line > 0)
		snprintf(line, sizeof(line), ":%u", f->line);
	log_fatal(2, "%s: %s%s: %s", key, file, line, f->text);
}

/* An empty file is one, with nothing in it; a list is not passed over. */
static void
want_clients(const struct conf *c, const struct texts_head *h,
    struct tls_server_want *want)
{
	if (c->tls_client_ca[0] == '\0')
		return;
	want->client_cert = TLS_CLIENT_CERT_OPTIONAL;
	want->client_ca = texts_part(h, h->ca_at, h->ca_len);
	if (c->tls_client_crl[0] != '\0')
		want->client_crl = texts_part(h, h->crl_at, h->crl_len);
}

static void
start(const struct conf *c, bool check)
{
	struct tls_server_cert certs[CONF_CERTS_MAX] = { 0 };
	struct tls_server_want want = { .certs = certs, .signer = &signer,
		.strict_sni = c->tls_sni != 0 };
	struct tls_server_fault fault;
	struct texts_head *h = texts_take(INHERIT_TEXTS);

	if (h == NULL || h->count != c->tls_certificate.count)
		log_fatal(1, "cannot read the certificates err=%d", errno);
	lay_out(c, h, certs);
	want.certs_count = h->count;
	want_clients(c, h, &want);
	server = tls_server_new(&want, h->checked_s, &fault);
	free(h);
	if (server == NULL ||
	    (check && !tls_server_check_keys(server, &fault)))
		refuse(c, &fault);
}

static void
renew(void)
{
	if (!tls_server_renew(server))
		log_fatal(1, "no random numbers for TLS");
}

/* ---- what ends soon */

#define DAY_S 86400

/* lead_s: how long before its end it is time for another one. */
static void
warn_of(enum tls_text in, size_t i, const char *key, const char *file,
    int64_t lead_s)
{
	int64_t until = tls_server_until(server, in, i), left;
	char shown[32] = "?";
	time_t last;
	struct tm tm;

	if (until == INT64_MAX || (left = until - time(NULL)) > lead_s)
		return;
	last = until - 1;
	if (gmtime_r(&last, &tm) != NULL)
		strftime(shown, sizeof(shown), "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (left <= 0)
		log_line("%s: %s: was valid until %s", key, file, shown);
	else
		log_line("%s: %s: is valid until %s, %u days more", key, file,
		    shown, (unsigned)(left / DAY_S));
}

/* Staples and lists live for days, and are made anew by programs. */
static void
warn(const struct conf *c)
{
	int64_t lead_s = (int64_t)c->tls_warn * DAY_S;
	int64_t short_s = lead_s < DAY_S ? lead_s : DAY_S;

	if (lead_s == 0)
		return;
	for (uint32_t i = 0; i < c->tls_certificate.count; i++) {
		const struct conf_cert *cert = &c->tls_certificate.at[i];

		warn_of(TLS_TEXT_CHAIN, i, "tls.certificate", cert->chain,
		    lead_s);
		warn_of(TLS_TEXT_OCSP, i, "tls.certificate", cert->ocsp,
		    short_s);
	}
	warn_of(TLS_TEXT_CA, 0, "tls.client_ca", c->tls_client_ca, lead_s);
	warn_of(TLS_TEXT_CRL, 0, "tls.client_crl", c->tls_client_crl, short_s);
}

/* ---- what is told of it */

static void
open_event(struct event *e, const struct event_session *who,
    const char *action, const char *on)
{
	event_begin(e, "ftp", who);
	event_open(e, "ftp");
	event_text(e, "action", sv_of(action));
	event_open(e, "tls");
	event_text(e, "on", sv_of(on));
}

static void
close_event(struct event *e, struct worker *w)
{
	event_close(e);
	event_close(e);
	event_end(e, &w->events);
}

static void
tell_failure(struct worker *w, const struct event_session *who,
    const struct tls_conn *c, const char *on)
{
	static const char *const sides[] = { [TLS_SIDE_NONE] = "none",
		[TLS_SIDE_PEER] = "client", [TLS_SIDE_OURS] = "server",
		[TLS_SIDE_WIRE] = "network", [TLS_SIDE_LOCAL] = "internal" };
	const struct tls_conn_fault *f = tls_conn_fault(c);
	struct event e;

	if (!event_wanted(&w->events))
		return;
	open_event(&e, who, "tls_failed", on);
	event_text(&e, "side", sv_of(sides[f->side]));
	if (f->alert >= 0)
		event_number(&e, "alert", (uint64_t)f->alert);
	event_text(&e, "reason", sv_of(f->text));
	close_event(&e, w);
}

/* So that an operator finds there what the account file wants. */
static void
tell_client(struct event *e, const struct sess *s)
{
	struct tls_client_id id;
	char hex[2 * sizeof(id.sha256) + 1];

	if (!tls_conn_client(s->tls, &id))
		return;
	for (size_t i = 0; i < sizeof(id.sha256); i++)
		snprintf(hex + 2 * i, 3, "%02x", id.sha256[i]);
	event_text(e, "client_sha256", sv_of(hex));
	event_text(e, "client_subject", sv_of(id.subject));
}

static void
tell_success(struct sess *s)
{
	const char *sni = tls_conn_sni(s->tls);
	struct event e;

	if (!event_wanted(&s->w->events))
		return;
	open_event(&e, &s->who, "tls", "control");
	event_text(&e, "version", sv_of(tls_conn_version(s->tls)));
	event_text(&e, "cipher", sv_of(tls_conn_cipher(s->tls)));
	if (sni != NULL)
		event_text(&e, "sni", sv_of(sni));
	event_flag(&e, "alpn", tls_conn_has_alpn(s->tls));
	tell_client(&e, s);
	close_event(&e, s->w);
}

/* ---- the control connection */

static bool
begin(struct sess *s)
{
	s->tls = tls_conn_new(server, s->watch.fd, NULL);
	return s->tls != NULL;
}

static bool
client(const struct sess *s, struct tls_client_id *out)
{
	return tls_conn_client(s->tls, out);
}

/* By the name that the client gave, or by the certificate that it got. */
static void
choose_site(struct sess *s)
{
	const char *sni = tls_conn_sni(s->tls);
	uint32_t site = sni == NULL ? 0 : site_of(&s->w->conf, sv_of(sni));

	if (sni != NULL && site == 0)
		site = tls_conn_site(s->tls);
	if (site == 0)
		return;
	sess_enter_site(s, site - 1);
	s->site_by_tls = true;
}

static enum secure_step
step(struct sess *s)
{
	switch (tls_conn_handshake(s->tls)) {
	case TLS_DONE:
		s->tls_writes = false;
		choose_site(s);
		tell_success(s);
		return SECURE_DONE;
	case TLS_WANT_READ:
		s->tls_writes = false;
		return SECURE_AGAIN;
	case TLS_WANT_WRITE:
		s->tls_writes = true;
		return SECURE_AGAIN;
	case TLS_CLOSED:
	case TLS_TRUNCATED:
	case TLS_FAILED:
		break;
	}
	tell_failure(s->w, &s->who, s->tls, "control");
	return SECURE_FAILED;
}

/* What send or recv would have said. */
static ssize_t
answer(enum tls_result result, size_t n)
{
	switch (result) {
	case TLS_DONE:
		return (ssize_t)n;
	case TLS_CLOSED:
		return 0;
	case TLS_WANT_READ:
	case TLS_WANT_WRITE:
		errno = EAGAIN;
		return -1;
	case TLS_TRUNCATED:
		errno = EPIPE;
		return -1;
	case TLS_FAILED:
		break;
	}
	errno = EPROTO;
	return -1;
}

/* An end without close_notify is how many clients leave: no failure here. */
static ssize_t
control_answer(struct sess *s, enum tls_result result, size_t n)
{
	if (result == TLS_FAILED)
		tell_failure(s->w, &s->who, s->tls, "control");
	return answer(result, n);
}

static ssize_t
control_read(struct sess *s, void *bytes, size_t n)
{
	size_t got = 0;
	enum tls_result result = tls_conn_read(s->tls, bytes, n, &got);

	s->tls_writes = result == TLS_WANT_WRITE;
	return control_answer(s, result, got);
}

static ssize_t
control_write(struct sess *s, const void *bytes, size_t n)
{
	size_t put = 0;
	enum tls_result result = tls_conn_write(s->tls, bytes, n, &put);

	return control_answer(s, result, put);
}

static void
give_ticket(struct sess *s)
{
	tls_conn_renew(s->tls);
}

static void
end(struct sess *s)
{
	if (!s->shaking)
		(void)tls_conn_shutdown(s->tls);
	tls_conn_free(s->tls);
	s->tls = NULL;
}

/* ---- data connections */

/* Setting it up costs more than a small file. */
#define KERNEL_LEAST 65536

/*
 * The kernel counts bytes as sent that it has encrypted, and keeps what its
 * socket did not take; a shutdown would lose them behind a 226.  So a send
 * waits until it has room for all: nobody else waits for this thread, and the
 * clock ends it by a shutdown.
 */
static bool
is_for_kernel(const struct xfer *x)
{
	static const struct timeval no_limit;
	int flags = fcntl(x->data_fd, F_GETFL);

	return x->w->conf.tls_kernel != 0 && x->kind == XFER_FILE &&
	    !x->ascii && x->size >= x->at + KERNEL_LEAST && flags >= 0 &&
	    (flags & O_NONBLOCK) == 0 &&
	    setsockopt(x->data_fd, SOL_SOCKET, SO_SNDTIMEO, &no_limit,
	    sizeof(no_limit)) == 0;
}

static bool
data_begin(struct xfer *x)
{
	x->tls = tls_conn_new(NULL, x->data_fd, x->s->tls);
	if (x->tls != NULL && is_for_kernel(x))
		tls_conn_want_ktls(x->tls);
	return x->tls != NULL;
}

/* What a step on a data connection came to, that is not done. */
static enum xfer_step
blocked(struct xfer *x, enum tls_result result, enum xfer_step failed)
{
	if (result != TLS_WANT_READ && result != TLS_WANT_WRITE)
		return failed;
	x->tls_reads = result == TLS_WANT_READ;
	return STEP_BLOCKED;
}

static enum xfer_step
data_greet(struct xfer *x)
{
	enum tls_result result;

	if (x->greeted)
		return STEP_DONE;
	result = tls_conn_handshake(x->tls);
	x->tls_reads = false;
	if (result != TLS_DONE)
		return blocked(x, result, STEP_TLS_FAILED);
	x->greeted = true;
	x->by_kernel = tls_conn_has_ktls(x->tls);
	/* Sessions of other control connections are none here. */
	x->resumed = tls_conn_resumed(x->tls);
	return x->must_resume && !x->resumed ? STEP_TLS_STRANGER : STEP_DONE;
}

static enum xfer_step
data_enter_kernel(struct xfer *x)
{
	enum tls_result result = tls_conn_enter_ktls(x->tls);

	return result == TLS_DONE ? STEP_DONE :
	    blocked(x, result, STEP_PEER_GONE);
}

static ssize_t
data_write(struct xfer *x, const void *bytes, size_t n)
{
	size_t put = 0;
	enum tls_result result = tls_conn_write(x->tls, bytes, n, &put);

	return answer(result, put);
}

static ssize_t
data_read(struct xfer *x, void *bytes, size_t n)
{
	size_t got = 0;
	enum tls_result result = tls_conn_read(x->tls, bytes, n, &got);

	return answer(result, got);
}

static enum xfer_step
data_finish(struct xfer *x)
{
	enum tls_result result = tls_conn_shutdown(x->tls);

	return result == TLS_DONE ? STEP_DONE :
	    blocked(x, result, STEP_PEER_GONE);
}

static void
data_free(struct xfer *x)
{
	tls_conn_free(x->tls);
	x->tls = NULL;
}

static const char *
data_failed(struct xfer *x)
{
	tell_failure(x->w, &x->who, x->tls, "data");
	return tls_conn_fault(x->tls)->text;
}

static const struct secure_ops ops = {
	.start = start,
	.renew = renew,
	.warn = warn,
	.begin = begin,
	.step = step,
	.read = control_read,
	.write = control_write,
	.client = client,
	.give_ticket = give_ticket,
	.end = end,
	.data_begin = data_begin,
	.data_greet = data_greet,
	.data_enter_kernel = data_enter_kernel,
	.data_write = data_write,
	.data_read = data_read,
	.data_finish = data_finish,
	.data_free = data_free,
	.data_failed = data_failed,
};

const struct secure_ops *const secure = &ops;
