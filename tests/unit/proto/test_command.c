/*
 * SPDX-License-Identifier: Apache-2.0
 */
#include "proto/command.h"

#include "unit.h"

static void
lines_are_taken_apart(void **state)
{
	static const struct {
		struct sv line;
		enum ftp_err err;
		enum ftp_verb verb;
		struct sv arg;
	} table[] = {
		{ SV("PASV"), FTP_OK, V_PASV, SV("") },
		{ SV("pasv"), FTP_OK, V_PASV, SV("") },
		{ SV("PASV "), FTP_OK, V_PASV, SV("") },
		{ SV("PASV 1"), FTP_SYNTAX, V_PASV, SV("1") },
		{ SV("USER anonymous"), FTP_OK, V_USER, SV("anonymous") },
		{ SV("USER"), FTP_SYNTAX, V_USER, SV("") },
		{ SV("USER "), FTP_SYNTAX, V_USER, SV("") },
		{ SV("PASS"), FTP_OK, V_PASS, SV("") },
		{ SV("PASS  x "), FTP_OK, V_PASS, SV(" x ") },
		{ SV("RETR  a b "), FTP_OK, V_RETR, SV(" a b ") },
		{ SV("ABOR anything"), FTP_OK, V_ABOR, SV("anything") },
		{ SV("LIST"), FTP_OK, V_LIST, SV("") },
		{ SV("LIST -la"), FTP_OK, V_LIST, SV("-la") },
		{ SV("CWD \xc3\xa9"), FTP_OK, V_CWD, SV("\xc3\xa9") },
		{ SV("PORT"), FTP_SYNTAX, V_PORT, SV("") },
		{ SV("PORT 1,2"), FTP_OK, V_PORT, SV("1,2") },
		{ SV("CPSV"), FTP_OK, V_CPSV, SV("") },
		{ SV(""), FTP_UNKNOWN, V_UNKNOWN, SV("") },
		{ SV(" "), FTP_UNKNOWN, V_UNKNOWN, SV("") },
		{ SV(" PASV"), FTP_UNKNOWN, V_UNKNOWN, SV("PASV") },
		{ SV("PASVX"), FTP_UNKNOWN, V_UNKNOWN, SV("") },
		{ SV("PAS"), FTP_UNKNOWN, V_UNKNOWN, SV("") },
		{ SV("RETR\ta"), FTP_UNKNOWN, V_UNKNOWN, SV("") },
		{ SV("GET / HTTP/1.1"), FTP_UNKNOWN, V_UNKNOWN,
		    SV("/ HTTP/1.1") },
		{ SV("RETR a\0b"), FTP_SYNTAX, V_RETR, SV("a\0b") },
		{ SV("RETR a\rb"), FTP_SYNTAX, V_RETR, SV("a\rb") },
		{ SV("RETR a\nb"), FTP_SYNTAX, V_RETR, SV("a\nb") },
		{ SV("ABOR \0"), FTP_SYNTAX, V_ABOR, SV("\0") },
		{ SV("PASV\0"), FTP_SYNTAX, V_UNKNOWN, SV("") },
		{ SV("NOOP\rPORT 1"), FTP_SYNTAX, V_UNKNOWN, SV("1") },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		enum ftp_verb verb;
		struct sv arg;
		enum ftp_err err = command_parse(table[i].line, &verb, &arg);

		if (err != table[i].err || verb != table[i].verb ||
		    !sv_eq(arg, table[i].arg))
			fail_msg("row %zu: \"%.*s\"", i,
			    (int)table[i].line.len, table[i].line.ptr);
	}
}

static void
every_verb_is_found_in_any_case(void **state)
{
	(void)state;
	for (unsigned v = 0; v < V_COUNT; v++) {
		char name[8];
		size_t len = strlen(ftp_commands[v].name);

		assert_in_range(len, 3, FTP_VERB_BYTES - 1);
		for (unsigned bits = 0; bits < 1u << len; bits++) {
			for (size_t i = 0; i < len; i++)
				name[i] = bits >> i & 1 ?
				    (char)(ftp_commands[v].name[i] | 32) :
				    ftp_commands[v].name[i];
			assert_int_equal(command_find((struct sv) { name,
			    len }), v);
		}
		assert_true(ftp_commands[v].at != 0);
		assert_true(strlen(ftp_commands[v].source) > 0);
	}
}

