/*
 * warden/child.c: from fork to exec: descriptors, user, capabilities.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/log.h"
#include "warden/warden.h"

/* Above every number that a child finds open. */
#define SAFE_FD 128

bool
account_find(const char *key, const char *name, struct account *out)
{
	const struct passwd *pw;
	uint64_t number;

	*out = (struct account) { .change = geteuid() == 0 };
	if (!out->change)
		return true; /* nobody but root can become someone else */
	if (sv_number(sv_of(name), UINT32_MAX - 1, &number)) {
		pw = getpwuid((uid_t)number);
		out->uid = (uid_t)number;
		out->gid = pw != NULL ? pw->pw_gid : (gid_t)number;
	} else if ((pw = getpwnam(name)) != NULL) {
		out->uid = pw->pw_uid;
		out->gid = pw->pw_gid;
	} else {
		log_line("%s: there is no user \"%s\"; make one, or name "
		    "another (a name or a number)", key, name);
		return false;
	}
	if (out->uid != 0 && out->gid != 0)
		return true;
	log_line("%s: \"%s\" is root, which this process must not be", key,
	    name);
	return false;
}

/* In the child: nothing is left to do but to say it and go. */
static _Noreturn void
die(const char *what)
{
	log_line("cannot start a process: %s: %s", what, strerror(errno));
	_exit(1); /* what exit would flush or check is the parent's */
}

/* Above every number that the child finds open. */
static int
move_away(int fd)
{
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, SAFE_FD);

	if (moved < 0)
		die("descriptors");
	return moved;
}

static void
put_at(int fd, int number)
{
	if (dup2(fd, number) < 0)
		die("descriptors");
}

static void
place_descriptors(const struct child_spec *spec, int null)
{
	int moved[CHILD_FDS];

	/* First out of the way: a target may be another's source. */
	for (int i = INHERIT_CONF; i < spec->fds; i++)
		moved[i] = move_away(spec->fd[i] >= 0 ? spec->fd[i] : null);
	null = move_away(null);
	for (int i = INHERIT_CONF; i < spec->fds; i++)
		put_at(moved[i], i);
	/* A terminal would be a way out: its input can be forged. */
	put_at(null, STDIN_FILENO);
	put_at(null, STDOUT_FILENO);
	/* Those above are close-on-exec already; strangers in between not. */
	if (close_range((unsigned)spec->fds, (unsigned)SAFE_FD - 1, 0) != 0 ||
	    close_range((unsigned)SAFE_FD, ~0U, CLOSE_RANGE_CLOEXEC) != 0)
		die("descriptors");
}

/* The one that it is to start with; -1: none. */
static int
capability_of(const struct child_spec *spec)
{
	if (spec->may_bind_low)
		return CAP_NET_BIND_SERVICE;
	return spec->may_chroot ? CAP_SYS_CHROOT : -1;
}

static void
keep(int capability)
{
	capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED |
	    CAPNG_INHERITABLE, (unsigned)capability);
}

/* A container's root may not have the capability to give away. */
static bool
can_give(int capability)
{
	return capability >= 0 && capng_get_caps_process() == 0 &&
	    capng_have_capability(CAPNG_PERMITTED, (unsigned)capability);
}

/* Of what a service manager gave an ordinary user, each gets its own. */
static void
divide_ambient(int capability)
{
	bool had = capability >= 0 && prctl(PR_CAP_AMBIENT,
	    PR_CAP_AMBIENT_IS_SET, (unsigned long)capability, 0, 0) == 1;

	capng_clear(CAPNG_SELECT_ALL);
	if (had) {
		keep(capability);
		capng_update(CAPNG_ADD, CAPNG_AMBIENT, (unsigned)capability);
	}
	if (capng_apply(CAPNG_SELECT_CAPS | CAPNG_SELECT_AMBIENT) != 0)
		die("capabilities");
}

static void
check_account(const struct account *a)
{
	uid_t r, e, s;
	gid_t rg, eg, sg;

	errno = EPERM;
	if (getresuid(&r, &e, &s) != 0 || getresgid(&rg, &eg, &sg) != 0 ||
	    r != a->uid || e != a->uid || s != a->uid || rg != a->gid ||
	    eg != a->gid || sg != a->gid || getgroups(0, NULL) != 0)
		die("user");
}

/*
 * Root, for what reads the system's passwords: with the bounding set of a
 * login program and no more, which exec makes its capabilities.
 */
static void
stay_root(void)
{
	static const unsigned kept[] = { CAP_CHOWN, CAP_DAC_OVERRIDE,
		CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_KILL, CAP_SETGID,
		CAP_SETUID, CAP_AUDIT_WRITE };

	capng_clear(CAPNG_SELECT_BOTH);
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		capng_update(CAPNG_ADD, CAPNG_BOUNDING_SET, kept[i]);
	if (setgroups(0, NULL) != 0 || setresgid(0, 0, 0) != 0 ||
	    setresuid(0, 0, 0) != 0)
		die("user");
	if (capng_apply(CAPNG_SELECT_BOUNDS) != 0)
		die("capabilities");
	check_account(&(struct account) { .change = true });
}

