/*
 * tls/scheme.h: what a private key is asked to do, between the process that
 * speaks TLS and the one that has the key.  Pure: no library behind it.
 *
 * A signer that signs whatever it is given is the private key by another
 * name.  Ours signs what the server's side of a TLS handshake signs and
 * nothing else, which is decided from the bytes: they are short, and have a
 * form (RFC 8446 §4.4.3, RFC 8422 §5.4).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Numbers of RFC 8446 §4.2.3. */
#define SIGN_SCHEMES(X) \
/*	name                number  key                digest   */ \
	X(RSA_PKCS1_SHA256, 0x0401, SIGN_KIND_RSA,     "SHA256") \
	X(RSA_PKCS1_SHA384, 0x0501, SIGN_KIND_RSA,     "SHA384") \
	X(RSA_PKCS1_SHA512, 0x0601, SIGN_KIND_RSA,     "SHA512") \
	X(RSA_PSS_SHA256, 0x0804, SIGN_KIND_RSA,     "SHA256") \
	X(RSA_PSS_SHA384, 0x0805, SIGN_KIND_RSA,     "SHA384") \
	X(RSA_PSS_SHA512, 0x0806, SIGN_KIND_RSA,     "SHA512") \
	X(ECDSA_SHA256, 0x0403, SIGN_KIND_EC,      "SHA256") \
	X(ECDSA_SHA384, 0x0503, SIGN_KIND_EC,      "SHA384") \
	X(ED25519, 0x0807, SIGN_KIND_ED25519, NULL)

enum sign_scheme {
#define X(NAME, number, kind, digest) SIGN_##NAME = number,
	SIGN_SCHEMES(X)
#undef X
};

enum sign_kind {
	SIGN_KIND_RSA,	/* 2048 to 4096 bits */
	SIGN_KIND_EC,	/* P-256 or P-384 */
	SIGN_KIND_ED25519,
};

#define SIGN_INPUT_MAX 256	/* the longest form has 165 bytes */
#define SIGN_OUTPUT_MAX 512	/* RSA with 4096 bits */
#define SIGN_RSA_BITS_MIN 2048
#define SIGN_RSA_BITS_MAX 4096

struct sign_how {
	enum sign_kind kind;
	const char *digest;	/* the library's name; NULL: the key's own */
	bool pss;
};

/* False, and out untouched, for a number that is none of ours. */
bool sign_scheme_how(uint32_t scheme, struct sign_how *out);

/*
 * Whether these are bytes that a server of ours signs by that scheme: in TLS
 * 1.3 the CertificateVerify of a *server*, in TLS 1.2 a ServerKeyExchange with
 * a curve that we offer, whose random says that we would have spoken 1.3
 * (RFC 8446 §4.1.3).  A client's signature, a certificate and what
 * another protocol signs have other forms.
 */
bool sign_form_is_ours(uint32_t scheme, const uint8_t *bytes, size_t n);

/* Writes the longest form, about these 48 bytes; returns its length. */
size_t sign_form_make(const uint8_t hash[48], uint8_t out[SIGN_INPUT_MAX]);
