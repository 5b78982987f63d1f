/*
 * tests/probe/table.c: the rows; see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "table.h"

#include <arpa/inet.h>
#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <linux/sockios.h>
#include <linux/vm_sockets.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define X32 0x40000000	/* x86-64: the same calls with 32-bit pointers */

#define NUM(value) { ARG_NUMBER, (uint64_t)(value), NULL }
#define FD(name) { ARG_HELD, HELD_##name, NULL }
#define AT(member) { ARG_AT, offsetof(struct scratch, member), NULL }
#define TEXT(string) { ARG_TEXT, 0, string }
#define FIRST { ARG_FIRST, 0, NULL }
#define SELF { ARG_SELF, 0, NULL }
#define PARENT { ARG_PARENT, 0, NULL }
#define NONE NUM(0)
#define MINUS_1 NUM(-1)
#define HERE NUM(AT_FDCWD)
#define SIZE(member) NUM(sizeof(((struct scratch *)0)->member))

#define CALL(name, ...) { SYS_##name, { __VA_ARGS__ } }
#define ROW(name, verdict, error, flags, ...) \
	{ name, verdict, error, flags, false, __VA_ARGS__, { 0 } },
#define KILL(name, ...) ROW(name, KILLED, 0, 0, CALL(__VA_ARGS__))
#define EPERMS(name, ...) ROW(name, FAILS, EPERM, 0, CALL(__VA_ARGS__))
/* Storage's writing half has these, in a worker that knows accounts. */
#define WRITES(name, ...) ROW(name, FAILS, EPERM, PROBE_WRITES, \
    CALL(__VA_ARGS__))
#define FINE(name, ...) ROW(name, WORKS, 0, 0, CALL(__VA_ARGS__))
#define FINE_HERE(name, ...) \
	ROW(name, WORKS, 0, PROBE_LOCAL, CALL(__VA_ARGS__))
/* The kernel's Landlock answers, not the filter. */
#define LANDLOCK(name, ...) \
	ROW(name, FAILS, EACCES, PROBE_LANDLOCK, CALL(__VA_ARGS__))
/* What neither of the two would refuse: there is no such name. */
#define UNSEEN(name, ...) ROW(name, WORKS, 0, PROBE_OUTSIDE, CALL(__VA_ARGS__))

/* Two calls; the second may use what the first returned. */
#define AFTER(name, verdict, error, flags, call, first) \
	{ name, verdict, error, flags, true, call, first },
#define SHUT CALL(shutdown, FD(listener), NUM(SHUT_RDWR))
#define OPEN_FILE CALL(openat2, FD(root), TEXT(PROBE_FILE), AT(beneath), \
    SIZE(beneath))
#define OPEN_ROOT CALL(openat2, FD(root), TEXT("."), AT(directory), \
    SIZE(directory))
#define NAME_ETC CALL(openat2, FD(root), TEXT("/etc"), AT(name), SIZE(name))
#define NAME_ABOVE CALL(openat2, FD(root), TEXT(ABOVE), AT(name), SIZE(name))
#define ABOVE "../../../../../../../.."

#define SOCKET(name, family, type, protocol) \
	KILL("socket_" name, socket, NUM(family), NUM(type), NUM(protocol))
#define CONNECT(name, fd, to) \
	KILL("connect_" name, connect, FD(fd), AT(to), SIZE(to))
#define SENDTO(name, fd, flags, address, len) \
	KILL("sendto_" name, sendto, FD(fd), AT(out), NUM(4), \
	    NUM(MSG_NOSIGNAL | MSG_DONTWAIT | (uint64_t)(flags)), address, len)
#define SETSOCKOPT(name, level, option, member) \
	EPERMS("setsockopt_" name, setsockopt, FD(tcp), NUM(level), \
	    NUM(option), AT(member), SIZE(member))
#define SETSOCKOPT_ROOT(name, level, option, member) \
	ROW("setsockopt_" name, FAILS, EPERM, PROBE_PRIVILEGED, \
	    CALL(setsockopt, FD(tcp), NUM(level), NUM(option), AT(member), \
	    SIZE(member)))
#define OPEN_INSIDE(name, path, how) \
	LANDLOCK(name, openat2, FD(root), TEXT(path), AT(how), SIZE(how))
#define OPEN_OUTSIDE(name, path, how) \
	ROW(name, FAILS, EACCES, PROBE_LANDLOCK | PROBE_OUTSIDE, \
	    CALL(openat2, FD(root), TEXT(path), AT(how), SIZE(how)))
#define NAME_OUTSIDE(row, path) \
	UNSEEN(row, openat2, FD(root), TEXT(path), AT(name), SIZE(name))
