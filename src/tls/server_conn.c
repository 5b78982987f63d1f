/*
 * tls/server_conn.c: the server's side of a connection; see tls/server.h.
 *
 * Whose session may be resumed is decided by the library itself: a session
 * belongs to a context of 32 bytes at most (SSL_set_session_id_context), and
 * ours is the control connection's random id.
 *
 * When a data connection is told of a new ticket is not left to the library,
 * which does it at the handshake's end.  A client that uploads and does not
 * read may then close with those bytes unread, and TCP answers that with a
 * reset that takes the upload's tail along.  So: before our first byte, or
 * when the client has said that it is done.  And only who has resumed: others
 * have shown that they have no use for it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tls/server.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "tls/server_in.h"

/*
 * New keys that a client may ask for (RFC 8446 §4.6.3): each costs us more
 * than it.  Libraries do so once in 2^24 records or more.
 */
#define KEY_UPDATES 16
#define KEY_UPDATE_BYTES (1u << 20)	/* one more for each that came */

#define TICKET_MARK "control"
#define READ_AHEAD (4u * 16640)	/* records of data, with what is around them */

/* ---- what the library calls */

int
conn_on_sni(SSL *ssl, int *alert, void *server)
{
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	const struct tls_server *s = server;
	struct tls_conn *c = SSL_get_app_data(ssl);
	ssize_t place = name == NULL ? -1 : server_find(s, name);

	if (name == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	if (place < 0 && s->strict_sni) {
		*alert = SSL_AD_UNRECOGNIZED_NAME;
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	}
	if (place < 0)
		return SSL_TLSEXT_ERR_NOACK;
	c->place = (size_t)place;
	if (SSL_set_SSL_CTX(ssl, s->places[place].ctx) != NULL)
		return SSL_TLSEXT_ERR_OK;
	*alert = SSL_AD_INTERNAL_ERROR;
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static bool
alpn_has(const unsigned char *in, unsigned in_len, const char *name,
    const unsigned char **out)
{
	unsigned n = (unsigned)strlen(name);

	for (unsigned i = 0; i < in_len; i += 1u + in[i]) {
		if (in[i] == n && in_len - i > n &&
		    memcmp(in + i + 1, name, n) == 0) {
			*out = in + i + 1;
			return true;
		}
	}
	return false;
}

/* Called for who offers any: ours, or none (ALPACA). */
int
conn_on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
    const unsigned char *in, unsigned in_len, void *arg)
{
	const struct tls_conn *c = SSL_get_app_data(ssl);

	(void)arg;
	if ((c->role == TLS_DATA && alpn_has(in, in_len, "ftp-data", out)) ||
	    alpn_has(in, in_len, "ftp", out)) {
		*out_len = (*out)[-1];
		return SSL_TLSEXT_ERR_OK;
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* A hello of TLS 1.3 has a session id that means nothing (RFC 8446 D.4). */
int
conn_on_hello(SSL *ssl, int *alert, void *arg)
{
	struct tls_conn *c = SSL_get_app_data(ssl);
	const unsigned char *bytes;
	size_t n;

	(void)alert;
	(void)arg;
	c->offered =
	    SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_psk, &bytes, &n) == 1 ||
	    (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_session_ticket,
	    &bytes, &n) == 1 && n > 0) ||
	    (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_supported_versions,
	    &bytes, &n) != 1 &&
	    SSL_client_hello_get0_session_id(ssl, &bytes) > 0);
	return SSL_CLIENT_HELLO_SUCCESS;
}

/*
 * What begins with the control connection's session is marked, and nothing
 * else is resumed: a data connection's own handshake in full proves nothing of
 * its client, and who happens to resume that one now and then would be taken
 * for one who always can.
 */
int
conn_on_new_ticket(SSL *ssl, void *arg)
{
	const struct tls_conn *c = SSL_get_app_data(ssl);
	bool is_marked = c->role == TLS_CONTROL ||
	    SSL_session_reused(ssl) == 1;

	(void)arg;
	return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl),
	    TICKET_MARK, is_marked ? sizeof(TICKET_MARK) : 0);
}

static bool
is_marked(SSL_SESSION *session)
{
	void *mark;
	size_t n;

	return SSL_SESSION_get0_ticket_appdata(session, &mark, &n) == 1 &&
	    n == sizeof(TICKET_MARK);
}

