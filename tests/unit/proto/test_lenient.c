/*
 * What careless servers make of an address: every spelling of the list of
 * variants, and what a parser may do with it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "proto/lenient.h"

#include <stdio.h>
#include <stdlib.h>

#include "unit.h"

#define V "203.0.113.99:50000 "

/* readings: each with a blank behind it, in their order. */
static const struct address_row {
	enum hostport_form form;
	const char *text, *readings;
} addresses[] = {
	/* Plain ones have one reading. */
	{ HOSTPORT_PORT, "203,0,113,99,195,80", V },
	{ HOSTPORT_PORT, "0,0,0,0,0,0", "0.0.0.0:0 " },
	{ HOSTPORT_PORT, "255,255,255,255,255,255", "255.255.255.255:65535 " },

	/* EV04: blanks, anywhere. */
	{ HOSTPORT_PORT, "203, 0, 113, 99, 195, 80", V },
	{ HOSTPORT_PORT, " 203\t,0 ,113 ,99\v,195,\x01" "80 ", V },

	/* EV05, EV08: leading zeros are decimal, or octal. */
	{ HOSTPORT_PORT, "010,0,0,1,4,1", "10.0.0.1:1025 8.0.0.1:1025 " },
	{ HOSTPORT_PORT, "203,000,113,099,195,080", V "203.0.113.0:49920 " },
	{ HOSTPORT_PORT, "0313,0,0161,0143,0303,0120",
	    "57.0.161.143:12152 " V },
	{ HOSTPORT_PORT, "0203,0000,0113,0099,0195,0080",
	    V "131.0.75.0:256 " },

	/* EV06: hexadecimal, or a zero before an x. */
	{ HOSTPORT_PORT, "0xcb,0x0,0x71,0x63,0xc3,0x50", "0.0.0.0:0 " V },
	{ HOSTPORT_PORT, "0XCB,0X0,0X71,0X63,0XC3,0X50", "0.0.0.0:0 " V },
	{ HOSTPORT_PORT, "203,0,113,99,0xc3,0x50", "203.0.113.99:0 " V },
	{ HOSTPORT_PORT, "0x,0,0,1,4,1", "0.0.0.1:1025 " },

	/* EV07: modulo 256, or summed up. */
	{ HOSTPORT_PORT, "459,256,369,355,451,336", V
	    "203.0.113.99:50256 " },
	{ HOSTPORT_PORT, "203,0,113,99,0,50000", "203.0.113.99:80 " V },
	{ HOSTPORT_PORT, "203,0,113,99,195,256", "203.0.113.99:49920 "
	    "203.0.113.99:50176 " },
	{ HOSTPORT_PORT, "4294967499,0,113,99,195,80", V },

	/* EV09: signs. */
	{ HOSTPORT_PORT, "+203,+0,+113,+99,+195,+80", V },
	{ HOSTPORT_PORT, "-53,-256,-143,-157,-61,-176", V
	    "203.0.113.99:49744 " },
	{ HOSTPORT_PORT, "203,0,113,99,195,- 80", "" },
	{ HOSTPORT_PORT, "203,0,113,99,195,--80", "" },

	/* EV10: something behind it. */
	{ HOSTPORT_PORT, "203,0,113,99,195,80,1 junk", V },
	{ HOSTPORT_PORT, "203,0,113,99,195,80 junk", V },
	{ HOSTPORT_PORT, "203,0,113,99,195,80)", V },

	/* Nobody reads these. */
	{ HOSTPORT_PORT, "", "" },
	{ HOSTPORT_PORT, ",", "" },
	{ HOSTPORT_PORT, ",,,,,", "" },
	{ HOSTPORT_PORT, "203,0,113,99,195", "" },
	{ HOSTPORT_PORT, "203,0,113,99,195,", "" },
	{ HOSTPORT_PORT, "203,,113,99,195,80", "" },
	{ HOSTPORT_PORT, "203.0.113.99.195.80", "" },
	{ HOSTPORT_PORT, "a,b,c,d,e,f", "" },
	{ HOSTPORT_PORT, "(203,0,113,99,195,80)", "" },

	/* EV26: any delimiter. */
	{ HOSTPORT_EPRT, "|1|203.0.113.99|50000|", V },
	{ HOSTPORT_EPRT, "!1!203.0.113.99!50000!", V },
	{ HOSTPORT_EPRT, "/1/203.0.113.99/50000/", V },
	{ HOSTPORT_EPRT, "  |1| 203.0.113.99 | 50000 |", V },
	{ HOSTPORT_EPRT, "|1|203.0.113.99|50000", V },
	{ HOSTPORT_EPRT, "|1|203.0.113.99|50000|junk", V },

	/* The family is a wrong one, or none. */
	{ HOSTPORT_EPRT, "|2|203.0.113.99|50000|", V },
	{ HOSTPORT_EPRT, "|9|203.0.113.99|50000|", V },
	{ HOSTPORT_EPRT, "||203.0.113.99|50000|", V },
	{ HOSTPORT_EPRT, "|1|2001:db8:3::99|50000|",
	    "[2001:db8:3::99]:50000 " },

	/* inet_aton's numbers; ports that wrap. */
	{ HOSTPORT_EPRT, "|1|0313.0.0161.0143|50000|", V },
	{ HOSTPORT_EPRT, "|1|0xcb.0x0.0x71.0x63|50000|", V },
	{ HOSTPORT_EPRT, "|1|459.256.369.355|50000|", V },
	{ HOSTPORT_EPRT, "|1|203.0.113.99|115536|", V },
	{ HOSTPORT_EPRT, "|1|203.0.113.99|-15536|", V },
	{ HOSTPORT_EPRT, "|1|203.0.113.99|+50000|", V },

	/* EV27: IPv6 in all its forms. */
	{ HOSTPORT_EPRT, "|2|2001:db8:3::99|50000|",
	    "[2001:db8:3::99]:50000 " },
	{ HOSTPORT_EPRT, "|2|2001:DB8:3:0:0:0:0:99|50000|",
	    "[2001:db8:3::99]:50000 " },
	{ HOSTPORT_EPRT, "|2|2001:0db8:0003:0000:0000:0000:0000:0099|50000|",
	    "[2001:db8:3::99]:50000 " },
	{ HOSTPORT_EPRT, "|2|::ffff:203.0.113.99|50000|",
	    "[::ffff:203.0.113.99]:50000 " },
	{ HOSTPORT_EPRT, "|2|fe80::1%eth0|50000|", "[fe80::1]:50000 " },
	{ HOSTPORT_EPRT, "|1|fe80::1%eth0|50000|", "[fe80::1]:50000 " },
	{ HOSTPORT_EPRT, "|2|fe80::1%|50000|", "[fe80::1]:50000 " },

	{ HOSTPORT_EPRT, "", "" },
	{ HOSTPORT_EPRT, "|", "" },
	{ HOSTPORT_EPRT, "||||", "" },
	{ HOSTPORT_EPRT, "|1||50000|", "" },
	{ HOSTPORT_EPRT, "|1|203.0.113.99||", "" },
	{ HOSTPORT_EPRT, "|1|203.0.113|50000|", "" },
	{ HOSTPORT_EPRT, "|1|203,0,113,99|50000|", "" },
	{ HOSTPORT_EPRT, "|1|host.example|50000|", "" },

	/* BO11. */
	{ HOSTPORT_LPRT, "4,4,203,0,113,99,2,195,80", V },
	{ HOSTPORT_LPRT, "6,16,32,1,13,184,0,3,0,0,0,0,0,0,0,0,0,153,2,195,80",
	    "[2001:db8:3::99]:50000 " },
	{ HOSTPORT_LPRT, "9,4,203,0,113,99,9,195,80", V },
	{ HOSTPORT_LPRT, " 4 , 4 ,459,256,369,355,2,451,336,junk", V
	    "203.0.113.99:50256 " },
	{ HOSTPORT_LPRT, "4,4,203,0,113,99,2,195", "" },
	{ HOSTPORT_LPRT, "6,16,32,1,13,184", "" },
	{ HOSTPORT_LPRT, "5,8,1,2,3,4,5,6,7,8,2,195,80", "" },
	{ HOSTPORT_LPRT, "", "" },
};

