/*
 * tls/remote.h: the provider, between this folder's files.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <openssl/evp.h>
#include <openssl/provider.h>

#include "tls/remote_key.h"

/*
 * A library context that has the library's own algorithms and ours.  By
 * itself, so that no configuration file of the system has a say in it.
 */
struct remote {
	OSSL_LIB_CTX *ctx;
	OSSL_PROVIDER *common, *ours;
};

bool remote_open(struct remote *r);

/* After all that was made with it is freed. */
void remote_close(struct remote *r);

/* To be asked for first, wherever a property query is asked for. */
#define REMOTE_QUERY "?provider=default"

/*
 * A key with this public half.  NULL when it is of a kind that is not signed
 * with here.  signer is borrowed, public is not kept by the caller's
 * reference.
 */
EVP_PKEY *remote_key_new(OSSL_LIB_CTX *ctx, EVP_PKEY *public, uint32_t key,
    const struct tls_signer *signer);
