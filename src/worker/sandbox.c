/*
 * worker/sandbox.c: the walls; see the header.
 *
 * What is on the allow-list works on descriptors that the process was given,
 * or opens files beneath the archive.  What would make a socket, or turn one
 * that it was given against somebody, or start a program, kills: no honest
 * worker ever calls it, so whoever does has taken the process over.
 * Everything else fails with EPERM, so that a C library which tries something
 * new stays alive.
 *
 * Not here: an argument that is a pointer cannot be judged (what it points at
 * may change after the look), so calls that are only harmless with the right
 * struct (sendmsg, clone3) are not allowed at all, and paths are Landlock's.
 * Of sendmsg there is one exception: see ktls_rules.
 * Neither of the two forbids stat or O_PATH outside the archive, so first of
 * all the archive becomes the root directory: there is no name for what lies
 * outside.  Where that is not permitted, a captured worker can ask for names
 * and sizes there, and read no byte.
 *
 * tests/probe/ tries what is refused here, in a bare process and in the
 * running worker.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "worker/sandbox.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/landlock.h"
#include "base/log.h"
#include "conf/conf.h"
#include "ipc/inherit.h"

#ifndef SOL_TLS
#define SOL_TLS 282
#endif

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer) || \
    defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define WITH_SANITIZERS 1
#include <sanitizer/lsan_interface.h>
#else
#define WITH_SANITIZERS 0
#endif

/* pthread_create's flags, glibc's and musl's; the latter's last one is void. */
#define THREAD_FLAGS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | \
    CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID | \
    CLONE_CHILD_CLEARTID)

struct rule {
	uint32_t action;
	int call;
	unsigned conditions;	/* all of which must hold */
	struct scmp_arg_cmp when[4];
};

#define ALLOW(name) { SCMP_ACT_ALLOW, SCMP_SYS(name), 0, { { 0 } } },
#define KILL(name) { SCMP_ACT_KILL_PROCESS, SCMP_SYS(name), 0, { { 0 } } },
#define ALLOW_IF(name, n, ...) \
	{ SCMP_ACT_ALLOW, SCMP_SYS(name), n, { __VA_ARGS__ } },
#define KILL_IF(name, n, ...) \
	{ SCMP_ACT_KILL_PROCESS, SCMP_SYS(name), n, { __VA_ARGS__ } },
#define ARG_IS(i, value) { i, SCMP_CMP_EQ, value, 0 }
#define ARG_IS_NOT(i, value) { i, SCMP_CMP_NE, value, 0 }
#define ARG_HAS(i, bit) { i, SCMP_CMP_MASKED_EQ, bit, bit }
#define ARG_LACKS(i, bit) { i, SCMP_CMP_MASKED_EQ, bit, 0 }

/*
 * Reports of sanitizers come whole, but without symbols: those need files
 * or a symbolizer's process.  Only the bounds of a thread's stack ask for
 * more than we allow (pthread_getattr_np).  Not in a release.
 */
#if WITH_SANITIZERS
#define FOR_SANITIZERS ALLOW(sched_getaffinity)

/*
 * The leak check stops the process by a clone that shares its memory, and by
 * ptrace: at the end of a sandboxed process it would kill instead.
 */
int
__lsan_is_turned_off(void)
{
	return 1;
}
#else
#define FOR_SANITIZERS
#endif

