/*
 * tls/server_text.c: certificates, staples, authorities and lists of revoked
 * ones, as bytes that an operator gave.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "tls/server_in.h"

#define CERTIFICATE "-----BEGIN CERTIFICATE-----"
#define CRL "-----BEGIN X509 CRL-----"

void
fault_set(struct tls_server_fault *f, enum tls_text in, unsigned line,
    const char *format, ...)
{
	va_list args;

	f->in = in;
	f->line = line;
	va_start(args, format);
	vsnprintf(f->text, sizeof(f->text), format, args);
	va_end(args);
}

const char *
library_reason(void)
{
	const char *reason = ERR_reason_error_string(ERR_peek_error());

	ERR_clear_error();
	return reason == NULL ? "for a reason it does not tell" : reason;
}

unsigned
text_line(struct sv pem, const char *kind, size_t n)
{
	size_t kind_len = strlen(kind);
	unsigned line = 1;

	while (pem.len >= kind_len) {
		const char *end = memchr(pem.ptr, '\n', pem.len);

		if (memcmp(pem.ptr, kind, kind_len) == 0 && n-- == 0)
			return line;
		if (end == NULL)
			break;
		pem = sv_drop(pem, (size_t)(end - pem.ptr) + 1);
		line++;
	}
	return 0;
}

static BIO *
open_text(struct sv text)
{
	return text.len == 0 || text.len > INT32_MAX ? NULL :
	    BIO_new_mem_buf(text.ptr, (int)text.len);
}

/* The library's errors tell a text that ends from one that is damaged. */
static bool
is_end_of_text(void)
{
	unsigned long e = ERR_peek_last_error();

	return ERR_GET_LIB(e) == ERR_LIB_PEM &&
	    ERR_GET_REASON(e) == PEM_R_NO_START_LINE;
}

static int64_t
time_of(const ASN1_TIME *t)
{
	struct tm tm;

	return t != NULL && ASN1_TIME_to_tm(t, &tm) == 1 ? timegm(&tm) : 0;
}

