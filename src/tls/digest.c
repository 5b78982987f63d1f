/*
 * tls/digest.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tls/digest.h"

#include <openssl/evp.h>
#include <string.h>

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

void
digest_sha256_hex(const void *bytes, size_t n, char out[DIGEST_SHA256_HEX])
{
	static const char hex[] = "0123456789abcdef";
	unsigned char raw[32];

	if (EVP_Digest(bytes, n, raw, NULL, EVP_sha256(), NULL) != 1)
		memset(raw, 0, sizeof(raw));
	for (size_t i = 0; i < sizeof(raw); i++) {
		out[2 * i] = hex[raw[i] >> 4];
		out[2 * i + 1] = hex[raw[i] & 15];
	}
	out[2 * sizeof(raw)] = '\0';
}

void
digest_base64(const unsigned char *bytes, size_t n, char *out)
{
	EVP_EncodeBlock((unsigned char *)out, bytes, (int)n);
}