#define STAT_OUTSIDE(name, fd, path) \
	UNSEEN(name, newfstatat, fd, TEXT(path), AT(out), \
	    NUM(AT_SYMLINK_NOFOLLOW))

/* Sockets made, connected, accepted (invariant 1, A18). */
#define ROWS_NETWORK \
	SOCKET("inet", AF_INET, SOCK_STREAM, 0) \
	SOCKET("inet6", AF_INET6, SOCK_STREAM, 0) \
	SOCKET("udp", AF_INET, SOCK_DGRAM, 0) \
	SOCKET("mptcp", AF_INET, SOCK_STREAM, 262) \
	SOCKET("raw", AF_INET, SOCK_RAW, IPPROTO_ICMP) \
	SOCKET("unix", AF_UNIX, SOCK_STREAM, 0) \
	SOCKET("netlink", AF_NETLINK, SOCK_RAW, 0) \
	SOCKET("packet", AF_PACKET, SOCK_RAW, 0) \
	SOCKET("vsock", AF_VSOCK, SOCK_STREAM, 0) \
	KILL("socketpair", socketpair, NUM(AF_UNIX), NUM(SOCK_DGRAM), NONE, \
	    AT(out)) \
	CONNECT("tcp", tcp, peer) \
	CONNECT("channel", channel, path) \
	CONNECT("listener", listener, peer) \
	CONNECT("udp", udp, peer) \
	CONNECT("epoll", epoll, peer) \
	CONNECT("pipe", pipe, peer) \
	CONNECT("unspec_tcp", tcp, unspec) \
	CONNECT("unspec_listener", listener, unspec) \
	CONNECT("unspec_udp", udp, unspec) \
	KILL("bind_tcp", bind, FD(tcp), AT(any), SIZE(any)) \
	KILL("bind_udp", bind, FD(udp), AT(any), SIZE(any)) \
	KILL("listen_tcp", listen, FD(tcp), NUM(1)) \
	KILL("listen_listener", listen, FD(listener), NUM(1)) \
	KILL("accept_listener", accept, FD(listener), NONE, NONE) \
	KILL("accept4_listener", accept4, FD(listener), NONE, NONE, \
	    NUM(SOCK_NONBLOCK)) \
	SENDTO("address_tcp", tcp, 0, AT(peer), SIZE(peer)) \
	SENDTO("address_udp", udp, 0, AT(peer), SIZE(peer)) \
	SENDTO("address_channel", channel, 0, AT(path), SIZE(path)) \
	SENDTO("high_address", udp, 0, NUM(1ULL << 32), SIZE(peer)) \
	SENDTO("length_alone", udp, 0, NONE, SIZE(peer)) \
	SENDTO("address_alone", udp, 0, AT(peer), NONE) \
	SENDTO("fastopen_tcp", tcp, MSG_FASTOPEN, AT(peer), SIZE(peer)) \
	SENDTO("fastopen_udp", udp, MSG_FASTOPEN, AT(peer), SIZE(peer)) \
	SENDTO("fastopen_bare_tcp", tcp, MSG_FASTOPEN, NONE, NONE) \
	SENDTO("fastopen_bare_listener", listener, MSG_FASTOPEN, NONE, NONE) \
	SENDTO("fastopen_high_bits", tcp, MSG_FASTOPEN | 1ULL << 40, NONE, \
	    NONE) \
	/* The known trick: shut down, a listener can connect. */ \
	AFTER("fastopen_shut_listener", KILLED, 0, PROBE_LOCAL, \
	    CALL(sendto, FD(listener), AT(out), NUM(4), \
	    NUM(MSG_FASTOPEN | MSG_DONTWAIT), AT(peer), SIZE(peer)), SHUT) \
	AFTER("fastopen_bare_shut_listener", KILLED, 0, PROBE_LOCAL, \
	    CALL(sendto, FD(listener), AT(out), NUM(4), \
	    NUM(MSG_FASTOPEN | MSG_DONTWAIT)), SHUT) \
	AFTER("connect_shut_listener", KILLED, 0, PROBE_LOCAL, \
	    CALL(connect, FD(listener), AT(peer), SIZE(peer)), SHUT) \
	KILL("sendmsg_tcp", sendmsg, FD(tcp), AT(plain), \
	    NUM(MSG_NOSIGNAL | MSG_DONTWAIT)) \
	KILL("sendmsg_address", sendmsg, FD(udp), AT(addressed), NONE) \
	KILL("sendmsg_fastopen", sendmsg, FD(listener), AT(addressed), \
	    NUM(MSG_FASTOPEN)) \
	KILL("sendmsg_rights", sendmsg, FD(channel), AT(rights), NONE) \
	KILL("sendmmsg_address", sendmmsg, FD(udp), AT(several), NUM(2), NONE) \
	KILL("io_uring_setup", io_uring_setup, NUM(1), AT(zero)) \
	KILL("io_uring_enter", io_uring_enter, MINUS_1, NUM(1), NONE, NONE, \
	    NONE, NONE) \
	KILL("io_uring_register", io_uring_register, MINUS_1, NONE, NONE, \
	    NONE) \
	SETSOCKOPT("linger", SOL_SOCKET, SO_LINGER, linger) \
	SETSOCKOPT("bindtodevice", SOL_SOCKET, SO_BINDTODEVICE, ifname) \
	SETSOCKOPT("fastopen_connect", IPPROTO_TCP, TCP_FASTOPEN_CONNECT, one) \
	SETSOCKOPT("ulp", IPPROTO_TCP, TCP_ULP, text[0][5]) \
	SETSOCKOPT("rcvbuf", SOL_SOCKET, SO_RCVBUF, one) \
	SETSOCKOPT_ROOT("repair", IPPROTO_TCP, TCP_REPAIR, one) \
	SETSOCKOPT_ROOT("transparent", IPPROTO_IP, IP_TRANSPARENT, one) \
	EPERMS("getsockopt", getsockopt, FD(tcp), NUM(SOL_SOCKET), \
	    NUM(SO_TYPE), AT(out), AT(len)) \
	EPERMS("getpeername", getpeername, FD(tcp), AT(out), AT(len)) \
	EPERMS("getsockname", getsockname, FD(tcp), AT(out), AT(len)) \
	EPERMS("ioctl_tiocsti", ioctl, FD(pipe), NUM(TIOCSTI), AT(out)) \
	EPERMS("ioctl_siocgifaddr", ioctl, FD(udp), NUM(SIOCGIFADDR), \
	    AT(ifname)) \
	EPERMS("ioctl_high_bits", ioctl, FD(tcp), \
	    NUM(SIOCOUTQ | 1ULL << 32), AT(out)) \
	EPERMS("fcntl_dup", fcntl, FD(tcp), NUM(F_DUPFD), NUM(0)) \
	EPERMS("fcntl_setown", fcntl, FD(tcp), NUM(F_SETOWN), SELF) \
	EPERMS("fcntl_async", fcntl, FD(tcp), NUM(F_SETFL), \
	    NUM(O_RDWR | O_NONBLOCK | O_ASYNC)) \
	EPERMS("dup", dup, FD(tcp))

