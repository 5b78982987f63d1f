/*
 * tests/probe/sandbox_probe.c: tries every row of the table in a process of
 * its own that holds what a worker holds, and what it must never hold, and
 * that has entered the sandbox.
 *
 *	sandbox_probe [--user] [--no-chroot] [--accounts] [--ktls] [--bare | --through INJECT]
 *
 *	--ktls     in a worker whose kernel may encrypt
 *	--accounts in a worker whose session may be an account's
 *	--user     as an ordinary user, if it is started by root
 *	--no-chroot  where the system permits neither chroot nor a user
 *	           namespace: Landlock alone stands before what lies outside
 *	--bare     without the sandbox: every refused row must now go
 *	           otherwise, or it would notice nothing.  Rows that only
 *	           root could carry out are skipped for others
 *	--through  the rows are injected into a sandboxed process that waits,
 *	           by that program (see inject.c); needs root
 *
 * Writes TAP.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/tls.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/landlock.h"
#include "table.h"
#include "worker/sandbox.h"

#define NOBODY 65534
#define SOL_TLS_ 282	/* not in every libc */
#define PATIENCE_S 10

/* What a child leaves for its parent, in shared memory. */
struct report {
	struct probe_env env;
	unsigned walls;
	bool entered, finished;
	long result;
};

static struct report *report;
static char root_path[64];
static int planned, failed;
static bool no_chroot, ktls;
static int homes_fd = -1, home_fd = -1;	/* accounts.root, a directory in it */

