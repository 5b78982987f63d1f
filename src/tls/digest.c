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
digest_base64(const unsigned char *bytes, size_t n, char *out)
{
	EVP_EncodeBlock((unsigned char *)out, bytes, (int)n);
}
