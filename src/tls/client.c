/*
 * tls/client.c: the client's side of TLS connections; see the header.
 *
 * Every connection has a context of its own: what one of them is asked to
 * offer can then not leak into another's hello.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tls/client.h"

#include <arpa/inet.h>
#include <assert.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tls/conn.h"

struct tls_session {
	SSL_SESSION *session;
};

enum step {
	STEP_DONE,
	STEP_AGAIN,
	STEP_FAILED,
};

static void
begin(struct tls *t, uint64_t deadline_ms)
{
	t->deadline_ms = deadline_ms;
	ERR_clear_error();	/* SSL_get_error looks at what is left there */
}

static void
say_late(struct tls *t)
{
	const char *text = "the peer was silent for too long";

	if (!t->connected)
		text = t->bytes_in == 0 ? "no answer to the TLS handshake" :
		    "the TLS handshake was not finished in time";
	t->error = (struct tls_error) { .why = TLS_WHY_TIME, .alert = -1 };
	snprintf(t->error.text, sizeof(t->error.text), "%s", text);
}

/* What to do after a call of the library's that returned ret. */
static enum step
after(struct tls *t, int ret)
{
	short events;

	switch (SSL_get_error(t->ssl, ret)) {
	case SSL_ERROR_NONE:
		return STEP_DONE;
	case SSL_ERROR_WANT_READ:
		events = POLLIN;
		break;
	case SSL_ERROR_WANT_WRITE:
		events = POLLOUT;
		break;
	default:
		error_set(t);
		return STEP_FAILED;
	}
	if (wire_wait(t, events))
		return STEP_AGAIN;
	say_late(t);
	return STEP_FAILED;
}

static void
on_info(const SSL *ssl, int where, int value)
{
	struct tls *t = SSL_get_app_data(ssl);
	int level = value >> 8, alert = value & 0xff;

	if (!(where & SSL_CB_ALERT) || !(where & SSL_CB_READ) ||
	    alert == SSL_AD_CLOSE_NOTIFY)
		return;
	if (level == SSL3_AL_FATAL)
		t->alert = alert;
	else
		t->warning = alert;
}

/*
 * A copy, because the library forbids that a session is used again once its
 * connection ended badly, which is what an audit's connections do.
 */
static void
keep_session(struct tls *t, const SSL_SESSION *session)
{
	SSL_SESSION *copy = SSL_SESSION_dup(session);

	if (copy == NULL)
		return;
	SSL_SESSION_free(t->session);
	t->session = copy;
}

static int
on_session(SSL *ssl, SSL_SESSION *session)
{
	keep_session(SSL_get_app_data(ssl), session);
	return 0;	/* the library keeps its own */
}

static int
version_number(enum tls_version v)
{
	return v == TLS_ANY ? 0 : TLS1_VERSION + (int)(v - TLS_1_0);
}

/*
 * A session of TLS 1.2 that is offered along with TLS 1.3 is passed over by
 * who speaks both, and would look like one that was not accepted.
 */
static bool
offer_versions(SSL_CTX *ctx, const struct tls_client_want *want)
{
	int min = version_number(want->min_version);
	int max = version_number(want->max_version);

	if (want->resume != NULL && min == 0 && max == 0)
		min = max = SSL_SESSION_get_protocol_version(
		    want->resume->session);
	return SSL_CTX_set_min_proto_version(ctx, min) == 1 &&
	    SSL_CTX_set_max_proto_version(ctx, max) == 1;
}