/* A call that is not here fails with EPERM. */
static const struct rule rules[] = {
	/* Bytes of descriptors that are there: sessions, channels, files. */
	ALLOW(read) ALLOW(write) ALLOW(readv) ALLOW(writev)
	ALLOW(pread64) ALLOW(preadv) ALLOW(preadv2)
	ALLOW(recvfrom) ALLOW(recvmsg) ALLOW(sendfile)
	ALLOW(shutdown) ALLOW(close) ALLOW(lseek)

	/* The store of digests; nothing else that it has is written so. */
	ALLOW_IF(pwrite64, 1, ARG_IS(0, INHERIT_STORE))

	/*
	 * send(2) is sendto without an address.  With one, or with Fast Open,
	 * it sends to others or connects: a listening socket too, once it is
	 * shut down.
	 */
	ALLOW_IF(sendto, 3, ARG_LACKS(3, MSG_FASTOPEN), ARG_IS(4, 0),
	    ARG_IS(5, 0))
	KILL_IF(sendto, 1, ARG_HAS(3, MSG_FASTOPEN))
	KILL_IF(sendto, 1, ARG_IS_NOT(4, 0))
	KILL_IF(sendto, 1, ARG_IS_NOT(5, 0))

	/* The loop. */
	ALLOW(epoll_ctl) ALLOW(epoll_wait) ALLOW(epoll_pwait)
	ALLOW(epoll_pwait2) ALLOW(poll) ALLOW(ppoll)

	/* Files: openat2 alone opens, and Landlock says where. */
	ALLOW(openat2) ALLOW(fstat) ALLOW(newfstatat) ALLOW(statx)
	ALLOW(fstatfs) ALLOW(getdents64) ALLOW(readlinkat)

	/* Progress of a transfer; TIOCOUTQ has the number of SIOCOUTQ. */
	ALLOW_IF(ioctl, 1, ARG_IS(1, TIOCOUTQ))
	/* fdopen and fdopendir ask how a descriptor was opened. */
	ALLOW_IF(fcntl, 1, ARG_IS(1, F_GETFL))
	/* A data connection of a slow client stops blocking. */
	ALLOW_IF(fcntl, 2, ARG_IS(1, F_SETFL),
	    ARG_IS(2, O_RDWR | O_NONBLOCK))

	/* Memory, none of it executable after the start. */
	ALLOW_IF(mmap, 1, ARG_LACKS(2, PROT_EXEC))
	ALLOW_IF(mprotect, 1, ARG_LACKS(2, PROT_EXEC))
	ALLOW(munmap) ALLOW(mremap) ALLOW(madvise) ALLOW(brk)

	/*
	 * Threads yes, processes no.  clone3 hides its flags behind a
	 * pointer; told that there is none, the C library takes clone.
	 */
	ALLOW_IF(clone, 1, ARG_IS(0, THREAD_FLAGS))
	ALLOW_IF(clone, 1, ARG_IS(0, THREAD_FLAGS | CLONE_DETACHED))
	KILL_IF(clone, 1, ARG_LACKS(0, CLONE_THREAD))
	{ SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0, { { 0 } } },
	ALLOW(futex) ALLOW(rseq) ALLOW(set_robust_list) ALLOW(sched_yield)
	ALLOW(gettid) ALLOW_IF(prctl, 1, ARG_IS(0, PR_SET_NAME))

	/* Signals of its own (tgkill: see add_abort), clocks, chance, end. */
	ALLOW(rt_sigaction) ALLOW(rt_sigprocmask) ALLOW(rt_sigreturn)
	ALLOW(sigaltstack) ALLOW(restart_syscall) ALLOW(getpid)
	ALLOW(clock_gettime) ALLOW(clock_nanosleep) ALLOW(nanosleep)
	ALLOW(gettimeofday) ALLOW(time) ALLOW(getrandom)
	ALLOW(exit) ALLOW(exit_group)

	FOR_SANITIZERS

	/*
	 * Sockets made, connected or accepted; sendmsg and sendmmsg also
	 * hand descriptors on; io_uring does all of that unseen by us.
	 */
	KILL(socket) KILL(socketpair) KILL(connect) KILL(bind) KILL(listen)
	KILL(accept) KILL(accept4) KILL(sendmmsg)
	KILL(io_uring_setup) KILL(io_uring_enter) KILL(io_uring_register)

	/* Programs and processes; the insides of others. */
	KILL(execve) KILL(execveat) KILL(fork) KILL(vfork) KILL(ptrace)
	KILL(process_vm_readv) KILL(process_vm_writev) KILL(pidfd_getfd)

	/* Another view of the system, and what root would have of it. */
	KILL(unshare) KILL(setns) KILL(chroot) KILL(pivot_root)
	KILL(mount) KILL(umount2) KILL(move_mount) KILL(open_tree)
	KILL(fsopen) KILL(fsconfig) KILL(fsmount) KILL(fspick)
	KILL(mount_setattr)

	/* The kernel's own, and the favourite tools of its exploits. */
	KILL(bpf) KILL(perf_event_open) KILL(userfaultfd)
	KILL(keyctl) KILL(add_key) KILL(request_key)
	KILL(init_module) KILL(finit_module) KILL(delete_module)
	KILL(kexec_load) KILL(kexec_file_load)
};

/*
 * Besides, for a worker that stores files, in a drop box or for accounts:
 * names beneath directories that Landlock allows.
 */
static const struct rule storing_rules[] = {
	/*
	 * Bytes of a file, and to the disk; its mode without set-id bits: who
	 * runs such a file would be worker.user, with all that accounts have.
	 */
	ALLOW(pwrite64) ALLOW(fsync)
	ALLOW_IF(fchmod, 1, ARG_LACKS(1, S_ISUID | S_ISGID | S_ISVTX))

	/* fdopendir says so of what is so already. */
	ALLOW_IF(fcntl, 2, ARG_IS(1, F_SETFD), ARG_IS(2, FD_CLOEXEC))

	/* Names; and who writes to it. */
	ALLOW(linkat) ALLOW(renameat2) ALLOW(unlinkat) ALLOW(flock)
};

/*
 * And for one whose session may be an account's: what else the writing half
 * of storage needs; and Landlock's own calls, which only ever take something
 * away.
 */
