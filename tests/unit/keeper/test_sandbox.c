/*
 * tests/unit/keeper/test_sandbox.c: the keeper's walls, each row tried by a
 * process that has raised them; and that what it needs works behind them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "keeper/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "accounts/secret.h"
#include "base/landlock.h"
#include "unit.h"

/* What ends the process with it. */
#define KILLED 200

static int root_fd;	/* of "/", from before */

/* Each returns 0, or errno. */

static int
open_beneath(const char *path, uint64_t flags)
{
	struct open_how how = { .flags = flags, .resolve = RESOLVE_BENEATH };
	long fd = syscall(SYS_openat2, root_fd, path, &how, sizeof(how));

	return fd >= 0 ? 0 : errno;
}

static int
try_directory(void)
{
	return open_beneath("etc", O_PATH | O_DIRECTORY);
}

static int
try_read(void)
{
	return open_beneath("etc/passwd", O_RDONLY);
}

static int
try_list(void)
{
	return open_beneath("etc", O_RDONLY | O_DIRECTORY);
}

static int
try_make(void)
{
	return open_beneath("tmp/portcullis-keeper-test", O_WRONLY | O_CREAT);
}

static int
try_open(void)
{
	return open("/etc/passwd", O_RDONLY) >= 0 ? 0 : errno;
}

static int
try_unlink(void)
{
	return unlink("/nonexistent/x") == 0 ? 0 : errno;
}

static void *
matches(void *hash)
{
	return secret_matches("correct horse", hash) ? hash : NULL;
}

/* On a thread, as it is done. */
static int
try_hash(void)
{
	char hash[SECRET_HASH_MAX];
	pthread_t thread;
	void *right = NULL;

	if (!secret_hash("correct horse", SECRET_COST_LEAST, hash) ||
	    pthread_create(&thread, NULL, matches, hash) != 0)
		return EINVAL;
	pthread_join(thread, &right);
	return right == hash ? 0 : EINVAL;
}

static int
try_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) >= 0 ? 0 : errno;
}

static int
try_pair(void)
{
	int fds[2];

	return socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) == 0 ? 0 : errno;
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
	ROW(hash, 0, 0),
	ROW(directory, 0, 0),
	ROW(read, EACCES, 1),
	ROW(list, EACCES, 1),
	ROW(make, EACCES, 1),
	ROW(open, EPERM, 0),
	ROW(unlink, EPERM, 0),
	ROW(socket, KILLED, 0),
	ROW(pair, KILLED, 0),
	ROW(exec, KILLED, 0),
	ROW(fork, EPERM, 0),
	ROW(kill, EPERM, 0),
	ROW(trace, KILLED, 0),
	ROW(code, EPERM, 0),
	ROW(namespace, KILLED, 0),
};

static int
behind_walls(int (*try)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		(void)sandbox_enter(-1);
		_exit(try());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		return KILLED;
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
test_it_has_what_it_was_given_and_nothing_else(void **state)
{
	(void)state;
	root_fd = open("/", O_PATH | O_DIRECTORY);
	for (size_t i = 0; i < COUNT(rows); i++) {
		int got;

		if (rows[i].abi > landlock_abi())
			continue;
		got = behind_walls(rows[i].try);
		if (got != rows[i].expected)
			fail_msg("%s: %d, not %d", rows[i].name, got,
			    rows[i].expected);
	}
}

/* Without the walls the rows would say nothing. */
static void
test_the_same_is_permitted_outside(void **state)
{
	static int (*const tries[])(void) = { try_read, try_list, try_open,
		try_socket, try_pair, try_fork, try_kill, try_code };

	(void)state;
	for (size_t i = 0; i < COUNT(tries); i++)
		assert_int_equal(tries[i](), 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_it_has_what_it_was_given_and_nothing_else),
		cmocka_unit_test(test_the_same_is_permitted_outside),
	};

	return RUN(tests);
}
