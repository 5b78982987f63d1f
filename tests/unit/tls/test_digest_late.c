/*
 * tests/unit/tls/test_digest_late.c: the standards' own examples, and no
 * second digest of a finished one.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unit.h"

#include "tls/digest_late.h"

static void
known_values(void **state)
{
	static const struct {
		enum digest_kind kind;
		uint8_t first[4];	/* of the digest of "abc" */
	} table[] = {
		{ DIGEST_SHA256, { 0xba, 0x78, 0x16, 0xbf } },
		{ DIGEST_SHA512, { 0xdd, 0xaf, 0x35, 0xa1 } },
		{ DIGEST_SHA1, { 0xa9, 0x99, 0x3e, 0x36 } },
		{ DIGEST_MD5, { 0x90, 0x01, 0x50, 0x98 } },
	};

	(void)state;
	assert_null(digest_new(DIGEST_SHA256)); /* not loaded yet */
	assert_true(digest_load());
	assert_true(digest_load());
	for (size_t i = 0; i < COUNT(table); i++) {
		uint8_t out[DIGEST_BYTES_MAX];
		struct digest *d = digest_new(table[i].kind);

		assert_non_null(d);
		digest_add(d, "a", 1);
		digest_add(d, "bc", 2);
		assert_true(digest_finish(d, out));
		assert_memory_equal(out, table[i].first, 4);
		digest_add(d, "x", 1);
		assert_false(digest_finish(d, out));
		digest_free(d);
	}
	digest_free(NULL);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_values),
	};

	return RUN(tests);
}