/* Programs and processes (D07). */
#define ROWS_PROCESS \
	KILL("execve", execve, TEXT("/nonexistent"), AT(zero), AT(zero)) \
	KILL("execveat", execveat, FD(root), TEXT("nonexistent"), AT(zero), \
	    AT(zero), NONE) \
	KILL("clone_process", clone, NUM(SIGCHLD), NONE, NONE, NONE, NONE) \
	KILL("clone_new_user", clone, NUM(CLONE_NEWUSER | SIGCHLD), NONE, \
	    NONE, NONE, NONE) \
	ROW("clone_shared_memory", KILLED, 0, PROBE_SHARES, CALL(clone, \
	    NUM(CLONE_VM | CLONE_VFORK | SIGCHLD), NONE, NONE, NONE, NONE)) \
	EPERMS("clone_odd_thread", clone, NUM(CLONE_THREAD), NONE, NONE, \
	    NONE, NONE) \
	ROW("clone3", FAILS, ENOSYS, 0, CALL(clone3, AT(clone_args), \
	    SIZE(clone_args))) \
	KILL("ptrace", ptrace, NUM(PTRACE_TRACEME), NONE, NONE, NONE) \
	KILL("process_vm_readv", process_vm_readv, SELF, AT(iov), NUM(1), \
	    AT(out_iov), NUM(1), NONE) \
	KILL("process_vm_writev", process_vm_writev, SELF, AT(iov), NUM(1), \
	    AT(out_iov), NUM(1), NONE) \
	EPERMS("pidfd_open", pidfd_open, SELF, NONE) \
	KILL("pidfd_getfd", pidfd_getfd, MINUS_1, NONE, NONE) \
	EPERMS("pidfd_send_signal", pidfd_send_signal, MINUS_1, NONE, NONE, \
	    NONE) \
	EPERMS("kill_group", kill, NONE, NONE) \
	EPERMS("kill_parent", kill, PARENT, NONE) \
	EPERMS("tgkill_parent", tgkill, PARENT, PARENT, NONE) \
	KILL("unshare_user", unshare, NUM(CLONE_NEWUSER)) \
	KILL("setns", setns, MINUS_1, NONE) \
	EPERMS("personality", personality, NUM(0xffffffffU)) \
	EPERMS("prctl_dumpable", prctl, NUM(PR_SET_DUMPABLE), NUM(1), NONE, \
	    NONE, NONE) \
	EPERMS("setresuid", setresuid, MINUS_1, MINUS_1, MINUS_1) \
	EPERMS("prlimit64", prlimit64, NONE, NONE, NONE, AT(out)) \
	EPERMS("shmget", shmget, NONE, NONE, NUM(0600)) \
	EPERMS("memfd_create", memfd_create, TEXT("probe"), NONE) \
	EPERMS("mmap_exec", mmap, NONE, NUM(4096), \
	    NUM(PROT_READ | PROT_EXEC), NUM(MAP_PRIVATE | MAP_ANONYMOUS), \
	    MINUS_1, NONE) \
	EPERMS("mprotect_exec", mprotect, AT(out), NUM(SCRATCH_PAGE), \
	    NUM(PROT_READ | PROT_WRITE | PROT_EXEC)) \
	EPERMS("pkey_mprotect_exec", pkey_mprotect, AT(out), \
	    NUM(SCRATCH_PAGE), NUM(PROT_READ | PROT_WRITE | PROT_EXEC), \
	    MINUS_1)