/* User, groups and capabilities; each step checked, the outcome too. */
static void
become(const struct account *a, int capability)
{
	bool give = a->change && can_give(capability);

	if (!a->change) {
		divide_ambient(capability);
		return;
	}
	capng_clear(CAPNG_SELECT_BOTH);
	if (give)
		keep(capability);
	if (capng_change_id((int)a->uid, (int)a->gid,
	    CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING) != 0)
		die("user and capabilities");
	/* An exec would drop what is not ambient. */
	if (give && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE,
	    (unsigned long)capability, 0, 0) != 0)
		die(capng_capability_to_name((unsigned)capability));
	check_account(a);
}

static void
reset_signals(void)
{
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Beside this program, as in a build directory; else where it is installed. */
static void
program_path(const char *name, char out[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - 1);
	char *slash;

	if (n > 0) {
		out[n] = '\0';
		slash = strrchr(out, '/');
		snprintf(slash + 1, (size_t)(PATH_MAX - (slash + 1 - out)),
		    "%s", name);
		if (access(out, X_OK) == 0)
			return;
	}
	snprintf(out, PATH_MAX, "%s/%s", PORTCULLIS_LIBEXECDIR, name);
}

/*
 * The system's time zone as a rule that needs no file (for xferlog and the
 * steps of the day; events are in UTC); the sanitizers of a test build keep
 * their options.  Nothing else is inherited.
 */
static void
fill_environment(char *env[5])
{
	static const char *const kept[] = { "ASAN_OPTIONS", "UBSAN_OPTIONS",
		"LSAN_OPTIONS" };
	static char zone[3 + ZONE_RULE_MAX] = "TZ=", text[3][256];
	size_t n = 0;

	zone_rule(zone + 3);
	env[n++] = zone;
	for (size_t i = 0; i < 3; i++) {
		const char *value = getenv(kept[i]);

		if (value == NULL)
			continue;
		snprintf(text[i], sizeof(text[i]), "%s=%s", kept[i], value);
		env[n++] = text[i];
	}
	env[n] = NULL;
}

/*
 * By its path, so that it has its name in ps; a path through a directory
 * that is closed to its user (a build in /root) is known by descriptor.
 */
static _Noreturn void
run_program(const char *path, int program, char *const argv[])
{
	char *env[5];

	fill_environment(env);
	execve(path, argv, env);
	if (errno == EACCES)
		execveat(program, "", argv, env, AT_EMPTY_PATH);
	die(path);
}

static _Noreturn void
run_child(const struct child_spec *spec, const char *path)
{
	char name[64], arg[sizeof(spec->arg)];
	char *argv[] = { name, NULL, NULL };
	int program = open(path, O_PATH | O_CLOEXEC);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	log_open(spec->program + strlen("portcullis-"));
	if (program < 0)
		die(path);
	if (null < 0)
		die("/dev/null");
	snprintf(name, sizeof(name), "%s", spec->program);
	memcpy(arg, spec->arg, sizeof(arg));
	argv[1] = arg[0] == '\0' ? NULL : arg;
	/*
	 * Ctrl-C is for the warden, which tells the others to finish; and
	 * none of them needs a terminal to control.
	 */
	setsid();
	reset_signals();
	program = move_away(program);
	place_descriptors(spec, null);
	if (spec->is_root)
		stay_root();
	else
		become(spec->account, capability_of(spec));
	run_program(path, program, argv);
}

static _Noreturn void
run_other(const char *path, const struct account *a, int stdin_fd)
{
	static char path_env[] = "PATH=/usr/local/bin:/usr/bin:/bin";
	char *argv[] = { NULL, NULL }, *env[] = { path_env, NULL };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	argv[0] = strdup(path);
	if (null < 0 || argv[0] == NULL)
		die("/dev/null");
	setsid();	/* what it starts can be ended with it */
	reset_signals();
	put_at(stdin_fd, STDIN_FILENO);
	put_at(null, STDOUT_FILENO);
	if (close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) != 0 ||
	    chdir("/") != 0)
		die("descriptors");
	become(a, -1);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		die("no_new_privs");
	execve(path, argv, env);
	die(path);
}

pid_t
child_start_other(const char *path, const struct account *a, int stdin_fd)
{
	pid_t pid = fork();

	if (pid == 0)
		run_other(path, a, stdin_fd);
	return pid;
}

pid_t
child_start(const struct child_spec *spec)
{
	char path[PATH_MAX];
	pid_t pid;

	program_path(spec->file != NULL ? spec->file : spec->program, path);
	pid = fork();
	if (pid == 0)
		run_child(spec, path);
	return pid;
}
