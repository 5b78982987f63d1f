/*
 * tests/probe/table.h: what a captured worker would try, one system call a
 * row, and what must come of it.  sandbox_probe tries the rows in a process
 * of its own, inject in the running worker.
 *
 * The structs that a row's arguments point at lie in one struct scratch.  It
 * is filled here and may be placed at another address, in another process:
 * pointers in it are counted from `base`.
 *
 * Rows are harmless where they are not refused: what is asked for does not
 * exist, has no effect, or ends with the process.  So they can be tried
 * without the sandbox, to see that they notice its absence.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <linux/openat2.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

/* What a worker holds, or (the listener, the UDP socket) must never hold. */
#define HELD(X) \
	X(root)		/* the archive's directory */ \
	X(tcp)		/* a control or data connection */ \
	X(channel)	/* to the gate: SOCK_SEQPACKET */ \
	X(listener)	/* a TCP socket that listens */ \
	X(udp) \
	X(epoll) \
	X(pipe)		/* for events: its writing end */

enum held {
#define X(name) HELD_##name,
	HELD(X)
#undef X
	HELD_COUNT
};

extern const char *const held_names[HELD_COUNT];

enum arg_kind {
	ARG_NUMBER,
	ARG_HELD,	/* a descriptor: enum held */
	ARG_AT,		/* the address of a member of struct scratch */
	ARG_TEXT,	/* a string */
	ARG_FIRST,	/* what the row's first call returned */
	ARG_SELF,	/* the process's own id */
	ARG_PARENT,	/* its parent's */
};

struct probe_arg {
	enum arg_kind kind;
	uint64_t number;
	const char *text;
};

struct probe_call {
	long nr;
	struct probe_arg arg[6];
};

enum verdict {
	KILLED,		/* by SIGSYS, the whole process */
	FAILS,		/* with `error` */
	WORKS,		/* what a worker lives from, and PROBE_OUTSIDE */
};

enum {
	PROBE_INT80 = 1 << 0,	/* by the i386 entry */
	PROBE_LOCAL = 1 << 1,	/* would disturb a real worker, or needs
				   what sandbox_probe has prepared */
	PROBE_PRIVILEGED = 1 << 2, /* fails alike for an ordinary user */
	PROBE_LANDLOCK = 1 << 3, /* a wall that the kernel may lack */
	PROBE_SHARES = 1 << 4,	/* a child that would share our memory: not
				   to be tried without the sandbox */
	PROBE_WRITES = 1 << 6,	/* is allowed where there are accounts: then it
				   fails for another reason */
	PROBE_OUTSIDE = 1 << 5,	/* names what lies outside the archive: with
				   a root of its own (WALL_own_root) ENOENT,
				   without it as the row says */
};

struct probe {
	const char *name;
	enum verdict verdict;
	int error;
	unsigned flags;
	bool has_first;
	struct probe_call call, first;
};

extern const struct probe probes[];
extern const size_t probe_count;

#define SCRATCH_PAGE 4096
#define PROBE_FILE "probe.txt"	/* lies in the archive's root */

/* The names are those that the rows use. */
struct scratch {
	/* A page of its own, for mprotect; also where results go. */
	_Alignas(SCRATCH_PAGE) char out[SCRATCH_PAGE];
	char text[2][6][64];
	struct sockaddr_in peer;	/* 127.0.0.1, discard */
	struct sockaddr_in any;		/* 127.0.0.1, any port */
	struct sockaddr unspec;
	struct sockaddr_un path;
	struct open_how read, write, create, name, directory, beneath, tmpfile;
	struct iovec iov, out_iov;
	struct msghdr plain, addressed, rights, incoming;
	struct mmsghdr several[2];
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	_Alignas(struct cmsghdr) char in_control[CMSG_SPACE(sizeof(int))];
	struct linger linger;
	uint64_t clone_args[11];
	uint64_t zero[64];
	uint64_t past[2];		/* a time that is over */
	char ifname[64];		/* an ifreq for "lo" */
	uint32_t one, len, mask[4];
};

struct probe_env {
	int fd[HELD_COUNT];
	int self, parent;
};

/* NULL when there is none of that name. */
const struct probe *probe_find(const char *name);

/* Whether one of the row's calls takes this descriptor. */
bool probe_uses(const struct probe *p, enum held held);

/* Whether call has an argument of this kind. */
bool call_takes(const struct probe_call *call, enum arg_kind kind);

/* Fills s, which will lie at base in the process that makes the calls. */
void scratch_fill(struct scratch *s, uint64_t base, const struct probe *p,
    const struct probe_env *env);

/* The six arguments of p->first (is_first) or p->call. */
void probe_args(const struct probe *p, bool is_first, uint64_t base,
    const struct probe_env *env, long first_result, uint64_t out[6]);

#define OUTCOME_MAX 64

/* How a row went. */
struct outcome {
	int signal;	/* that ended the process; else 0 */
	long result;	/* as the kernel returns it: -errno */
};

/* "killed", "ret=-1 EPERM", "ret=7", "signal=11" */
void outcome_format(const struct outcome *o, char out[OUTCOME_MAX]);
/*
 * The same of what is expected: "killed", "ret=-1 EPERM", "ret>=0".
 * own_root  whether that wall stands
 */
void probe_format_expected(const struct probe *p, bool own_root,
    char out[OUTCOME_MAX]);
bool probe_is_expected(const struct probe *p, bool own_root,
    const struct outcome *o);