static _Noreturn void
give_up(const char *what)
{
	fprintf(stderr, "sandbox_probe: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* ---- what a worker holds ---- */

static int
listener_new(struct sockaddr_in *at)
{
	socklen_t len = sizeof(*at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	*at = (struct sockaddr_in) { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	if (fd < 0 || bind(fd, (struct sockaddr *)at, sizeof(*at)) != 0 ||
	    listen(fd, 1) != 0 ||
	    getsockname(fd, (struct sockaddr *)at, &len) != 0)
		give_up("listen on 127.0.0.1");
	return fd;
}

/* The peer's end stays open in this process, so that bytes have a way. */
static int
connection_new(int listener, const struct sockaddr_in *to)
{
	int client = socket(AF_INET, SOCK_STREAM, 0), fd;

	if (client < 0 ||
	    connect(client, (const struct sockaddr *)to, sizeof(*to)) != 0 ||
	    (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) < 0)
		give_up("connect to 127.0.0.1");
	return fd;
}

/* A channel in which a message with a descriptor waits. */
static int
channel_new(void)
{
	struct scratch s;
	struct probe_env env = { .fd = { 0 } };
	int pair[2];

	scratch_fill(&s, (uintptr_t)&s, probe_find("sendmsg_rights"), &env);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) != 0 ||
	    sendmsg(pair[1], &s.rights, 0) < 0)
		give_up("channel");
	return pair[0];
}

static void
hold_all(struct probe_env *env)
{
	struct sockaddr_in at;
	int pipes[2];

	env->fd[HELD_root] = open(root_path, O_PATH | O_DIRECTORY);
	env->fd[HELD_listener] = listener_new(&at);
	env->fd[HELD_tcp] = connection_new(env->fd[HELD_listener], &at);
	env->fd[HELD_channel] = channel_new();
	env->fd[HELD_udp] = socket(AF_INET, SOCK_DGRAM, 0);
	env->fd[HELD_epoll] = epoll_create1(EPOLL_CLOEXEC);
	if (pipe(pipes) != 0)
		give_up("pipe");
	env->fd[HELD_pipe] = pipes[1];
	for (size_t i = 0; i < HELD_COUNT; i++)
		if (env->fd[i] < 0)
			give_up(held_names[i]);
	env->self = (int)getpid();
	env->parent = (int)getppid();
}

static void
archive_make(void)
{
	int fd;

	snprintf(root_path, sizeof(root_path), "/tmp/sandbox_probe.XXXXXX");
	if (mkdtemp(root_path) == NULL || chdir(root_path) != 0)
		give_up("mkdtemp");
	fd = open(PROBE_FILE, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd < 0 || write(fd, "sixteen bytes...", 16) != 16 ||
	    symlink(PROBE_FILE, "probe.link") != 0)
		give_up("archive");
	close(fd);
}

static void
archive_remove(void)
{
	unlink(PROBE_FILE);
	unlink("probe.link");
	unlink("probe.new");
	rmdir("probe.new");
	if (chdir("/") == 0)
		rmdir(root_path);
}

/* ---- the calls ---- */

/*
 * No frame of libc's stands between the call and its result, so that a
 * vfork'ed child finds and leaves the stack as it was.
 */
#ifdef __x86_64__
static inline __attribute__((always_inline)) long
call_raw(long nr, const uint64_t a[6])
{
	register uint64_t r10 __asm__("r10") = a[3];
	register uint64_t r8 __asm__("r8") = a[4];
	register uint64_t r9 __asm__("r9") = a[5];
	long result;

	__asm__ volatile("syscall" : "=a"(result) : "0"(nr), "D"(a[0]),
	    "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
	    : "rcx", "r11", "memory");
	return result;
}

static long
call_i386(long nr, const uint64_t a[6])
{
	long result;

	__asm__ volatile("int $0x80" : "=a"(result) : "0"(nr), "b"(a[0]),
	    "c"(a[1]), "d"(a[2]), "S"(a[3]), "D"(a[4])
	    : "r8", "r9", "r10", "r11", "memory");
	return result;
}
#else
static long
call_raw(long nr, const uint64_t a[6])
{
	long result = syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);

	return result < 0 ? -errno : result;
}

static long
call_i386(long nr, const uint64_t a[6])
{
	(void)nr;
	(void)a;
	return -ENOSYS;
}
#endif

static long
make_call(const struct probe *p, bool is_first, uint64_t base,
    const struct probe_env *env, long first)
{
	static const uint64_t nothing[6];
	uint64_t args[6];
	long nr = is_first ? p->first.nr : p->call.nr, result;

	probe_args(p, is_first, base, env, first, args);
	if ((p->flags & PROBE_INT80) != 0)
		return call_i386(nr, args);
	result = call_raw(nr, args);
	/* Without the sandbox this may be a child of ours: it ends here. */
	if (result == 0 && call_raw(SYS_getpid, nothing) != env->self)
		call_raw(SYS_exit_group, nothing);
	return result;
}

static struct scratch *
scratch_new(void)
{
	struct scratch *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (s == MAP_FAILED)
		give_up("mmap");
	return s;
}

/* As the filter of a container does. */
static void
forbid_chroot(void)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);

	if (ctx == NULL ||
	    seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ALLOW) ||
	    seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(chroot), 0) ||
	    seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(unshare), 0) ||
	    seccomp_load(ctx) != 0)
		give_up("seccomp");
	seccomp_release(ctx);
}

static bool
has_own_root(void)
{
	return (report->walls >> WALL_own_root & 1) != 0;
}

static void
enter(void)
{
	if (no_chroot)
		forbid_chroot();
	report->walls = sandbox_enter(report->env.fd[HELD_root],
	    &report->env.fd[HELD_root], 1, homes_fd, -1, ktls);
	report->entered = true;
}

static _Noreturn void
try_row(const struct probe *p, bool bare)
{
	struct scratch *s = scratch_new();
	uint64_t base = (uintptr_t)s;
	long first = 0;

	hold_all(&report->env);
	alarm(PATIENCE_S);
	scratch_fill(s, base, p, &report->env);
	if (!bare)
		enter();
	if (p->has_first)
		first = make_call(p, true, base, &report->env, 0);
	report->result = first < 0 && call_takes(&p->call, ARG_FIRST) ? first :
	    make_call(p, false, base, &report->env, first);
	report->finished = true;
	_exit(0);
}

static pid_t
fork_child(void)
{
	pid_t pid;

	memset(report, 0, sizeof(*report));
	fflush(stdout);
	if ((pid = fork()) < 0)
		give_up("fork");
	return pid;
}

static struct outcome
outcome_of(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		give_up("waitpid");
	if (WIFSIGNALED(status))
		return (struct outcome) { .signal = WTERMSIG(status) };
	return (struct outcome) { .result =
		report->finished ? report->result : -ECHILD };
}

