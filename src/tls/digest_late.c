/*
 * tls/digest_late.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tls/digest_late.h"

#include <dlfcn.h>
#include <openssl/evp.h>
#include <openssl/opensslv.h>
#include <stdlib.h>

#define TEXT(number) TEXT_(number)
#define TEXT_(number) #number
/* The version of the headers: another one's functions may differ. */
#define LIBRARY "libcrypto.so." TEXT(OPENSSL_SHLIB_VERSION)

#define FUNCTIONS(X) \
	X(EVP_MD_fetch) X(EVP_MD_CTX_new) X(EVP_MD_CTX_free) \
	X(EVP_DigestInit_ex) X(EVP_DigestUpdate) X(EVP_DigestFinal_ex)

static struct {
#define X(name) __typeof__(&name) name;
	FUNCTIONS(X)
#undef X
} call;

static EVP_MD *loaded[DIGEST_KINDS];

struct digest {
	EVP_MD_CTX *context;
	bool failed;
};

static bool
find_functions(void)
{
	void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

	if (library == NULL)
		return false;
#define X(name) \
	if ((call.name = (__typeof__(&name))dlsym(library, #name)) == NULL) \
		return false;
	FUNCTIONS(X)
#undef X
	return true;
}

bool
digest_load(void)
{
	static const char *const names[DIGEST_KINDS] = {
		[DIGEST_SHA256] = "SHA256",
		[DIGEST_SHA512] = "SHA512",
		[DIGEST_SHA1] = "SHA1",
		[DIGEST_MD5] = "MD5",
	};

	if (call.EVP_DigestFinal_ex == NULL && !find_functions())
		return false;
	/* Fetched once: to ask for them by name takes locks each time. */
	for (size_t i = 0; i < DIGEST_KINDS; i++)
		if (loaded[i] == NULL)
			loaded[i] = call.EVP_MD_fetch(NULL, names[i], NULL);
	return loaded[DIGEST_SHA256] != NULL;
}

struct digest *
digest_new(enum digest_kind kind)
{
	struct digest *d = calloc(1, sizeof(*d));

	if (d == NULL || loaded[kind] == NULL) {
		free(d);
		return NULL;
	}
	d->context = call.EVP_MD_CTX_new();
	if (d->context == NULL ||
	    call.EVP_DigestInit_ex(d->context, loaded[kind], NULL) != 1) {
		digest_free(d);
		return NULL;
	}
	return d;
}

void
digest_free(struct digest *d)
{
	if (d == NULL)
		return;
	call.EVP_MD_CTX_free(d->context);
	free(d);
}

void
digest_add(struct digest *d, const void *bytes, size_t n)
{
	if (!d->failed && call.EVP_DigestUpdate(d->context, bytes, n) != 1)
		d->failed = true;
}

bool
digest_finish(struct digest *d, uint8_t out[DIGEST_BYTES_MAX])
{
	if (d->failed || call.EVP_DigestFinal_ex(d->context, out, NULL) != 1) {
		d->failed = true;
		return false;
	}
	d->failed = true;
	return true;
}
