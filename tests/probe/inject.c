/*
 * tests/probe/inject.c: tries one row of the table in a process that runs:
 * the worker of a real server, whose walls are the ones that count.
 *
 *	inject PID NAME [FD...]
 *	inject --list
 *
 * Stops the process (its first thread), makes it do the row's system call,
 * and lets it go on where it was.  Needs root: the worker is not dumpable.
 *
 * FD...  descriptor numbers in that process (look them up in /proc/PID/fd),
 *	  one for each word that --list shows behind the row, in that order;
 *	  those left out are -1.  A call that is to be killed, or to fail with
 *	  EPERM, does so whatever the number.
 *
 * Prints one line and exits with
 *	0  it went as the table says:
 *		killed			by SIGSYS; the process is gone
 *		ret=-1 EPERM		the call's error; ENOENT for what lies
 *					outside: the process is expected to
 *					have the archive as root directory
 *		ret=7			the call's result
 *		skipped ...		the row cannot be tried this way
 *	1  it went otherwise: the same forms; what was expected on stderr.
 *	   "blocked": it did not come back (and the process was killed)
 *	2  the process could not be stopped, or wrong usage; a line on stderr
 *
 * --list prints "NAME EXPECTED-RESULT | WORD..." a row, without those that
 * are only for sandbox_probe.  Rows that read a file want a PROBE_FILE
 * ("probe.txt") of 16 bytes or more in the archive's root.  `sendfile` and
 * `send_tcp` send bytes to that connection's client.
 *
 * How: the struct scratch goes to a page that the process is made to map
 * itself, so no stack is written to; the call is made by a `syscall`
 * instruction found in its libc, so no text is written to either.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "table.h"

#ifndef __x86_64__
#error "inject knows the registers of x86-64 only"
#endif

#define PATIENCE_S 10
#define SYSCALL_STOP (SIGTRAP | 0x80)	/* PTRACE_O_TRACESYSGOOD */

/* The kernel's own, never seen by a program (include/linux/errno.h). */
#define ERESTARTSYS 512
#define ERESTARTNOINTR 513
#define ERESTARTNOHAND 514
#define ERESTART_RESTARTBLOCK 516

#define SYSCALL_INSN "\x0f\x05"
#define INT80_INSN "\xcd\x80"
#define INSN_BYTES 2

struct target {
	pid_t pid;
	int mem;			/* /proc/PID/mem */
	struct user_regs_struct saved;
	int death;			/* the signal that ended it; or 0 */
	int held_signal;		/* came meanwhile; delivered later */
};