/* The kernel and root's own. */
#define ROWS_KERNEL \
	KILL("chroot", chroot, TEXT("/nonexistent")) \
	KILL("pivot_root", pivot_root, TEXT("/nonexistent"), \
	    TEXT("/nonexistent")) \
	KILL("mount", mount, TEXT("none"), TEXT("/nonexistent"), \
	    TEXT("tmpfs"), NONE, NONE) \
	KILL("umount2", umount2, TEXT("/nonexistent"), NONE) \
	KILL("move_mount", move_mount, MINUS_1, TEXT(""), MINUS_1, TEXT(""), \
	    NONE) \
	KILL("open_tree", open_tree, MINUS_1, TEXT(""), NONE) \
	KILL("fsopen", fsopen, TEXT("nonexistent"), NONE) \
	KILL("fsconfig", fsconfig, MINUS_1, NONE, NONE, NONE, NONE) \
	KILL("fsmount", fsmount, MINUS_1, NONE, NONE) \
	KILL("fspick", fspick, MINUS_1, TEXT(""), NONE) \
	KILL("mount_setattr", mount_setattr, MINUS_1, TEXT(""), NONE, \
	    AT(zero), NUM(32)) \
	KILL("bpf", bpf, NUM(-1), AT(zero), SIZE(zero)) \
	KILL("perf_event_open", perf_event_open, NONE, NONE, MINUS_1, \
	    MINUS_1, NONE) \
	KILL("userfaultfd", userfaultfd, NUM(1)) \
	KILL("keyctl", keyctl, NUM(KEYCTL_GET_KEYRING_ID), \
	    NUM(KEY_SPEC_SESSION_KEYRING), NONE) \
	KILL("add_key", add_key, NONE, NONE, NONE, NONE, NONE) \
	KILL("request_key", request_key, NONE, NONE, NONE, NONE) \
	KILL("init_module", init_module, NONE, NONE, NONE) \
	KILL("finit_module", finit_module, MINUS_1, NONE, NONE) \
	KILL("delete_module", delete_module, TEXT("nonexistent"), NONE) \
	KILL("kexec_load", kexec_load, NONE, NUM(1000000), NONE, NONE) \
	KILL("kexec_file_load", kexec_file_load, MINUS_1, MINUS_1, NONE, \
	    NONE, NONE) \
	WRITES("landlock_create_ruleset", landlock_create_ruleset, NONE, \
	    NONE, NUM(1)) \
	EPERMS("inotify_init1", inotify_init1, NONE) \
	EPERMS("eventfd2", eventfd2, NONE, NONE) \
	EPERMS("epoll_create1", epoll_create1, NONE) \
	EPERMS("timerfd_create", timerfd_create, NUM(1), NONE)

