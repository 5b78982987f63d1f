/*
 * The server's end of a socket pair is a child that says its piece.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "audit/link.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

#define SOON_MS 200	/* for a reply that must not come */
#define LATE_MS 5000	/* for one that must */
#define BYTE_US 300

struct scene {
	struct options options;
	struct target target;
	struct audit audit;
	struct ask ask;
	struct link *link;
	int server;
};

static void
begin(struct scene *s)
{
	int ends[2];

	*s = (struct scene) {
		.options = { .timeout_ms = LATE_MS, .rate = 1000 },
		.target = { .host = "h", .user = "u", .password = "secret" },
	};
	s->audit = (struct audit) { .options = &s->options,
		.target = &s->target, .started_ms = sock_now_ms(),
		.deadline_ms = sock_now_ms() + 600000 };
	s->ask = (struct ask) { .audit = &s->audit,
		.exchange = json_array(), .asked = json_array() };
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK |
	    SOCK_CLOEXEC, 0, ends), 0);
	s->link = link_attach(&s->ask, ends[0]);
	assert_non_null(s->link);
	s->server = ends[1];
}

static void
end(struct scene *s)
{
	s->link->over = true;	/* nobody is left to say QUIT to */
	link_close(s->link);
	sock_close(&s->server);
	json_decref(s->ask.exchange);
	json_decref(s->ask.asked);
}

static void
say(struct scene *s, struct sv text)
{
	assert_true(sock_write(s->server, NULL, text, sock_now_ms() +
	    LATE_MS));
}

/* In a process of its own: `each` bytes at a time, `times` over. */
static pid_t
say_slowly(struct scene *s, struct sv text, size_t each, unsigned times)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	for (unsigned t = 0; t < times; t++)
		for (size_t i = 0; i < text.len; i += each) {
			size_t n = text.len - i < each ? text.len - i : each;

			if (!sock_write(s->server, NULL, (struct sv) {
			    text.ptr + i, n }, sock_now_ms() + LATE_MS))
				_exit(1);
			if (each == 1)
				usleep(BYTE_US);
		}
	_exit(0);
}

/*
 * In a process of its own: waits for a line, and answers it; n times.  Ends
 * with 0 when each line was the one expected (NULL: whichever).
 */
static pid_t
answer(struct scene *s, const char *const *replies, size_t n,
    const char *expected)
{
	char line[256];
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	for (size_t i = 0; i < n; i++) {
		ssize_t got = sock_read(s->server, NULL, line,
		    sizeof(line) - 1, sock_now_ms() + LATE_MS);

		if (got <= 0)
			_exit(1);
		line[got] = '\0';
		if (expected != NULL && strcmp(line, expected) != 0)
			_exit(2);
		if (!sock_write(s->server, NULL, sv_of(replies[i]),
		    sock_now_ms() + LATE_MS))
			_exit(3);
	}
	_exit(0);
}

static void
assert_fine(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
end_of(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

#define S(text) { text, sizeof(text) - 1 }

static const struct {
	struct sv said;
	int code;		/* 0: none, and text says why */
	const char *text;
	size_t left;		/* bytes behind it that wait */
} replies[] = {
	{ S("220 hi\r\n"), 220, "220 hi", 0 },
	{ S("220 hi\n"), 220, "220 hi", 0 },
	{ S("220\r\n"), 220, "220", 0 },
	{ S("220-a\r\n220 b\r\n"), 220, "220-a 220 b", 0 },
	{ S("220-a\r\n b\r\n\r\n220-c\r\n220 d\r\n"), 220,
	  "220-a  b  220-c 220 d", 0 },
	/* Another code's line is text: it ends nothing. */
	{ S("220-a\r\n230 b\r\n220 c\r\n"), 220, "220-a 230 b 220 c", 0 },
	{ S("220-a\r\n 220 b\r\n220 c\r\n"), 220, "220-a  220 b 220 c", 0 },
	{ S("230 one\r\n220 two\r\n"), 230, "230 one", 9 },
	{ S("220-a\r\n220 b\r\n331 "), 220, "220-a 220 b", 4 },
	/* Telnet: IAC WILL ECHO, IAC NOP, before and within. */
	{ S("\xff\xfb\x01" "220 hi\r\n"), 220, "220 hi", 0 },
	{ S("22\xff\xf1" "0 h\xff\xfe\x03i\r\n"), 220, "220 hi", 0 },
	{ S("220 h\xff\xffi\r\n"), 220, "220 hi", 0 },
	/* Nothing of it reaches a terminal as it is. */
	{ S("220 \x1b[2J\t\xe9\r\n"), 220, "220 \\x1b[2J\\x09\\xe9", 0 },
	{ S("220 a\0b\r\n"), 220, "220 a\\x00b", 0 },
	{ S("HTTP/1.1 400 Bad Request\r\n"), 0, "what came is no FTP reply",
	  26 },
	{ S("SSH-2.0-OpenSSH_9.2\r\n"), 0, "what came is no FTP reply", 21 },
	{ S("\r\n"), 0, "what came is no FTP reply", 2 },
	{ S("22 hi\r\n"), 0, "what came is no FTP reply", 7 },
};

static void
a_reply_is_read_whole_and_no_further(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(replies); i++) {
		struct scene s;
		struct reply r;

		begin(&s);
		say(&s, replies[i].said);
		assert_int_equal(link_read(s.link, &r, LATE_MS),
		    replies[i].code);
		if (strcmp(r.text, replies[i].text) != 0)
			fail_msg("row %zu: %s", i, r.text);
		assert_int_equal(s.link->len, replies[i].left);
		assert_int_equal(s.link->over, replies[i].code == 0);
		end(&s);
	}
}

/* However the bytes come, one by one. */
static void
a_reply_may_come_in_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(replies); i++) {
		struct scene s;
		struct reply r;
		pid_t pid;

		begin(&s);
		pid = say_slowly(&s, replies[i].said, 1, 1);
		assert_int_equal(link_read(s.link, &r, LATE_MS),
		    replies[i].code);
		if (strcmp(r.text, replies[i].text) != 0)
			fail_msg("row %zu: %s", i, r.text);
		end_of(pid);
		end(&s);
	}
}