static const struct rule account_rules[] = {
	ALLOW(landlock_create_ruleset) ALLOW(landlock_add_rule)
	ALLOW(landlock_restrict_self)

	/* Size and times; without a name: Landlock does not judge times. */
	ALLOW(ftruncate) ALLOW_IF(utimensat, 1, ARG_IS(1, 0))
	ALLOW(renameat) ALLOW(mkdirat)

	/* How much an account has: no other locks. */
	ALLOW_IF(fcntl, 1, ARG_IS(1, F_OFD_SETLK))
	ALLOW_IF(fcntl, 1, ARG_IS(1, F_OFD_SETLKW))
};

/* A worker that encrypts itself, or not at all. */
static const struct rule no_ktls_rules[] = {
	KILL(sendmsg)
};

/*
 * Encryption in the kernel: it is given the key of what is sent by setsockopt,
 * and told by sendmsg that what comes is an alert (close_notify), in a control
 * message that no filter can read.  It does not matter what that says.  To
 * hand descriptors on takes a Unix socket: those that a worker has are its
 * channels, below 16, and it can give none another number.  Those above are
 * of TCP, connected by the gate: without Fast Open, which is a flag of the
 * call, an address is not looked at.
 *
 * An argument is compared whole, 64 bits, and the kernel takes 32 of them for
 * a descriptor; the masks leave none over.
 */
#define FD_BLOCK(first) \
	{ 0, SCMP_CMP_MASKED_EQ, ~(uint64_t)((first) - 1), first }
#define ALLOW_SOCKET(first) \
	ALLOW_IF(sendmsg, 2, FD_BLOCK(first), ARG_IS(2, 0)) \
	ALLOW_IF(setsockopt, 4, FD_BLOCK(first), ARG_IS(1, IPPROTO_TCP), \
	    ARG_IS(2, TCP_ULP), ARG_IS(4, sizeof("tls"))) \
	ALLOW_IF(setsockopt, 3, FD_BLOCK(first), ARG_IS(1, SOL_TLS), \
	    ARG_IS(2, TLS_TX)) \
	ALLOW_IF(setsockopt, 3, FD_BLOCK(first), ARG_IS(1, SOL_SOCKET), \
	    ARG_IS(2, SO_SNDTIMEO))
static const struct rule ktls_rules[] = {
	ALLOW_SOCKET(16) ALLOW_SOCKET(32) ALLOW_SOCKET(64) ALLOW_SOCKET(128)
	KILL_IF(sendmsg, 1, { 0, SCMP_CMP_MASKED_EQ, 0xfffffff0U, 0 })
	KILL_IF(sendmsg, 1, ARG_IS_NOT(2, 0))
};
static_assert(SANDBOX_KTLS_LEAST == 16 && SANDBOX_KTLS_MOST == 255,
    "as these rules have it");

static void
must(int error, const char *what)
{
	if (error != 0)
		log_fatal(1, "sandbox: %s err=%d", what, -error);
}

static void
add_rules(scmp_filter_ctx ctx, const struct rule *rule, size_t n)
{
	for (size_t i = 0; i < n; i++)
		must(seccomp_rule_add_array(ctx, rule[i].action, rule[i].call,
		    rule[i].conditions, rule[i].when), "rule");
}

/* abort(3): a signal to this process, and to no other. */
static void
add_abort(scmp_filter_ctx ctx)
{
	must(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
	    SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid())), "tgkill");
}

/* False when the kernel has no seccomp filters. */
static bool
enter_seccomp(bool has_accounts, bool has_box, bool ktls)
{
	scmp_filter_ctx ctx;
	int error;

	if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0)
		return false;
	if ((ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM))) == NULL)
		log_fatal(1, "sandbox: out of memory");
	/* x32 and i386 have the same calls under other numbers. */
	must(seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH,
	    SCMP_ACT_KILL_PROCESS), "architecture");
	/* A binary tree: sendto is looked up with eight comparisons. */
	must(seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2), "order");
	must(seccomp_attr_set(ctx, SCMP_FLTATR_API_SYSRAWRC, 1), "errors");
	add_rules(ctx, rules, sizeof(rules) / sizeof(rules[0]));
	if (has_accounts || has_box)
		add_rules(ctx, storing_rules, sizeof(storing_rules) /
		    sizeof(storing_rules[0]));
	if (has_accounts)
		add_rules(ctx, account_rules, sizeof(account_rules) /
		    sizeof(account_rules[0]));
	if (ktls)
		add_rules(ctx, ktls_rules, sizeof(ktls_rules) /
		    sizeof(ktls_rules[0]));
	else
		add_rules(ctx, no_ktls_rules, 1);
	add_abort(ctx);
	error = seccomp_load(ctx);
	seccomp_release(ctx);
	if (error == -ENOSYS || error == -EINVAL)
		return false;
	must(error, "seccomp");
	return true;
}

