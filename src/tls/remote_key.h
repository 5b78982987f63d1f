/*
 * tls/remote_key.h: private keys that are elsewhere.  The library gets a key
 * whose public half is a certificate's, and whose private operation asks.
 *
 * Made as a provider of the library's version 3, built into the program: the
 * library's handshake then needs no hook and no patch, and chooses schemes as
 * it does for a key of its own.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tls/scheme.h"

/* Who is asked; outlives all that is made with it. */
struct tls_signer {
	/*
	 * Has these n bytes signed by that key and scheme, and waits for it:
	 * the signature, and its length.  False when there is none.
	 */
	bool (*sign)(void *arg, uint32_t key, uint32_t scheme,
	    const uint8_t *bytes, size_t n, uint8_t out[SIGN_OUTPUT_MAX],
	    size_t *out_len);
	void *arg;
};