static void
replies_are_taken_one_by_one(void **state)
{
	struct scene s;
	struct reply r;

	(void)state;
	begin(&s);
	assert_false(link_has_news(s.link));
	say(&s, SV("230-a\r\n230 b\r\n150 c\r\n421 d\r\n226 e\r\n"));
	assert_true(link_has_news(s.link));
	assert_int_equal(link_read(s.link, &r, LATE_MS), 230);
	assert_true(link_has_news(s.link));
	assert_int_equal(link_read(s.link, &r, LATE_MS), 150);
	assert_true(reply_begins(&r) && !reply_agrees(&r));
	assert_false(s.link->over);
	assert_int_equal(link_read(s.link, &r, LATE_MS), 421);
	/* What asks us to leave is not asked anything else. */
	assert_true(s.link->told_421 && s.link->over);
	assert_int_equal(link_command(s.link, &r, "NOOP"), 0);
	assert_string_equal(r.text, "the connection is closed");
	end(&s);
}

static void
silence_and_end_are_no_reply(void **state)
{
	static const struct sv parts[] = { S(""), S("220 no end"),
		S("220-a\r\n"), S("220-a\r\n22"), S("\xff") };

	(void)state;
	for (size_t i = 0; i < COUNT(parts); i++) {
		struct scene s;
		struct reply r;
		uint64_t begun = sock_now_ms();

		begin(&s);
		say(&s, parts[i]);
		assert_int_equal(link_read(s.link, &r, SOON_MS), 0);
		assert_string_equal(r.text, "no reply within 0.2 s");
		assert_in_range(sock_now_ms() - begun, SOON_MS, LATE_MS);
		assert_true(s.link->over);
		end(&s);

		begin(&s);
		say(&s, parts[i]);
		sock_close(&s.server);
		assert_int_equal(link_read(s.link, &r, LATE_MS), 0);
		assert_string_equal(r.text, "the server closed the "
		    "connection");
		end(&s);
	}
}

#define LINE "220-0123456789abcdef0123456789abcdef0123456789abcdef\r\n"

/* Longer than what is kept: the beginning and the end are. */
static void
a_long_reply_is_cut(void **state)
{
	const unsigned lines = 2 * LINK_REPLY_KEPT / (sizeof(LINE) - 1);
	struct scene s;
	struct reply r;
	pid_t pid;

	(void)state;
	begin(&s);
	pid = say_slowly(&s, SV(LINE), sizeof(LINE), lines);
	assert_int_equal(link_read(s.link, &r, SOON_MS), 0);
	assert_string_equal(r.text, "no reply within 0.2 s");
	assert_true(s.link->len <= LINK_REPLY_KEPT);
	end_of(pid);
	s.link->over = false;
	say(&s, SV("220 end\r\n331 next\r\n"));
	assert_int_equal(link_read(s.link, &r, LATE_MS), 220);
	assert_memory_equal(r.text, LINE, sizeof(LINE) - 3);
	assert_true(strlen(r.text) < sizeof(r.text));
	assert_true(strlen(r.raw) < sizeof(r.raw));
	assert_int_equal(link_read(s.link, &r, LATE_MS), 331);
	end(&s);
}