/* Files outside, and changes inside (C07, D08). */
#define ROWS_FILES \
	WRITES("pwrite64", pwrite64, FD(pipe), AT(out), NUM(1), NONE) \
	EPERMS("openat", openat, FD(root), TEXT(PROBE_FILE), NONE, NONE) \
	OPEN_OUTSIDE("open_absolute", "/etc/passwd", read) \
	OPEN_OUTSIDE("open_dotdot", ABOVE "/etc/passwd", read) \
	OPEN_OUTSIDE("open_self_mem", "/proc/self/mem", write) \
	OPEN_OUTSIDE("open_self_maps", "/proc/self/maps", read) \
	OPEN_OUTSIDE("open_device", "/dev/null", read) \
	OPEN_OUTSIDE("list_outside", "/etc", directory) \
	OPEN_INSIDE("open_to_write", PROBE_FILE, write) \
	OPEN_INSIDE("open_to_create", "probe.new", create) \
	OPEN_INSIDE("open_tmpfile", ".", tmpfile) \
	/* Names, sizes, times (invariant 6): a root of its own has none. */ \
	NAME_OUTSIDE("name_absolute", "/etc/passwd") \
	NAME_OUTSIDE("name_dotdot", ABOVE "/etc/passwd") \
	NAME_OUTSIDE("name_above_slash", "/../etc") \
	NAME_OUTSIDE("name_proc", "/proc/self/status") \
	NAME_OUTSIDE("name_root_link", "/proc/self/root/etc") \
	STAT_OUTSIDE("stat_absolute", HERE, "/etc/passwd") \
	STAT_OUTSIDE("stat_dotdot", FD(root), ABOVE "/etc/passwd") \
	STAT_OUTSIDE("stat_above_slash", HERE, "/../etc") \
	STAT_OUTSIDE("stat_above_cwd", HERE, ABOVE "/etc") \
	STAT_OUTSIDE("stat_proc", HERE, "/proc/self/status") \
	UNSEEN("statx_outside", statx, HERE, TEXT("/proc/self/status"), NONE, \
	    NUM(0x7ff), AT(out)) \
	UNSEEN("statx_dotdot", statx, FD(root), TEXT(ABOVE "/etc/passwd"), \
	    NONE, NUM(0x7ff), AT(out)) \
	UNSEEN("readlink_outside", readlinkat, HERE, TEXT("/proc/self/exe"), \
	    AT(out), SIZE(out)) \
	AFTER("stat_from_above", WORKS, 0, PROBE_OUTSIDE, CALL(newfstatat, \
	    FIRST, TEXT("etc/passwd"), AT(out), NONE), NAME_ABOVE) \
	AFTER("name_from_above", WORKS, 0, PROBE_OUTSIDE, CALL(openat2, \
	    FIRST, TEXT("../etc/passwd"), AT(name), SIZE(name)), NAME_ABOVE) \
	AFTER("read_by_name", FAILS, EBADF, PROBE_OUTSIDE, CALL(read, FIRST, \
	    AT(out), NUM(16)), NAME_ETC) \
	AFTER("open_by_name", FAILS, EACCES, PROBE_LANDLOCK | PROBE_OUTSIDE, \
	    CALL(openat2, FIRST, TEXT("passwd"), AT(read), SIZE(read)), \
	    NAME_ETC) \
	AFTER("list_by_name", FAILS, EACCES, PROBE_LANDLOCK | PROBE_OUTSIDE, \
	    CALL(openat2, FIRST, TEXT("."), AT(directory), SIZE(directory)), \
	    NAME_ETC) \
	ROW("open_by_handle", FAILS, EPERM, PROBE_PRIVILEGED, \
	    CALL(open_by_handle_at, MINUS_1, NONE, NONE)) \
	WRITES("mkdirat", mkdirat, FD(root), TEXT("probe.new"), NUM(0700)) \
	EPERMS("mknodat", mknodat, FD(root), TEXT("probe.new"), NUM(0010600), \
	    NONE) \
	WRITES("unlinkat", unlinkat, FD(root), TEXT("probe.none"), NONE) \
	WRITES("renameat2", renameat2, FD(root), TEXT("probe.none"), \
	    FD(root), TEXT("probe.new"), NONE) \
	WRITES("linkat", linkat, FD(root), TEXT("probe.none"), FD(root), \
	    TEXT("probe.new"), NONE) \
	EPERMS("symlinkat", symlinkat, TEXT("/etc"), FD(root), \
	    TEXT("probe.new")) \
	EPERMS("fchmodat", fchmodat, FD(root), TEXT("probe.none"), \
	    NUM(0777)) \
	EPERMS("fchmod_setuid", fchmod, FD(pipe), NUM(04755)) \
	EPERMS("fchmod_setgid", fchmod, FD(pipe), NUM(02755)) \
	EPERMS("fchownat", fchownat, FD(root), TEXT("probe.none"), MINUS_1, \
	    MINUS_1, NONE) \
	EPERMS("utimensat", utimensat, FD(root), TEXT("probe.none"), NONE, \
	    NONE) \
	EPERMS("truncate", truncate, TEXT("/nonexistent"), NONE) \
	EPERMS("fchdir", fchdir, FD(root))

#ifdef SYS_fork
#define ROWS_LEGACY \
	KILL("fork", fork, NONE) \
	ROW("vfork", KILLED, 0, PROBE_SHARES, CALL(vfork, NONE)) \
	EPERMS("open", open, TEXT("/etc/passwd"), NONE, NONE) \
	EPERMS("creat", creat, TEXT("probe.new"), NUM(0600)) \
	EPERMS("unlink", unlink, TEXT("probe.none")) \
	EPERMS("dup2", dup2, FD(tcp), FD(tcp)) \
	EPERMS("pipe", pipe, AT(out))
