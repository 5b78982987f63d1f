/*
 * tls/digest_late.h: digests of the TLS library for a program that does not
 * link to it.
 *
 * A process that links libcrypto has some 400 KiB of its own the moment it
 * starts, for relocations alone.  A server has hundreds of workers, and most
 * sites compute no digest: so the library is loaded when the configuration
 * asks for it, before the walls stand.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/sv.h"

/* MD5 and SHA-1 protect against accidents alone. */
enum digest_kind {
	DIGEST_SHA256,
	DIGEST_SHA512,
	DIGEST_SHA1,
	DIGEST_MD5,
	DIGEST_KINDS,
};

#define DIGEST_BYTES_MAX 64

/*
 * Loads the library and what each of them needs; once, while files can be
 * opened and before there are threads.  False: there is no library, or it has
 * no SHA-256.  Another that is missing (a strict FIPS setting has no MD5)
 * fails in digest_new.
 */
MUST_USE bool digest_load(void);

/* Of bytes that come in pieces.  One digest is one thread's at a time. */
struct digest;

/* After digest_load.  NULL: no memory, or no such digest. */
struct digest *digest_new(enum digest_kind kind);
void digest_free(struct digest *d);
void digest_add(struct digest *d, const void *bytes, size_t n);

/* Once.  False: the library failed, now or in an add. */
MUST_USE bool digest_finish(struct digest *d, uint8_t out[DIGEST_BYTES_MAX]);
