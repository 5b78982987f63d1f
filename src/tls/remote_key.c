/*
 * tls/remote_key.c: see the headers.
 *
 * Two tables of functions for each kind of key: one that manages keys, and
 * answers every question about them from the public half, which is a key of
 * the library's own; and one that signs.  A key is exported without its
 * private half or not at all, so the library, which prefers its own code,
 * finds that it cannot use it for signing and comes to ours.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tls/remote_key.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#include "tls/remote.h"

#define NAME "portcullis"
#define QUERY "provider=" NAME
#define PARAM_SEED "portcullis-seed"

/* What remote_key_new hands to the library, and the library to import. */
struct seed {
	EVP_PKEY *public;
	const struct tls_signer *signer;
	uint32_t key;
};

struct key {
	struct seed seed;	/* .public is our reference */
	enum sign_kind kind;
};

struct signing {
	const struct key *key;
	uint32_t scheme;
	char digest[16];
	bool pss;
};

/* ---- keys */

static void *
key_new(enum sign_kind kind)
{
	struct key *k = calloc(1, sizeof(*k));

	if (k != NULL)
		k->kind = kind;
	return k;
}

static void *
key_new_rsa(void *provider)
{
	(void)provider;
	return key_new(SIGN_KIND_RSA);
}

static void *
key_new_ec(void *provider)
{
	(void)provider;
	return key_new(SIGN_KIND_EC);
}

static void *
key_new_ed25519(void *provider)
{
	(void)provider;
	return key_new(SIGN_KIND_ED25519);
}

static void
key_free(void *key)
{
	struct key *k = key;

	if (k == NULL)
		return;
	EVP_PKEY_free(k->seed.public);
	free(k);
}

static int
key_has(const void *key, int selection)
{
	const struct key *k = key;

	(void)selection;
	return k != NULL && k->seed.public != NULL;
}

static int
key_match(const void *a, const void *b, int selection)
{
	const struct key *one = a, *other = b;

	(void)selection;
	return key_has(one, 0) && key_has(other, 0) &&
	    EVP_PKEY_eq(one->seed.public, other->seed.public) == 1;
}

static int
key_import(void *key, int selection, const OSSL_PARAM params[])
{
	const OSSL_PARAM *p = OSSL_PARAM_locate_const(params, PARAM_SEED);
	struct key *k = key;

	(void)selection;
	if (p == NULL || p->data_type != OSSL_PARAM_OCTET_STRING ||
	    p->data_size != sizeof(k->seed) || k->seed.public != NULL)
		return 0;
	memcpy(&k->seed, p->data, sizeof(k->seed));
	if (EVP_PKEY_up_ref(k->seed.public) != 1) {
		k->seed.public = NULL;
		return 0;
	}
	return 1;
}

static const OSSL_PARAM *
key_import_types(int selection)
{
	static const OSSL_PARAM types[] = {
		OSSL_PARAM_octet_string(PARAM_SEED, NULL, 0),
		OSSL_PARAM_END,
	};

	(void)selection;
	return types;
}

/* There is nothing private to be exported. */
static int
key_export(void *key, int selection, OSSL_CALLBACK *take, void *arg)
{
	struct key *k = key;
	OSSL_PARAM *params = NULL;
	int ok;

	if (!key_has(k, 0) ||
	    (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 ||
	    EVP_PKEY_todata(k->seed.public, EVP_PKEY_PUBLIC_KEY, &params) != 1)
		return 0;
	ok = take(params, arg);
	OSSL_PARAM_free(params);
	return ok;
}

/* All that a public key of any of our kinds may have. */
static const OSSL_PARAM *
key_export_types(int selection)
{
	static const OSSL_PARAM types[] = {
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
		OSSL_PARAM_END,
	};

	return (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 ? NULL :
	    types;
}

static int
key_get_params(void *key, OSSL_PARAM params[])
{
	const struct key *k = key;

	return key_has(k, 0) &&
	    EVP_PKEY_get_params(k->seed.public, params) == 1;
}

static const OSSL_PARAM *
key_gettable(void *provider)
{
	static const OSSL_PARAM types[] = {
		OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL,
		    0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_MANDATORY_DIGEST, NULL,
		    0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0),
		OSSL_PARAM_END,
	};

	(void)provider;
	return types;
}

/* A key of EC signs by what the library calls ECDSA. */
static const char *
ec_operation(int operation)
{
	return operation == OSSL_OP_SIGNATURE ? "ECDSA" : NULL;
}

/* ---- signatures */

static void *
signing_new(void *provider, const char *query)
{
	(void)provider;
	(void)query;
	return calloc(1, sizeof(struct signing));
}

static void
signing_free(void *signing)
{
	free(signing);
}

static void *
signing_dup(void *signing)
{
	struct signing *copy = malloc(sizeof(*copy));

	if (copy != NULL)
		memcpy(copy, signing, sizeof(*copy));
	return copy;
}

static const struct {
	uint32_t scheme;
	enum sign_kind kind;
	const char *digest;
} schemes[] = {
#define X(NAME, number, kind, digest) { number, kind, digest },
	SIGN_SCHEMES(X)
#undef X
};

/* The library has several names for a digest; EVP_MD_is_a knows them. */
static bool
is_digest(const char *name, const char *ours)
{
	static const char *const longer[] = { "SHA2-256", "SHA2-384",
		"SHA2-512" };

	if (ours == NULL)
		return name[0] == '\0';
	if (strcasecmp(name, ours) == 0)
		return true;
	for (size_t i = 0; i < sizeof(longer) / sizeof(longer[0]); i++)
		if (strcasecmp(name, longer[i]) == 0)
			return strcmp(ours + 3, longer[i] + 5) == 0;
	return false;
}

static int
choose_scheme(struct signing *s)
{
	struct sign_how how;

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		if (schemes[i].kind == s->key->kind &&
		    is_digest(s->digest, schemes[i].digest) &&
		    sign_scheme_how(schemes[i].scheme, &how) &&
		    how.pss == s->pss) {
			s->scheme = schemes[i].scheme;
			return 1;
		}
	}
	s->scheme = 0;
	return 0;
}