#else
#define ROWS_LEGACY
#endif

/* The same calls by other doors. */
#ifdef __x86_64__
#define X32_CALL(name, call_nr, ...) \
	ROW("x32_" name, KILLED, 0, 0, { X32 + (call_nr), { __VA_ARGS__ } })
#define INT80_CALL(name, call_nr, ...) \
	ROW("i386_" name, KILLED, 0, PROBE_INT80, { call_nr, { __VA_ARGS__ } })
#define ROWS_DOORS \
	X32_CALL("socket", SYS_socket, NUM(AF_INET), NUM(SOCK_STREAM)) \
	X32_CALL("sendto", SYS_sendto, FD(tcp), AT(out), NUM(1)) \
	X32_CALL("sendmsg", 518, FD(tcp), AT(plain)) \
	X32_CALL("execve", 520, TEXT("/nonexistent"), AT(zero), AT(zero)) \
	X32_CALL("read", SYS_read, MINUS_1, AT(out), NUM(1)) \
	INT80_CALL("socketcall", 102, NUM(1), AT(out)) \
	INT80_CALL("socket", 359, NUM(AF_INET), NUM(SOCK_STREAM)) \
	INT80_CALL("execve", 11, NONE, NONE, NONE) \
	INT80_CALL("getpid", 20, NONE)
#else
#define ROWS_DOORS
#endif

/* What a worker lives from. */
#define ROWS_WORK \
	FINE("open_beneath", openat2, FD(root), TEXT(PROBE_FILE), \
	    AT(beneath), SIZE(beneath)) \
	AFTER("read", WORKS, 0, 0, CALL(read, FIRST, AT(out), NUM(16)), \
	    OPEN_FILE) \
	AFTER("pread64", WORKS, 0, 0, CALL(pread64, FIRST, AT(out), \
	    NUM(16), NONE), OPEN_FILE) \
	AFTER("preadv2", WORKS, 0, 0, CALL(preadv2, FIRST, AT(out_iov), \
	    NUM(1), NONE, NONE, NUM(RWF_HIPRI)), OPEN_FILE) \
	AFTER("lseek", WORKS, 0, 0, CALL(lseek, FIRST, NONE, NONE), \
	    OPEN_FILE) \
	AFTER("fstat", WORKS, 0, 0, CALL(fstat, FIRST, AT(out)), OPEN_FILE) \
	AFTER("close", WORKS, 0, PROBE_LOCAL, CALL(close, FIRST), OPEN_FILE) \
	AFTER("sendfile", WORKS, 0, 0, CALL(sendfile, FD(tcp), FIRST, NONE, \
	    NUM(16)), OPEN_FILE) \
	AFTER("getdents64", WORKS, 0, 0, CALL(getdents64, FIRST, AT(out), \
	    SIZE(out)), OPEN_ROOT) \
	FINE("newfstatat", newfstatat, FD(root), TEXT(PROBE_FILE), AT(out), \
	    NUM(AT_SYMLINK_NOFOLLOW)) \
	FINE("statx", statx, FD(root), TEXT(PROBE_FILE), NONE, NUM(0x7ff), \
	    AT(out)) \
	AFTER("fstatfs", WORKS, 0, 0, CALL(fstatfs, FIRST, AT(out)), \
	    OPEN_ROOT) \
	FINE_HERE("readlinkat", readlinkat, FD(root), TEXT("probe.link"), \
	    AT(out), SIZE(out)) \
	FINE_HERE("write_pipe", write, FD(pipe), AT(out), NUM(1)) \
	FINE_HERE("writev_tcp", writev, FD(tcp), AT(iov), NUM(1)) \
	FINE("send_tcp", sendto, FD(tcp), AT(out), NUM(1), \
	    NUM(MSG_NOSIGNAL | MSG_DONTWAIT), NONE, NONE) \
	FINE_HERE("send_channel", sendto, FD(channel), AT(out), NUM(64), \
	    NUM(MSG_NOSIGNAL | MSG_DONTWAIT), NONE, NONE) \
	ROW("recv_tcp", FAILS, EAGAIN, PROBE_LOCAL, CALL(recvfrom, FD(tcp), \
	    AT(out), NUM(16), NUM(MSG_DONTWAIT), NONE, NONE)) \
	FINE_HERE("recvmsg_rights", recvmsg, FD(channel), AT(incoming), \
	    NUM(MSG_DONTWAIT | MSG_CMSG_CLOEXEC)) \
	FINE_HERE("shutdown_tcp", shutdown, FD(tcp), NUM(SHUT_WR)) \
	FINE("ioctl_siocoutq", ioctl, FD(tcp), NUM(SIOCOUTQ), AT(out)) \
	FINE("fcntl_getfl", fcntl, FD(tcp), NUM(F_GETFL), NONE) \
	FINE_HERE("fcntl_nonblock", fcntl, FD(tcp), NUM(F_SETFL), \
	    NUM(O_RDWR | O_NONBLOCK)) \
	FINE("epoll_pwait", epoll_pwait, FD(epoll), AT(out), NUM(1), NONE, \
	    NONE, NONE) \
	FINE("ppoll", ppoll, NONE, NONE, AT(past), NONE, NONE) \
	FINE_HERE("epoll_ctl", epoll_ctl, FD(epoll), NUM(1), FD(tcp), \
	    AT(zero)) \
	FINE("mmap", mmap, NONE, NUM(4096), NUM(PROT_READ | PROT_WRITE), \
	    NUM(MAP_PRIVATE | MAP_ANONYMOUS), MINUS_1, NONE) \
	FINE("mprotect", mprotect, AT(out), NUM(SCRATCH_PAGE), \
	    NUM(PROT_READ | PROT_WRITE)) \
	FINE("madvise", madvise, AT(out), NUM(SCRATCH_PAGE), NONE) \
	FINE("brk", brk, NONE) \
	FINE("futex", futex, AT(out), NUM(FUTEX_WAKE_PRIVATE), NUM(1)) \
	FINE("clock_gettime", clock_gettime, NUM(7), AT(out)) \
	FINE("nanosleep", nanosleep, AT(past), NONE) \
	FINE("getrandom", getrandom, AT(out), NUM(16), NONE) \
	FINE("getpid", getpid, NONE) \
	FINE("gettid", gettid, NONE) \
	FINE("sched_yield", sched_yield, NONE) \
	FINE("rt_sigprocmask", rt_sigprocmask, NONE, NONE, AT(out), NUM(8)) \
	FINE_HERE("prctl_name", prctl, NUM(PR_SET_NAME), TEXT("probe"), NONE, \
	    NONE, NONE) \
	FINE("tgkill_self", tgkill, SELF, SELF, NONE)

