/*
 * tls/server.c: what a site offers; see the header.
 *
 * A site is a context of the library's.  Connections begin in the first one,
 * whose ticket keys and session cache they keep; the client's name moves
 * them to the site that has it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tls/server.h"

#include <assert.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "tls/server_in.h"

/*
 * AES with 128 bits first: it is the fastest, and no weaker in practice.  A
 * client that puts ChaCha20 first has no AES in hardware, and gets that.
 */
#define CIPHERS_1_3 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:" \
	"TLS_CHACHA20_POLY1305_SHA256"
#define CIPHERS_1_2 "ECDHE-ECDSA-AES128-GCM-SHA256:" \
	"ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:" \
	"ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:" \
	"ECDHE-RSA-CHACHA20-POLY1305"
#define TICKET_KEYS_BYTES 80	/* a name, and two keys of 32 */
#define GROUPS "X25519:P-256:P-384"
#define SCHEMES "ecdsa_secp256r1_sha256:ed25519:ecdsa_secp384r1_sha384:" \
	"rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:" \
	"rsa_pkcs1_sha256:rsa_pkcs1_sha384:rsa_pkcs1_sha512"

static bool
offer(SSL_CTX *ctx)
{
	/* The library's macros want to be able to write there. */
	char groups[] = GROUPS, schemes[] = SCHEMES;

	SSL_CTX_set_security_level(ctx, 2);
	return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
	    SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) == 1 &&
	    SSL_CTX_set_ciphersuites(ctx, CIPHERS_1_3) == 1 &&
	    SSL_CTX_set_cipher_list(ctx, CIPHERS_1_2) == 1 &&
	    SSL_CTX_set1_groups_list(ctx, groups) == 1 &&
	    SSL_CTX_set1_sigalgs_list(ctx, schemes) == 1;
}

static void
behave(SSL_CTX *ctx, struct tls_server *s)
{
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION |
	    SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
	    SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_clear_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF |
	    SSL_OP_NO_TICKET);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_AUTO_RETRY);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_SERVER |
	    SSL_SESS_CACHE_NO_INTERNAL_STORE);	/* see keep_session */
	SSL_CTX_sess_set_cache_size(ctx, TLS_SESSIONS_MAX);
	SSL_CTX_set_timeout(ctx, TLS_RESUME_S);
	SSL_CTX_set_max_early_data(ctx, 0);

	SSL_CTX_set_tlsext_servername_callback(ctx, conn_on_sni);
	SSL_CTX_set_tlsext_servername_arg(ctx, s);
	SSL_CTX_set_tlsext_status_cb(ctx, conn_on_status);
	SSL_CTX_set_tlsext_status_arg(ctx, s);
	SSL_CTX_set_alpn_select_cb(ctx, conn_on_alpn, NULL);
	SSL_CTX_set_client_hello_cb(ctx, conn_on_hello, NULL);
	SSL_CTX_set_session_ticket_cb(ctx, conn_on_new_ticket, conn_on_ticket,
	    NULL);
	SSL_CTX_set_info_callback(ctx, conn_on_info);
	SSL_CTX_set_msg_callback(ctx, conn_on_message);
}

static SSL_CTX *
context_new(struct tls_server *s, const struct tls_server_want *want,
    struct tls_server_fault *f)
{
	SSL_CTX *ctx = SSL_CTX_new_ex(s->library.ctx, REMOTE_QUERY,
	    TLS_server_method());

	if (ctx == NULL || !offer(ctx)) {
		fault_set(f, TLS_TEXT_NONE, 0, "the TLS library will not do: "
		    "%s", library_reason());
		SSL_CTX_free(ctx);
		return NULL;
	}
	behave(ctx, s);
	if (want->client_cert != TLS_CLIENT_CERT_OFF &&
	    !clients_load(s, ctx, want, f)) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

static struct server_place *
place_of(struct tls_server *s, const struct tls_server_want *want,
    uint32_t site, struct tls_server_fault *f)
{
	struct server_place *place;

	for (size_t i = 0; i < s->places_count; i++)
		if (s->places[i].site == site)
			return &s->places[i];
	place = &s->places[s->places_count];
	if ((place->ctx = context_new(s, want, f)) == NULL)
		return NULL;
	place->site = site;
	s->places_count++;
	return place;
}

static bool
add_cert(struct tls_server *s, const struct tls_server_want *want, size_t i,
    int64_t now, struct tls_server_fault *f)
{
	const struct tls_server_cert *w = &want->certs[i];
	struct server_cert *cert = &s->certs[i];
	struct server_place *place = place_of(s, want, w->site, f);

	f->cert = i;
	if (place == NULL)
		return false;
	s->certs_count = i + 1;
	cert->place = (size_t)(place - s->places);
	cert->chain_until = INT64_MAX;
	return chain_load(s, place->ctx, w, cert, now, f) &&
	    (w->ocsp.len == 0 ||
	    ocsp_load(place->ctx, w->ocsp, cert, now, f));
}

/*
 * The process may have started with the system's configuration of the
 * library; ours asks for none.
 */
static struct tls_server *
server_alloc(const struct tls_server_want *want)
{
	struct tls_server *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->references = 1;
	s->signer = want->signer;
	s->strict_sni = want->strict_sni;
	s->ca_until = s->crl_until = INT64_MAX;
	OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	if (!remote_open(&s->library)) {
		free(s);
		return NULL;
	}
	return s;
}

struct tls_server *
tls_server_new(const struct tls_server_want *want, int64_t now,
    struct tls_server_fault *fault)
{
	struct tls_server *s;