/* From a block of just its size, so that a sanitizer sees a byte too far. */
static size_t
read_exact(enum hostport_form form, struct sv text,
    struct addr out[LENIENT_READINGS])
{
	char *exact = malloc(text.len > 0 ? text.len : 1);
	size_t n;

	assert_non_null(exact);
	memcpy(exact, text.ptr, text.len);
	n = lenient_addresses(form, (struct sv) { exact, text.len }, out);
	free(exact);
	assert_in_range(n, 0, LENIENT_READINGS);
	return n;
}

static const char *
readings_of(enum hostport_form form, struct sv text, char out[256])
{
	struct addr reading[LENIENT_READINGS];
	size_t n = read_exact(form, text, reading), len = 0;
	char one[ADDR_TEXT_MAX];

	out[0] = '\0';
	for (size_t i = 0; i < n; i++)
		len += (size_t)snprintf(out + len, 256 - len, "%s ",
		    addr_format(&reading[i], one));
	return out;
}

static void
each_spelling_has_its_readings(void **state)
{
	char text[256];

	(void)state;
	for (size_t i = 0; i < COUNT(addresses); i++) {
		const struct address_row *r = &addresses[i];

		readings_of(r->form, sv_of(r->text), text);
		if (strcmp(text, r->readings) != 0)
			print_error("%s\n", r->text);
		assert_string_equal(text, r->readings);
	}
}

