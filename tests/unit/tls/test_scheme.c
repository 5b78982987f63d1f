/*
 * What a server signs, and what only looks like it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tls/scheme.h"

#include <string.h>

#include "unit.h"

#define FRONT_1_3 98	/* blanks and context, with its NUL */

static size_t
form_1_3(uint8_t out[SIGN_INPUT_MAX], size_t hash_len)
{
	uint8_t hash[48] = { 0xa5 };

	return sign_form_make(hash, out) - 48 + hash_len;
}

/* Randoms, a named curve, a point. */
static size_t
form_1_2(uint8_t out[SIGN_INPUT_MAX], uint8_t curve, uint8_t len)
{
	memset(out, 4, SIGN_INPUT_MAX);
	memcpy(out + 56, "DOWNGRD\x01", 8);
	memcpy(out + 64, (uint8_t[]) { 3, 0, curve, len }, 4);
	return 68u + len;
}

static void
test_schemes_have_their_kinds(void **state)
{
	struct sign_how how = { .digest = "untouched" };

	(void)state;
	assert_false(sign_scheme_how(0, &how));
	assert_false(sign_scheme_how(0x0201, &how));	/* SHA-1 */
	assert_false(sign_scheme_how(0x10804, &how));
	assert_string_equal(how.digest, "untouched");
	assert_true(sign_scheme_how(SIGN_RSA_PSS_SHA384, &how));
	assert_true(how.pss && how.kind == SIGN_KIND_RSA);
	assert_string_equal(how.digest, "SHA384");
	assert_true(sign_scheme_how(SIGN_RSA_PKCS1_SHA256, &how));
	assert_true(!how.pss && how.kind == SIGN_KIND_RSA);
	assert_true(sign_scheme_how(SIGN_ED25519, &how));
	assert_true(!how.pss && how.kind == SIGN_KIND_ED25519);
	assert_null(how.digest);
}

static void
test_forms_of_ours(void **state)
{
	uint8_t b[SIGN_INPUT_MAX];

	(void)state;
	assert_true(sign_form_is_ours(SIGN_ED25519, b, form_1_3(b, 48)));
	assert_true(sign_form_is_ours(SIGN_ECDSA_SHA256, b, form_1_3(b, 32)));
	assert_true(sign_form_is_ours(SIGN_RSA_PSS_SHA256, b,
	    form_1_3(b, 32)));
	assert_true(sign_form_is_ours(SIGN_RSA_PKCS1_SHA256, b,
	    form_1_2(b, 29, 32)));
	assert_true(sign_form_is_ours(SIGN_ECDSA_SHA384, b,
	    form_1_2(b, 23, 65)));
	assert_true(sign_form_is_ours(SIGN_ECDSA_SHA384, b,
	    form_1_2(b, 24, 97)));
	/* PKCS #1 v1.5 is of TLS 1.2 alone. */
	assert_false(sign_form_is_ours(SIGN_RSA_PKCS1_SHA256, b,
	    form_1_3(b, 32)));
	assert_false(sign_form_is_ours(0x0201, b, form_1_2(b, 29, 32)));
}

/* Each length but the right ones, and each byte of what is fixed. */
static void
test_e10_other_forms(void **state)
{
	uint8_t b[SIGN_INPUT_MAX];
	size_t n = form_1_3(b, 48);

	(void)state;
	for (size_t len = 0; len <= SIGN_INPUT_MAX; len++)
		assert_int_equal(sign_form_is_ours(SIGN_ED25519, b, len),
		    len == FRONT_1_3 + 32 || len == FRONT_1_3 + 48);
	for (size_t i = 0; i < FRONT_1_3; i++) {
		b[i] ^= 1;
		assert_false(sign_form_is_ours(SIGN_ED25519, b, n));
		b[i] ^= 1;
	}
	n = form_1_2(b, 23, 65);
	for (size_t len = 0; len <= SIGN_INPUT_MAX; len++)
		assert_int_equal(sign_form_is_ours(SIGN_ED25519, b, len),
		    len == n);
	for (size_t i = 56; i < 69; i++) {
		b[i] ^= 1;
		assert_false(sign_form_is_ours(SIGN_ED25519, b, n));
		b[i] ^= 1;
	}
	assert_true(sign_form_is_ours(SIGN_ED25519, b, n));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_schemes_have_their_kinds),
		cmocka_unit_test(test_forms_of_ours),
		cmocka_unit_test(test_e10_other_forms),
	};

	return RUN(tests);
}
