/*
 * The exhaustive part runs all strings of up to six of the eight bytes that
 * matter, in every way of cutting them in two and byte by byte (B04).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "proto/telnet.h"

#include <stdio.h>

#include "unit.h"

#define LINE_MAX 4

/* What came of some input, as text: one letter an event, and its bytes. */
struct outcome {
	char text[128];
	size_t len;
	unsigned lines; /* reply-worthy events */
};

static void
note(struct outcome *o, const struct telnet *t, enum telnet_event event)
{
	static const char letters[] = {
		[TELNET_LINE] = 'L', [TELNET_OVERLONG] = '!',
		[TELNET_OPTION] = 'o',
	};
	struct sv line = telnet_line(t);

	assert_in_range(o->len, 0, sizeof(o->text) - 8 - LINE_MAX);
	o->text[o->len++] = letters[event];
	if (event == TELNET_LINE) {
		memcpy(o->text + o->len, line.ptr, line.len);
		o->len += line.len;
	} else if (event == TELNET_OPTION) {
		o->text[o->len++] = (char)t->verb;
		o->text[o->len++] = (char)t->option;
	}
	o->text[o->len++] = ';';
	o->lines += event != TELNET_OPTION;
}

static void
feed(struct telnet *t, struct sv in, struct outcome *o)
{
	enum telnet_event event;

	while ((event = telnet_feed(t, &in)) != TELNET_MORE)
		note(o, t, event);
	assert_int_equal(in.len, 0);
	assert_in_range(t->len, 0, LINE_MAX);
}

/* Cut once, before byte `cut`; 0 gives it whole. */
static struct outcome
outcome_of(struct sv in, size_t cut)
{
	char buf[LINE_MAX];
	struct telnet t;
	struct outcome o = { .len = 0 };

	telnet_init(&t, buf, sizeof(buf));
	feed(&t, (struct sv) { in.ptr, cut }, &o);
	feed(&t, sv_drop(in, cut), &o);
	return o;
}

static struct outcome
outcome_bytewise(struct sv in)
{
	char buf[LINE_MAX];
	struct telnet t;
	struct outcome o = { .len = 0 };

	telnet_init(&t, buf, sizeof(buf));
	for (size_t i = 0; i < in.len; i++)
		feed(&t, (struct sv) { in.ptr + i, 1 }, &o);
	return o;
}

static void
assert_same_outcome(const struct outcome *a, const struct outcome *b)
{
	assert_int_equal(a->len, b->len);
	assert_memory_equal(a->text, b->text, a->len);
}

static void
check_string(struct sv in)
{
	struct outcome whole = outcome_of(in, 0), other;
	unsigned lf = 0;

	for (size_t i = 0; i < in.len; i++)
		lf += in.ptr[i] == '\n';
	assert_int_equal(whole.lines, lf);
	for (size_t cut = 1; cut < in.len; cut++) {
		other = outcome_of(in, cut);
		assert_same_outcome(&whole, &other);
	}
	other = outcome_bytewise(in);
	assert_same_outcome(&whole, &other);
}

static void
b04_all_short_strings(void **state)
{
	static const char bytes[8] = { (char)TELNET_IAC, (char)TELNET_WILL,
		(char)TELNET_SB, (char)TELNET_SE, (char)TELNET_IP, '\r', '\n',
		'a' };
	char text[6];

	(void)state;
	for (size_t len = 0; len <= sizeof(text); len++)
		for (uint32_t n = 0; n < 1u << (3 * len); n++) {
			for (size_t i = 0; i < len; i++)
				text[i] = bytes[n >> (3 * i) & 7];
			check_string((struct sv) { text, len });
		}
}

static void
sequences_are_taken_out(void **state)
{
	static const struct {
		struct sv in;
		struct sv out;
	} table[] = {
		{ SV("ab\r\n"), SV("Lab;") },
		{ SV("ab\n"), SV("Lab;") },
		{ SV("\n"), SV("L;") },
		{ SV("\r\n"), SV("L;") },
		{ SV("a\r\r\n"), SV("La\r;") },
		{ SV("a\rb\r\n"), SV("La\rb;") },
		{ SV("a\0b\r\n"), SV("La\0b;") },
		{ SV("a\r\0\r\n"), SV("La\r\0;") },
		{ SV("abcd\r\n"), SV("Labcd;") },
		{ SV("abcde\r\n"), SV("!;") },
		{ SV("abcdefgh\r\nx\n"), SV("!;Lx;") },
		{ SV("abcd\r\r\n"), SV("!;") },
		{ SV("a\xff\xff" "b\r\n"), SV("La\xff" "b;") },
		{ SV("a\xff\xf1" "b\r\n"), SV("Lab;") },
		{ SV("\xff\xf4\xff\xf2" "ab\r\n"), SV("Lab;") },
		{ SV("a\xff\xfb\x01" "b\r\n"), SV("o\xfb\x01;Lab;") },
		{ SV("a\xff\xfd\xff" "b\r\n"), SV("o\xfd\xff;Lab;") },
		{ SV("\xff\xfa\x18xx\xff\xf0" "b\n"), SV("!;") },
		{ SV("\xff\xfa\xff\xf0" "b\n"), SV("Lb;") },
		{ SV("\r\xff\xf4\n"), SV("L;") },
		/* An LF ends the line, whatever it stands in. */
		{ SV("a\xff\nb\n"), SV("La;Lb;") },
		{ SV("a\xff\xfb\nb\n"), SV("La;Lb;") },
		{ SV("a\xff\xfax\nb\n"), SV("La;Lb;") },
		{ SV("a\xff\xfa\xff\nb\n"), SV("La;Lb;") },
		/* A stray IAC before what is no command. */
		{ SV("a\xff" "b\n"), SV("Lab;") },
		{ SV("a\xff\r\n"), SV("La;") },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct outcome o = outcome_of(table[i].in, 0);

		if (!sv_eq((struct sv) { o.text, o.len }, table[i].out))
			fail_msg("row %zu: got %.*s", i, (int)o.len, o.text);
		check_string(table[i].in);
	}
}

