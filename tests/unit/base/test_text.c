/*
 * A11, F13: lines of a file that somebody wrote, on their way into a reply.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/text.h"

#include "unit.h"

/* A literal may hold a NUL. */
#define ROW(in, out) { SV(in), SV(out) }

static void
lines_end_at_lf(void **state)
{
	static const struct {
		struct sv text;
		struct sv lines[4];
		size_t count;
	} rows[] = {
		{ SV(""), { { 0 } }, 0 },
		{ SV("\n"), { SV("") }, 1 },
		{ SV("a"), { SV("a") }, 1 },
		{ SV("a\n"), { SV("a") }, 1 },
		{ SV("a\nb"), { SV("a"), SV("b") }, 2 },
		{ SV("a\r\n\r\nb\r"), { SV("a"), SV(""), SV("b") }, 3 },
		{ SV("a\rb\n"), { SV("a\rb") }, 1 },
		{ SV("\n\n"), { SV(""), SV("") }, 2 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct sv text = rows[i].text, line;
		size_t n = 0;

		while (text_take_line(&text, &line)) {
			assert_true(n < rows[i].count);
			assert_true(sv_eq(line, rows[i].lines[n++]));
		}
		assert_int_equal(n, rows[i].count);
	}
}

static void
a11_what_could_steer_is_escaped(void **state)
{
	static const struct {
		struct sv in, out;
	} rows[] = {
		ROW("", ""),
		ROW("227 Entering (1,2,3,4,5,6)", "227 Entering (1,2,3,4,5,6)"),
		ROW("a\tb ~", "a\tb ~"),
		ROW("a\rb\nc\0d", "a\\x0db\\x0ac\\x00d"),
		ROW("\033[31m\177", "\\x1b[31m\\x7f"),
		ROW("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8c\x8d",
		    "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8c\x8d"),
		ROW("caf\xe9 \xa0\xfe", "caf\xe9 \xa0\xfe"),
		ROW("\x80\x9b\x9f", "\\x80\\x9b\\x9f"),
		ROW("\xc2\x9b" "31m", "\\xc2\\x9b" "31m"),
		ROW("\xc2\xa0", "\xc2\xa0"),
		ROW("\xff\xfa", "\\xff\xfa"),
		/* Longer than they need be, cut, surrogates, too high. */
		ROW("\xc0\x8a", "\xc0\\x8a"),
		ROW("\xe0\x80\x8a", "\xe0\\x80\\x8a"),
		ROW("\xf0\x80\x80\x8a", "\xf0\\x80\\x80\\x8a"),
		ROW("\xed\xa0\x80", "\xed\xa0\\x80"),
		ROW("\xf4\x90\x80\x80", "\xf4\\x90\\x80\\x80"),
		ROW("\xe2\x82", "\xe2\\x82"),
		ROW("\xe2", "\xe2"),
	};
	char out[TEXT_SHOWN_MAX(64)];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t n = text_show(rows[i].in, out, sizeof(out));

		if (!sv_eq((struct sv) { out, n }, rows[i].out))
			fail_msg("row %zu: %.*s", i, (int)n, out);
	}
}

/* Whatever it is: what is shown can be shown, and room suffices. */
static void
a11_every_pair_of_bytes(void **state)
{
	(void)state;
	for (unsigned pair = 0; pair < 65536; pair++) {
		char in[2] = { (char)(pair >> 8), (char)pair };
		char out[TEXT_SHOWN_MAX(2)], again[TEXT_SHOWN_MAX(8)];
		size_t n = text_show((struct sv) { in, 2 }, out, sizeof(out));
		size_t m = text_show((struct sv) { out, n }, again,
		    sizeof(again));

		assert_true(n >= 2);
		assert_int_equal(n, m);
		assert_memory_equal(out, again, n);
		for (size_t i = 0; i < n; i++)
			assert_true(out[i] == '\t' ||
			    ((unsigned char)out[i] >= ' ' &&
			    out[i] != 0x7f && out[i] != (char)0xff));
	}
}

static void
it_is_cut_at_a_character(void **state)
{
	static const struct {
		struct sv in;
		size_t size, n;
	} rows[] = {
		{ SV("abc"), 2, 2 }, { SV("abc"), 0, 0 },
		{ SV("a\xe2\x82\xac"), 3, 1 }, { SV("a\xe2\x82\xac"), 4, 4 },
		{ SV("a\001"), 4, 1 }, { SV("a\001"), 5, 5 },
	};
	char out[8];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(text_show(rows[i].in, out, rows[i].size),
		    rows[i].n);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_end_at_lf),
		cmocka_unit_test(a11_what_could_steer_is_escaped),
		cmocka_unit_test(a11_every_pair_of_bytes),
		cmocka_unit_test(it_is_cut_at_a_character),
	};

	return RUN(tests);
}
