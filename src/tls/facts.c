/*
 * tls/facts.c: what a handshake showed.  Nothing is judged here: a
 * certificate that nobody signed is a fact like another.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "tls/conn.h"

static enum tls_version
version_of(int number)
{
	switch (number) {
	case TLS1_VERSION:
		return TLS_1_0;
	case TLS1_1_VERSION:
		return TLS_1_1;
	case TLS1_2_VERSION:
		return TLS_1_2;
	case TLS1_3_VERSION:
		return TLS_1_3;
	default:
		return TLS_ANY;
	}
}

/* RFC 2253's form escapes what is not printable, and what is not ASCII. */
static void
write_name(char out[TLS_NAME_MAX], const X509_NAME *name)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long n;

	out[0] = '\0';
	if (bio == NULL)
		return;
	if (X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0 &&
	    (n = BIO_get_mem_data(bio, &text)) > 0) {
		size_t len = (size_t)n;

		if (len >= TLS_NAME_MAX)
			len = TLS_NAME_MAX - 1;
		memcpy(out, text, len);
		out[len] = '\0';
	}
	BIO_free(bio);
}

/* 0, long past, for a time that cannot be read. */
static time_t
time_of(const ASN1_TIME *time)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(time, &tm) != 1)
		return 0;
	return timegm(&tm);
}

static bool
is_for(X509 *certificate, const char *host)
{
	if (host == NULL)
		return false;
	return X509_check_ip_asc(certificate, host, 0) == 1 ||
	    X509_check_host(certificate, host, 0,
	    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1;
}

static void
certificate_facts(X509 *c, const char *host, time_t now,
    struct tls_facts *out)
{
	const EVP_PKEY *key = X509_get0_pubkey(c);

	out->certificate = true;
	out->self_signed = X509_self_signed(c, 1) == 1;
	out->not_before = time_of(X509_get0_notBefore(c));
	out->not_after = time_of(X509_get0_notAfter(c));
	out->not_yet_valid = now < out->not_before;
	out->expired = now > out->not_after;
	out->host_matches = is_for(c, host);
	write_name(out->subject, X509_get_subject_name(c));
	write_name(out->issuer, X509_get_issuer_name(c));
	if (key != NULL && EVP_PKEY_get0_type_name(key) != NULL)
		snprintf(out->key, sizeof(out->key), "%s %d",
		    EVP_PKEY_get0_type_name(key), EVP_PKEY_get_bits(key));
}

void
tls_facts(const struct tls *t, const char *host, time_t now,
    struct tls_facts *out)
{
	X509 *certificate = SSL_get1_peer_certificate(t->ssl);
	const unsigned char *alpn;
	unsigned alpn_len;

	*out = (struct tls_facts) {
		.version = version_of(SSL_version(t->ssl)),
		.cipher = SSL_get_cipher_name(t->ssl),
		.resumed = SSL_session_reused(t->ssl) == 1,
		.warning = t->warning,
	};
	SSL_get0_alpn_selected(t->ssl, &alpn, &alpn_len);
	error_escape(out->alpn, sizeof(out->alpn), alpn, alpn_len);
	if (certificate != NULL)
		certificate_facts(certificate, host, now, out);
	X509_free(certificate);
	ERR_clear_error();
}
