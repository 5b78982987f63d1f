/*
 * tls/digest.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tls/digest.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define SHA256_BYTES 32

struct digest_sha256 {
	EVP_MD_CTX *context;
	bool failed;
};

void
digest_prepare(void)
{
	unsigned char ignored[DIGEST_SHA1];

	digest_sha1("", 0, ignored);
}

void
digest_sha1(const void *bytes, size_t n, unsigned char out[DIGEST_SHA1])
{
	/* Without it (a strict FIPS setting) the name is of zeros. */
	if (EVP_Digest(bytes, n, out, NULL, EVP_sha1(), NULL) != 1)
		memset(out, 0, DIGEST_SHA1);
}

static void
sha256_to_hex(const unsigned char raw[SHA256_BYTES],
    char out[DIGEST_SHA256_HEX])
{
	static const char hex[] = "0123456789abcdef";

	for (size_t i = 0; i < SHA256_BYTES; i++) {
		out[2 * i] = hex[raw[i] >> 4];
		out[2 * i + 1] = hex[raw[i] & 15];
	}
	out[2 * SHA256_BYTES] = '\0';
}

void
digest_sha256_hex(const void *bytes, size_t n, char out[DIGEST_SHA256_HEX])
{
	unsigned char raw[SHA256_BYTES];

	if (EVP_Digest(bytes, n, raw, NULL, EVP_sha256(), NULL) != 1)
		memset(raw, 0, sizeof(raw));
	sha256_to_hex(raw, out);
}

struct digest_sha256 *
digest_sha256_new(void)
{
	struct digest_sha256 *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->context = EVP_MD_CTX_new();
	if (d->context == NULL || !digest_sha256_begin(d)) {
		digest_sha256_free(d);
		return NULL;
	}
	return d;
}

void
digest_sha256_free(struct digest_sha256 *d)
{
	if (d == NULL)
		return;
	EVP_MD_CTX_free(d->context);
	free(d);
}

bool
digest_sha256_begin(struct digest_sha256 *d)
{
	d->failed = EVP_DigestInit_ex(d->context, EVP_sha256(), NULL) != 1;
	return !d->failed;
}

bool
digest_sha256_add(struct digest_sha256 *d, const void *bytes, size_t n)
{
	if (!d->failed && EVP_DigestUpdate(d->context, bytes, n) != 1)
		d->failed = true;
	return !d->failed;
}

/* A second finish fails: half a digest must never pass for a whole one. */
bool
digest_sha256_finish(struct digest_sha256 *d, char out[DIGEST_SHA256_HEX])
{
	unsigned char raw[SHA256_BYTES];

	out[0] = '\0';
	if (d->failed || EVP_DigestFinal_ex(d->context, raw, NULL) != 1) {
		d->failed = true;
		return false;
	}
	d->failed = true;
	sha256_to_hex(raw, out);
	return true;
}

void
digest_base64(const unsigned char *bytes, size_t n, char *out)
{
	EVP_EncodeBlock((unsigned char *)out, bytes, (int)n);
}
