/*
 * tests/unit/proto/test_hash.c: what the argument of XCRC may mean.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "unit.h"

#include "proto/hash.h"

static void
arguments_have_a_second_reading(void **state)
{
	static const struct {
		struct sv arg;
		bool with_range;
		enum ftp_err err;
		struct sv name;
		uint64_t first, end;
	} table[] = {
		{ SV("a"), true, FTP_SYNTAX, SV(""), 0, 0 },
		{ SV("a b"), true, FTP_SYNTAX, SV(""), 0, 0 },
		{ SV("a 5"), true, FTP_SYNTAX, SV(""), 0, 0 },
		{ SV("5 6"), true, FTP_SYNTAX, SV(""), 0, 0 },
		{ SV("\"a\""), true, FTP_OK, SV("a"), 0, 0 },
		{ SV("\"a b\""), false, FTP_OK, SV("a b"), 0, 0 },
		{ SV("\"\""), true, FTP_SYNTAX, SV(""), 0, 0 },
		{ SV("\""), true, FTP_SYNTAX, SV(""), 0, 0 },
		{ SV("\"a"), true, FTP_SYNTAX, SV(""), 0, 0 },
		{ SV("a\""), true, FTP_SYNTAX, SV(""), 0, 0 },
		{ SV("\"a\"b\""), true, FTP_OK, SV("a\"b"), 0, 0 },
		{ SV("a 5 6"), true, FTP_OK, SV("a"), 5, 6 },
		{ SV("a 5 6"), false, FTP_SYNTAX, SV(""), 0, 0 },
		{ SV("\"a b\" 0 10"), true, FTP_OK, SV("a b"), 0, 10 },
		{ SV("\"a b\" 0 10"), false, FTP_SYNTAX, SV(""), 0, 0 },
		{ SV("a  5  6"), true, FTP_OK, SV("a"), 5, 6 },
		{ SV("a 1 5 6"), true, FTP_OK, SV("a 1"), 5, 6 },
		{ SV(" 5 6"), true, FTP_SYNTAX, SV(""), 0, 0 },
		{ SV("a 6 6"), true, FTP_RANGE, SV(""), 0, 0 },
		{ SV("a 6 5"), true, FTP_RANGE, SV(""), 0, 0 },
		{ SV("a 0 9223372036854775807"), true, FTP_OK, SV("a"), 0,
		    INT64_MAX },
		{ SV("a 0 9223372036854775808"), true, FTP_RANGE, SV(""), 0,
		    0 },
		{ SV("a 0 18446744073709551617"), true, FTP_RANGE, SV(""), 0,
		    0 },
		{ SV("a -1 5"), true, FTP_SYNTAX, SV(""), 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct hash_argument got = { .name = SV("untouched") };
		enum ftp_err err = hash_argument_parse(table[i].arg,
		    table[i].with_range, &got);

		if (err != table[i].err)
			fail_msg("row %zu: %d", i, err);
		if (err != FTP_OK)
			assert_true(sv_eq(got.name, SV("untouched")));
		else if (!sv_eq(got.name, table[i].name) ||
		    got.ranged != (table[i].end > 0) ||
		    got.first != table[i].first || got.end != table[i].end)
			fail_msg("row %zu: \"%.*s\"", i, (int)got.name.len,
			    got.name.ptr);
	}
}

static void
names_are_found_and_listed(void **state)
{
	char text[HASH_FEAT_MAX];
	enum hash_algorithm a = HASH_CRC32;

	(void)state;
	for (unsigned i = 0; i < HASH_COUNT; i++) {
		assert_true(hash_find(sv_of(hash_name(i)), &a));
		assert_int_equal(a, i);
		assert_true(hash_bytes(a) <= HASH_BYTES_MAX);
		hash_feat(a, text);
		assert_true(strlen(text) < sizeof(text));
		assert_int_equal(strchr(text, '*')[-1],
		    hash_name(a)[strlen(hash_name(a)) - 1]);
	}
	assert_true(hash_find(SV("sha-512"), &a));
	assert_int_equal(a, HASH_SHA512);
	assert_false(hash_find(SV("SHA-25"), &a));
	assert_false(hash_find(SV(""), &a));
	assert_int_equal(a, HASH_SHA512);
}

static void
digits_are_written(void **state)
{
	static const uint8_t bytes[] = { 0x00, 0xab, 0xff };
	char text[HASH_HEX_MAX];

	(void)state;
	hash_hex(bytes, sizeof(bytes), false, text);
	assert_string_equal(text, "00abff");
	hash_hex(bytes, sizeof(bytes), true, text);
	assert_string_equal(text, "00ABFF");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(arguments_have_a_second_reading),
		cmocka_unit_test(names_are_found_and_listed),
		cmocka_unit_test(digits_are_written),
	};

	return RUN(tests);
}
