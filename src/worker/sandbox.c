/*
 * worker/sandbox.c: the walls; see the header.
 *
 * What is on the allow-list works on descriptors that the process was given,
 * or opens files beneath the archive.  What would make a socket, or turn one
 * that it was given against somebody, or start a program, kills: no honest
 * worker ever calls it, so whoever does has taken the process over.
 * Everything else fails with EPERM.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "worker/sandbox.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/landlock.h"
#include "base/log.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define WITH_SANITIZERS 1
#else
#define WITH_SANITIZERS 0
#endif

/* Bytes of descriptors that are there. */
static const int allowed_io[] = {
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev),
	SCMP_SYS(pread64), SCMP_SYS(preadv), SCMP_SYS(preadv2),
	SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(sendfile),
	SCMP_SYS(shutdown), SCMP_SYS(close), SCMP_SYS(lseek),
	SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_pwait2), SCMP_SYS(poll), SCMP_SYS(ppoll),
};

/* Files: openat2 alone opens, and Landlock says where. */
static const int allowed_files[] = {
	SCMP_SYS(openat2), SCMP_SYS(fstat), SCMP_SYS(newfstatat),
	SCMP_SYS(statx), SCMP_SYS(fstatfs), SCMP_SYS(getdents64),
	SCMP_SYS(readlinkat),
};

/* The process's own memory, threads, clock and end. */
static const int allowed_self[] = {
	SCMP_SYS(futex), SCMP_SYS(munmap), SCMP_SYS(mremap),
	SCMP_SYS(madvise), SCMP_SYS(brk), SCMP_SYS(rseq),
	SCMP_SYS(set_robust_list), SCMP_SYS(exit), SCMP_SYS(exit_group),
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack), SCMP_SYS(getrandom),
	SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(sched_yield),
	SCMP_SYS(sched_getaffinity), SCMP_SYS(restart_syscall),
	SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep),
	SCMP_SYS(nanosleep), SCMP_SYS(gettimeofday), SCMP_SYS(time),
	SCMP_SYS(geteuid), SCMP_SYS(getuid),
};

/* Sockets made, connected, accepted, or descriptors handed on. */
static const int killed_network[] = {
	SCMP_SYS(socket), SCMP_SYS(socketpair), SCMP_SYS(connect),
	SCMP_SYS(bind), SCMP_SYS(listen), SCMP_SYS(accept),
	SCMP_SYS(accept4), SCMP_SYS(sendmsg), SCMP_SYS(sendmmsg),
	SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter),
	SCMP_SYS(io_uring_register),
};

/* Programs, other processes, the kernel. */
static const int killed_others[] = {
	SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(fork),
	SCMP_SYS(vfork), SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev), SCMP_SYS(pidfd_getfd),
	SCMP_SYS(bpf), SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load),
	SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(mount),
	SCMP_SYS(umount2), SCMP_SYS(pivot_root), SCMP_SYS(chroot),
	SCMP_SYS(unshare), SCMP_SYS(setns), SCMP_SYS(userfaultfd),
	SCMP_SYS(perf_event_open), SCMP_SYS(keyctl), SCMP_SYS(add_key),
	SCMP_SYS(request_key),
};

static void
must(int error, const char *what)
{
	if (error != 0)
		log_fatal(1, "sandbox: %s err=%d", what, -error);
}

static void
add_list(scmp_filter_ctx ctx, uint32_t action, const int *calls, size_t n)
{
	for (size_t i = 0; i < n; i++)
		must(seccomp_rule_add(ctx, action, calls[i], 0), "a rule");
}

#define ADD_LIST(ctx, action, calls) \
	add_list(ctx, action, calls, sizeof(calls) / sizeof((calls)[0]))

/*
 * send(2) is sendto without an address; with one, or with Fast Open, it would
 * connect.
 */
static void
add_sendto(scmp_filter_ctx ctx)
{
	must(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(sendto), 3,
	    SCMP_A3(SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, 0),
	    SCMP_A4(SCMP_CMP_EQ, 0), SCMP_A5(SCMP_CMP_EQ, 0)), "sendto");
	must(seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS, SCMP_SYS(sendto), 1,
	    SCMP_A4(SCMP_CMP_NE, 0)), "sendto");
	must(seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS, SCMP_SYS(sendto), 1,
	    SCMP_A5(SCMP_CMP_NE, 0)), "sendto");
	must(seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS, SCMP_SYS(sendto), 1,
	    SCMP_A3(SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, MSG_FASTOPEN)),
	    "sendto");
}

