/*
 * tests/unit/ipc/test_pass.c: descriptors that come along with a packet.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ipc/pass.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit.h"

static int ends[2];

static int
set_up(void **state)
{
	(void)state;
	return socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends);
}

static int
tear_down(void **state)
{
	(void)state;
	close(ends[0]);
	return close(ends[1]);
}

static void
test_those_sent_come_close_on_exec(void **state)
{
	int fds[3] = { -1, -1, -1 }, flags = MSG_DONTWAIT;
	char packet[8];
	size_t n = 3;

	(void)state;
	assert_true(pass_send(ends[0], "hello", 5, ends, 2, 0));
	assert_int_equal(pass_receive(ends[1], packet, sizeof(packet), fds,
	    &n, &flags), 5);
	assert_int_equal(n, 2);
	assert_int_equal(fds[2], -1);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
		close(fds[i]);
	}
}

/* Where a count of bytes is rounded up, a second one would be written. */
static void
test_no_more_come_than_there_is_room_for(void **state)
{
	for (size_t room = 0; room < 4; room++) {
		int fds[5] = { -1, -1, -1, -1, -1 }, flags = MSG_DONTWAIT;
		int sent[5] = { ends[0], ends[0], ends[0], ends[0], ends[0] };
		size_t n = room;
		char packet[8];

		assert_true(pass_send(ends[0], "x", 1, sent, 5, 0));
		assert_int_equal(pass_receive(ends[1], packet, sizeof(packet),
		    fds, &n, &flags), 1);
		assert_int_equal(n, room);
		assert_true((flags & MSG_CTRUNC) != 0);
		for (size_t i = 0; i < 5; i++) {
			assert_int_equal(fds[i] >= 0, i < room);
			if (fds[i] >= 0)
				close(fds[i]);
		}
	}
	(void)state;
}

static void
test_what_is_cut_nothing_and_the_end_are_told(void **state)
{
	int flags = MSG_DONTWAIT;
	char packet[4];
	size_t n = 0;

	(void)state;
	assert_int_equal(pass_receive(ends[1], packet, sizeof(packet), NULL,
	    &n, &flags), -1);
	assert_int_equal(errno, EAGAIN);
	assert_true(pass_send(ends[0], "hello", 5, NULL, 0, MSG_DONTWAIT));
	flags = MSG_DONTWAIT;
	assert_int_equal(pass_receive(ends[1], packet, sizeof(packet), NULL,
	    &n, &flags), 4);
	assert_true((flags & MSG_TRUNC) != 0);
	shutdown(ends[0], SHUT_RDWR);
	flags = MSG_DONTWAIT;
	assert_int_equal(pass_receive(ends[1], packet, sizeof(packet), NULL,
	    &n, &flags), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_those_sent_come_close_on_exec, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_no_more_come_than_there_is_room_for, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(
		    test_what_is_cut_nothing_and_the_end_are_told, set_up,
		    tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
