/*
 * watch/sandbox.c: see the header.
 *
 * What would make a connection, start a program or reach another process
 * kills; everything else that is not on the list fails with EPERM, so that a
 * library which tries something new (syslog(3) after its daemon's restart,
 * say) stays alive.
 *
 * An interface's socket sends what is written to it, as the link layer's own:
 * a captured sensor could speak for every host of its network.  No call of
 * the kernel's makes it read-only, so the filter does.  It compares 64 bits
 * where the kernel takes 32 of them: "any but this one" would let through the
 * same number with a bit above, and only "below this one" holds.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "watch/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <pwd.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "base/landlock.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define WITH_SANITIZERS 1
int __lsan_is_turned_off(void);
#else
#define WITH_SANITIZERS 0
#endif

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define WRITES (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | O_APPEND)

static bool
complain(const char *what)
{
	fprintf(stderr, "portcullis watch: %s: %s\n", what, strerror(errno));
	return false;
}

static const struct passwd *
account(const char *name)
{
	static const char *const usual[] = { "portcullis-watch", "nobody" };
	const struct passwd *who = NULL;

	if (name != NULL)
		return getpwnam(name);
	for (size_t i = 0; i < COUNT(usual) && who == NULL; i++)
		who = getpwnam(usual[i]);
	return who;
}

static bool
become(const struct passwd *who)
{
	uid_t real, effective, saved;

	if (setgroups(0, NULL) != 0 ||
	    setresgid(who->pw_gid, who->pw_gid, who->pw_gid) != 0 ||
	    setresuid(who->pw_uid, who->pw_uid, who->pw_uid) != 0 ||
	    getresuid(&real, &effective, &saved) != 0)
		return complain("cannot give up root");
	if (real == 0 || effective == 0 || saved == 0) {
		errno = EPERM;
		return complain("still root");
	}
	return true;
}

/* While it is still root's to empty. */
static bool
empty_bounding_set(void)
{
	for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0;
	     cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0 &&
		    errno != EPERM) /* a container's root may not */
			return complain("cannot empty the bounding set");
	return true;
}

static bool
drop_capabilities(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2] = { 0 };

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 ||
	    syscall(SYS_capset, &head, caps) != 0 ||
	    syscall(SYS_capget, &head, caps) != 0)
		return complain("cannot give up capabilities");
	if ((caps[0].permitted | caps[1].permitted | caps[0].effective |
	    caps[1].effective | caps[0].inheritable |
	    caps[1].inheritable) == 0)
		return true;
	errno = EPERM;
	return complain("still has capabilities");
}

bool
sandbox_drop_privileges(const char *user)
{
	const struct passwd *who;

	if (geteuid() == 0) {
		if ((who = account(user)) == NULL) {
			fprintf(stderr, "portcullis watch: no such user: %s\n",
			    user != NULL ? user : "nobody");
			return false;
		}
		if (who->pw_uid == 0) {
			fprintf(stderr, "portcullis watch: %s is root\n",
			    who->pw_name);
			return false;
		}
		if (!empty_bounding_set() || !become(who))
			return false;
	}
	return drop_capabilities();
}

struct rule {
	uint32_t action;
	int call;
	unsigned conditions;	/* all of which must hold */
	struct scmp_arg_cmp when[3];
};

#define ALLOW(name) { SCMP_ACT_ALLOW, SCMP_SYS(name), 0, { { 0 } } },
#define KILL(name) { SCMP_ACT_KILL_PROCESS, SCMP_SYS(name), 0, { { 0 } } },
#define ALLOW_IF(name, n, ...) \
	{ SCMP_ACT_ALLOW, SCMP_SYS(name), n, { __VA_ARGS__ } },
#define ARG_IS(i, value) { i, SCMP_CMP_EQ, value, 0 }
#define ARG_LACKS(i, bits) { i, SCMP_CMP_MASKED_EQ, bits, 0 }

#if WITH_SANITIZERS
/* Reports come whole, without symbols: those need files and processes. */
#define FOR_SANITIZERS ALLOW(sched_getaffinity)
/* Its stop of all threads would kill a sandboxed process. */
int
__lsan_is_turned_off(void)
{
	return 1;
}
#else
#define FOR_SANITIZERS
#endif