/* Whatever the strict grammar reads comes first. */
static void
the_strict_reading_comes_first(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(addresses); i++) {
		const struct address_row *r = &addresses[i];
		struct addr strict, reading[LENIENT_READINGS];

		if (hostport_parse_form(r->form, sv_of(r->text), &strict,
		    NULL) != FTP_OK)
			continue;
		assert_true(read_exact(r->form, sv_of(r->text), reading) > 0);
		assert_memory_equal(&reading[0], &strict, sizeof(strict));
	}
}

/* Cut anywhere, and with any byte anywhere: bounded, each reading once. */
static void
any_bytes_have_few_readings(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(addresses); i++) {
		struct addr a[LENIENT_READINGS];
		size_t len = strlen(addresses[i].text);
		char text[128];

		assert_true(len < sizeof(text));
		for (size_t n = 0; n <= len; n++)
			read_exact(addresses[i].form,
			    (struct sv) { addresses[i].text, n }, a);
		for (size_t at = 0; at < len; at++)
			for (unsigned c = 0; c < 256; c++) {
				size_t n;

				memcpy(text, addresses[i].text, len);
				text[at] = (char)c;
				n = read_exact(addresses[i].form,
				    (struct sv) { text, len }, a);
				for (size_t j = 1; j < n; j++)
					assert_memory_not_equal(&a[0], &a[j],
					    sizeof(a[0]));
			}
	}
}

static void
other_forms_have_none(void **state)
{
	struct addr a[LENIENT_READINGS];

	(void)state;
	for (unsigned f = 0; f < HOSTPORT_FORM_COUNT; f++)
		if (f != HOSTPORT_PORT && f != HOSTPORT_EPRT &&
		    f != HOSTPORT_LPRT)
			assert_in_range(lenient_addresses(
			    (enum hostport_form)f, SV("junk"), a), 0, 0);
}

/* "0...0203": the zeros change nothing, or the base. */
static void
numbers_of_ten_thousand_digits_are_read(void **state)
{
	enum { DIGITS = 10000 };
	static char text[DIGITS + 64];
	char readings[256];

	(void)state;
	memset(text, '0', DIGITS);
	memcpy(text + DIGITS - 3, "203,0,113,99,195,80", 20);
	assert_string_equal(readings_of(HOSTPORT_PORT, sv_of(text), readings),
	    V "131.0.113.99:50000 ");
	text[0] = '1';	/* 10^9999 + 203 is 203 modulo 2^32 */
	assert_string_equal(readings_of(HOSTPORT_PORT, sv_of(text), readings),
	    V);
	memset(text, '9', DIGITS);
	memcpy(text + DIGITS, ",0,113,99,195,80", 17);
	assert_string_equal(readings_of(HOSTPORT_PORT, sv_of(text), readings),
	    "255.0.113.99:50000 ");
}