/* One line without an end, and lines without one. */
static void
a_reply_without_end_is_none(void **state)
{
	static char line[4096];
	const struct sv endless[] = { SV(LINE), { line, sizeof(line) } };

	(void)state;
	memset(line, '2', sizeof(line));
	for (size_t i = 0; i < COUNT(endless); i++) {
		struct scene s;
		struct reply r;
		pid_t pid;

		begin(&s);
		pid = say_slowly(&s, endless[i], endless[i].len, 1u << 20);
		assert_int_equal(link_read(s.link, &r, LATE_MS), 0);
		assert_string_equal(r.text, "the reply has no end: more than "
		    "1 MiB came");
		assert_true(s.link->len <= LINK_REPLY_KEPT);
		end_of(pid);
		end(&s);
	}
}

static void
a_question_sends_64_commands_and_no_more(void **state)
{
	const char *fine[ASK_COMMANDS];
	struct scene s;
	struct reply r;
	char buf[16];
	pid_t pid;

	(void)state;
	for (size_t i = 0; i < COUNT(fine); i++)
		fine[i] = "200 fine\r\n";
	begin(&s);
	pid = answer(&s, fine, COUNT(fine), "NOOP 7\r\n");
	for (int i = 0; i < ASK_COMMANDS; i++)
		assert_int_equal(link_command(s.link, &r, "NOOP %d", 7), 200);
	assert_fine(pid);
	assert_int_equal(link_command(s.link, &r, "NOOP"), 0);
	assert_string_equal(r.text, "64 commands were sent: no more");
	assert_int_equal(read(s.server, buf, sizeof(buf)), -1);
	end(&s);
}

/* What was said before the command is no reply to it. */
static void
what_was_not_asked_for_is_no_reply(void **state)
{
	const char *const fine[] = { "200 fine\r\n" };
	struct scene s;
	struct reply r;
	pid_t pid;

	(void)state;
	begin(&s);
	say(&s, SV("500 no\r\n550 never\r\n"));
	pid = answer(&s, fine, 1, "NOOP\r\n");
	assert_int_equal(link_command(s.link, &r, "NOOP"), 200);
	assert_fine(pid);
	end(&s);
}

static void
a_command_too_long_is_not_sent(void **state)
{
	char much[2000], buf[16];
	struct scene s;
	struct reply r;

	(void)state;
	memset(much, 'a', sizeof(much) - 1);
	much[sizeof(much) - 1] = '\0';
	begin(&s);
	assert_int_equal(link_command(s.link, &r, "CWD %s", much), 0);
	assert_string_equal(r.text, "a command too long");
	assert_int_equal(read(s.server, buf, sizeof(buf)), -1);
	assert_false(s.link->over);
	end(&s);
}

static void
no_password_is_written_down(void **state)
{
	static const char *const said[] = { "331 password\r\n",
		"230 welcome\r\n" };
	struct scene s;
	struct reply r;
	char *text;
	pid_t pid;

	(void)state;
	begin(&s);
	pid = answer(&s, said, COUNT(said), NULL);
	assert_true(link_say_user(s.link, &r));
	assert_fine(pid);
	assert_true(s.link->logged_in);
	text = json_dumps(s.ask.exchange, JSON_COMPACT);
	assert_non_null(text);
	assert_non_null(strstr(text, "\"PASS ****\""));
	assert_null(strstr(text, "secret"));
	free(text);
	end(&s);
}

/* A is 192.0.2.7, B 198.51.100.9, and 2001:db8::9. */
static void
own(struct scene *s)
{
	struct place *p = &s->audit.place;

	assert_true(addr_parse_ip(SV("192.0.2.7"), &p->here));
	assert_true(addr_parse_ip(SV("198.51.100.9"), &p->other4));
	assert_true(addr_parse_ip(SV("2001:db8::9"), &p->other6));
	p->other = p->other4;
}