/* ---- what is said ---- */

static void
say(bool good, const char *name, const char *result, const char *note)
{
	if (!good)
		failed++;
	printf("%sok %d - %-28s %s%s\n", good ? "" : "not ", ++planned, name,
	    result, note);
}

static void
say_skipped(const char *name, const char *why)
{
	printf("ok %d - %s # SKIP %s\n", ++planned, name, why);
}

static bool
is_expected(const struct probe *p, const struct outcome *o)
{
	if (homes_fd >= 0 && (p->flags & PROBE_WRITES) != 0)
		return o->signal == 0 && (o->result < 0 ||
		    p->call.nr == SYS_landlock_create_ruleset);
	return probe_is_expected(p, has_own_root(), o);
}

static void
say_row(const struct probe *p, const struct outcome *o)
{
	char result[OUTCOME_MAX], expected[OUTCOME_MAX];
	char note[OUTCOME_MAX + 32] = "";

	outcome_format(o, result);
	if (!is_expected(p, o)) {
		probe_format_expected(p, has_own_root(), expected);
		snprintf(note, sizeof(note), ", expected %s%s", expected,
		    report->entered ? "" : ", sandbox not entered");
	}
	say(is_expected(p, o) && report->entered, p->name, result, note);
}

static void
run_row(const struct probe *p)
{
	struct outcome o;
	pid_t pid;

	if ((p->flags & PROBE_LANDLOCK) != 0 && landlock_abi() == 0) {
		say_skipped(p->name, "no Landlock");
		return;
	}
	if ((pid = fork_child()) == 0)
		try_row(p, false);
	o = outcome_of(pid);
	/* Without CONFIG_IA32_EMULATION the instruction itself faults. */
	if ((p->flags & PROBE_INT80) != 0 && o.signal == SIGSEGV)
		say_skipped(p->name, "no i386 calls");
	else
		say_row(p, &o);
}

/* Without the sandbox nothing must look as if it stood. */
static void
run_row_bare(const struct probe *p)
{
	bool privileged = (p->flags & PROBE_PRIVILEGED) != 0;
	char result[OUTCOME_MAX];
	struct outcome o;
	pid_t pid;

	bool outside = (p->flags & PROBE_OUTSIDE) != 0;

	if (!outside && (p->verdict == WORKS || p->error == EAGAIN))
		return;
	/* Would end this very process; or fails for users by itself, and is
	 * compared in the run as root. */
	if ((p->flags & PROBE_SHARES) != 0 || (privileged && geteuid() != 0))
		return;
	if ((pid = fork_child()) == 0)
		try_row(p, true);
	o = outcome_of(pid);
	outcome_format(&o, result);
	say(!probe_is_expected(p, outside, &o), p->name, result, "");
}

/* ---- what is more than one call ---- */

static void *
thread_main(void *arg)
{
	const struct probe *p = probe_find("open_to_write");
	struct scratch *s = scratch_new();

	scratch_fill(s, (uintptr_t)s, p, &report->env);
	*(long *)arg = make_call(p, false, (uintptr_t)s, &report->env, 0);
	return NULL;
}

/* A thread starts, and stands behind the same walls. */
static void
thread_works(void)
{
	pthread_t thread;
	long result = 0;
	int error = pthread_create(&thread, NULL, thread_main, &result);

	if (error == 0)
		error = pthread_join(thread, NULL);
	report->result = error != 0 ? -error : result;
}

static void
abort_works(void)
{
	abort();
}

static void
memory_works(void)
{
	for (size_t size = 1; size <= 64u << 20; size *= 2) {
		char *volatile p = malloc(size), *q;

		if (p == NULL || (q = realloc(p, size + 4096)) == NULL)
			return;
		memset(q, 1, size + 4096);
		free(q);
	}
	report->result = 1;
}

static void ktls_hold(void);

static void
run_function(const char *name, void (*function)(void), struct outcome wanted)
{
	char result[OUTCOME_MAX];
	struct outcome o;
	pid_t pid = fork_child();

	if (pid == 0) {
		hold_all(&report->env);
		if (ktls)
			ktls_hold();
		enter();
		signal(SIGPIPE, SIG_IGN);
		function();
		report->finished = true;
		_exit(0);
	}
	o = outcome_of(pid);
	outcome_format(&o, result);
	say(o.signal == wanted.signal && o.result == wanted.result, name,
	    result, "");
}