const struct probe probes[] = { ROWS_NETWORK ROWS_PROCESS ROWS_KERNEL
	    ROWS_FILES ROWS_LEGACY ROWS_DOORS ROWS_WORK };
const size_t probe_count = sizeof(probes) / sizeof(probes[0]);

const char *const held_names[HELD_COUNT] = {
#define X(name) #name,
	HELD(X)
#undef X
};

const struct probe *
probe_find(const char *name)
{
	for (size_t i = 0; i < probe_count; i++)
		if (strcmp(probes[i].name, name) == 0)
			return &probes[i];
	return NULL;
}

static bool
call_uses(const struct probe_call *call, enum held held)
{
	for (size_t i = 0; i < 6; i++)
		if (call->arg[i].kind == ARG_HELD &&
		    call->arg[i].number == (uint64_t)held)
			return true;
	return false;
}

bool
probe_uses(const struct probe *p, enum held held)
{
	/* The message with rights hands the TCP connection on. */
	if (p->call.nr == SYS_sendmsg && held == HELD_tcp)
		return true;
	return call_uses(&p->call, held) ||
	    (p->has_first && call_uses(&p->first, held));
}

bool
call_takes(const struct probe_call *call, enum arg_kind kind)
{
	for (size_t i = 0; i < 6; i++)
		if (call->arg[i].kind == kind)
			return true;
	return false;
}

static void
fill_text(struct scratch *s, size_t which, const struct probe_call *call)
{
	for (size_t i = 0; i < 6; i++)
		if (call->arg[i].kind == ARG_TEXT)
			snprintf(s->text[which][i], sizeof(s->text[which][i]),
			    "%s", call->arg[i].text);
}

/* A pointer that holds in the process where the scratch will lie. */
static void *
there(uint64_t base, size_t offset)
{
	return (void *)(uintptr_t)(base + offset);
}

#define THERE(member) there(base, offsetof(struct scratch, member))

static void
fill_addresses(struct scratch *s)
{
	s->peer = (struct sockaddr_in) { .sin_family = AF_INET,
		.sin_port = htons(9),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	s->any = s->peer;
	s->any.sin_port = 0;
	s->unspec.sa_family = AF_UNSPEC;
	s->path.sun_family = AF_UNIX;
	memcpy(s->path.sun_path, "/nonexistent", 13);
}

static void
fill_messages(struct scratch *s, uint64_t base, int fd)
{
	struct cmsghdr *cm = (void *)s->control;

	s->iov = (struct iovec) { THERE(out), 4 };
	s->out_iov = (struct iovec) { THERE(out), 16 };
	s->plain = (struct msghdr) { .msg_iov = THERE(iov), .msg_iovlen = 1 };
	s->addressed = s->plain;
	s->addressed.msg_name = THERE(peer);
	s->addressed.msg_namelen = sizeof(s->peer);
	s->several[0].msg_hdr = s->several[1].msg_hdr = s->addressed;
	s->rights = s->plain;
	s->rights.msg_control = THERE(control);
	s->rights.msg_controllen = sizeof(s->control);
	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(cm), &fd, sizeof(fd));
	s->incoming = s->plain;
	s->incoming.msg_control = THERE(in_control);
	s->incoming.msg_controllen = sizeof(s->in_control);
}

