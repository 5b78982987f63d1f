/*
 * The resolver's walls: each row is tried by a process that has raised them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "resolver/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/landlock.h"
#include "unit.h"

/* Each returns 0, or errno. */

static int
try_socket(int family, int type)
{
	int fd = socket(family, type, 0);

	return fd >= 0 ? close(fd) : errno;
}

static int
try_unix(void)
{
	return try_socket(AF_UNIX, SOCK_STREAM);
}

static int
try_netlink(void)
{
	return try_socket(AF_NETLINK, SOCK_RAW);
}

static int
try_udp(void)
{
	return try_socket(AF_INET, SOCK_DGRAM);
}

static int
try_udp6(void)
{
	return try_socket(AF_INET6, SOCK_DGRAM);
}

static int
try_connect(uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), error;

	error = connect(fd, (void *)&to, sizeof(to)) == 0 ? 0 : errno;
	close(fd);
	return error == ECONNREFUSED ? 0 : error;
}

static int
try_dns(void)
{
	return try_connect(53);
}

static int
try_other_port(void)
{
	return try_connect(54);
}

static int
try_bind(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0), error;

	error = bind(fd, (void *)&at, sizeof(at)) == 0 ? 0 : errno;
	close(fd);
	return error;
}

static int
try_open(const char *path, int flags)
{
	int fd = open(path, flags);

	return fd >= 0 ? close(fd) : errno;
}

static int
try_hosts(void)
{
	return try_open("/etc/hosts", O_RDONLY);
}

static int
try_hosts_write(void)
{
	return try_open("/etc/hosts", O_WRONLY);
}

static int
try_passwd(void)
{
	return try_open("/etc/passwd", O_RDONLY);
}

static int
try_exec(void)
{
	char name[] = "/bin/true", *argv[] = { name, NULL };

	execv(name, argv);
	return errno;
}

static int
try_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid > 0 ? 0 : errno;
}

static int
try_kill(void)
{
	return kill(getppid(), 0) == 0 ? 0 : errno;
}

static int
try_trace(void)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 ? 0 : errno;
}

static int
try_code(void)
{
	void *at = mmap(NULL, 4096, PROT_READ | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return at == MAP_FAILED ? errno : 0;
}

static int
try_namespace(void)
{
	return unshare(CLONE_NEWUSER) == 0 ? 0 : errno;
}

#define ROW(name, expected, abi) { #name, try_##name, expected, abi }

static const struct row {
	const char *name;
	int (*try)(void);
	int expected;
	int abi;	/* Landlock's, without which it is not refused */
} rows[] = {
	ROW(udp, 0, 0),
	ROW(udp6, 0, 0),
	ROW(dns, 0, 0),
	ROW(hosts, 0, 0),
	ROW(other_port, EACCES, 4),
	ROW(bind, EPERM, 0),
	ROW(unix, EPERM, 0),
	ROW(netlink, EPERM, 0),
	ROW(hosts_write, EACCES, 1),
	ROW(passwd, EACCES, 1),
	ROW(exec, EPERM, 0),
	ROW(fork, EPERM, 0),
	ROW(kill, EPERM, 0),
	ROW(trace, EPERM, 0),
	ROW(code, EPERM, 0),
	ROW(namespace, EPERM, 0),
};

static int
behind_walls(int (*try)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(sandbox_enter() ? try() : 255);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
it_has_a_network_and_nothing_else(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		int got;

		if (rows[i].abi > landlock_abi())
			continue;
		got = behind_walls(rows[i].try);
		if (got != rows[i].expected)
			fail_msg("%s: %s, not %s", rows[i].name,
			    strerror(got), strerror(rows[i].expected));
	}
}

/* Without the walls the rows would say nothing. */
static void
the_same_is_permitted_outside(void **state)
{
	static int (*const tries[])(void) = { try_other_port, try_bind,
		try_unix, try_netlink, try_passwd, try_fork, try_kill,
		try_code };

	(void)state;
	for (size_t i = 0; i < COUNT(tries); i++)
		assert_int_equal(tries[i](), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_has_a_network_and_nothing_else),
		cmocka_unit_test(the_same_is_permitted_outside),
	};

	return RUN(tests);
}
