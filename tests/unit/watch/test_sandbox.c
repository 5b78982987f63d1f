/*
 * What the sensor's walls leave of the descriptors it holds: each case is a
 * process of its own, since there is no way back.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "watch/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

#define FINE 0
#define HIGH_BIT (1L << 32)	/* the kernel takes the lower half */

/* output[1] is below packet[1], as outputs are below an interface's socket. */
static int output[2], packet[2];

typedef int attempt(void);

/* The exit status of a walled process that makes the attempt. */
static int
walled(enum sandbox_mode mode, attempt *try)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(sandbox_enter(mode, mode == SANDBOX_LIVE ? packet[1] :
		    -1) ? try() : 255);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int
error_of(long result)
{
	return result < 0 ? errno : FINE;
}

static int
write_packet(void)
{
	return error_of(write(packet[1], "x", 1));
}

static int
write_packet_high(void)
{
	return error_of(syscall(SYS_write, packet[1] | HIGH_BIT, "x", 1L));
}

static int
writev_packet(void)
{
	char byte[] = "x";
	struct iovec iov = { byte, 1 };

	return error_of(writev(packet[1], &iov, 1));
}

static int
send_packet(void)
{
	return error_of(send(packet[1], "x", 1, 0));
}

static int
send_packet_high(void)
{
	return error_of(syscall(SYS_sendto, packet[1] | HIGH_BIT, "x", 1L, 0L,
	    0L, 0L));
}

static int
pwrite_packet(void)
{
	return error_of(pwrite(packet[1], "x", 1, 0));
}

static int
dup_packet(void)
{
	return error_of(dup(packet[1]));
}

static int
dup_packet_below(void)
{
	return error_of(fcntl(packet[1], F_DUPFD, 0));
}

static int
write_output(void)
{
	return error_of(write(output[1], "x", 1));
}

static int
send_output(void)
{
	return error_of(send(output[1], "x", 1, 0));
}

static int
open_to_read(void)
{
	return error_of(open("/dev/null", O_RDONLY));
}

static int
open_to_write(void)
{
	return error_of(open("/dev/null", O_WRONLY));
}

static int
make_socket(void)
{
	return error_of(socket(AF_INET, SOCK_STREAM, 0));
}

static const struct {
	attempt *try;
	int live, files;	/* FINE, or the error */
} attempts[] = {
	{ write_packet, EPERM, FINE },
	{ write_packet_high, EPERM, EPERM },
	{ writev_packet, EPERM, FINE },
	{ send_packet, EPERM, FINE },
	{ send_packet_high, EPERM, EPERM },
	{ pwrite_packet, ESPIPE, ESPIPE },
	{ dup_packet, EPERM, EPERM },
	{ dup_packet_below, EPERM, EPERM },
	{ write_output, FINE, FINE },
	{ send_output, FINE, FINE },
	{ open_to_read, EPERM, FINE },
	{ open_to_write, EPERM, EPERM },
	{ make_socket, EPERM, EPERM },
};

static void
an_interface_is_read_and_never_written_to(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(attempts); i++)
		assert_int_equal(walled(SANDBOX_LIVE, attempts[i].try),
		    attempts[i].live);
}

static void
captures_are_opened_and_nothing_is_made(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(attempts); i++)
		assert_int_equal(walled(SANDBOX_FILES, attempts[i].try),
		    attempts[i].files);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_interface_is_read_and_never_written_to),
		cmocka_unit_test(captures_are_opened_and_nothing_is_made),
	};

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, output) != 0 ||
	    socketpair(AF_UNIX, SOCK_DGRAM, 0, packet) != 0)
		return 1;
	return RUN(tests);
}
