/*
 * tls/sign_key.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tls/sign_key.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <stdlib.h>

/* A key of RSA with 4096 bits takes about 3 KiB; the rest is for many. */
#define SECURE_BYTES (1 << 18)
#define SECURE_LEAST 32

struct sign_key {
	EVP_PKEY *pkey;
	enum sign_kind kind;
};

bool
sign_key_prepare(void)
{
	unsigned char byte;

	if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG |
	    OPENSSL_INIT_LOAD_CRYPTO_STRINGS, NULL) != 1)
		return false;
	(void)CRYPTO_secure_malloc_init(SECURE_BYTES, SECURE_LEAST);
	return RAND_bytes(&byte, 1) == 1 && RAND_priv_bytes(&byte, 1) == 1;
}

static bool
find_kind(const EVP_PKEY *pkey, enum sign_kind *out)
{
	char group[32];

	if (EVP_PKEY_is_a(pkey, "RSA")) {
		*out = SIGN_KIND_RSA;
		return true;
	}
	if (EVP_PKEY_is_a(pkey, "ED25519")) {
		*out = SIGN_KIND_ED25519;
		return true;
	}
	*out = SIGN_KIND_EC;
	return EVP_PKEY_is_a(pkey, "EC") &&
	    EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL) == 1 &&
	    (strcmp(group, "prime256v1") == 0 ||
	    strcmp(group, "secp384r1") == 0);
}

static enum sign_key_fault
adopt(EVP_PKEY *pkey, struct sign_key **out)
{
	enum sign_kind kind;
	int bits = EVP_PKEY_get_bits(pkey);

	if (!find_kind(pkey, &kind))
		return SIGN_KEY_KIND;
	if (kind == SIGN_KIND_RSA &&
	    (bits < SIGN_RSA_BITS_MIN || bits > SIGN_RSA_BITS_MAX))
		return SIGN_KEY_WEAK;
	if ((*out = calloc(1, sizeof(**out))) == NULL)
		return SIGN_KEY_MEMORY;
	**out = (struct sign_key) { .pkey = pkey, .kind = kind };
	return SIGN_KEY_OK;
}

static bool
begins_with(struct sv text, const char *with)
{
	size_t n = strlen(with);

	return text.len >= n && memcmp(text.ptr, with, n) == 0;
}

/* Takes one line off the front, with what ends it. */
static struct sv
take_line(struct sv *text)
{
	const char *end = memchr(text->ptr, '\n', text->len);
	struct sv line = { text->ptr,
		end == NULL ? text->len : (size_t)(end - text->ptr) + 1 };

	*text = sv_drop(*text, line.len);
	return line;
}

/* "-----BEGIN RSA PRIVATE KEY-----"; *rest begins there. */
static bool
find_key(struct sv pem, struct sv *rest, unsigned *line)
{
	for (*line = 1; pem.len > 0; ++*line) {
		struct sv here = pem, l = take_line(&pem);

		if (begins_with(l, "-----BEGIN ") &&
		    memmem(l.ptr, l.len, "PRIVATE KEY-----", 16) != NULL) {
			*rest = here;
			return true;
		}
	}
	*line = 0;
	return false;
}

/* RFC 1421's header of old keys, or PKCS #8's name of encrypted ones. */
static bool
is_encrypted(struct sv key)
{
	struct sv rest = key, first = take_line(&rest);

	return memmem(first.ptr, first.len, "ENCRYPTED", 9) != NULL ||
	    begins_with(rest, "Proc-Type:");
}

static int
no_password(char *buf, int size, int writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

enum sign_key_fault
sign_key_read(struct sv pem, struct sign_key **out, unsigned *line)
{
	enum sign_key_fault fault;
	EVP_PKEY *pkey;
	struct sv key;
	BIO *bio;

	if (!find_key(pem, &key, line))
		return SIGN_KEY_NOT_KEY;
	if (is_encrypted(key))
		return SIGN_KEY_ENCRYPTED;
	if (key.len > INT32_MAX ||
	    (bio = BIO_new_mem_buf(key.ptr, (int)key.len)) == NULL)
		return SIGN_KEY_MEMORY;
	pkey = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
	BIO_free(bio);
	fault = pkey == NULL ? SIGN_KEY_DAMAGED : adopt(pkey, out);
	if (fault != SIGN_KEY_OK)
		EVP_PKEY_free(pkey);
	ERR_clear_error();
	return fault;
}

void
sign_key_free(struct sign_key *k)
{
	if (k == NULL)
		return;
	EVP_PKEY_free(k->pkey);
	free(k);
}

static bool
choose_padding(EVP_PKEY_CTX *ctx, const struct sign_how *how)
{
	if (how->kind != SIGN_KIND_RSA)
		return true;
	if (!how->pss)
		return EVP_PKEY_CTX_set_rsa_padding(ctx,
		    RSA_PKCS1_PADDING) == 1;
	return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
	    EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
}

bool
sign_key_sign(const struct sign_key *k, uint32_t scheme, const uint8_t *bytes,
    size_t n, uint8_t out[SIGN_OUTPUT_MAX], size_t *out_len)
{
	EVP_PKEY_CTX *padding;	/* the digest context's own */
	struct sign_how how;
	EVP_MD_CTX *ctx;
	bool ok;

	if (!sign_form_is_ours(scheme, bytes, n) ||
	    !sign_scheme_how(scheme, &how) || how.kind != k->kind ||
	    (ctx = EVP_MD_CTX_new()) == NULL)
		return false;
	*out_len = SIGN_OUTPUT_MAX;
	ok = EVP_DigestSignInit_ex(ctx, &padding, how.digest, NULL, NULL,
	    k->pkey, NULL) == 1 && choose_padding(padding, &how) &&
	    EVP_DigestSign(ctx, out, out_len, bytes, n) == 1;
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return ok;
}
