/*
 * tests/unit/tls/test_digest.c: pieces make the digest of the whole.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unit.h"

#include <string.h>

#include "tls/digest.h"

/* FIPS 180-4's own examples. */
#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static void
test_known_values(void **state)
{
	struct digest_sha256 *d = digest_sha256_new();
	char out[DIGEST_SHA256_HEX];

	(void)state;
	assert_non_null(d);
	assert_true(digest_sha256_finish(d, out));
	assert_string_equal(out, EMPTY);
	assert_true(digest_sha256_begin(d));
	assert_true(digest_sha256_add(d, "a", 1));
	assert_true(digest_sha256_add(d, "bc", 2));
	assert_true(digest_sha256_finish(d, out));
	assert_string_equal(out, ABC);
	digest_sha256_free(d);
	digest_sha256_free(NULL);
}

static void
test_any_cut_gives_the_same(void **state)
{
	struct digest_sha256 *d = digest_sha256_new();
	char bytes[200], whole[DIGEST_SHA256_HEX], out[DIGEST_SHA256_HEX];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 7);
	digest_sha256_hex(bytes, sizeof(bytes), whole);
	for (size_t cut = 0; cut <= sizeof(bytes); cut++) {
		assert_true(digest_sha256_begin(d));
		assert_true(digest_sha256_add(d, bytes, cut));
		assert_true(digest_sha256_add(d, bytes + cut,
		    sizeof(bytes) - cut));
		assert_true(digest_sha256_finish(d, out));
		assert_string_equal(out, whole);
	}
	digest_sha256_free(d);
}

static void
test_a_finished_one_gives_no_second_digest(void **state)
{
	struct digest_sha256 *d = digest_sha256_new();
	char out[DIGEST_SHA256_HEX];

	(void)state;
	assert_true(digest_sha256_finish(d, out));
	assert_false(digest_sha256_add(d, "x", 1));
	assert_false(digest_sha256_finish(d, out));
	assert_string_equal(out, "");
	digest_sha256_free(d);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_values),
		cmocka_unit_test(test_any_cut_gives_the_same),
		cmocka_unit_test(test_a_finished_one_gives_no_second_digest),
	};

	return RUN(tests);
}