/*
 * No other ticket for who resumes in TLS 1.2: clients with a cache (PHP's) take
 * it for the end of the old one, which is the control connection's.  In TLS 1.3
 * see queue_ticket.
 */
SSL_TICKET_RETURN
conn_on_ticket(SSL *ssl, SSL_SESSION *session, const unsigned char *name,
    size_t name_len, SSL_TICKET_STATUS status, void *arg)
{
	(void)ssl;
	(void)name;
	(void)name_len;
	(void)arg;
	switch (status) {
	case SSL_TICKET_EMPTY:
	case SSL_TICKET_NO_DECRYPT:
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	case SSL_TICKET_SUCCESS:
	case SSL_TICKET_SUCCESS_RENEW:
		return is_marked(session) ? SSL_TICKET_RETURN_USE :
		    SSL_TICKET_RETURN_IGNORE_RENEW;
	default:	/* memory, or the library itself */
		return SSL_TICKET_RETURN_ABORT;
	}
}

/* The library frees what it is given by a function of its own. */
static int
staple(SSL *ssl, const struct server_cert *cert)
{
	unsigned char *copy = OPENSSL_malloc(cert->ocsp_len);

	if (copy == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	memcpy(copy, cert->ocsp, cert->ocsp_len);
	SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)cert->ocsp_len);
	return SSL_TLSEXT_ERR_OK;
}

/* None is better than one that is no longer valid. */
int
conn_on_status(SSL *ssl, void *server)
{
	const struct tls_server *s = server;
	const X509 *leaf = SSL_get_certificate(ssl);

	for (size_t i = 0; i < s->certs_count; i++)
		if (s->certs[i].leaf == leaf && s->certs[i].ocsp_len > 0 &&
		    time(NULL) < s->certs[i].ocsp_until)
			return staple(ssl, &s->certs[i]);
	return SSL_TLSEXT_ERR_NOACK;
}

void
conn_on_info(const SSL *ssl, int where, int value)
{
	struct tls_conn *c = SSL_get_app_data(ssl);

	if ((where & SSL_CB_ALERT) == 0 || value >> 8 != SSL3_AL_FATAL)
		return;
	if ((where & SSL_CB_READ) != 0)
		c->alert_in = value & 0xff;
	else
		c->alert_out = value & 0xff;
}

void
conn_on_message(int written, int version, int type, const void *bytes,
    size_t n, SSL *ssl, void *arg)
{
	struct tls_conn *c = SSL_get_app_data(ssl);
	const unsigned char *first = bytes;

	(void)version;
	(void)arg;
	if (written || type != SSL3_RT_HANDSHAKE || n == 0 ||
	    first[0] != SSL3_MT_KEY_UPDATE)
		return;
	if (++c->key_updates > KEY_UPDATES + c->bytes_in / KEY_UPDATE_BYTES)
		c->abused = true;
}

/*
 * Around the library's own socket, which we leave to it for the kernel's
 * encryption.  Who abuses it is not read any more, even in the middle of a
 * call.
 */
static long
on_wire(BIO *bio, int what, const char *bytes, size_t n, int i, long l,
    int result, size_t *done)
{
	struct tls_conn *c = (void *)BIO_get_callback_arg(bio);

	(void)bytes;
	(void)n;
	(void)i;
	(void)l;
	if (what == BIO_CB_READ && c->abused)
		return 0;
	if (what == (BIO_CB_READ | BIO_CB_RETURN)) {
		if (result > 0)
			c->bytes_in += *done;
		else if (!BIO_should_retry(bio))
			c->wire_end = result == 0;
	}
	if ((what & BIO_CB_RETURN) != 0 && result < 0 &&
	    !BIO_should_retry(bio) &&
	    (what == (BIO_CB_READ | BIO_CB_RETURN) ||
	    what == (BIO_CB_WRITE | BIO_CB_RETURN)))
		c->wire_errno = errno;
	return result;
}

/* ---- making one */