/* HELP says it: ours, printable, and there where something may follow. */
static void
every_verb_has_its_syntax(void **state)
{
	(void)state;
	for (unsigned v = 0; v < V_COUNT; v++) {
		const char *syntax = command_syntax((enum ftp_verb)v);
		enum ftp_arg arg = ftp_commands[v].arg;

		for (const char *p = syntax; *p != '\0'; p++)
			assert_in_range(*p, ' ', '~');
		if (arg == ARG_NONE || arg == ARG_IGNORED)
			assert_string_equal(syntax, "");
		else
			assert_string_not_equal(syntax, "");
		if (arg == ARG_MAYBE && v != V_OPTS)
			assert_int_equal(syntax[0], '[');
	}
}

/* B09: no byte but the ASCII letter of either case makes the verb. */
static void
b09_other_bytes_make_no_verb(void **state)
{
	char name[4];

	(void)state;
	for (size_t i = 0; i < 4; i++)
		for (int c = 0; c < 256; c++) {
			memcpy(name, "PASV", 4);
			if (sv_upper((char)c) == name[i])
				continue;
			name[i] = (char)c;
			assert_int_not_equal(command_find((struct sv) { name,
			    4 }), V_PASV);
		}
}

static void
data_addresses_need_a_login(void **state)
{
	static const enum ftp_verb verbs[] = { V_PORT, V_EPRT, V_LPRT, V_PASV,
		V_EPSV, V_LPSV, V_RETR, V_LIST, V_STOR };

	(void)state;
	for (size_t i = 0; i < COUNT(verbs); i++)
		assert_int_equal(ftp_commands[verbs[i]].at & AT_GREETED, 0);
}

static void
a12_foreign_lines_are_seen(void **state)
{
	static const struct sv foreign[] = {
		SV("GET / HTTP/1.1"), SV("get / http/1.1"), SV("POST /"),
		SV("PUT /x HTTP/1.1"), SV("OPTIONS * HTTP/1.1"), SV("EHLO a"),
		SV("HELO a"), SV("INVITE sip:a@b SIP/2.0"),
		SV("REGISTER sip:b SIP/2.0"), SV("BREW /pot HTTP/1.1"),
		SV("PRI * HTTP/2.0"), SV("\x16\x03\x01\x02\x00\x01"),
		SV("SSH-2.0-x"), SV("DESCRIBE rtsp://a RTSP/1.0"),
	};
	static const struct sv own[] = {
		SV(""), SV("USER a"), SV("FEAT"), SV("SYST"), SV("XYZZY"),
		SV("RETR a HTTP/1.1"), SV("GETX"), SV("\x16"),
		SV("AUTH TLS"), SV("HELP"), SV("CWD /HTTP/1.1"),
	};

	(void)state;
	for (size_t i = 0; i < COUNT(foreign); i++)
		if (!command_is_foreign(foreign[i]))
			fail_msg("not seen: row %zu", i);
	for (size_t i = 0; i < COUNT(own); i++)
		if (command_is_foreign(own[i]))
			fail_msg("taken for foreign: row %zu", i);
	for (unsigned v = 0; v < V_COUNT; v++)
		assert_false(command_is_foreign(sv_of(ftp_commands[v].name)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_taken_apart),
		cmocka_unit_test(every_verb_is_found_in_any_case),
		cmocka_unit_test(every_verb_has_its_syntax),
		cmocka_unit_test(b09_other_bytes_make_no_verb),
		cmocka_unit_test(data_addresses_need_a_login),
		cmocka_unit_test(a12_foreign_lines_are_seen),
	};

	return RUN(tests);
}