static int
read_padding(const OSSL_PARAM *p, bool *pss)
{
	const char *name;
	int mode = 0;

	if (p->data_type == OSSL_PARAM_UTF8_STRING) {
		if (OSSL_PARAM_get_utf8_string_ptr(p, &name) != 1)
			return 0;
		*pss = strcmp(name, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0;
		return *pss || strcmp(name,
		    OSSL_PKEY_RSA_PAD_MODE_PKCSV15) == 0;
	}
	if (OSSL_PARAM_get_int(p, &mode) != 1)
		return 0;
	*pss = mode == RSA_PKCS1_PSS_PADDING;
	return *pss || mode == RSA_PKCS1_PADDING;
}

/* Salts are as long as the digest: TLS knows no other (RFC 8446 §4.2.3). */
static int
salt_is_of_tls(const OSSL_PARAM *p)
{
	const char *name;
	int len = 0;

	if (p->data_type == OSSL_PARAM_UTF8_STRING)
		return OSSL_PARAM_get_utf8_string_ptr(p, &name) == 1 &&
		    strcmp(name, OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST) == 0;
	return OSSL_PARAM_get_int(p, &len) == 1 &&
	    len == RSA_PSS_SALTLEN_DIGEST;
}

static int
signing_set_params(void *signing, const OSSL_PARAM params[])
{
	struct signing *s = signing;
	const OSSL_PARAM *p;

	if (params == NULL)
		return 1;
	p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE);
	if (p != NULL && (s->key->kind != SIGN_KIND_RSA ||
	    !read_padding(p, &s->pss)))
		return 0;
	p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PSS_SALTLEN);
	if (p != NULL && !salt_is_of_tls(p))
		return 0;
	return choose_scheme(s);
}

static const OSSL_PARAM *
signing_settable(void *signing, void *provider)
{
	static const OSSL_PARAM types[] = {
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL,
		    0),
		OSSL_PARAM_END,
	};

	(void)signing;
	(void)provider;
	return types;
}

static int
signing_init(void *signing, const char *digest, void *key,
    const OSSL_PARAM params[])
{
	struct signing *s = signing;
	size_t n = digest == NULL ? 0 : strlen(digest);

	if (key != NULL)
		s->key = key;
	if (s->key == NULL || n >= sizeof(s->digest))
		return 0;
	if (n > 0)
		memcpy(s->digest, digest, n);
	s->digest[n] = '\0';
	s->pss = false;
	return choose_scheme(s) && signing_set_params(s, params);
}

static int
signing_sign(void *signing, unsigned char *out, size_t *out_len,
    size_t room, const unsigned char *bytes, size_t n)
{
	struct signing *s = signing;
	const struct seed *seed = &s->key->seed;
	uint8_t signature[SIGN_OUTPUT_MAX];
	size_t len = 0;

	if (out == NULL) {
		*out_len = (size_t)EVP_PKEY_get_size(seed->public);
		return 1;
	}
	if (s->scheme == 0 || n > SIGN_INPUT_MAX || seed->signer == NULL ||
	    !seed->signer->sign(seed->signer->arg, seed->key, s->scheme,
	    bytes, n, signature, &len) || len == 0 || len > room ||
	    len > sizeof(signature))
		return 0;
	memcpy(out, signature, len);
	*out_len = len;
	return 1;
}

/* ---- what the library is told */

#define F(id, function) { id, (void (*)(void))(function) }

#define KEY_FUNCTIONS(new_function) \
	F(OSSL_FUNC_KEYMGMT_NEW, new_function), \
	F(OSSL_FUNC_KEYMGMT_FREE, key_free), \
	F(OSSL_FUNC_KEYMGMT_HAS, key_has), \
	F(OSSL_FUNC_KEYMGMT_MATCH, key_match), \
	F(OSSL_FUNC_KEYMGMT_IMPORT, key_import), \
	F(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, key_import_types), \
	F(OSSL_FUNC_KEYMGMT_EXPORT, key_export), \
	F(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, key_export_types), \
	F(OSSL_FUNC_KEYMGMT_GET_PARAMS, key_get_params), \
	F(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, key_gettable)