static const struct rule rules[] = {
	/* What is open: captures, the ring's socket, outputs. */
	ALLOW(read) ALLOW(readv) ALLOW(pread64) ALLOW(pwrite64) ALLOW(ftruncate) ALLOW(lseek) ALLOW(close)
	ALLOW(fstat) ALLOW(newfstatat) ALLOW(fadvise64)
	ALLOW(poll) ALLOW(ppoll) ALLOW(recvfrom) ALLOW(recvmsg)
	ALLOW(getsockopt)
	ALLOW_IF(ioctl, 1, ARG_IS(1, TCGETS))
	ALLOW_IF(ioctl, 1, ARG_IS(1, TIOCGWINSZ))
	/* Whether the interface is still up. */
	ALLOW_IF(ioctl, 1, ARG_IS(1, SIOCGIFFLAGS))
	ALLOW(getsockname)
	ALLOW_IF(fcntl, 1, ARG_IS(1, F_GETFL))

	/* Memory, none of it executable. */
	ALLOW_IF(mmap, 1, ARG_LACKS(2, PROT_EXEC))
	ALLOW_IF(mprotect, 1, ARG_LACKS(2, PROT_EXEC))
	ALLOW(munmap) ALLOW(mremap) ALLOW(madvise) ALLOW(brk)

	ALLOW(futex) ALLOW(rseq) ALLOW(sched_yield) ALLOW(gettid)
	ALLOW(getpid) ALLOW(rt_sigaction) ALLOW(rt_sigprocmask)
	ALLOW(rt_sigreturn) ALLOW(sigaltstack) ALLOW(restart_syscall)
	ALLOW(clock_gettime) ALLOW(clock_nanosleep) ALLOW(nanosleep)
	ALLOW(gettimeofday) ALLOW(time) ALLOW(getrandom)
	ALLOW(exit) ALLOW(exit_group)

	FOR_SANITIZERS

	KILL(socketpair) KILL(connect) KILL(bind) KILL(listen)
	KILL(accept) KILL(accept4) KILL(sendmsg) KILL(sendmmsg)
	KILL(io_uring_setup) KILL(io_uring_enter) KILL(io_uring_register)
	KILL(execve) KILL(execveat) KILL(fork) KILL(vfork) KILL(clone)
	KILL(ptrace) KILL(process_vm_readv) KILL(process_vm_writev)
	KILL(pidfd_getfd) KILL(unshare) KILL(setns) KILL(mount)
	KILL(bpf) KILL(perf_event_open) KILL(userfaultfd) KILL(keyctl)
};

/* Captures, each when its time has come. */
static const struct rule for_files[] = {
	ALLOW_IF(openat, 1, ARG_LACKS(2, WRITES))
};

static bool
add(scmp_filter_ctx ctx, const struct rule *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (seccomp_rule_add_array(ctx, list[i].action, list[i].call,
		    list[i].conditions, list[i].when) != 0)
			return false;
	return true;
}

/* abort(3): a signal to this process, and to no other. */
static bool
add_abort(scmp_filter_ctx ctx)
{
	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
	    SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid())) == 0;
}

/* To outputs, which are open before an interface is; see above. */
static bool
add_writing(scmp_filter_ctx ctx, int packet_fd)
{
	struct scmp_arg_cmp below = { 0, SCMP_CMP_LT, (scmp_datum_t)(
	    packet_fd < 0 ? INT_MAX : packet_fd), 0 };
	const struct rule writing[] = {
		ALLOW_IF(write, 1, below)
		ALLOW_IF(writev, 1, below)
		/* syslog(3): to where the socket is connected already. */
		ALLOW_IF(sendto, 3, below, ARG_IS(4, 0), ARG_IS(5, 0))
	};

	return add(ctx, writing, COUNT(writing));
}

static bool
enter_seccomp(enum sandbox_mode mode, int packet_fd)
{
	scmp_filter_ctx ctx;
	bool done;

	if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0)
		return false;
	ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	done = ctx != NULL && seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH,
	    SCMP_ACT_KILL_PROCESS) == 0 &&
	    seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2) == 0 &&
	    add(ctx, rules, COUNT(rules)) && add_abort(ctx) &&
	    add_writing(ctx, packet_fd) &&
	    (mode == SANDBOX_LIVE || add(ctx, for_files, COUNT(for_files))) &&
	    seccomp_load(ctx) == 0;
	if (ctx != NULL)
		seccomp_release(ctx);
	return done;
}

static bool
enter_landlock(enum sandbox_mode mode)
{
	struct landlock_root root = { -1, LANDLOCK_READ };
	int stand;

	if (landlock_abi() == 0) {
		fputs("portcullis watch: this kernel has no Landlock: "
		    "seccomp alone guards the files\n", stderr);
		return true;
	}
	if (mode == SANDBOX_LIVE)
		return landlock_forbid_all() || complain("Landlock");
	root.fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	stand = root.fd < 0 ? -1 : landlock_confine(&root, 1);
	if (root.fd >= 0)
		close(root.fd);
	return stand >= 0 || complain("Landlock");
}

bool
sandbox_enter(enum sandbox_mode mode, int packet_fd)
{
	struct rlimit no_core = { 0, 0 };

	tzset(); /* its file, while files can be opened */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    setrlimit(RLIMIT_CORE, &no_core) != 0 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return complain("sandbox");
	if (!enter_landlock(mode))
		return false;
	if (enter_seccomp(mode, packet_fd))
		return true;
	fputs("portcullis watch: seccomp cannot be had on this kernel: "
	    "--no-sandbox does without\n", stderr);
	return false;
}

void
sandbox_forgo(void)
{
	fputs("portcullis watch: --no-sandbox: neither seccomp nor Landlock "
	    "guards what reads packets\n", stderr);
}
