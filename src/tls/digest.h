/*
 * tls/digest.h: digests, of the TLS library.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stddef.h>

#define DIGEST_SHA1 20

/* Has the library read its configuration while files can be opened. */
void digest_prepare(void);

/* Only where a format asks for it: SHA-1 protects nothing any more. */
void digest_sha1(const void *bytes, size_t n,
    unsigned char out[DIGEST_SHA1]);

/* SHA-256 in 64 hexadecimal digits and a NUL; of zeros, if there is none. */
#define DIGEST_SHA256_HEX 65
void digest_sha256_hex(const void *bytes, size_t n,
    char out[DIGEST_SHA256_HEX]);

/* With padding and a NUL: out has (n + 2) / 3 * 4 + 1 bytes. */
void digest_base64(const unsigned char *bytes, size_t n, char *out);