/* RFC 3339's, in UTC. */
static const char *
show_time(int64_t t, char out[32])
{
	time_t when = t;
	struct tm tm;

	if (gmtime_r(&when, &tm) == NULL ||
	    strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		return "?";
	return out;
}

static void
ends_by(int64_t *until, int64_t end)
{
	if (end < *until)
		*until = end;
}

static bool
check_times(struct server_cert *cert, X509 *c, int64_t now, unsigned line,
    struct tls_server_fault *f)
{
	int64_t from = time_of(X509_get0_notBefore(c));
	int64_t to = time_of(X509_get0_notAfter(c));
	char shown[32];

	if (now < from) {
		fault_set(f, TLS_TEXT_CHAIN, line, "this certificate is valid "
		    "from %s on, and not yet", show_time(from, shown));
		return false;
	}
	if (now > to) {
		fault_set(f, TLS_TEXT_CHAIN, line, "this certificate expired "
		    "at %s", show_time(to, shown));
		return false;
	}
	ends_by(&cert->chain_until, to + 1);
	return true;
}

static X509 *
read_certificate(struct tls_server *s, BIO *bio)
{
	X509 *c = X509_new_ex(s->library.ctx, REMOTE_QUERY);

	if (c == NULL || PEM_read_bio_X509(bio, &c, NULL, NULL) != NULL)
		return c;
	X509_free(c);
	return NULL;
}

/* The n-th certificate (from 0); *end when there is no more. */
static bool
chain_take(struct tls_server *s, SSL_CTX *ctx, BIO *bio, size_t n,
    struct server_cert *cert, struct sv pem, int64_t now,
    struct tls_server_fault *f, bool *end)
{
	unsigned line = text_line(pem, CERTIFICATE, n);
	X509 *c = read_certificate(s, bio);
	bool ok;

	*end = c == NULL && is_end_of_text();
	if (*end || c == NULL) {
		const char *reason = library_reason();

		if (!*end)
			fault_set(f, TLS_TEXT_CHAIN, line,
			    "this certificate cannot be read: %s", reason);
		return *end;
	}
	ok = n < TLS_CHAIN_MAX && check_times(cert, c, now, line, f);
	if (n >= TLS_CHAIN_MAX)
		fault_set(f, TLS_TEXT_CHAIN, line, "more than %d certificates "
		    "in a chain", TLS_CHAIN_MAX);
	if (ok && (n == 0 ? SSL_CTX_use_certificate(ctx, c) :
	    SSL_CTX_add1_chain_cert(ctx, c)) != 1) {
		fault_set(f, TLS_TEXT_CHAIN, line,
		    "this certificate cannot be used: %s", library_reason());
		ok = false;
	}
	if (ok && n == 0) {
		cert->leaf = c;
		return true;
	}
	X509_free(c);
	return ok;
}

/*
 * Of a key that is elsewhere the library can tell that it has the
 * certificate's public half, which is where we took it from.
 */
static bool
use_key(struct tls_server *s, SSL_CTX *ctx, struct server_cert *cert,
    struct tls_server_fault *f)
{
	EVP_PKEY *public = X509_get0_pubkey(cert->leaf);
	EVP_PKEY *key = public == NULL ? NULL :
	    remote_key_new(s->library.ctx, public, cert->key, s->signer);
	bool ok = key != NULL && SSL_CTX_use_PrivateKey(ctx, key) == 1;

	if (key == NULL)
		fault_set(f, TLS_TEXT_CHAIN, 0, "its key is not RSA, EC or "
		    "Ed25519");
	else if (!ok)
		fault_set(f, TLS_TEXT_CHAIN, 0, "its key cannot be used: %s",
		    library_reason());
	EVP_PKEY_free(key);
	ERR_clear_error();
	return ok;
}

bool
chain_load(struct tls_server *s, SSL_CTX *ctx,
    const struct tls_server_cert *want, struct server_cert *cert, int64_t now,
    struct tls_server_fault *f)
{
	BIO *bio = open_text(want->chain);
	bool end = false, ok = bio != NULL;

	ERR_clear_error();
	cert->key = want->key;
	for (size_t n = 0; ok && !end; n++)
		ok = chain_take(s, ctx, bio, n, cert, want->chain, now, f,
		    &end);
	BIO_free(bio);
	if (bio == NULL || (ok && cert->leaf == NULL)) {
		fault_set(f, TLS_TEXT_CHAIN, 0, "no certificate in PEM form");
		return false;
	}
	return ok && use_key(s, ctx, cert, f);
}

/* ---- OCSP */

/* Of the issuer we know the name and the chain's certificate. */
static bool
is_about(OCSP_BASICRESP *basic, SSL_CTX *ctx, X509 *leaf, int64_t *until)
{
	STACK_OF(X509) *chain = NULL;
	ASN1_GENERALIZEDTIME *next = NULL;
	OCSP_CERTID *id;
	int status = -1;

	SSL_CTX_select_current_cert(ctx, leaf);
	SSL_CTX_get0_chain_certs(ctx, &chain);
	id = OCSP_cert_to_id(NULL, leaf,
	    sk_X509_num(chain) > 0 ? sk_X509_value(chain, 0) : leaf);
	if (id != NULL && OCSP_resp_find_status(basic, id, &status, NULL, NULL,
	    NULL, &next) != 1)
		status = -1;
	*until = next == NULL ? INT64_MAX : time_of(next);
	OCSP_CERTID_free(id);
	return status == V_OCSP_CERTSTATUS_GOOD;
}

bool
ocsp_load(SSL_CTX *ctx, struct sv der,
    struct server_cert *cert, int64_t now, struct tls_server_fault *f)
{
	const unsigned char *at = (const void *)der.ptr;
	OCSP_RESPONSE *response = der.len > UINT16_MAX ? NULL :
	    d2i_OCSP_RESPONSE(NULL, &at, (long)der.len);
	OCSP_BASICRESP *basic = response == NULL ||
	    OCSP_response_status(response) != OCSP_RESPONSE_STATUS_SUCCESSFUL ?
	    NULL : OCSP_response_get1_basic(response);
	char shown[32];
	bool ok = false;

	if (basic == NULL)
		fault_set(f, TLS_TEXT_OCSP, 0, "no answer of OCSP in DER "
		    "form, or one that tells nothing");
	else if (!is_about(basic, ctx, cert->leaf, &cert->ocsp_until))
		fault_set(f, TLS_TEXT_OCSP, 0, "does not say that this "
		    "certificate is good");
	else if (now >= cert->ocsp_until)
		fault_set(f, TLS_TEXT_OCSP, 0, "was valid until %s",
		    show_time(cert->ocsp_until, shown));
	else if ((cert->ocsp = malloc(der.len)) == NULL)
		fault_set(f, TLS_TEXT_OCSP, 0, "did not fit into memory");
	else
		ok = true;
	if (ok) {
		memcpy(cert->ocsp, der.ptr, der.len);
		cert->ocsp_len = der.len;
	}
	OCSP_BASICRESP_free(basic);
	OCSP_RESPONSE_free(response);
	ERR_clear_error();
	return ok;
}

/* ---- clients */

static bool
authorities_load(struct tls_server *s, SSL_CTX *ctx, X509_STORE *store,
    struct sv pem, struct tls_server_fault *f)
{
	BIO *bio = open_text(pem);
	size_t n = 0;
	X509 *c;

	ERR_clear_error();
	while (bio != NULL && (c = read_certificate(s, bio)) != NULL) {
		bool ok = X509_STORE_add_cert(store, c) == 1 &&
		    SSL_CTX_add_client_CA(ctx, c) == 1;

		ends_by(&s->ca_until, time_of(X509_get0_notAfter(c)) + 1);
		X509_free(c);
		if (!ok)
			break;
		n++;
	}
	if (bio != NULL && n > 0 && is_end_of_text()) {
		ERR_clear_error();
		BIO_free(bio);
		return true;
	}
	fault_set(f, TLS_TEXT_CA, text_line(pem, CERTIFICATE, n),
	    "no certificate that can be read: %s", library_reason());
	BIO_free(bio);
	return false;
}

static bool
crls_load(struct tls_server *s, X509_STORE *store, struct sv pem,
    struct tls_server_fault *f)
{
	BIO *bio = open_text(pem);
	size_t n = 0;
	X509_CRL *list;

	ERR_clear_error();
	while (bio != NULL &&
	    (list = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL)) != NULL) {
		bool ok = X509_STORE_add_crl(store, list) == 1;

		if (X509_CRL_get0_nextUpdate(list) != NULL)
			ends_by(&s->crl_until,
			    time_of(X509_CRL_get0_nextUpdate(list)) + 1);
		X509_CRL_free(list);
		if (!ok)
			break;
		n++;
	}
	if (bio != NULL && n > 0 && is_end_of_text()) {
		ERR_clear_error();
		BIO_free(bio);
		return true;
	}
	fault_set(f, TLS_TEXT_CRL, text_line(pem, CRL, n),
	    "no list of revoked certificates that can be read: %s",
	    library_reason());
	BIO_free(bio);
	return false;
}