static bool
conn_open(struct tls_conn *c, int fd)
{
	BIO *bio;

	if ((c->ssl = SSL_new(c->server->places[0].ctx)) == NULL ||
	    SSL_set_app_data(c->ssl, c) != 1 ||
	    (bio = BIO_new_socket(fd, BIO_NOCLOSE)) == NULL)
		return false;
	/* SSL_set_fd would besides prepare each socket for the kernel's TLS. */
	SSL_set_bio(c->ssl, bio, bio);
	if (SSL_set_session_id_context(c->ssl, c->id, sizeof(c->id)) != 1)
		return false;
	if (c->role == TLS_DATA && SSL_set_num_tickets(c->ssl, 0) != 1)
		return false;
	if (c->role == TLS_DATA) {	/* who it is was asked before */
		SSL_set_verify(c->ssl, SSL_VERIFY_NONE, NULL);
		/* Else two calls for each record. */
		SSL_set_read_ahead(c->ssl, 1);
		SSL_set_default_read_buffer_len(c->ssl, READ_AHEAD);
	} else {
		/* Idle for most of its life; and a password was in them. */
		SSL_set_mode(c->ssl, SSL_MODE_RELEASE_BUFFERS);
		SSL_set_options(c->ssl, SSL_OP_CLEANSE_PLAINTEXT);
	}
	BIO_set_callback_ex(bio, on_wire);
	BIO_set_callback_arg(bio, (char *)c);
	SSL_set_accept_state(c->ssl);
	return true;
}

struct tls_conn *
tls_conn_new(struct tls_server *server, int fd, const struct tls_conn *control)
{
	struct tls_conn *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->role = control == NULL ? TLS_CONTROL : TLS_DATA;
	c->server = control == NULL ? server : control->server;
	c->alert_in = c->alert_out = -1;
	c->fault.alert = -1;
	server_ref(c->server);
	if (control != NULL)
		memcpy(c->id, control->id, sizeof(c->id));
	if ((control == NULL && RAND_bytes(c->id, sizeof(c->id)) != 1) ||
	    !conn_open(c, fd)) {
		tls_conn_free(c);
		return NULL;
	}
	return c;
}

void
tls_conn_free(struct tls_conn *c)
{
	if (c == NULL)
		return;
	SSL_free(c->ssl);
	tls_server_free(c->server);
	free(c);
	ERR_clear_error();
}

/* ---- what went wrong */

static enum tls_result
fail(struct tls_conn *c, enum tls_result result, enum tls_side side, int alert,
    const char *what, const char *why)
{
	c->failed = true;
	c->fault.side = side;
	c->fault.alert = alert;
	snprintf(c->fault.text, sizeof(c->fault.text), "%s%s%s", what,
	    why == NULL ? "" : ": ", why == NULL ? "" : why);
	c->fault.text[sizeof(c->fault.text) - 1] = '\0';
	ERR_clear_error();
	return result;
}

static enum tls_result
cut(struct tls_conn *c)
{
	const char *what = c->shaken ?
	    "the connection ended without TLS's own end (close_notify)" :
	    "the connection ended in the handshake";

	return fail(c, TLS_TRUNCATED, TLS_SIDE_WIRE, -1, what,
	    c->wire_errno != 0 ? strerror(c->wire_errno) : NULL);
}

static bool
is_cut(const struct tls_conn *c, int error, unsigned long reason)
{
	if (error == SSL_ERROR_SYSCALL)
		return true;
	return c->alert_in < 0 && ERR_GET_LIB(reason) == ERR_LIB_SSL &&
	    ERR_GET_REASON(reason) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
}

static enum tls_result
refused(struct tls_conn *c, unsigned long reason)
{
	long verify = SSL_get_verify_result(c->ssl);
	const char *why = ERR_reason_error_string(reason);

	if (c->alert_in >= 0)
		return fail(c, TLS_FAILED, TLS_SIDE_PEER, c->alert_in,
		    "the client refused",
		    SSL_alert_desc_string_long(c->alert_in));
	if (c->alert_out == SSL_AD_INTERNAL_ERROR ||
	    (ERR_GET_LIB(reason) != ERR_LIB_SSL && c->alert_out < 0))
		return fail(c, TLS_FAILED, TLS_SIDE_LOCAL, c->alert_out,
		    "we could not go on", why);
	/* The first error may be of the cipher's: the alert knows better. */
	if (ERR_GET_LIB(reason) != ERR_LIB_SSL)
		why = SSL_alert_desc_string_long(c->alert_out);
	if (ERR_GET_REASON(reason) == SSL_R_CERTIFICATE_VERIFY_FAILED)
		return fail(c, TLS_FAILED, TLS_SIDE_OURS, c->alert_out,
		    "the client's certificate was refused",
		    X509_verify_cert_error_string(verify));
	return fail(c, TLS_FAILED, TLS_SIDE_OURS, c->alert_out,
	    "we refused what the client sent", why);
}