static void
fill_open_hows(struct scratch *s)
{
	s->read.flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC;
	s->write.flags = O_WRONLY | O_CLOEXEC;
	s->create.flags = O_WRONLY | O_CREAT | O_CLOEXEC;
	s->tmpfile.flags = O_WRONLY | O_TMPFILE | O_CLOEXEC;
	s->create.mode = s->tmpfile.mode = 0600;
	s->name.flags = O_PATH | O_CLOEXEC;
	s->directory.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
	s->beneath.flags = O_RDONLY | O_CLOEXEC;
	s->beneath.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
}

void
scratch_fill(struct scratch *s, uint64_t base, const struct probe *p,
    const struct probe_env *env)
{
	memset(s, 0, sizeof(*s));
	fill_text(s, 0, &p->call);
	if (p->has_first)
		fill_text(s, 1, &p->first);
	memcpy(s->text[0][5], "tls", 4); /* no sixth argument is a text */
	fill_addresses(s);
	fill_messages(s, base, env->fd[HELD_tcp]);
	fill_open_hows(s);
	memcpy(s->ifname, "lo", 3);
	s->linger = (struct linger) { .l_onoff = 1 };
	s->clone_args[4] = SIGCHLD;	/* exit_signal */
	s->one = 1;
	s->len = sizeof(struct sockaddr_storage);
}

void
probe_args(const struct probe *p, bool is_first, uint64_t base,
    const struct probe_env *env, long first_result, uint64_t out[6])
{
	const struct probe_call *call = is_first ? &p->first : &p->call;

	for (size_t i = 0; i < 6; i++) {
		const struct probe_arg *a = &call->arg[i];

		switch (a->kind) {
		case ARG_NUMBER:
			out[i] = a->number;
			break;
		case ARG_HELD:
			out[i] = (uint64_t)env->fd[a->number];
			break;
		case ARG_AT:
			out[i] = base + a->number;
			break;
		case ARG_TEXT:
			out[i] = base + offsetof(struct scratch, text) +
			    (is_first ? 6 + i : i) * sizeof(((struct scratch *)
			    NULL)->text[0][0]);
			break;
		case ARG_FIRST:
			out[i] = (uint64_t)first_result;
			break;
		case ARG_SELF:
			out[i] = (uint64_t)env->self;
			break;
		case ARG_PARENT:
			out[i] = (uint64_t)env->parent;
			break;
		}
	}
}

static void
format_errno(int error, char out[OUTCOME_MAX])
{
	const char *name = strerrorname_np(error);

	if (name != NULL)
		snprintf(out, OUTCOME_MAX, "ret=-1 %s", name);
	else
		snprintf(out, OUTCOME_MAX, "ret=-1 errno=%d", error);
}

void
outcome_format(const struct outcome *o, char out[OUTCOME_MAX])
{
	if (o->signal == SIGSYS)
		snprintf(out, OUTCOME_MAX, "killed");
	else if (o->signal != 0)
		snprintf(out, OUTCOME_MAX, "signal=%d", o->signal);
	else if (o->result < 0 && o->result > -4096)
		format_errno((int)-o->result, out);
	else
		snprintf(out, OUTCOME_MAX, "ret=%ld", o->result);
}

static bool
is_unseen(const struct probe *p, bool own_root)
{
	return own_root && (p->flags & PROBE_OUTSIDE) != 0;
}

void
probe_format_expected(const struct probe *p, bool own_root,
    char out[OUTCOME_MAX])
{
	if (is_unseen(p, own_root))
		format_errno(ENOENT, out);
	else if (p->verdict == KILLED)
		snprintf(out, OUTCOME_MAX, "killed");
	else if (p->verdict == FAILS)
		format_errno(p->error, out);
	else
		snprintf(out, OUTCOME_MAX, "ret>=0");
}

bool
probe_is_expected(const struct probe *p, bool own_root,
    const struct outcome *o)
{
	if (is_unseen(p, own_root))
		return o->signal == 0 && o->result == -ENOENT;
	if (p->verdict == KILLED)
		return o->signal == SIGSYS;
	if (o->signal != 0)
		return false;
	if (p->verdict == FAILS)
		return o->result == -p->error;
	return o->result >= 0;
}
