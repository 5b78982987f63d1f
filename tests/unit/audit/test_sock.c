/*
 * SPDX-License-Identifier: Apache-2.0
 */
#include "audit/sock.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit.h"

#define SOON_MS 250	/* for what must not come */
#define LATE_MS 5000	/* for what must */

static struct addr
address(const char *ip)
{
	struct addr a;

	assert_true(addr_parse_ip(sv_of(ip), &a));
	return a;
}

static void
a_listener_sees_who_connects(void **state)
{
	struct addr one = address("127.0.0.1"), two = address("127.0.0.2"),
	    from;
	struct listener l;
	int there, here;

	(void)state;
	assert_true(listener_open(&l, &one, 0));
	assert_true(l.at.port != 0);
	assert_int_equal(listener_accept(&l, &from), -1);
	there = sock_connect(&two, &l.at, sock_now_ms() + LATE_MS);
	assert_true(there >= 0);
	assert_true(sock_readable(l.fd, sock_now_ms() + LATE_MS));
	here = listener_accept(&l, &from);
	assert_true(here >= 0);
	assert_true(addr_same_ip(&from, &two));
	sock_close(&here);
	assert_int_equal(here, -1);
	sock_close(&here);
	sock_close(&there);
	listener_close(&l);
	listener_close(&l);
	assert_int_equal(listener_accept(&l, &from), -1);
}

static void
no_port_is_had_that_is_another_s(void **state)
{
	struct addr one = address("127.0.0.1"), not_ours =
	    address("192.0.2.1");
	struct listener first, second;

	(void)state;
	assert_true(listener_open(&first, &one, 0));
	assert_false(listener_open(&second, &one, first.at.port));
	assert_int_equal(errno, EADDRINUSE);
	assert_int_equal(second.fd, -1);
	listener_close(&first);
	/* A port that was just let go is ours again. */
	assert_true(listener_open(&second, &one, first.at.port));
	listener_close(&second);
	assert_false(listener_open(&first, &not_ours, 0));
	assert_int_equal(errno, EADDRNOTAVAIL);
	assert_int_equal(first.fd, -1);
}

static void
a_pair_has_one_port(void **state)
{
	struct addr one = address("127.0.0.1"), two = address("127.0.0.2"),
	    not_ours = address("192.0.2.1");
	struct listener a, b;

	(void)state;
	assert_true(listener_open_pair(&a, &b, &two, &one));
	assert_int_equal(a.at.port, b.at.port);
	assert_true(addr_same_ip(&a.at, &two));
	assert_true(addr_same_ip(&b.at, &one));
	listener_close(&a);
	listener_close(&b);
	assert_false(listener_open_pair(&a, &b, &one, &not_ours));
	assert_int_equal(a.fd, -1);
	assert_int_equal(b.fd, -1);
}

static int
try_connect(const struct addr *to)
{
	int fd = sock_connect(NULL, to, sock_now_ms() + SOON_MS);
	int why = fd < 0 ? errno : 0;

	sock_close(&fd);
	return why;
}

static void
a_silent_port_answers_no_syn(void **state)
{
	struct addr two = address("127.0.0.2"), at;
	struct silence hush;
	struct listener l;

	(void)state;
	assert_true(listener_open(&l, &two, 0));
	at = l.at;
	assert_true(silence_open(&hush, &l));
	assert_int_equal(l.fd, -1);
	assert_int_equal(try_connect(&at), ETIMEDOUT);
	assert_int_equal(try_connect(&at), ETIMEDOUT);
	silence_close(&hush);
	silence_close(&hush);
	assert_int_equal(try_connect(&at), ECONNREFUSED);
}

static void
reading_tells_bytes_silence_and_end_apart(void **state)
{
	uint64_t begun;
	char buf[8];
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
	    ends), 0);
	begun = sock_now_ms();
	assert_int_equal(sock_read(ends[0], NULL, buf, sizeof(buf), begun +
	    SOON_MS), -1);
	assert_in_range(sock_now_ms() - begun, SOON_MS, LATE_MS);
	assert_true(sock_write(ends[1], NULL, SV("abc"), sock_now_ms() +
	    LATE_MS));
	assert_int_equal(sock_read(ends[0], NULL, buf, sizeof(buf), 0), 3);
	assert_memory_equal(buf, "abc", 3);
	sock_close(&ends[1]);
	assert_int_equal(sock_read(ends[0], NULL, buf, sizeof(buf), 0), 0);
	assert_false(sock_write(ends[0], NULL, SV("x"), sock_now_ms() +
	    LATE_MS));
	sock_close(&ends[0]);
}

/* More than any buffer between: nobody reads it. */
static void
writing_ends_at_its_deadline(void **state)
{
	static const char much[8 << 20];
	uint64_t begun = sock_now_ms();
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
	    ends), 0);
	assert_false(sock_write(ends[0], NULL, (struct sv) { much,
	    sizeof(much) }, begun + SOON_MS));
	assert_in_range(sock_now_ms() - begun, SOON_MS, LATE_MS);
	sock_close(&ends[0]);
	sock_close(&ends[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_listener_sees_who_connects),
		cmocka_unit_test(no_port_is_had_that_is_another_s),
		cmocka_unit_test(a_pair_has_one_port),
		cmocka_unit_test(a_silent_port_answers_no_syn),
		cmocka_unit_test(reading_tells_bytes_silence_and_end_apart),
		cmocka_unit_test(writing_ends_at_its_deadline),
	};

	return RUN(tests);
}