/* Whether the working directory is "/": to make it so is no wall. */
static bool
is_root_already(void)
{
	struct stat here, root;

	return stat(".", &here) != 0 || stat("/", &root) != 0 ||
	    (here.st_dev == root.st_dev && here.st_ino == root.st_ino);
}

/*
 * The archive becomes "/", or the directory that holds all of them.  The
 * working directory goes first: it is the one way that chroot(2) leaves open,
 * and whoever started us chose it.  False where what holds them is "/"
 * already, or where it is not permitted.
 *
 * Root's warden lends CAP_SYS_CHROOT for it.  An ordinary user has it in a
 * user namespace of his own, where the system lets him make one; what else
 * he has there, drop_capabilities takes away.  One that was made in vain (a
 * security module may grant it and no power in it) does no harm.
 */
static bool
change_root(int top_fd, bool is_archive)
{
	/* What is above several archives may be closed to us. */
	if (fchdir(top_fd) != 0 && (is_archive || chdir("/") != 0))
		log_fatal(1, "sandbox: archive err=%d", errno);
	if (!is_archive && is_root_already())
		return false;
	if (chroot(".") == 0)
		return true;
	return unshare(CLONE_NEWUSER) == 0 && chroot(".") == 0;
}

static bool
has_capabilities(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2] = { 0 };
	uint32_t any = 0;

	if (syscall(SYS_capget, &head, caps) != 0)
		return true;
	for (size_t i = 0; i < 2; i++)
		any |= caps[i].permitted | caps[i].effective |
		    caps[i].inheritable;
	for (unsigned long cap = 0; cap < 64; cap++)
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0,
		    0) == 1)
			return true;
	return any != 0;
}

/*
 * Every set.  Only who has CAP_SETPCAP can empty the bounding set (root's
 * warden has done so); to others it is no door, as no program can be started.
 */
static void
drop_capabilities(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { 0 };

	for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0;
	     cap++)
		(void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 ||
	    syscall(SYS_capset, &head, none) != 0 || has_capabilities())
		log_fatal(1, "sandbox: capabilities err=%d", errno);
}

/* Not root, and nothing that could become it. */
static bool
is_own_user(void)
{
	uid_t real, effective, saved;

	return getresuid(&real, &effective, &saved) == 0 && real != 0 &&
	    effective != 0 && saved != 0;
}

static void
forbid_privileges(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		log_fatal(1, "sandbox: no_new_privs err=%d", errno);
}

/* Its memory holds what clients sent: not for a disk, nor for a debugger. */
static void
forbid_dumps(void)
{
	struct rlimit no_core = { 0, 0 };

	if (setrlimit(RLIMIT_CORE, &no_core) != 0 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		log_fatal(1, "sandbox: dumps err=%d", errno);
}

#define ROOTS_MAX (4 + CONF_SITES_MAX)

static unsigned
enter_landlock(const int *archives, size_t n, int accounts_fd, int box_fd)
{
	struct landlock_root root[ROOTS_MAX];
	unsigned set = 0;
	int stand;

	assert(n + 2 < ROOTS_MAX);
	for (size_t i = 0; i < n; i++)
		root[i] = (struct landlock_root) { archives[i],
			LANDLOCK_READ };
	if (accounts_fd >= 0)
		root[n++] = (struct landlock_root) { accounts_fd,
			LANDLOCK_READ | LANDLOCK_STORE | LANDLOCK_REMOVE |
			LANDLOCK_MAKE_DIR | LANDLOCK_RENAME };
	if (box_fd >= 0)
		root[n++] = (struct landlock_root) { box_fd, LANDLOCK_STORE };
	stand = landlock_confine(root, n);

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

/*
 * In this order: a namespace hides who we are; a change of capabilities can
 * make a process dumpable; a filter would refuse Landlock's own calls.
 */
unsigned
sandbox_enter(int top_fd, const int *archives, size_t n, int accounts_fd,
    int box_fd, bool ktls)
{
	unsigned set = 1u << WALL_no_new_privs | 1u << WALL_not_dumpable;

	if (is_own_user())
		set |= 1u << WALL_own_user;
	forbid_privileges();
	if (change_root(top_fd, n == 1))
		set |= 1u << WALL_own_root;
	drop_capabilities();
	forbid_dumps();
	set |= enter_landlock(archives, n, accounts_fd, box_fd);
	if (enter_seccomp(accounts_fd >= 0, box_fd >= 0, ktls))
		set |= 1u << WALL_seccomp;
	return set;
}

bool
sandbox_narrow(int root_fd, unsigned rights)
{
	struct landlock_root root = { root_fd, rights };

	return landlock_confine(&root, 1) >= 0;
}
