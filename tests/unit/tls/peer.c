/*
 * tests/unit/tls/peer.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tls/peer.h"

#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void
add_name(X509_NAME *name, const char *field, const char *value)
{
	assert_int_equal(X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8,
	    (const unsigned char *)value, -1, -1, 0), 1);
}

static X509 *
certificate(EVP_PKEY *key, EVP_PKEY *signer)
{
	X509 *c = X509_new();
	X509_NAME *subject = X509_NAME_new(), *issuer = X509_NAME_new();
	X509_EXTENSION *names = X509V3_EXT_conf_nid(NULL, NULL,
	    NID_subject_alt_name, "DNS:ftp.example.org,"
	    "DNS:*.wild.example.org,IP:192.0.2.21");

	assert_non_null(c);
	assert_non_null(names);
	add_name(subject, "O", "Caf\xc3\xa9\n");
	add_name(subject, "CN", "ftp.example.org");
	add_name(issuer, "CN", "Somebody Else");
	X509_set_version(c, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(c), 7);
	assert_int_equal(ASN1_TIME_set_string(X509_getm_notBefore(c),
	    "20200101000000Z"), 1);
	assert_int_equal(ASN1_TIME_set_string(X509_getm_notAfter(c),
	    "20300101000000Z"), 1);
	X509_set_subject_name(c, subject);
	X509_set_issuer_name(c, key == signer ? subject : issuer);
	X509_set_pubkey(c, key);
	X509_add_ext(c, names, -1);
	assert_true(X509_sign(c, signer, EVP_sha256()) > 0);
	X509_NAME_free(subject);
	X509_NAME_free(issuer);
	X509_EXTENSION_free(names);
	return c;
}

static int
choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
    const unsigned char *in, unsigned in_len, void *arg)
{
	const struct peer *p = SSL_get_app_data(ssl);
	unsigned char list[32], *chosen;
	size_t n;

	(void)arg;
	if (p->alpn == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	n = strlen(p->alpn);
	list[0] = (unsigned char)n;
	memcpy(list + 1, p->alpn, n);
	if (SSL_select_next_proto(&chosen, out_len, in, in_len, list,
	    (unsigned)n + 1) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	/* what is a part of the client's list lives on; ours does not */
	*out = (const unsigned char *)p->alpn;
	return SSL_TLSEXT_ERR_OK;
}

static int
look_at_sni(SSL *ssl, int *alert, void *arg)
{
	struct peer *p = SSL_get_app_data(ssl);
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	(void)arg;
	if (name == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	p->sni_seen = true;
	snprintf(p->sni_got, sizeof(p->sni_got), "%s", name);
	*alert = SSL_AD_UNRECOGNIZED_NAME;
	return p->sni;
}

SSL_CTX *
peer_context(bool self_signed)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	EVP_PKEY *key = EVP_EC_gen("P-256");
	EVP_PKEY *other = EVP_EC_gen("P-256");
	X509 *c = certificate(key, self_signed ? key : other);

	assert_non_null(ctx);
	assert_int_equal(SSL_CTX_set_cipher_list(ctx, "ALL:@SECLEVEL=0"), 1);
	assert_int_equal(SSL_CTX_use_certificate(ctx, c), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
	SSL_CTX_set_min_proto_version(ctx, 0);
	SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"t", 1);
	SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, NULL);
	SSL_CTX_set_tlsext_servername_callback(ctx, look_at_sni);
	X509_free(c);
	EVP_PKEY_free(key);
	EVP_PKEY_free(other);
	return ctx;
}

static void *
run(void *arg)
{
	struct peer *p = arg;
	sigset_t broken_pipe;

	/* The library's own sockets raise it; the client's must not. */
	sigemptyset(&broken_pipe);
	sigaddset(&broken_pipe, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &broken_pipe, NULL);
	if (p->ssl != NULL) {
		p->shaken = SSL_accept(p->ssl) == 1;
		p->resumed = SSL_session_reused(p->ssl) == 1;
	}
	if (p->talk != NULL && (p->ssl == NULL || p->shaken))
		p->talk(p);
	SSL_free(p->ssl);
	close(p->fd);
	return NULL;
}

int
peer_start(struct peer *p)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
	    pair), 0);
	p->fd = pair[1];
	if (p->ctx != NULL) {
		p->ssl = SSL_new(p->ctx);
		assert_non_null(p->ssl);
		SSL_set_app_data(p->ssl, p);
		SSL_set_min_proto_version(p->ssl, p->min);
		SSL_set_max_proto_version(p->ssl, p->max);
		SSL_set_fd(p->ssl, p->fd);
	}
	assert_int_equal(pthread_create(&p->thread, NULL, run, p), 0);
	return pair[0];
}

void
peer_end(struct peer *p, int fd)
{
	close(fd);
	assert_int_equal(pthread_join(p->thread, NULL), 0);
}

void
peer_wait(struct peer *p)
{
	struct pollfd poll_fd = { .fd = p->fd };	/* POLLHUP alone */

	poll(&poll_fd, 1, 20000);
}