/* The ground rule: no reading of a line names somebody else. */
static void
nobody_else_is_named(void **state)
{
	static const struct {
		const char *line;
		bool sent;
	} rows[] = {
		{ "PORT 192,0,2,7,200,0\r\n", true },
		{ "PORT 198,51,100,9,200,0\r\n", true },
		{ "EPRT |1|198.51.100.9|51200|\r\n", true },
		{ "EPRT |2|2001:db8::9|51200|\r\n", true },
		{ "EPRT |2|::ffff:198.51.100.9|51200|\r\n", true },
		{ "LPRT 4,4,198,51,100,9,2,200,0\r\n", true },
		{ "PORT 454,51,100,9,456,0\r\n", true },
		{ "PORT 0xc6,0x33,0x64,0x9,0xc8,0x0\r\n", true },
		{ "RETR PORT 203,0,113,99,0,80\r\n", true },
		/* Plainly another's. */
		{ "PORT 198,51,100,10,200,0\r\n", false },
		{ "EPRT |1|203.0.113.99|51200|\r\n", false },
		{ "EPRT |2|2001:db8::10|51200|\r\n", false },
		{ "EPRT |2|::ffff:203.0.113.99|51200|\r\n", false },
		{ "LPRT 4,4,203,0,113,99,2,200,0\r\n", false },
		{ "PORT 127,0,0,1,200,0\r\n", false },
		/* Only to one who reads it so. */
		{ "PORT 198,051,100,009,200,0\r\n", false },
		{ "PORT 0198,0051,0100,0009,200,0\r\n", false },
		{ "NOOP\rPORT 203,0,113,99,200,0\r\n", false },
		{ "  PORT 203,0,113,99,200,0\r\n", false },
		{ "PO\xff\xf1RT 203,0,113,99,200,0\r\n", false },
		{ "NOOP\r\nPORT 203,0,113,99,200,0\nNOOP\r\n", false },
		{ "PORT 203,0,113,99,200,0 junk\r\n", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct scene s;
		char got[256];

		begin(&s);
		own(&s);
		s.link->logged_in = true;
		if (link_send(s.link, sv_of(rows[i].line)) != rows[i].sent)
			fail_msg("row %zu: %s", i, rows[i].line);
		/* What is not sent leaves nothing on the wire. */
		assert_int_equal(recv(s.server, got, sizeof(got),
		    MSG_DONTWAIT) > 0, rows[i].sent);
		assert_false(s.link->over);
		end(&s);
	}
}

/* The sensor's words for what is sent, whichever way it is cut. */
static void
what_is_asked_is_named_as_the_sensor_names_it(void **state)
{
	static const struct {
		const char *sent;
		bool logged_in, epsv_all;
		const char *kind;	/* NULL: nothing to be named */
	} rows[] = {
		{ "NOOP\r\n", true, false, NULL },
		{ "PORT 192,0,2,7,200,0\r\n", true, false, NULL },
		{ "PORT 198,51,100,9,200,0\r\n", true, false, "third_party" },
		{ "NOOP\r\nPORT 198,51,100,9,200,0\r\n", true, false,
		  "third_party" },
		{ "PO\xff\xf1RT 198,51,100,9,200,0\n", true, false,
		  "third_party" },
		{ "PORT 192,0,2,21,200,0\r\n", true, false, "self" },
		{ "PORT 127,0,0,1,200,0\r\n", true, false, "loopback" },
		{ "EPRT |1|198.51.100.9|51200|\r\n", true, false,
		  "third_party" },
		{ "PORT 192,0,2,7,0,25\r\n", true, false,
		  "privileged_port" },
		{ "PORT 192,0,2,7,200,0\r\n", false, false, "preauth" },
		{ "PORT 192,0,2,7,200,0\r\n", true, true, "epsv_all" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const json_t *one;
		struct scene s;

		begin(&s);
		assert_true(addr_parse_ip(SV("192.0.2.7"), &s.link->here));
		assert_true(addr_parse_ip(SV("192.0.2.21"),
		    &s.audit.place.server));
		own(&s);
		/* Those two may be named for the reply alone. */
		if (rows[i].kind != NULL && strcmp(rows[i].kind, "self") == 0)
			s.link->reply_only = s.audit.place.server;
		if (rows[i].kind != NULL &&
		    strcmp(rows[i].kind, "loopback") == 0)
			assert_true(addr_parse_ip(SV("127.0.0.1"),
			    &s.link->reply_only));
		s.link->logged_in = rows[i].logged_in;
		s.link->epsv_all = rows[i].epsv_all;
		assert_true(link_send(s.link, sv_of(rows[i].sent)));
		one = json_array_get(s.ask.asked, 0);
		assert_int_equal(json_array_size(s.ask.asked),
		    rows[i].kind != NULL);
		if (rows[i].kind != NULL && strcmp(form_text(one, "kind"),
		    rows[i].kind) != 0)
			fail_msg("row %zu: %s", i, form_text(one, "kind"));
		end(&s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reply_is_read_whole_and_no_further),
		cmocka_unit_test(a_reply_may_come_in_pieces),
		cmocka_unit_test(replies_are_taken_one_by_one),
		cmocka_unit_test(silence_and_end_are_no_reply),
		cmocka_unit_test(a_long_reply_is_cut),
		cmocka_unit_test(a_reply_without_end_is_none),
		cmocka_unit_test(a_question_sends_64_commands_and_no_more),
		cmocka_unit_test(what_was_not_asked_for_is_no_reply),
		cmocka_unit_test(a_command_too_long_is_not_sent),
		cmocka_unit_test(no_password_is_written_down),
		cmocka_unit_test(nobody_else_is_named),
		cmocka_unit_test(
		    what_is_asked_is_named_as_the_sensor_names_it),
	};

	return RUN(tests);
}
