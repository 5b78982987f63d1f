/*
 * resolver/sandbox.c: see the header.
 *
 * libc's resolver is what reads the answers of name servers here, and it has
 * had its holes (CVE-2015-7547).  It needs a network, which is why it is no
 * part of any other process; so what it has is narrowed to that.  Whatever
 * is not on the list fails with EPERM: a name service that would need more (a
 * daemon's socket) is done without, and libc asks the name server itself.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "resolver/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/landlock.h"
#include "base/log.h"

#define DNS_PORT 53

/* What says how names are resolved; those that exist. */
static const char *const files[] = {
	"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf",
	"/etc/host.conf", "/etc/gai.conf",
};

#define FILES (sizeof(files) / sizeof(files[0]))

static const int calls[] = {
	/* Sockets that are there, and the files above. */
	SCMP_SYS(connect), SCMP_SYS(sendto), SCMP_SYS(sendmsg),
	SCMP_SYS(sendmmsg), SCMP_SYS(recvfrom), SCMP_SYS(recvmsg),
	SCMP_SYS(setsockopt), SCMP_SYS(getsockopt), SCMP_SYS(getsockname),
	SCMP_SYS(getpeername), SCMP_SYS(poll), SCMP_SYS(ppoll),
	SCMP_SYS(ioctl), SCMP_SYS(fcntl), SCMP_SYS(close),
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(lseek),
	SCMP_SYS(openat), SCMP_SYS(fstat), SCMP_SYS(newfstatat),
	SCMP_SYS(statx),
	/* Memory, none of it executable: see below. */
	SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(brk),
	/* Itself, clocks, chance, the end. */
	SCMP_SYS(futex), SCMP_SYS(rseq), SCMP_SYS(set_robust_list),
	SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getuid),
	SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid),
	SCMP_SYS(uname), SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday),
	SCMP_SYS(time), SCMP_SYS(getrandom), SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigaltstack), SCMP_SYS(restart_syscall), SCMP_SYS(exit),
	SCMP_SYS(exit_group),
};

static void
must(int error, const char *what)
{
	if (error != 0)
		log_fatal(1, "sandbox: %s err=%d", what, -error);
}

static void
allow(scmp_filter_ctx ctx, int call, struct scmp_arg_cmp when)
{
	must(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, call, 1, when), "rule");
}

static void
add_rules(scmp_filter_ctx ctx)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		must(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 0),
		    "rule");
	allow(ctx, SCMP_SYS(socket), SCMP_A0(SCMP_CMP_EQ, AF_INET));
	allow(ctx, SCMP_SYS(socket), SCMP_A0(SCMP_CMP_EQ, AF_INET6));
	allow(ctx, SCMP_SYS(mmap), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	allow(ctx, SCMP_SYS(mprotect),
	    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	allow(ctx, SCMP_SYS(tgkill), SCMP_A0(SCMP_CMP_EQ,
	    (scmp_datum_t)getpid()));
}

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

/* Older kernels have no Landlock; the workers' report says so. */
static void
enter_landlock(void)
{
	int fds[FILES];

	for (size_t i = 0; i < FILES; i++)
		fds[i] = open(files[i], O_PATH | O_CLOEXEC);
	if (!landlock_read_these(fds, FILES, DNS_PORT) && landlock_abi() > 0)
		log_fatal(1, "sandbox: Landlock err=%d", errno);
	for (size_t i = 0; i < FILES; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

bool
sandbox_enter(void)
{
	struct rlimit no_core = { 0, 0 };

	if (setrlimit(RLIMIT_CORE, &no_core) != 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		log_fatal(1, "cannot confine itself err=%d", errno);
	enter_landlock();
	return enter_seccomp();
}
