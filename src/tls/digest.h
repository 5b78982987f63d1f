/*
 * tls/digest.h: digests, of the TLS library.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
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

/*
 * The same of bytes that come in pieces: new, add..., finish, free.  One
 * digest is one thread's; after finish it takes no more until begin.
 */
struct digest_sha256;

/* NULL: no memory, or a library that has no SHA-256. */
struct digest_sha256 *digest_sha256_new(void);
void digest_sha256_free(struct digest_sha256 *d);

/* Starts anew, as after new.  False: the library failed. */
bool digest_sha256_begin(struct digest_sha256 *d);
bool digest_sha256_add(struct digest_sha256 *d, const void *bytes, size_t n);

/* False: the library failed, now or in an add; out is then empty text. */
bool digest_sha256_finish(struct digest_sha256 *d,
    char out[DIGEST_SHA256_HEX]);

/* With padding and a NUL: out has (n + 2) / 3 * 4 + 1 bytes. */
void digest_base64(const unsigned char *bytes, size_t n, char *out);