static void
pipelined_input_stays_with_the_caller(void **state)
{
	struct sv in = SV("PWD\r\nQUIT\r\nNO");
	char buf[16];
	struct telnet t;

	(void)state;
	telnet_init(&t, buf, sizeof(buf));
	assert_int_equal(telnet_feed(&t, &in), TELNET_LINE);
	assert_true(sv_eq(telnet_line(&t), SV("PWD")));
	assert_true(sv_eq(in, SV("QUIT\r\nNO")));
	assert_int_equal(telnet_feed(&t, &in), TELNET_LINE);
	assert_true(sv_eq(telnet_line(&t), SV("QUIT")));
	assert_int_equal(telnet_feed(&t, &in), TELNET_MORE);
	assert_int_equal(in.len, 0);
	in = SV("OP\n");
	assert_int_equal(telnet_feed(&t, &in), TELNET_LINE);
	assert_true(sv_eq(telnet_line(&t), SV("NOOP")));
	in = (struct sv) { NULL, 0 };
	assert_int_equal(telnet_feed(&t, &in), TELNET_MORE);
}

/* B01, B02: one event, and the tail of the line is no command. */
static void
b02_long_lines_are_one_event(void **state)
{
	static char in[70000], buf[8192];
	static const size_t lengths[] = { 0, 1, 511, 512, 8191, 8192, 8193,
		8194, 16384, 16385, 65536, 69000 };
	struct telnet t;

	(void)state;
	for (size_t i = 0; i < COUNT(lengths); i++) {
		struct sv rest = { in, lengths[i] + 7 };

		memset(in, 'A', lengths[i]);
		memcpy(in + lengths[i], "\r\nPWD\r\n", 7);
		telnet_init(&t, buf, sizeof(buf));
		assert_int_equal(telnet_feed(&t, &rest),
		    lengths[i] <= sizeof(buf) ? TELNET_LINE : TELNET_OVERLONG);
		if (lengths[i] > sizeof(buf))
			assert_int_equal(t.lost, lengths[i] - sizeof(buf));
		assert_true(sv_eq(rest, SV("PWD\r\n")));
		assert_int_equal(telnet_feed(&t, &rest), TELNET_LINE);
		assert_true(sv_eq(telnet_line(&t), SV("PWD")));
	}
}

/* Telnet bytes without end are a line too long, and can be seen to be. */
static void
b03_endless_subnegotiation_is_overlong(void **state)
{
	char buf[16], in[64];
	struct telnet t;
	struct sv rest = SV("\xff\xfa");

	(void)state;
	telnet_init(&t, buf, sizeof(buf));
	assert_int_equal(telnet_feed(&t, &rest), TELNET_MORE);
	memset(in, 'x', sizeof(in));
	rest = (struct sv) { in, sizeof(in) };
	assert_int_equal(telnet_feed(&t, &rest), TELNET_MORE);
	assert_true(t.overlong);
	assert_int_equal(t.lost, 2 + sizeof(in) - sizeof(buf));
	rest = SV("\nPWD\n");
	assert_int_equal(telnet_feed(&t, &rest), TELNET_OVERLONG);
	assert_int_equal(telnet_feed(&t, &rest), TELNET_LINE);
	assert_true(sv_eq(telnet_line(&t), SV("PWD")));
}

static void
options_are_refused_once(void **state)
{
	static const struct {
		struct sv in;
		struct sv answer;
	} table[] = {
		{ SV("\xff\xfb\x01"), SV("\xff\xfe\x01") },
		{ SV("\xff\xfd\x03"), SV("\xff\xfc\x03") },
		{ SV("\xff\xfc\x01"), SV("") },
		{ SV("\xff\xfe\x01"), SV("") },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		char buf[4], answer[3];
		struct telnet t;
		struct sv in = table[i].in;
		size_t len;

		telnet_init(&t, buf, sizeof(buf));
		assert_int_equal(telnet_feed(&t, &in), TELNET_OPTION);
		len = telnet_refuse(&t, answer);
		assert_true(sv_eq((struct sv) { answer, len },
		    table[i].answer));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(b04_all_short_strings),
		cmocka_unit_test(sequences_are_taken_out),
		cmocka_unit_test(pipelined_input_stays_with_the_caller),
		cmocka_unit_test(b02_long_lines_are_one_event),
		cmocka_unit_test(b03_endless_subnegotiation_is_overlong),
		cmocka_unit_test(options_are_refused_once),
	};

	return RUN(tests);
}