/* ---- lines */

static const struct line_row {
	struct sv line;
	enum ftp_verb verb;	/* V_UNKNOWN: no reading */
	const char *arg;
} lines[] = {
	/* EV01 to EV03. */
	{ SV("PORT 1,2"), V_PORT, "1,2" },
	{ SV("pOrT 1,2"), V_PORT, "1,2" },
	{ SV("  PORT 1,2"), V_PORT, "1,2" },
	{ SV("\tEPRT |1|"), V_EPRT, "|1|" },
	{ SV("LPRT\t \t4,4"), V_LPRT, "4,4" },
	{ SV("\x01PORT\x02" "1,2"), V_PORT, "1,2" },
	{ SV("PORT"), V_PORT, "" },
	{ SV("PORT   "), V_PORT, "" },
	{ SV("PORT 1,2 "), V_PORT, "1,2 " },

	/* EV11, EV12: bare CR, NUL. */
	{ SV("NOOP\rPORT 1,2"), V_PORT, "1,2" },
	{ SV("\r\r\rPORT 1,2\rNOOP"), V_PORT, "1,2" },
	{ SV("PORT 1,2\r"), V_PORT, "1,2" },
	{ SV("PO\0RT 1\0,2\0"), V_PORT, "1,2" },
	{ SV("\0\0PORT\0 1,2"), V_PORT, "1,2" },

	/* BE03, and what only looks alike. */
	{ SV("STOR PORT 1,2"), V_UNKNOWN, NULL },
	{ SV("XPORT 1,2"), V_UNKNOWN, NULL },
	{ SV("PORTX 1,2"), V_UNKNOWN, NULL },
	{ SV("PORT1,2"), V_UNKNOWN, NULL },
	{ SV("PASV"), V_UNKNOWN, NULL },
	{ SV(""), V_UNKNOWN, NULL },
	{ SV("\r"), V_UNKNOWN, NULL },
	{ SV("\0\0\0"), V_UNKNOWN, NULL },
	{ SV(" "), V_UNKNOWN, NULL },
};

static void
hidden_commands_are_found(void **state)
{
	char room[LENIENT_LINE_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		enum ftp_verb verb = V_UNKNOWN;
		struct sv arg = { NULL, 0 };
		bool found = lenient_command(lines[i].line, room, &verb, &arg);

		assert_int_equal(found, lines[i].arg != NULL);
		if (!found)
			continue;
		assert_int_equal(verb, lines[i].verb);
		assert_true(sv_eq(arg, sv_of(lines[i].arg)));
	}
}

/* NULs do not count for the longest line; what is behind it is not read. */
static void
lines_of_any_length_are_read_so_far(void **state)
{
	static char text[LENIENT_LINE_MAX * 3];
	char room[LENIENT_LINE_MAX];
	enum ftp_verb verb;
	struct sv arg, all = { text, sizeof(text) };

	(void)state;
	memcpy(text + 2 * LENIENT_LINE_MAX, "PORT 1,2", 8);
	assert_true(lenient_command(all, room, &verb, &arg));
	assert_true(sv_eq(arg, SV("1,2")));
	memset(text, 'x', LENIENT_LINE_MAX);
	text[0] = '\r';
	assert_false(lenient_command(all, room, &verb, &arg));
	text[LENIENT_LINE_MAX - 9] = '\r';
	memset(text + LENIENT_LINE_MAX - 8, '\0', 8);
	assert_true(lenient_command(all, room, &verb, &arg));
	assert_true(sv_eq(arg, SV("1,2")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_spelling_has_its_readings),
		cmocka_unit_test(the_strict_reading_comes_first),
		cmocka_unit_test(any_bytes_have_few_readings),
		cmocka_unit_test(other_forms_have_none),
		cmocka_unit_test(numbers_of_ten_thousand_digits_are_read),
		cmocka_unit_test(hidden_commands_are_found),
		cmocka_unit_test(lines_of_any_length_are_read_so_far),
	};

	return RUN(tests);
}