	*fault = (struct tls_server_fault) { .text = "no memory" };
	if (want->certs_count == 0 ||
	    want->certs_count > TLS_SERVER_CERTS_MAX) {
		fault_set(fault, TLS_TEXT_NONE, 0, "1 to %d certificates, not "
		    "%zu", TLS_SERVER_CERTS_MAX, want->certs_count);
		return NULL;
	}
	if ((s = server_alloc(want)) == NULL)
		return NULL;
	for (size_t i = 0; i < want->certs_count; i++) {
		if (!add_cert(s, want, i, now, fault)) {
			tls_server_free(s);
			return NULL;
		}
	}
	*fault = (struct tls_server_fault) { .in = TLS_TEXT_NONE };
	return s;
}

void
server_ref(struct tls_server *s)
{
	atomic_fetch_add(&s->references, 1);
}

bool
tls_server_renew(struct tls_server *s)
{
	uint8_t keys[TICKET_KEYS_BYTES];
	bool good = true;

	for (size_t i = 0; i < s->places_count && good; i++)
		good = RAND_bytes(keys, sizeof(keys)) == 1 &&
		    SSL_CTX_set_tlsext_ticket_keys(s->places[i].ctx, keys,
		    sizeof(keys)) == 1;
	OPENSSL_cleanse(keys, sizeof(keys));
	return good;
}

void
tls_server_free(struct tls_server *s)
{
	if (s == NULL || atomic_fetch_sub(&s->references, 1) > 1)
		return;
	for (size_t i = 0; i < s->certs_count; i++) {
		X509_free(s->certs[i].leaf);
		free(s->certs[i].ocsp);
	}
	for (size_t i = 0; i < s->places_count; i++)
		SSL_CTX_free(s->places[i].ctx);
	remote_close(&s->library);
	free(s);
}

ssize_t
server_find(const struct tls_server *s, const char *name)
{
	for (size_t i = 0; i < s->certs_count; i++)
		if (X509_check_host(s->certs[i].leaf, name, strlen(name),
		    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1)
			return (ssize_t)s->certs[i].place;
	return -1;
}

int64_t
tls_server_until(const struct tls_server *s, enum tls_text in, size_t cert)
{
	switch (in) {
	case TLS_TEXT_CHAIN:
		return s->certs[cert].chain_until;
	case TLS_TEXT_OCSP:
		if (s->certs[cert].ocsp_len > 0)
			return s->certs[cert].ocsp_until;
		break;
	case TLS_TEXT_CA:
		return s->ca_until;
	case TLS_TEXT_CRL:
		return s->crl_until;
	case TLS_TEXT_NONE:
	case TLS_TEXT_KEY:
		break;
	}
	return INT64_MAX;
}

/* ---- is it the right key? */

static bool
is_signed(const struct tls_server *s, EVP_PKEY *public, uint32_t scheme,
    const uint8_t *bytes, size_t n, const uint8_t *signature, size_t len)
{
	struct sign_how how;
	EVP_PKEY_CTX *padding;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok;

	ok = ctx != NULL && sign_scheme_how(scheme, &how) &&
	    EVP_DigestVerifyInit_ex(ctx, &padding, how.digest, s->library.ctx,
	    REMOTE_QUERY, public, NULL) == 1 &&
	    (!how.pss ||
	    (EVP_PKEY_CTX_set_rsa_padding(padding,
	    RSA_PKCS1_PSS_PADDING) == 1 &&
	    EVP_PKEY_CTX_set_rsa_pss_saltlen(padding,
	    RSA_PSS_SALTLEN_DIGEST) == 1)) &&
	    EVP_DigestVerify(ctx, signature, len, bytes, n) == 1;
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return ok;
}

static bool
check_key(const struct tls_server *s, const struct server_cert *cert,
    struct tls_server_fault *f)
{
	EVP_PKEY *public = X509_get0_pubkey(cert->leaf);
	uint32_t scheme = EVP_PKEY_is_a(public, "RSA") ? SIGN_RSA_PSS_SHA256 :
	    EVP_PKEY_is_a(public, "EC") ? SIGN_ECDSA_SHA256 : SIGN_ED25519;
	uint8_t bytes[SIGN_INPUT_MAX], signature[SIGN_OUTPUT_MAX], hash[48];
	size_t n, len;

	RAND_bytes(hash, sizeof(hash));
	n = sign_form_make(hash, bytes);
	if (!s->signer->sign(s->signer->arg, cert->key, scheme, bytes, n,
	    signature, &len)) {
		fault_set(f, TLS_TEXT_KEY, 0, "the signer does not sign with "
		    "this key for a certificate of %s",
		    EVP_PKEY_get0_type_name(public));
		return false;
	}
	if (!is_signed(s, public, scheme, bytes, n, signature, len)) {
		fault_set(f, TLS_TEXT_KEY, 0, "this key is not the "
		    "certificate's");
		return false;
	}
	return true;
}

bool
tls_server_check_keys(const struct tls_server *s,
    struct tls_server_fault *fault)
{
	for (size_t i = 0; i < s->certs_count; i++) {
		fault->cert = i;
		if (!check_key(s, &s->certs[i], fault))
			return false;
	}
	return true;
}