static _Noreturn void
give_up(const char *what)
{
	fprintf(stderr, "inject: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* ---- stop and go ---- */

static void
on_alarm(int signal)
{
	static const char text[] = "blocked\n";

	(void)signal;
	(void)!write(STDOUT_FILENO, text, sizeof(text) - 1);
	_exit(1); /* PTRACE_O_EXITKILL takes the process along */
}

static void
registers_get(const struct target *t, struct user_regs_struct *regs)
{
	struct iovec iov = { regs, sizeof(*regs) };

	if (ptrace(PTRACE_GETREGSET, t->pid, NT_PRSTATUS, &iov) != 0)
		give_up("PTRACE_GETREGSET");
}

static void
registers_set(const struct target *t, struct user_regs_struct *regs)
{
	struct iovec iov = { regs, sizeof(*regs) };

	if (ptrace(PTRACE_SETREGSET, t->pid, NT_PRSTATUS, &iov) != 0)
		give_up("PTRACE_SETREGSET");
}

/* Without the sandbox a call may have made a child: it ends at once. */
static void
end_child(const struct target *t)
{
	unsigned long child = 0;

	if (ptrace(PTRACE_GETEVENTMSG, t->pid, NULL, &child) != 0)
		return;
	kill((pid_t)child, SIGKILL);
	waitpid((pid_t)child, NULL, __WALL);
}

/*
 * Goes on by `request` to the next stop of that kind; false when the process
 * has ended instead.
 */
static bool
go_on(struct target *t, int request, int stop)
{
	for (;;) {
		int status, signal;

		if (ptrace((enum __ptrace_request)request, t->pid, 0, 0) != 0 &&
		    errno != ESRCH)
			give_up("ptrace");
		if (waitpid(t->pid, &status, __WALL) != t->pid)
			give_up("waitpid");
		if (WIFSIGNALED(status) || WIFEXITED(status)) {
			t->death = WIFSIGNALED(status) ? WTERMSIG(status) : -1;
			return false;
		}
		signal = WSTOPSIG(status);
		if (status >> 8 == stop)
			return true;
		if (status >> 16 == 0 && signal != SYSCALL_STOP)
			t->held_signal = signal;
		else if (status >> 16 != PTRACE_EVENT_STOP)
			end_child(t);
		/* PTRACE_INTERRUPT is done once; from then on calls. */
		if (request == PTRACE_INTERRUPT)
			request = PTRACE_CONT;
	}
}

/*
 * Where it goes on.  A call that the stop has interrupted is made again by
 * the program (EINTR) or, as the kernel would have done it, by us.
 */
static struct user_regs_struct
registers_to_resume(const struct user_regs_struct *saved)
{
	struct user_regs_struct regs = *saved;
	long result = (long)saved->rax;

	if ((long)saved->orig_rax < 0)
		return regs; /* it was in no call */
	if (result == -ERESTARTSYS || result == -ERESTARTNOINTR ||
	    result == -ERESTARTNOHAND) {
		regs.rax = saved->orig_rax;
		regs.rip -= INSN_BYTES;
	} else if (result == -ERESTART_RESTARTBLOCK) {
		regs.rax = (unsigned long)-EINTR;
	}
	regs.orig_rax = (unsigned long)-1; /* nothing left to restart */
	return regs;
}

static void
target_stop(struct target *t, pid_t pid)
{
	long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK |
	    PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
	char path[64];

	*t = (struct target) { .pid = pid };
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	if (ptrace(PTRACE_SEIZE, pid, 0, options) != 0)
		give_up("PTRACE_SEIZE");
	if (!go_on(t, PTRACE_INTERRUPT, SIGTRAP | PTRACE_EVENT_STOP << 8))
		give_up("the process has ended");
	if ((t->mem = open(path, O_RDWR | O_CLOEXEC)) < 0)
		give_up(path);
	registers_get(t, &t->saved);
}

static void
target_resume(struct target *t)
{
	struct user_regs_struct regs = registers_to_resume(&t->saved);

	registers_set(t, &regs);
	if (ptrace(PTRACE_DETACH, t->pid, 0, (long)t->held_signal) != 0)
		give_up("PTRACE_DETACH");
}

/* ---- calls ---- */

static uint64_t
insn_in_range(const struct target *t, uint64_t from, uint64_t to,
    const char *insn)
{
	static char chunk[1 << 16];

	while (from + INSN_BYTES <= to) {
		size_t len = to - from < sizeof(chunk) ? (size_t)(to - from) :
		    sizeof(chunk);
		ssize_t n = pread(t->mem, chunk, len, (off_t)from);
		const char *at;

		if (n < INSN_BYTES)
			return 0;
		at = memmem(chunk, (size_t)n, insn, INSN_BYTES);
		if (at != NULL)
			return from + (uint64_t)(at - chunk);
		from += (uint64_t)n - 1; /* it may lie across the border */
	}
	return 0;
}

/* The address of such an instruction; 0 when there is none. */
static uint64_t
insn_find(const struct target *t, const char *insn)
{
	char path[64], line[512], rights[8];
	unsigned long long from, to;
	uint64_t found = 0;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)t->pid);
	if ((maps = fopen(path, "r")) == NULL)
		give_up(path);
	while (found == 0 && fgets(line, sizeof(line), maps) != NULL)
		if (sscanf(line, "%llx-%llx %7s", &from, &to, rights) == 3 &&
		    rights[2] == 'x' && strstr(line, "[vsyscall]") == NULL)
			found = insn_in_range(t, from, to, insn);
	fclose(maps);
	return found;
}

/*
 * One system call by the instruction there; false when the process has ended.
 * A call that kills is still seen to return: the next one does not begin.
 */
static bool
target_call(struct target *t, uint64_t insn, long nr, const uint64_t arg[6],
    bool int80, long *result)
{
	struct user_regs_struct regs = t->saved;

	regs.rip = insn;
	regs.rax = (unsigned long)nr;
	regs.orig_rax = (unsigned long)-1;
	if (int80) {
		regs.rbx = arg[0];
		regs.rcx = arg[1];
		regs.rdx = arg[2];
		regs.rsi = arg[3];
		regs.rdi = arg[4];
	} else {
		regs.rdi = arg[0];
		regs.rsi = arg[1];
		regs.rdx = arg[2];
		regs.r10 = arg[3];
		regs.r8 = arg[4];
		regs.r9 = arg[5];
	}
	if (t->death != 0)
		return false;
	registers_set(t, &regs);
	if (!go_on(t, PTRACE_SYSCALL, SYSCALL_STOP) ||	/* before it */
	    !go_on(t, PTRACE_SYSCALL, SYSCALL_STOP))	/* and behind */
		return false;
	registers_get(t, &regs);
	*result = (long)regs.rax;
	if (*result == -ERESTARTSYS || *result == -ERESTARTNOINTR ||
	    *result == -ERESTARTNOHAND || *result == -ERESTART_RESTARTBLOCK)
		*result = -EINTR;
	return true;
}

static uint64_t
map_scratch(struct target *t, uint64_t insn)
{
	const uint64_t args[6] = { 0, sizeof(struct scratch),
		PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		(uint64_t)-1, 0 };
	long at = -ESRCH;

	if (!target_call(t, insn, SYS_mmap, args, false, &at) ||
	    (at < 0 && at > -4096)) {
		errno = (int)-at;
		give_up("mmap in the process");
	}
	return (uint64_t)at;
}

