/*
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/sv.h"

#include "unit.h"

static void
number_takes_digits_up_to_max(void **state)
{
	static const struct {
		const char *text;
		uint64_t max;
		bool ok;
		uint64_t value;
	} table[] = {
		{ "0", 0, true, 0 },
		{ "1", 0, false, 0 },
		{ "00", 0, true, 0 },
		{ "000000000000000000000000000007", 9, true, 7 },
		{ "9", 9, true, 9 },
		{ "10", 9, false, 0 },
		{ "4", 5, true, 4 },
		{ "6", 5, false, 0 },
		{ "15", 14, false, 0 },
		{ "255", 255, true, 255 },
		{ "256", 255, false, 0 },
		{ "65535", 65535, true, 65535 },
		{ "65536", 65535, false, 0 },
		{ "655350", 65535, false, 0 },
		{ "9223372036854775807", INT64_MAX, true, INT64_MAX },
		{ "9223372036854775808", INT64_MAX, false, 0 },
		{ "18446744073709551615", UINT64_MAX, true, UINT64_MAX },
		{ "18446744073709551616", UINT64_MAX, false, 0 },
		{ "18446744073709551620", UINT64_MAX, false, 0 },
		{ "99999999999999999999", UINT64_MAX, false, 0 },
		{ "184467440737095516150", UINT64_MAX, false, 0 },
		{ "", 9, false, 0 },
		{ "+1", 9, false, 0 },
		{ "-1", 9, false, 0 },
		{ " 1", 9, false, 0 },
		{ "1 ", 9, false, 0 },
		{ "0x1", 99, false, 0 },
		{ "1.0", 99, false, 0 },
		{ "1e1", 99, false, 0 },
		{ "\xd9\xa1", 9, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		uint64_t value = 12345;
		bool ok = sv_number(sv_of(table[i].text), table[i].max,
		    &value);

		if (ok != table[i].ok ||
		    value != (ok ? table[i].value : 12345))
			fail_msg("row %zu: \"%s\" up to %ju: %d, %ju", i,
			    table[i].text, (uintmax_t)table[i].max, ok,
			    (uintmax_t)value);
	}
}

/* Every max and every number around it, against plain arithmetic. */
static void
number_is_exact_for_all_small_limits(void **state)
{
	(void)state;
	for (unsigned max = 0; max < 300; max++)
		for (unsigned n = 0; n < 400; n++) {
			char text[4] = { (char)('0' + n / 100),
				(char)('0' + n / 10 % 10),
				(char)('0' + n % 10), '\0' };
			uint64_t value = 0;

			assert_int_equal(sv_number(sv_of(text), max, &value),
			    n <= max);
			assert_int_equal(value, n <= max ? n : 0);
		}
}

static void
nul_is_a_byte_like_others(void **state)
{
	struct sv a = { "1\0", 2 }, b = { "1\0", 2 };
	uint64_t value;

	(void)state;
	assert_true(sv_eq(a, b));
	assert_false(sv_eq(a, SV("1")));
	assert_false(sv_number(a, 9, &value));
}

static void
case_folding_is_ascii_only(void **state)
{
	(void)state;
	for (int i = 0; i < 256; i++) {
		char c = (char)i, upper = sv_upper(c);
		bool lower = c >= 'a' && c <= 'z';

		assert_int_equal(upper, lower ? (char)(c - 32) : c);
		assert_int_equal(sv_digit(c), i >= '0' && i <= '9');
	}
	assert_true(sv_eq_nocase(SV("pAsV"), SV("PASV")));
	assert_false(sv_eq_nocase(SV("PAS"), SV("PASV")));
	assert_false(sv_eq_nocase(SV("pas\xf6"), SV("PAS\xd6")));
}

static void
drop_and_take_stay_inside(void **state)
{
	struct sv v = SV("ab"), none = { NULL, 0 };

	(void)state;
	assert_int_equal(sv_drop(v, 1).len, 1);
	assert_int_equal(sv_drop(v, 3).len, 0);
	assert_int_equal(sv_drop(none, 3).len, 0);
	assert_false(sv_take(&none, 'a'));
	assert_false(sv_take(&v, 'b'));
	assert_true(sv_take(&v, 'a'));
	assert_true(sv_take(&v, 'b'));
	assert_false(sv_take(&v, '\0'));
	assert_int_equal(sv_digits(SV("12a3")), 2);
	assert_int_equal(sv_digits(none), 0);
	assert_true(sv_eq(none, SV("")));
}

static void
fields_end_at_the_mark(void **state)
{
	struct sv v = SV("a,,b\0c,"), none = { NULL, 0 };

	(void)state;
	assert_true(sv_eq(sv_take_field(&v, ','), SV("a")));
	assert_true(sv_eq(sv_take_field(&v, ','), SV("")));
	assert_true(sv_eq(sv_take_field(&v, ','), SV("b\0c")));
	assert_int_equal(v.len, 0);
	assert_int_equal(sv_take_field(&v, ',').len, 0);
	v = SV("all");
	assert_true(sv_eq(sv_take_field(&v, ','), SV("all")));
	assert_int_equal(v.len, 0);
	assert_int_equal(sv_take_field(&none, ',').len, 0);
}

/* The published values of FNV-1a. */
static void
hash_is_fnv_1a(void **state)
{
	(void)state;
	assert_true(sv_hash(SV("")) == UINT64_C(0xcbf29ce484222325));
	assert_true(sv_hash(SV("a")) == UINT64_C(0xaf63dc4c8601ec8c));
	assert_true(sv_hash(SV("foobar")) == UINT64_C(0x85944171f73967e8));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(number_takes_digits_up_to_max),
		cmocka_unit_test(number_is_exact_for_all_small_limits),
		cmocka_unit_test(nul_is_a_byte_like_others),
		cmocka_unit_test(case_folding_is_ascii_only),
		cmocka_unit_test(drop_and_take_stay_inside),
		cmocka_unit_test(fields_end_at_the_mark),
		cmocka_unit_test(hash_is_fnv_1a),
	};

	return RUN(tests);
}