/* Memory that is executable is never made after the start. */
static void
add_memory(scmp_filter_ctx ctx)
{
	must(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
	    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)), "mmap");
	must(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
	    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)), "mprotect");
}

/* Threads yes, processes no.  clone3 hides its flags from us: the C library
 * goes back to clone when it is told that there is none. */
static void
add_threads(scmp_filter_ctx ctx)
{
	must(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
	    SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD)), "clone");
	must(seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS, SCMP_SYS(clone), 1,
	    SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0)), "clone");
	must(seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3),
	    0), "clone3");
}

static void
add_narrow(scmp_filter_ctx ctx)
{
	must(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
	    SCMP_A1(SCMP_CMP_EQ, TIOCOUTQ)), "ioctl"); /* SIOCOUTQ */
	must(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
	    SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME)), "prctl");
	/* abort(3) */
	must(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
	    SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid())), "tgkill");
}

/* What a report of the sanitizers needs; none of it is in a release. */
static void
add_sanitizers(scmp_filter_ctx ctx)
{
	static const int calls[] = { SCMP_SYS(getrlimit), SCMP_SYS(prlimit64),
		SCMP_SYS(readlink), SCMP_SYS(openat), SCMP_SYS(uname),
		SCMP_SYS(getrusage), SCMP_SYS(sysinfo), SCMP_SYS(fcntl),
		SCMP_SYS(mincore) };

	if (WITH_SANITIZERS)
		ADD_LIST(ctx, SCMP_ACT_ALLOW, calls);
}

/* False when the kernel has no seccomp filters. */
static bool
enter_seccomp(void)
{
	scmp_filter_ctx ctx;
	int error;

	if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0)
		return false;
	if ((ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM))) == NULL)
		log_fatal(1, "sandbox: out of memory");
	must(seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH,
	    SCMP_ACT_KILL_PROCESS), "architecture");
	/* The commonest calls are looked at first. */
	must(seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2), "order");
	ADD_LIST(ctx, SCMP_ACT_ALLOW, allowed_io);
	ADD_LIST(ctx, SCMP_ACT_ALLOW, allowed_files);
	ADD_LIST(ctx, SCMP_ACT_ALLOW, allowed_self);
	ADD_LIST(ctx, SCMP_ACT_KILL_PROCESS, killed_network);
	ADD_LIST(ctx, SCMP_ACT_KILL_PROCESS, killed_others);
	add_sendto(ctx);
	add_memory(ctx);
	add_threads(ctx);
	add_narrow(ctx);
	add_sanitizers(ctx);
	error = seccomp_load(ctx);
	seccomp_release(ctx);
	if (error == -ENOSYS || error == -EINVAL)
		return false;
	must(error, "seccomp");
	return true;
}

static bool
is_own_user(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2] = { 0 };
	uid_t real, effective, saved;

	if (getresuid(&real, &effective, &saved) != 0 ||
	    syscall(SYS_capget, &head, caps) != 0)
		return false;
	return real != 0 && effective != 0 && saved != 0 &&
	    caps[0].permitted == 0 && caps[1].permitted == 0;
}

static bool
forbid_dumps(void)
{
	struct rlimit no_core = { 0, 0 };

	return setrlimit(RLIMIT_CORE, &no_core) == 0 &&
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
}

static unsigned
enter_landlock(int root_fd)
{
	int stand = landlock_read_only(root_fd);
	unsigned set = 0;

	if (stand < 0)
		log_fatal(1, "sandbox: Landlock err=%d", errno);
	if ((stand & LANDLOCK_FILES) != 0)
		set |= 1u << WALL_landlock_files;
	if ((stand & LANDLOCK_TCP) != 0)
		set |= 1u << WALL_landlock_tcp;
	if ((stand & LANDLOCK_SCOPE) != 0)
		set |= 1u << WALL_landlock_scope;
	return set;
}

unsigned
sandbox_enter(int root_fd)
{
	unsigned set = 0;

	if (is_own_user())
		set |= 1u << WALL_own_user;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
		set |= 1u << WALL_no_new_privs;
	if (forbid_dumps())
		set |= 1u << WALL_not_dumpable;
	set |= enter_landlock(root_fd);
	if (enter_seccomp())
		set |= 1u << WALL_seccomp;
	return set;
}