/* What a call of the library's that returned ret, not 1, came to. */
static enum tls_result
after(struct tls_conn *c, int ret)
{
	int error = SSL_get_error(c->ssl, ret);
	unsigned long reason = ERR_peek_error();

	if (c->abused)
		return fail(c, TLS_FAILED, TLS_SIDE_OURS, -1,
		    "the client asked for new keys too often", NULL);
	switch (error) {
	case SSL_ERROR_WANT_READ:
		return TLS_WANT_READ;
	case SSL_ERROR_WANT_WRITE:
		return TLS_WANT_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return TLS_CLOSED;
	default:
		return is_cut(c, error, reason) ? cut(c) : refused(c, reason);
	}
}

/* The library looks at what is left from before. */
static bool
begin(struct tls_conn *c)
{
	ERR_clear_error();
	errno = 0;
	return !c->failed;
}

static enum tls_result
again(const struct tls_conn *c)
{
	return c->fault.side == TLS_SIDE_WIRE ? TLS_TRUNCATED : TLS_FAILED;
}

/* ---- steps */

/*
 * For who knows no tickets.  Of control connections alone: data connections
 * that do not resume would push theirs out.
 */
static void
keep_session(struct tls_conn *c)
{
	if (c->role == TLS_CONTROL && SSL_version(c->ssl) < TLS1_3_VERSION)
		(void)SSL_CTX_add_session(c->server->places[0].ctx,
		    SSL_get0_session(c->ssl));
}

enum tls_result
tls_conn_handshake(struct tls_conn *c)
{
	int ret;

	if (!begin(c))
		return again(c);
	ret = SSL_do_handshake(c->ssl);
	if (ret != 1) {
		enum tls_result result = after(c, ret);

		/* A close_notify is no way to end a handshake. */
		return result == TLS_CLOSED ? cut(c) : result;
	}
	if (!c->shaken)
		keep_session(c);
	c->shaken = true;
	return TLS_DONE;
}

enum tls_result
tls_conn_read(struct tls_conn *c, void *bytes, size_t n, size_t *got)
{
	int ret;

	assert(n > 0);
	if (!begin(c))
		return again(c);
	ret = SSL_read_ex(c->ssl, bytes, n, got);
	return ret == 1 ? TLS_DONE : after(c, ret);
}

static void
queue_ticket(struct tls_conn *c)
{
	if (c->told_ticket || c->role != TLS_DATA || !tls_conn_resumed(c))
		return;
	c->told_ticket = true;
	if (SSL_version(c->ssl) == TLS1_3_VERSION)
		(void)SSL_new_session_ticket(c->ssl);
}

void
tls_conn_renew(struct tls_conn *control)
{
	/* Refused while one is on its way: then that is the one. */
	if (SSL_version(control->ssl) == TLS1_3_VERSION)
		(void)SSL_new_session_ticket(control->ssl);
}

enum tls_result
tls_conn_write(struct tls_conn *c, const void *bytes, size_t n, size_t *put)
{
	int ret;

	assert(n > 0);
	if (!begin(c))
		return again(c);
	queue_ticket(c);
	ret = SSL_write_ex(c->ssl, bytes, n, put);
	return ret == 1 ? TLS_DONE : after(c, ret);
}

enum tls_result
tls_conn_shutdown(struct tls_conn *c)
{
	int ret;

	if (!begin(c))
		return again(c);
	if (!c->shaken)
		return fail(c, TLS_FAILED, TLS_SIDE_LOCAL, -1,
		    "there was no handshake to be ended", NULL);
	if ((SSL_get_shutdown(c->ssl) & SSL_RECEIVED_SHUTDOWN) != 0)
		queue_ticket(c);
	if (SSL_in_init(c->ssl) && (ret = SSL_do_handshake(c->ssl)) != 1)
		return after(c, ret);
	ret = SSL_shutdown(c->ssl);
	return ret >= 0 ? TLS_DONE : after(c, ret);
}