/* ---- an account's session: beside the archive there are two homes ---- */

static long
try_open(int dir, const char *path, uint64_t flags)
{
	struct open_how how = { .flags = flags | O_CLOEXEC,
		.mode = flags & O_CREAT ? 0600 : 0 };
	long fd = syscall(SYS_openat2, dir, path, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

static long
failed_with(long result)
{
	return result < 0 ? -errno : result;
}

/* What the keeper hands on, and the worker's own narrowing behind it. */
static int
log_in(unsigned rights)
{
	if (!sandbox_narrow(home_fd, rights))
		_exit(1);
	return home_fd;
}

/* The archive is there to be read, before a login as after it. */
static void
archive_stays(void)
{
	report->result = failed_with(unlinkat(report->env.fd[HELD_root],
	    PROBE_FILE, 0));
}

static void
archive_is_gone(void)
{
	(void)log_in(LANDLOCK_READ);
	report->result = try_open(report->env.fd[HELD_root], PROBE_FILE,
	    O_RDONLY);
}

static void
own_file_is_made(void)
{
	report->result = try_open(log_in(LANDLOCK_STORE), "new",
	    O_WRONLY | O_CREAT) >= 0;
}

static void
neighbour_is_not_read(void)
{
	report->result = try_open(log_in(LANDLOCK_READ), "../b/file",
	    O_RDONLY);
}

static void
neighbour_is_not_written(void)
{
	report->result = try_open(log_in(LANDLOCK_STORE), "../b/file",
	    O_WRONLY);
}

static void
neighbour_loses_nothing(void)
{
	report->result = failed_with(unlinkat(log_in(LANDLOCK_REMOVE),
	    "../b/file", 0));
}

static void
neighbour_keeps_its_times(void)
{
	report->result = failed_with(utimensat(log_in(LANDLOCK_STORE),
	    "../b/file", NULL, 0));
}

static void
reader_makes_nothing(void)
{
	report->result = try_open(log_in(LANDLOCK_READ), "new",
	    O_WRONLY | O_CREAT);
}

static void
reader_removes_nothing(void)
{
	report->result = failed_with(unlinkat(log_in(LANDLOCK_READ), "file",
	    0));
}

static void
storer_makes_no_directory(void)
{
	report->result = failed_with(mkdirat(log_in(LANDLOCK_STORE), "dir",
	    0700));
}

/* A captured one gets nothing back. */
static void
narrow_stays_narrow(void)
{
	struct landlock_root all = { homes_fd, LANDLOCK_READ };

	(void)log_in(LANDLOCK_LOOK);
	(void)landlock_confine(&all, 1);
	report->result = try_open(home_fd, "file", O_RDONLY);
}

static void
homes_make(void)
{
	static const char *const files[] = { "homes/a/file", "homes/b/file" };

	if (mkdir("homes", 0700) != 0 || mkdir("homes/a", 0700) != 0 ||
	    mkdir("homes/b", 0700) != 0)
		give_up("homes");
	for (size_t i = 0; i < 2; i++)
		close(open(files[i], O_WRONLY | O_CREAT, 0600));
	homes_fd = open("homes", O_PATH | O_DIRECTORY | O_CLOEXEC);
	home_fd = open("homes/a", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (homes_fd < 0 || home_fd < 0)
		give_up("homes");
}

static void
homes_remove(void)
{
	unlink("homes/a/new");
	unlink("homes/a/file");
	unlink("homes/b/file");
	rmdir("homes/a");
	rmdir("homes/b");
	rmdir("homes");
}

static void
run_accounts(void)
{
	static const struct {
		const char *name;
		void (*function)(void);
		long result;
	} rows[] = {
		{ "account_archive_stays", archive_stays, -EACCES },
		{ "account_archive_is_gone", archive_is_gone, -EACCES },
		{ "account_own_file", own_file_is_made, 1 },
		{ "account_neighbour_read", neighbour_is_not_read, -EACCES },
		{ "account_neighbour_written", neighbour_is_not_written,
		    -EACCES },
		{ "account_neighbour_removed", neighbour_loses_nothing,
		    -EACCES },
		{ "account_neighbour_times", neighbour_keeps_its_times,
		    -EPERM },
		{ "account_reader_makes", reader_makes_nothing, -EACCES },
		{ "account_reader_removes", reader_removes_nothing, -EACCES },
		{ "account_storer_mkdir", storer_makes_no_directory,
		    -EACCES },
		{ "account_narrow", narrow_stays_narrow, -EACCES },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (landlock_abi() == 0)
			say_skipped(rows[i].name, "no Landlock");
		else
			run_function(rows[i].name, rows[i].function,
			    (struct outcome) { .result = rows[i].result });
	}
}

/* ---- encryption in the kernel: a worker's sockets lie above its channels */

struct ktls_message {
	struct iovec iov;
	struct msghdr head;
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
};

static struct ktls_message message;
static struct sockaddr_in nobody;

/* At a number of the test's own choice; before the walls. */
static int
put_at(int fd, int number)
{
	if (dup2(fd, number) != number)
		give_up("dup2");
	return number;
}

#define KTLS_TCP 20	/* a data connection */
#define KTLS_LISTENER 21
#define KTLS_CHANNEL 8
#define KTLS_LOW_TCP 9
#define KTLS_HIGH_TCP 300

static void
ktls_hold(void)
{
	put_at(report->env.fd[HELD_tcp], KTLS_TCP);
	put_at(report->env.fd[HELD_listener], KTLS_LISTENER);
	put_at(report->env.fd[HELD_tcp], KTLS_HIGH_TCP);
	put_at(report->env.fd[HELD_channel], KTLS_CHANNEL);
	put_at(KTLS_TCP, KTLS_LOW_TCP);
	message.iov = (struct iovec) { .iov_base = root_path, .iov_len = 2 };
	message.head = (struct msghdr) { .msg_iov = &message.iov,
		.msg_iovlen = 1 };
	nobody = (struct sockaddr_in) { .sin_family = AF_INET,
		.sin_port = htons(9), .sin_addr.s_addr = htonl(0x7f000063) };
}

static void
with_rights(void)
{
	struct cmsghdr *cm = (void *)message.control;
	int fd = KTLS_TCP;

	message.head.msg_control = message.control;
	message.head.msg_controllen = sizeof(message.control);
	*cm = (struct cmsghdr) { .cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(fd)) };
	memcpy(CMSG_DATA(cm), &fd, sizeof(fd));
}

static void
with_address(void)
{
	message.head.msg_name = &nobody;
	message.head.msg_namelen = sizeof(nobody);
}

static long
send_message(uint64_t fd, uint64_t flags)
{
	long n = syscall(SYS_sendmsg, fd, &message.head, flags);

	return n < 0 ? -errno : n;
}

static long
set_option(uint64_t fd, int level, int option, const void *value, size_t n)
{
	long result = syscall(SYS_setsockopt, fd, level, option, value, n);

	return result < 0 ? -errno : result;
}

static void
ktls_alert(void)
{
	report->result = send_message(KTLS_TCP, 0);
}

static void
ktls_fast_open(void)
{
	with_address();
	report->result = send_message(KTLS_LISTENER, MSG_FASTOPEN);
}

static void
ktls_high_flags(void)
{
	report->result = send_message(KTLS_TCP, 1ULL << 40);
}

/* Without Fast Open the address is nothing: it goes to the peer. */
static void
ktls_address(void)
{
	with_address();
	report->result = send_message(KTLS_TCP, 0);
}

/* The known trick, with the one call that is left: no connection. */
static void
ktls_shut_listener(void)
{
	(void)shutdown(KTLS_LISTENER, SHUT_RDWR);
	with_address();
	report->result = send_message(KTLS_LISTENER, 0);
}

static void
ktls_rights_on_channel(void)
{
	with_rights();
	report->result = send_message(KTLS_CHANNEL, 0);
}

/* The kernel takes 32 bits of this, and so it is the channel. */
static void
ktls_rights_high_bits(void)
{
	with_rights();
	report->result = send_message(1ULL << 32 | KTLS_CHANNEL, 0);
}

static void
ktls_number_high_bits(void)
{
	report->result = send_message(1ULL << 32 | KTLS_TCP, 0);
}

/* TCP carries none: the message goes, and nobody gets a descriptor. */
static void
ktls_rights_on_tcp(void)
{
	with_rights();
	report->result = send_message(KTLS_TCP, 0);
}

static void
ktls_plain_on_channel(void)
{
	report->result = send_message(KTLS_CHANNEL, 0);
}

static void
ktls_beyond(void)
{
	report->result = send_message(KTLS_HIGH_TCP, 0);
}

static void
ktls_low_socket(void)
{
	report->result = set_option(KTLS_LOW_TCP, IPPROTO_TCP, TCP_ULP, "tls",
	    sizeof("tls"));
}

static void
ktls_no_receiving(void)
{
	static const char key[40];

	report->result = set_option(KTLS_TCP, SOL_TLS_, TLS_RX, key,
	    sizeof(key));
}

static void
ktls_other_option(void)
{
	static const int one = 1;

	report->result = set_option(KTLS_TCP, IPPROTO_TCP,
	    TCP_FASTOPEN_CONNECT, &one, sizeof(one));
}

static void
ktls_linger(void)
{
	static const struct linger at_once = { .l_onoff = 1 };

	report->result = set_option(KTLS_TCP, SOL_SOCKET, SO_LINGER, &at_once,
	    sizeof(at_once));
}

static void
ktls_channel_timeout(void)
{
	static const struct timeval none;

	report->result = set_option(KTLS_CHANNEL, SOL_SOCKET, SO_SNDTIMEO,
	    &none, sizeof(none));
}

/* The name of another protocol: its length is another. */
static void
ktls_other_protocol(void)
{
	report->result = set_option(KTLS_TCP, IPPROTO_TCP, TCP_ULP, "smc",
	    sizeof("smc") + 1);
}

/* There, as far as the kernel has it; and not on a socket that listens. */
static void
ktls_key(void)
{
	long ulp = set_option(KTLS_TCP, IPPROTO_TCP, TCP_ULP, "tls",
	    sizeof("tls"));

	report->result = ulp == 0 || ulp == -ENOENT;
}

static void
run_ktls(void)
{
	static const struct {
		const char *name;
		void (*function)(void);
		struct outcome wanted;
	} rows[] = {
		{ "ktls_alert", ktls_alert, { .result = 2 } },
		{ "ktls_key", ktls_key, { .result = 1 } },
		{ "ktls_fast_open", ktls_fast_open, { .signal = SIGSYS } },
		{ "ktls_high_flags", ktls_high_flags, { .signal = SIGSYS } },
		{ "ktls_address", ktls_address, { .result = 2 } },
		{ "ktls_shut_listener", ktls_shut_listener,
		    { .result = -EPIPE } },
		{ "ktls_rights_on_channel", ktls_rights_on_channel,
		    { .signal = SIGSYS } },
		{ "ktls_rights_high_bits", ktls_rights_high_bits,
		    { .signal = SIGSYS } },
		{ "ktls_number_high_bits", ktls_number_high_bits,
		    { .result = -EPERM } },
		{ "ktls_rights_on_tcp", ktls_rights_on_tcp, { .result = 2 } },
		{ "ktls_plain_on_channel", ktls_plain_on_channel,
		    { .signal = SIGSYS } },
		{ "ktls_beyond", ktls_beyond, { .result = -EPERM } },
		{ "ktls_low_socket", ktls_low_socket, { .result = -EPERM } },
		{ "ktls_no_receiving", ktls_no_receiving,
		    { .result = -EPERM } },
		{ "ktls_other_option", ktls_other_option,
		    { .result = -EPERM } },
		{ "ktls_linger", ktls_linger, { .result = -EPERM } },
		{ "ktls_channel_timeout", ktls_channel_timeout,
		    { .result = -EPERM } },
		{ "ktls_other_protocol", ktls_other_protocol,
		    { .result = -EPERM } },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		run_function(rows[i].name, rows[i].function, rows[i].wanted);
}

/* ---- a process that waits, as the worker does ---- */

struct waiter {
	pid_t pid;
	int ask, answer;	/* a byte there brings one here */
};

/* Waits in epoll_wait, or in a call that the kernel itself would restart. */
static _Noreturn void
wait_forever(int asked, int answer, bool in_read)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int loop = epoll_create1(EPOLL_CLOEXEC);
	char byte;

	hold_all(&report->env);
	if (epoll_ctl(loop, EPOLL_CTL_ADD, asked, &ev) != 0)
		give_up("epoll_ctl");
	enter();
	byte = '!';
	if (write(answer, &byte, 1) != 1)
		_exit(3);
	for (;;) {
		int n = in_read ? 1 : epoll_wait(loop, &ev, 1, -1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n != 1 || read(asked, &byte, 1) != 1 ||
		    write(answer, &byte, 1) != 1)
			_exit(0); /* nobody is there any more */
	}
}

static bool
waiter_answers(const struct waiter *w)
{
	char byte = '?';

	return write(w->ask, &byte, 1) == 1 && read(w->answer, &byte, 1) == 1;
}

static struct waiter
waiter_start(bool in_read)
{
	int ask[2], answer[2];
	struct waiter w;
	char byte;

	if (pipe(ask) != 0 || pipe(answer) != 0)
		give_up("pipe");
	if ((w.pid = fork_child()) == 0) {
		close(ask[1]);
		close(answer[0]);
		wait_forever(ask[0], answer[1], in_read);
	}
	close(ask[0]);
	close(answer[1]);
	w.ask = ask[1];
	w.answer = answer[0];
	if (read(w.answer, &byte, 1) != 1)
		give_up("the waiting process");
	usleep(2000); /* until it does wait */
	return w;
}

static struct outcome
waiter_stop(struct waiter *w)
{
	close(w->ask);
	close(w->answer);
	return outcome_of(w->pid);
}

/* The walls as others see them: /proc, and who owns it. */
static bool
file_says(pid_t pid, const char *file, const char *line)
{
	char path[64], text[8192];
	size_t len;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	if ((f = fopen(path, "r")) == NULL)
		return false;
	len = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[len] = '\0';
	return strstr(text, line) != NULL;
}

/* What this system permits us. */
static bool
can_chroot(void)
{
	int status;
	pid_t pid = fork_child();

	if (pid == 0) {
		if (no_chroot)
			forbid_chroot();
		if (chroot("/") != 0 && (unshare(CLONE_NEWUSER) != 0 ||
		    chroot("/") != 0))
			_exit(1);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid)
		give_up("waitpid");
	return status == 0;
}

static unsigned
walls_expected(void)
{
	int abi = landlock_abi();

	return 1u << WALL_no_new_privs | 1u << WALL_not_dumpable |
	    1u << WALL_seccomp | (unsigned)(abi >= 1) << WALL_landlock_files |
	    (unsigned)(abi >= 4) << WALL_landlock_tcp |
	    (unsigned)(abi >= 6) << WALL_landlock_scope |
	    (unsigned)(geteuid() != 0) << WALL_own_user |
	    (unsigned)can_chroot() << WALL_own_root;
}

static void
run_walls(void)
{
	unsigned expected = walls_expected();
	struct waiter w = waiter_start(false);
	char path[64], walls[32];
	struct stat st;

	snprintf(walls, sizeof(walls), "%#x", report->walls);
	say(report->walls == expected, "walls_reported", walls, "");
	say(file_says(w.pid, "status", "CapInh:\t0000000000000000\n"
	    "CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n") &&
	    file_says(w.pid, "status", "CapAmb:\t0000000000000000\n"),
	    "no_capabilities", "", "");
	/* Emptied where it can be: root, or a namespace, has CAP_SETPCAP. */
	say(!has_own_root() ||
	    file_says(w.pid, "status", "CapBnd:\t0000000000000000\n"),
	    "no_bounding_set", "", "");
	say(file_says(w.pid, "status", "NoNewPrivs:\t1\n"), "no_new_privs",
	    "", "");
	say(file_says(w.pid, "status", "Seccomp:\t2\n"), "seccomp", "", "");
	say(file_says(w.pid, "limits", "Max core file size        0      "
	    "              0 "), "no_core", "", "");
	snprintf(path, sizeof(path), "/proc/%d/status", (int)w.pid);
	say(geteuid() == 0 || (stat(path, &st) == 0 && st.st_uid == 0),
	    "not_dumpable", "", "");
	waiter_stop(&w);
}

/* ---- through inject ---- */

static bool
inject_run(const char *inject, pid_t pid, const struct probe *p, char *line,
    int size)
{
	char command[512];
	int n = snprintf(command, sizeof(command), "'%s' %d %s", inject,
	    (int)pid, p->name);
	FILE *f;

	for (size_t i = 0; i < HELD_COUNT; i++)
		if (probe_uses(p, (enum held)i))
			n += snprintf(command + n,
			    sizeof(command) - (size_t)n, " %d",
			    report->env.fd[i]);
	if ((f = popen(command, "r")) == NULL)
		give_up("popen");
	if (fgets(line, size, f) == NULL)
		line[0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	return pclose(f) == 0;
}

/* The call goes as it should, and whoever was not killed works on. */
static void
run_row_through(const char *inject, const struct probe *p, bool in_read)
{
	struct waiter w;
	char line[256];
	bool good, alive;

	w = waiter_start(in_read);
	good = inject_run(inject, w.pid, p, line, sizeof(line));
	alive = p->verdict != KILLED;
	if (strncmp(line, "skipped", 7) == 0)
		alive = good = true;
	if (alive && !waiter_answers(&w)) {
		good = false;
		strcat(line, ", and it answers no more");
	}
	if (waiter_stop(&w).signal != (alive ? 0 : SIGSYS))
		good = false;
	say(good, p->name, line, "");
}

static void
run_through(const char *inject)
{
	bool in_read = false;

	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < probe_count; i++) {
		if ((probes[i].flags & PROBE_LOCAL) != 0)
			continue;
		run_row_through(inject, &probes[i], in_read);
		in_read = !in_read;
	}
}

/* ---- */

static void
become_user(void)
{
	if (geteuid() == 0 && (setgroups(0, NULL) != 0 ||
	    setresgid(NOBODY, NOBODY, NOBODY) != 0 ||
	    setresuid(NOBODY, NOBODY, NOBODY) != 0))
		give_up("setresuid");
	/* A change of the user makes it 0, and its /proc root's. */
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static void
run_all(void)
{
	run_walls();
	for (size_t i = 0; i < probe_count; i++)
		run_row(&probes[i]);
	run_function("thread", thread_works,
	    (struct outcome) { .result = -EACCES });
	run_function("abort", abort_works,
	    (struct outcome) { .signal = SIGABRT });
	run_function("malloc", memory_works, (struct outcome) { .result = 1 });
	if (homes_fd >= 0)
		run_accounts();
	if (ktls)
		run_ktls();
}

int
main(int argc, char **argv)
{
	const char *inject = NULL;
	bool bare = false, accounts = false;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--user") == 0)
			become_user();
		else if (strcmp(argv[i], "--bare") == 0)
			bare = true;
		else if (strcmp(argv[i], "--accounts") == 0)
			accounts = true;
		else if (strcmp(argv[i], "--ktls") == 0)
			ktls = true;
		else if (strcmp(argv[i], "--no-chroot") == 0)
			no_chroot = true;
		else if (strcmp(argv[i], "--through") == 0 && i + 1 < argc)
			inject = realpath(argv[++i], NULL);
		else
			return 2;
	}
	if (inject != NULL && geteuid() != 0) {
		printf("1..0 # SKIP needs root\n");
		return 0;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (report == MAP_FAILED)
		give_up("mmap");
	archive_make();
	if (accounts)
		homes_make();
	if (inject != NULL)
		run_through(inject);
	else if (!bare)
		run_all();
	for (size_t i = 0; bare && i < probe_count; i++)
		run_row_bare(&probes[i]);
	if (accounts)
		homes_remove();
	archive_remove();
	printf("1..%d\n", planned);
	fprintf(stderr, "%d rows, %d failed\n", planned, failed);
	return failed != 0;
}