static const OSSL_DISPATCH rsa_keys[] = {
	KEY_FUNCTIONS(key_new_rsa), { 0, NULL },
};
static const OSSL_DISPATCH ec_keys[] = {
	KEY_FUNCTIONS(key_new_ec),
	F(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, ec_operation), { 0, NULL },
};
static const OSSL_DISPATCH ed25519_keys[] = {
	KEY_FUNCTIONS(key_new_ed25519), { 0, NULL },
};
static const OSSL_DISPATCH signatures[] = {
	F(OSSL_FUNC_SIGNATURE_NEWCTX, signing_new),
	F(OSSL_FUNC_SIGNATURE_FREECTX, signing_free),
	F(OSSL_FUNC_SIGNATURE_DUPCTX, signing_dup),
	F(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, signing_init),
	F(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, signing_sign),
	F(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, signing_set_params),
	F(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, signing_settable),
	{ 0, NULL },
};

static const OSSL_ALGORITHM key_algorithms[] = {
	{ "RSA:rsaEncryption", QUERY, rsa_keys, "RSA elsewhere" },
	{ "EC:id-ecPublicKey", QUERY, ec_keys, "EC elsewhere" },
	{ "ED25519", QUERY, ed25519_keys, "Ed25519 elsewhere" },
	{ NULL, NULL, NULL, NULL },
};
static const OSSL_ALGORITHM signature_algorithms[] = {
	{ "RSA:rsaEncryption", QUERY, signatures, "RSA elsewhere" },
	{ "ECDSA", QUERY, signatures, "ECDSA elsewhere" },
	{ "ED25519", QUERY, signatures, "Ed25519 elsewhere" },
	{ NULL, NULL, NULL, NULL },
};

static const OSSL_ALGORITHM *
provider_query(void *provider, int operation, int *no_cache)
{
	(void)provider;
	*no_cache = 0;
	if (operation == OSSL_OP_KEYMGMT)
		return key_algorithms;
	return operation == OSSL_OP_SIGNATURE ? signature_algorithms : NULL;
}

static int
provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
    const OSSL_DISPATCH **out, void **provider)
{
	static const OSSL_DISPATCH functions[] = {
		F(OSSL_FUNC_PROVIDER_QUERY_OPERATION, provider_query),
		{ 0, NULL },
	};
	static char mark;	/* the library wants one that is not NULL */

	(void)handle;
	(void)in;
	*out = functions;
	*provider = &mark;
	return 1;
}

/* The library's own comes first, so that it is what is found first. */
bool
remote_open(struct remote *r)
{
	*r = (struct remote) { .ctx = OSSL_LIB_CTX_new() };
	if (r->ctx != NULL &&
	    (r->common = OSSL_PROVIDER_load(r->ctx, "default")) != NULL &&
	    OSSL_PROVIDER_add_builtin(r->ctx, NAME, provider_init) == 1 &&
	    (r->ours = OSSL_PROVIDER_load(r->ctx, NAME)) != NULL &&
	    EVP_set_default_properties(r->ctx, REMOTE_QUERY) == 1)
		return true;
	remote_close(r);
	return false;
}

void
remote_close(struct remote *r)
{
	if (r->ours != NULL)
		OSSL_PROVIDER_unload(r->ours);
	if (r->common != NULL)
		OSSL_PROVIDER_unload(r->common);
	OSSL_LIB_CTX_free(r->ctx);
	*r = (struct remote) { .ctx = NULL };
}

static const char *
type_of(const EVP_PKEY *public)
{
	static const char *const types[] = { "RSA", "EC", "ED25519" };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (EVP_PKEY_is_a(public, types[i]))
			return types[i];
	return NULL;
}

EVP_PKEY *
remote_key_new(OSSL_LIB_CTX *ctx, EVP_PKEY *public, uint32_t key,
    const struct tls_signer *signer)
{
	struct seed seed = { public, signer, key };
	OSSL_PARAM params[] = {
		OSSL_PARAM_octet_string(PARAM_SEED, &seed, sizeof(seed)),
		OSSL_PARAM_END,
	};
	const char *type = type_of(public);
	EVP_PKEY *out = NULL;
	EVP_PKEY_CTX *make;

	if (type == NULL ||
	    (make = EVP_PKEY_CTX_new_from_name(ctx, type, QUERY)) == NULL)
		return NULL;
	if (EVP_PKEY_fromdata_init(make) != 1 ||
	    EVP_PKEY_fromdata(make, &out, EVP_PKEY_KEYPAIR, params) != 1)
		out = NULL;
	EVP_PKEY_CTX_free(make);
	return out;
}
