/*
 * keeper/sandbox.c: see the header.
 *
 * Whatever is not on the list fails with EPERM, but for what makes sockets
 * or starts programs: that kills, as in the worker.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "keeper/sandbox.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/landlock.h"
#include "base/log.h"
#include "ipc/walls.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/lsan_interface.h>

/* The leak check is not possible inside; the worker's sandbox says why. */
int
__lsan_is_turned_off(void)
{
	return 1;
}
#endif

static const int calls[] = {
	/* Channels, the account file, diagnostics. */
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(pread64),
	SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(sendto),
	SCMP_SYS(sendmsg), SCMP_SYS(close), SCMP_SYS(fstat),
	SCMP_SYS(newfstatat), SCMP_SYS(openat2),
	SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_pwait2),
	/* Memory, none of it executable: see below. */
	SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(brk),
	/* Threads; clone's flags: see below. */
	SCMP_SYS(futex), SCMP_SYS(rseq), SCMP_SYS(set_robust_list),
	SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity), SCMP_SYS(gettid),
	/* Itself, clocks, chance, the end. */
	SCMP_SYS(getpid), SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday),
	SCMP_SYS(time), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep),
	SCMP_SYS(getrandom), SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigaltstack), SCMP_SYS(restart_syscall), SCMP_SYS(exit),
	SCMP_SYS(exit_group),
};

static const int kills[] = {
	SCMP_SYS(socket), SCMP_SYS(socketpair), SCMP_SYS(connect),
	SCMP_SYS(bind), SCMP_SYS(listen), SCMP_SYS(accept),
	SCMP_SYS(accept4), SCMP_SYS(io_uring_setup), SCMP_SYS(execve),
	SCMP_SYS(execveat), SCMP_SYS(fork), SCMP_SYS(vfork),
	SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(pidfd_getfd),
	SCMP_SYS(unshare), SCMP_SYS(setns), SCMP_SYS(bpf),
	SCMP_SYS(userfaultfd), SCMP_SYS(perf_event_open),
};

static void
must(int error, const char *what)
{
	if (error != 0)
		log_fatal(1, "sandbox: %s err=%d", what, -error);
}

static void
add_rule(scmp_filter_ctx ctx, uint32_t action, int call)
{
	must(seccomp_rule_add(ctx, action, call, 0), "rule");
}

static void
allow_if(scmp_filter_ctx ctx, int call, struct scmp_arg_cmp when)
{
	must(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, call, 1, when), "rule");
}

static void
add_rules(scmp_filter_ctx ctx)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		add_rule(ctx, SCMP_ACT_ALLOW, calls[i]);
	for (size_t i = 0; i < sizeof(kills) / sizeof(kills[0]); i++)
		add_rule(ctx, SCMP_ACT_KILL_PROCESS, kills[i]);
	/* clone3 hides its flags; without it the C library takes clone. */
	add_rule(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3));
	allow_if(ctx, SCMP_SYS(clone),
	    SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
	allow_if(ctx, SCMP_SYS(mmap),
	    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	allow_if(ctx, SCMP_SYS(mprotect),
	    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	allow_if(ctx, SCMP_SYS(prctl), SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
	allow_if(ctx, SCMP_SYS(tgkill),
	    SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
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
	must(seccomp_attr_set(ctx, SCMP_FLTATR_API_SYSRAWRC, 1), "errors");
	add_rules(ctx);
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
	uid_t real, effective, saved;

	return getresuid(&real, &effective, &saved) == 0 && real != 0 &&
	    effective != 0 && saved != 0;
}

static unsigned
enter_landlock(int quota_fd)
{
	struct landlock_root quota = { quota_fd, LANDLOCK_STORE };
	int stand = landlock_confine(&quota, quota_fd >= 0 ? 1 : 0);
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
sandbox_enter(int quota_fd)
{
	struct rlimit no_core = { 0, 0 };
	unsigned set = 1u << WALL_no_new_privs | 1u << WALL_not_dumpable;

	if (setrlimit(RLIMIT_CORE, &no_core) != 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		log_fatal(1, "cannot confine itself err=%d", errno);
	if (is_own_user())
		set |= 1u << WALL_own_user;
	set |= enter_landlock(quota_fd);
	if (enter_seccomp())
		set |= 1u << WALL_seccomp;
	return set;
}
