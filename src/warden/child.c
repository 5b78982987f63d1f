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
		out->uid = (uid_t)number;
		out->gid = (gid_t)number;
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
	log_fatal(1, "cannot start a process: %s: %s", what, strerror(errno));
}

static void
place_descriptors(const struct child_spec *spec)
{
	int moved[CHILD_FDS];

	/* First out of the way: a target may be another's source. */
	for (int i = INHERIT_CONF; i < spec->fds; i++) {
		int fd = spec->fd[i] >= 0 ? spec->fd[i] :
		    open("/dev/null", O_RDWR | O_CLOEXEC);

		moved[i] = fcntl(fd, F_DUPFD_CLOEXEC, SAFE_FD);
		if (moved[i] < 0)
			die("descriptors");
	}
	for (int i = INHERIT_CONF; i < spec->fds; i++)
		if (dup2(moved[i], i) < 0)
			die("descriptors");
	if (close_range((unsigned)spec->fds, ~0u, 0) != 0)
		die("descriptors");
}

static void
keep_low_ports(void)
{
	capng_clear(CAPNG_SELECT_BOTH);
	capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED |
	    CAPNG_INHERITABLE | CAPNG_BOUNDING_SET, CAP_NET_BIND_SERVICE);
}

/* User, groups and capabilities; each step checked, the outcome too. */
static void
become(const struct account *a, bool may_bind_low)
{
	uid_t r, e, s;
	gid_t rg, eg, sg;

	if (!a->change)
		return;
	capng_clear(CAPNG_SELECT_BOTH);
	if (may_bind_low)
		keep_low_ports();
	if (capng_change_id((int)a->uid, (int)a->gid,
	    CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING) != 0)
		die("user and capabilities");
	/* An exec would drop what is not ambient. */
	if (may_bind_low && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE,
	    CAP_NET_BIND_SERVICE, 0, 0) != 0)
		die("CAP_NET_BIND_SERVICE");
	if (getresuid(&r, &e, &s) != 0 || getresgid(&rg, &eg, &sg) != 0 ||
	    r != a->uid || e != a->uid || s != a->uid || rg != a->gid ||
	    eg != a->gid || sg != a->gid || getgroups(0, NULL) != 0)
		die("user");
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
 * The clock of events is UTC, and reads no file for it; the sanitizers of a
 * test build keep their options.  Nothing else is inherited.
 */
static void
fill_environment(char *env[5])
{
	static const char *const kept[] = { "ASAN_OPTIONS", "UBSAN_OPTIONS",
		"LSAN_OPTIONS" };
	static char utc[] = "TZ=UTC0", text[3][256];
	size_t n = 0;

	env[n++] = utc;
	for (size_t i = 0; i < 3; i++) {
		const char *value = getenv(kept[i]);

		if (value == NULL)
			continue;
		snprintf(text[i], sizeof(text[i]), "%s=%s", kept[i], value);
		env[n++] = text[i];
	}
	env[n] = NULL;
}

static _Noreturn void
run_child(const struct child_spec *spec, const char *path)
{
	char *env[5], name[64], arg[sizeof(spec->arg)];
	char *argv[] = { name, NULL, NULL };

	snprintf(name, sizeof(name), "%s", spec->program);
	memcpy(arg, spec->arg, sizeof(arg));
	argv[1] = arg[0] == '\0' ? NULL : arg;
	fill_environment(env);
	/* Ctrl-C is for the warden, which then tells the others to finish. */
	setpgid(0, 0);
	reset_signals();
	place_descriptors(spec);
	become(spec->account, spec->may_bind_low);
	execve(path, argv, env);
	die(path);
}

pid_t
child_start(const struct child_spec *spec)
{
	char path[PATH_MAX];
	pid_t pid;

	program_path(spec->program, path);
	pid = fork();
	if (pid == 0)
		run_child(spec, path);
	return pid;
}