static void
clean_up(struct target *t, uint64_t insn, long nr, uint64_t arg0,
    uint64_t arg1)
{
	const uint64_t args[6] = { arg0, arg1 };
	long result;

	(void)target_call(t, insn, nr, args, false, &result);
}

/* Makes the row's call or calls; leaves nothing behind. */
static struct outcome
target_try(struct target *t, const struct probe *p, uint64_t insn,
    uint64_t row_insn, const struct probe_env *env)
{
	static struct scratch s;
	bool int80 = (p->flags & PROBE_INT80) != 0;
	uint64_t base = map_scratch(t, insn), args[6];
	long first = 0, result;

	scratch_fill(&s, base, p, env);
	if (pwrite(t->mem, &s, sizeof(s), (off_t)base) != sizeof(s))
		give_up("write to the process");
	if (p->has_first) {
		probe_args(p, true, base, env, 0, args);
		(void)target_call(t, insn, p->first.nr, args, false, &first);
	}
	result = first;
	if (first >= 0 || !call_takes(&p->call, ARG_FIRST)) {
		probe_args(p, false, base, env, first, args);
		(void)target_call(t, row_insn, p->call.nr, args, int80,
		    &result);
	}
	if (p->call.nr == SYS_openat2 && result >= 0)
		clean_up(t, insn, SYS_close, (uint64_t)result, 0);
	if (p->call.nr == SYS_mmap && result > 0)
		clean_up(t, insn, SYS_munmap, (uint64_t)result, 4096);
	if (p->has_first && p->first.nr == SYS_openat2 && first >= 0)
		clean_up(t, insn, SYS_close, (uint64_t)first, 0);
	clean_up(t, insn, SYS_munmap, base, sizeof(s));
	return (struct outcome) { t->death, result };
}

/* ---- the command ---- */

static int
parent_of(pid_t pid)
{
	char path[64];
	int parent = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if ((f = fopen(path, "r")) == NULL)
		give_up(path);
	if (fscanf(f, "%*d (%*[^)]) %*c %d", &parent) != 1)
		parent = 1;
	fclose(f);
	return parent;
}

static void
list(void)
{
	char expected[OUTCOME_MAX];

	for (size_t i = 0; i < probe_count; i++) {
		if ((probes[i].flags & PROBE_LOCAL) != 0)
			continue;
		probe_format_expected(&probes[i], true, expected);
		printf("%s %s |", probes[i].name, expected);
		for (size_t j = 0; j < HELD_COUNT; j++)
			if (probe_uses(&probes[i], (enum held)j))
				printf(" %s", held_names[j]);
		printf("\n");
	}
}

static struct probe_env
environment(const struct probe *p, pid_t pid, char **fd)
{
	struct probe_env env = { .self = (int)pid,
		.parent = parent_of(pid) };

	for (size_t i = 0; i < HELD_COUNT; i++) {
		env.fd[i] = -1;
		if (probe_uses(p, (enum held)i) && *fd != NULL)
			env.fd[i] = (int)strtol(*fd++, NULL, 10);
	}
	return env;
}

static int
inject(const struct probe *p, pid_t pid, const struct probe_env *env)
{
	char text[OUTCOME_MAX], expected[OUTCOME_MAX];
	uint64_t insn, row_insn;
	struct target t;
	struct outcome o;

	target_stop(&t, pid);
	row_insn = insn = insn_find(&t, SYSCALL_INSN);
	if ((p->flags & PROBE_INT80) != 0)
		row_insn = insn_find(&t, INT80_INSN);
	if (row_insn == 0 || insn == 0) {
		target_resume(&t);
		printf("skipped: no such instruction in the process\n");
		return 0;
	}
	o = target_try(&t, p, insn, row_insn, env);
	if (o.signal == 0)
		target_resume(&t);
	outcome_format(&o, text);
	printf("%s\n", text);
	if (probe_is_expected(p, true, &o))
		return 0;
	probe_format_expected(p, true, expected);
	fprintf(stderr, "inject: %s: expected %s\n", p->name, expected);
	return 1;
}

int
main(int argc, char **argv)
{
	const struct probe *p;
	struct probe_env env;
	pid_t pid;

	if (argc == 2 && strcmp(argv[1], "--list") == 0) {
		list();
		return 0;
	}
	if (argc < 3 || (pid = (pid_t)strtol(argv[1], NULL, 10)) <= 1 ||
	    (p = probe_find(argv[2])) == NULL) {
		fprintf(stderr, "usage: inject PID NAME [FD...]\n"
		    "       inject --list\n");
		return 2;
	}
	if ((p->flags & PROBE_LOCAL) != 0) {
		printf("skipped: only for sandbox_probe\n");
		return 0;
	}
	env = environment(p, pid, argv + 3);
	signal(SIGALRM, on_alarm);
	alarm(PATIENCE_S);
	return inject(p, pid, &env);
}