/* All that the system's configuration may have forbidden is allowed again. */
static bool
context_open(SSL_CTX *ctx, const struct tls_client_want *want)
{
	SSL_CTX_set_security_level(ctx, 0);
	SSL_CTX_clear_options(ctx, SSL_OP_NO_SSL_MASK | SSL_OP_NO_TICKET |
	    SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_options(ctx, SSL_OP_LEGACY_SERVER_CONNECT |
	    SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_mode(ctx, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT |
	    SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, on_session);
	SSL_CTX_set_info_callback(ctx, on_info);
	return SSL_CTX_set_cipher_list(ctx, "DEFAULT:@SECLEVEL=0") == 1 &&
	    offer_versions(ctx, want);
}

static bool
is_address(const char *host)
{
	struct in6_addr ignored;

	return inet_pton(AF_INET, host, &ignored) == 1 ||
	    inet_pton(AF_INET6, host, &ignored) == 1;
}

static bool
offer_sni(SSL *ssl, const char *host)
{
	char name[TLSEXT_MAXLEN_host_name + 1];	/* the library's is not const */
	size_t n = strlen(host);

	if (is_address(host))
		return true;
	if (n >= sizeof(name))
		return false;
	memcpy(name, host, n + 1);
	return SSL_set_tlsext_host_name(ssl, name) == 1;
}

static bool
offer_alpn(SSL *ssl, const char *name)
{
	unsigned char list[1 + UINT8_MAX];
	size_t n = strlen(name);

	if (n == 0 || n > UINT8_MAX)
		return false;
	list[0] = (unsigned char)n;
	memcpy(list + 1, name, n);
	return SSL_set_alpn_protos(ssl, list, (unsigned)n + 1) == 0;
}

static bool
offer_session(SSL *ssl, const struct tls_session *s)
{
	SSL_SESSION *copy = SSL_SESSION_dup(s->session);
	bool ok = copy != NULL && SSL_set_session(ssl, copy) == 1;

	SSL_SESSION_free(copy);
	return ok;
}

static bool
prepare(struct tls *t, const struct tls_client_want *want)
{
	BIO *bio;

	t->ctx = SSL_CTX_new(TLS_client_method());
	if (t->ctx == NULL || !context_open(t->ctx, want))
		return false;
	t->ssl = SSL_new(t->ctx);
	if (t->ssl == NULL || SSL_set_app_data(t->ssl, t) != 1 ||
	    (bio = wire_new(t)) == NULL)
		return false;
	SSL_set_bio(t->ssl, bio, bio);
	SSL_set_connect_state(t->ssl);

	if (want->sni != NULL && !offer_sni(t->ssl, want->sni))
		return false;
	if (want->alpn != NULL && !offer_alpn(t->ssl, want->alpn))
		return false;
	return want->resume == NULL || offer_session(t->ssl, want->resume);
}

/* Before TLS 1.3 the session that was resumed serves again, without a word. */
static void
keep_resumed(struct tls *t)
{
	const SSL_SESSION *session = SSL_get0_session(t->ssl);

	if (t->session == NULL && SSL_version(t->ssl) < TLS1_3_VERSION &&
	    session != NULL && SSL_SESSION_is_resumable(session))
		keep_session(t, session);
}

/*
 * Asked before anything is sent: a hello that cannot be made ends in an alert
 * to the peer, who has done nothing.
 */
static bool
has_something_to_offer(const struct tls *t)
{
	STACK_OF(SSL_CIPHER) *ciphers = SSL_get1_supported_ciphers(t->ssl);
	bool any = sk_SSL_CIPHER_num(ciphers) > 0;

	sk_SSL_CIPHER_free(ciphers);
	return any;
}

static bool
handshake(struct tls *t)
{
	enum step step;

	do {
		ERR_clear_error();
		step = after(t, SSL_do_handshake(t->ssl));
	} while (step == STEP_AGAIN);
	if (step == STEP_FAILED)
		return false;
	t->connected = true;
	keep_resumed(t);
	return true;
}

static void
say_not_offered(struct tls_error *error, enum tls_version v)
{
	const char *reason = ERR_reason_error_string(ERR_peek_error());

	snprintf(error->text, sizeof(error->text),
	    "this host's TLS library cannot offer %s%s%s",
	    v == TLS_ANY ? "TLS" : tls_version_name(v),
	    reason == NULL ? "" : ": ", reason == NULL ? "" : reason);
}

struct tls *
tls_connect(int fd, const struct tls_client_want *want, uint64_t deadline_ms,
    struct tls_error *error)
{
	struct tls *t = calloc(1, sizeof(*t));

	*error = (struct tls_error) { .why = TLS_WHY_LOCAL, .alert = -1,
	    .text = "no memory" };
	if (t == NULL)
		return NULL;
	t->fd = fd;
	t->alert = t->warning = -1;
	begin(t, deadline_ms);
	if (!prepare(t, want) || !has_something_to_offer(t))
		error_set(t);
	else if (handshake(t))
		return t;

	*error = t->error;
	if (error->why == TLS_WHY_LOCAL)
		say_not_offered(error, want->max_version);
	tls_free(t);
	return NULL;
}

void
tls_free(struct tls *t)
{
	if (t == NULL)
		return;
	SSL_free(t->ssl);
	SSL_CTX_free(t->ctx);
	BIO_meth_free(t->method);
	SSL_SESSION_free(t->session);
	free(t);
	ERR_clear_error();
}

ssize_t
tls_read(struct tls *t, void *bytes, size_t n, uint64_t deadline_ms)
{
	enum step step;
	size_t got = 0;

	assert(n > 0);
	begin(t, deadline_ms);
	do {
		int ret;

		ERR_clear_error();
		ret = SSL_read_ex(t->ssl, bytes, n, &got);
		if (SSL_get_error(t->ssl, ret) == SSL_ERROR_ZERO_RETURN)
			return 0;
		step = after(t, ret);
	} while (step == STEP_AGAIN);
	return step == STEP_DONE ? (ssize_t)got : -1;
}

bool
tls_pending(const struct tls *t)
{
	return SSL_pending(t->ssl) > 0;
}

/* A half-sent record stands in the way of every other: t->error says why. */
static bool
can_write(const struct tls *t)
{
	return !t->half_written && !t->ended;
}

ssize_t
tls_write(struct tls *t, const void *bytes, size_t n, uint64_t deadline_ms)
{
	enum step step;
	size_t put = 0;

	if (n == 0)
		return 0;
	if (!can_write(t))
		return -1;
	begin(t, deadline_ms);
	do {
		ERR_clear_error();
		step = after(t, SSL_write_ex(t->ssl, bytes, n, &put));
	} while (step == STEP_AGAIN);
	t->half_written = step == STEP_FAILED;
	return step == STEP_DONE ? (ssize_t)put : -1;
}

bool
tls_shutdown(struct tls *t, uint64_t deadline_ms)
{
	enum step step = STEP_DONE;

	if (t->ended)
		return true;
	if (!can_write(t))
		return false;
	begin(t, deadline_ms);
	do {
		int ret;

		ERR_clear_error();
		ret = SSL_shutdown(t->ssl);
		step = ret >= 0 ? STEP_DONE : after(t, ret);
	} while (step == STEP_AGAIN);
	t->ended = step == STEP_DONE;
	t->half_written = step == STEP_FAILED;
	return t->ended;
}

enum tls_stop
tls_stop(struct tls *t, uint64_t deadline_ms)
{
	char dropped[4096];
	enum step step = STEP_AGAIN;

	if (!tls_shutdown(t, deadline_ms))
		return TLS_STOP_FAILED;
	begin(t, deadline_ms);
	t->stopping = true;
	while (step != STEP_FAILED) {
		size_t n;
		int ret;

		ERR_clear_error();
		ret = SSL_read_ex(t->ssl, dropped, sizeof(dropped), &n);
		if (t->in_clear)
			return TLS_STOP_ABRUPT;
		if (SSL_get_error(t->ssl, ret) == SSL_ERROR_ZERO_RETURN)
			return TLS_STOP_CLEAN;
		step = after(t, ret);
	}
	return TLS_STOP_FAILED;
}

const struct tls_error *
tls_error(const struct tls *t)
{
	return &t->error;
}

struct tls_session *
tls_session_take(struct tls *t)
{
	struct tls_session *s;

	if (t->session == NULL || (s = calloc(1, sizeof(*s))) == NULL)
		return NULL;
	s->session = t->session;
	t->session = NULL;
	return s;
}

void
tls_session_free(struct tls_session *s)
{
	if (s == NULL)
		return;
	SSL_SESSION_free(s->session);
	free(s);
}
