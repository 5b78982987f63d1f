/*
 * signer/sandbox.c: see the header.
 *
 * Nobody outside speaks to this process: what it reads are packets of a fixed
 * size, and files of the operator's.  The walls are for the day when a packet
 * does more than it should: then the key can be used from here, and there is
 * no way to carry it out but the answers' 512 bytes, to who asked.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "signer/sandbox.h"

#include <errno.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/landlock.h"
#include "base/log.h"
#include "ipc/inherit.h"
#include "ipc/walls.h"

static const int calls[] = {
	/* Channels, files that came with a message, standard error. */
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(pread64),
	SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(fstat),
	SCMP_SYS(newfstatat), SCMP_SYS(close), SCMP_SYS(shutdown),
	SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_ctl),
	/* Memory, none of it executable: see below. */
	SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(brk),
	SCMP_SYS(mlock), SCMP_SYS(mlock2),
	/* Itself, clocks, chance, the end. */
	SCMP_SYS(futex), SCMP_SYS(getpid), SCMP_SYS(gettid),
	SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(time),
	SCMP_SYS(getrandom), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack),
	SCMP_SYS(restart_syscall), SCMP_SYS(exit), SCMP_SYS(exit_group),
};

/* No honest signer calls these. */
static const int fatal_calls[] = {
	SCMP_SYS(socket), SCMP_SYS(socketpair), SCMP_SYS(connect),
	SCMP_SYS(bind), SCMP_SYS(listen), SCMP_SYS(accept), SCMP_SYS(accept4),
	SCMP_SYS(sendmsg), SCMP_SYS(sendmmsg), SCMP_SYS(execve),
	SCMP_SYS(execveat), SCMP_SYS(fork), SCMP_SYS(vfork),
	SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev), SCMP_SYS(pidfd_getfd),
	SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter),
	SCMP_SYS(io_uring_register), SCMP_SYS(bpf), SCMP_SYS(keyctl),
	SCMP_SYS(userfaultfd), SCMP_SYS(memfd_create),
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
	for (size_t i = 0; i < sizeof(fatal_calls) / sizeof(int); i++)
		must(seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS,
		    fatal_calls[i], 0), "rule");
	/* An answer goes to the channel's other end, and nowhere else. */
	must(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(sendto), 2,
	    SCMP_A4(SCMP_CMP_EQ, 0), SCMP_A5(SCMP_CMP_EQ, 0)), "rule");
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

static unsigned
enter_landlock(void)
{
	int abi = landlock_abi();

	if (!landlock_forbid_all()) {
		if (abi > 0)
			log_fatal(1, "sandbox: Landlock err=%d", errno);
		return 0;
	}
	return 1u << WALL_landlock_files |
	    (abi >= 4 ? 1u << WALL_landlock_tcp : 0) |
	    (abi >= 6 ? 1u << WALL_landlock_scope : 0);
}

/*
 * Only root is asked to be someone else here, and its warden has seen to it
 * before this program began.
 */
unsigned
sandbox_enter(void)
{
	unsigned set = 1u << WALL_no_new_privs | 1u << WALL_not_dumpable;
	struct rlimit no_core = { 0, 0 };

	if (setrlimit(RLIMIT_CORE, &no_core) != 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		log_fatal(1, "cannot confine itself err=%d", errno);
	if (getuid() != 0 && geteuid() != 0)
		set |= 1u << WALL_own_user;
	set |= enter_landlock();
	if (enter_seccomp())
		set |= 1u << WALL_seccomp;
	return set;
}