const struct tls_conn_fault *
tls_conn_fault(const struct tls_conn *c)
{
	return &c->fault;
}

/* ---- what it came to */

bool
tls_conn_resumed(const struct tls_conn *c)
{
	return SSL_session_reused(c->ssl) == 1;
}

bool
tls_conn_offered(const struct tls_conn *c)
{
	return c->offered;
}

bool
tls_conn_resumed_from(const struct tls_conn *data,
    const struct tls_conn *control)
{
	return data->role == TLS_DATA && tls_conn_resumed(data) &&
	    memcmp(data->id, control->id, sizeof(data->id)) == 0;
}

const char *
tls_conn_version(const struct tls_conn *c)
{
	return SSL_get_version(c->ssl);
}

const char *
tls_conn_cipher(const struct tls_conn *c)
{
	return SSL_get_cipher_name(c->ssl);
}

const char *
tls_conn_sni(const struct tls_conn *c)
{
	return SSL_get_servername(c->ssl, TLSEXT_NAMETYPE_host_name);
}

uint32_t
tls_conn_site(const struct tls_conn *c)
{
	return c->server->places[c->place].site;
}

bool
tls_conn_has_alpn(const struct tls_conn *c)
{
	const unsigned char *name;
	unsigned n;

	SSL_get0_alpn_selected(c->ssl, &name, &n);
	return n > 0;
}

static void
write_subject(const X509_NAME *name, char *out, size_t size)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long n;

	out[0] = '\0';
	if (bio != NULL &&
	    X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0 &&
	    (n = BIO_get_mem_data(bio, &text)) > 0)
		snprintf(out, size, "%.*s", (int)n, text);
	BIO_free(bio);
}

/*
 * A name with a NUL in it has been taken for what stands before that; of two,
 * one program takes the first and another the last.
 */
static void
write_common_name(const X509_NAME *name, char *out, size_t size)
{
	int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
	unsigned char *text = NULL;
	bool one = at >= 0 &&
	    X509_NAME_get_index_by_NID(name, NID_commonName, at) < 0;
	int n = !one ? -1 : ASN1_STRING_to_UTF8(&text,
	    X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));

	out[0] = '\0';
	if (n > 0 && (size_t)n < size) {
		memcpy(out, text, (size_t)n);
		out[n] = '\0';
	}
	for (int i = 0; i < n && out[0] != '\0'; i++)
		if (text[i] < 0x20 || text[i] > 0x7e)
			out[0] = '\0';
	OPENSSL_free(text);
}

bool
tls_conn_client(const struct tls_conn *c, struct tls_client_id *out)
{
	X509 *certificate = SSL_get1_peer_certificate(c->ssl);
	unsigned n = sizeof(out->sha256);
	bool ok;

	if (certificate == NULL)
		return false;
	ok = SSL_get_verify_result(c->ssl) == X509_V_OK &&
	    X509_digest(certificate, EVP_sha256(), out->sha256, &n) == 1;
	write_subject(X509_get_subject_name(certificate), out->subject,
	    sizeof(out->subject));
	write_common_name(X509_get_subject_name(certificate),
	    out->common_name, sizeof(out->common_name));
	X509_free(certificate);
	ERR_clear_error();
	return ok;
}

/* ---- the kernel's encryption */

void
tls_conn_want_ktls(struct tls_conn *c)
{
	assert(!c->shaken);
	if (setsockopt(SSL_get_fd(c->ssl), IPPROTO_TCP, TCP_ULP, "tls",
	    sizeof("tls")) == 0)
		SSL_set_options(c->ssl, SSL_OP_ENABLE_KTLS);
}

bool
tls_conn_has_ktls(const struct tls_conn *c)
{
	return BIO_get_ktls_send(SSL_get_wbio(c->ssl)) == 1;
}

enum tls_result
tls_conn_enter_ktls(struct tls_conn *c)
{
	int ret;

	assert(c->shaken && tls_conn_has_ktls(c));
	if (!begin(c))
		return again(c);
	queue_ticket(c);
	if (SSL_in_init(c->ssl) && (ret = SSL_do_handshake(c->ssl)) != 1)
		return after(c, ret);
	return TLS_DONE;
}