/* A list may be long, and sites many. */
static bool
clients_share(SSL_CTX *first, SSL_CTX *ctx, struct tls_server_fault *f)
{
	STACK_OF(X509_NAME) *names =
	    SSL_dup_CA_list(SSL_CTX_get_client_CA_list(first));

	if (names == NULL) {
		fault_set(f, TLS_TEXT_CA, 0, "did not fit into memory");
		return false;
	}
	SSL_CTX_set_client_CA_list(ctx, names);
	SSL_CTX_set1_cert_store(ctx, SSL_CTX_get_cert_store(first));
	return true;
}

bool
clients_load(struct tls_server *s, SSL_CTX *ctx,
    const struct tls_server_want *want, struct tls_server_fault *f)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);
	bool required = want->client_cert == TLS_CLIENT_CERT_REQUIRED;

	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER |
	    (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
	SSL_CTX_set_max_cert_list(ctx, TLS_CLIENT_CHAIN_MAX);
	if (s->places_count > 0)
		return clients_share(s->places[0].ctx, ctx, f);
	if (!authorities_load(s, ctx, store, want->client_ca, f))
		return false;
	if (want->client_crl.ptr == NULL)
		return true;
	X509_STORE_set_flags(store,
	    X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
	return crls_load(s, store, want->client_crl, f);
}
