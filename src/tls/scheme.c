/*
 * tls/scheme.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tls/scheme.h"

#include <string.h>

#define BLANKS 64
#define RANDOM 32	/* TLS 1.2: the client's, and the server's */

/* Its NUL is part of the form. */
static const char context[] = "TLS 1.3, server CertificateVerify";
static const char sentinel[8] = "DOWNGRD\x01";

static const struct {
	uint32_t scheme;
	struct sign_how how;
} schemes[] = {
#define X(NAME, number, kind, digest) \
	{ number, { kind, digest, (number) >> 8 == 8 && kind == SIGN_KIND_RSA } },
	SIGN_SCHEMES(X)
#undef X
};

/* RFC 8422 §5.1.1, RFC 7919: number of the curve and length of a point. */
static const struct {
	uint8_t curve, len;
	bool uncompressed;
} curves[] = {
	{ 29, 32, false },	/* X25519 */
	{ 23, 65, true },	/* P-256 */
	{ 24, 97, true },	/* P-384 */
};

bool
sign_scheme_how(uint32_t scheme, struct sign_how *out)
{
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		if (schemes[i].scheme == scheme) {
			*out = schemes[i].how;
			return true;
		}
	}
	return false;
}

static bool
is_1_3(const uint8_t *bytes, size_t n)
{
	size_t front = BLANKS + sizeof(context);

	if (n != front + 32 && n != front + 48)
		return false;
	for (size_t i = 0; i < BLANKS; i++)
		if (bytes[i] != ' ')
			return false;
	return memcmp(bytes + BLANKS, context, sizeof(context)) == 0;
}

static bool
is_1_2(const uint8_t *bytes, size_t n)
{
	const uint8_t *params = bytes + RANDOM + RANDOM;

	if (n < RANDOM + RANDOM + 5 ||
	    memcmp(params - sizeof(sentinel), sentinel, sizeof(sentinel)) != 0)
		return false;
	if (params[0] != 3 || params[1] != 0)	/* a named curve */
		return false;
	for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++)
		if (params[2] == curves[i].curve)
			return params[3] == curves[i].len &&
			    n == RANDOM + RANDOM + 4u + curves[i].len &&
			    (!curves[i].uncompressed || params[4] == 4);
	return false;
}

/* PKCS #1 v1.5 is of TLS 1.2 alone (RFC 8446 §4.2.3). */
bool
sign_form_is_ours(uint32_t scheme, const uint8_t *bytes, size_t n)
{
	struct sign_how how;

	if (!sign_scheme_how(scheme, &how))
		return false;
	if (is_1_3(bytes, n))
		return how.kind != SIGN_KIND_RSA || how.pss;
	return is_1_2(bytes, n);
}

size_t
sign_form_make(const uint8_t hash[48], uint8_t out[SIGN_INPUT_MAX])
{
	memset(out, ' ', BLANKS);
	memcpy(out + BLANKS, context, sizeof(context));
	memcpy(out + BLANKS + sizeof(context), hash, 48);
	return BLANKS + sizeof(context) + 48;
}
