/*
 * warden/mould.c: the process that solo workers are forked from
 * (worker/mould.c).
 *
 * It belongs to a set: another configuration has another one.  It is started
 * with the first worker that is wanted of it, and the warden waits for its
 * answers: it does nothing else, and each takes it a millisecond.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "ipc/mould.h"
#include "ipc/pass.h"
#include "warden/warden.h"

#define PATIENCE_MS 10000	/* it reads certificates first */

_Static_assert(sizeof("mould") >= sizeof("solo"), "see mould_serve");

void
mould_drop(struct warden *w)
{
	if (w->mould_fd < 0)
		return;
	close(w->mould_fd);	/* it ends when it sees that */
	w->mould_fd = -1;
	w->mould_pid = -1;
}

bool
mould_ended(struct warden *w, pid_t pid)
{
	if (w->mould_fd < 0 || pid != w->mould_pid)
		return false;
	log_line("mould pid=%d: ended; another one is started", (int)pid);
	mould_drop(w);
	return true;
}

/* With all that its workers have in common. */
static bool
start(struct warden *w, const struct child_spec *of)
{
	struct child_spec spec = *of;
	int ends[2];

	if (!run_channel_pair(ends))
		return false;
	for (unsigned i = 0; i < MOULD_PLACES; i++)
		spec.fd[mould_places[i]] = -1;
	spec.fd[INHERIT_WARDEN] = ends[1];
	snprintf(spec.arg, sizeof(spec.arg), "mould");
	w->mould_pid = child_start(&spec);
	close(ends[1]);
	if (w->mould_pid < 0) {
		close(ends[0]);
		return false;
	}
	w->mould_fd = ends[0];
	w->mould_set = w->set;
	return true;
}

static bool
order(int mould, const struct child_spec *spec)
{
	struct mould_order o = { .version = MOULD_VERSION };
	int fd[MOULD_PLACES];
	size_t n = 0;

	for (unsigned i = 0; i < MOULD_PLACES; i++) {
		if (spec->fd[mould_places[i]] < 0)
			continue;
		o.has |= 1u << i;
		fd[n++] = spec->fd[mould_places[i]];
	}
	return pass_send(mould, &o, sizeof(o), fd, n, 0);
}

/* The new process, or -1 with errno. */
static pid_t
answer(int mould)
{
	struct pollfd p = { .fd = mould, .events = POLLIN };
	struct mould_answer a;
	int ready;

	do {
		ready = poll(&p, 1, PATIENCE_MS);
	} while (ready < 0 && errno == EINTR);
	errno = ETIMEDOUT;
	if (ready <= 0)
		return -1;
	errno = EPIPE;
	if (recv(mould, &a, sizeof(a), 0) != (ssize_t)sizeof(a) ||
	    a.version != MOULD_VERSION)
		return -1;
	if (a.pid > 0)
		return a.pid;
	errno = -a.pid;
	return -1;
}

static pid_t
cast(struct warden *w, const struct child_spec *spec)
{
	if (w->mould_fd < 0 && !start(w, spec))
		return -1;
	return order(w->mould_fd, spec) ? answer(w->mould_fd) : -1;
}

/* It is dead, or hangs; or the system has no more processes to give. */
static void
lose(struct warden *w)
{
	int err = errno;

	log_line("mould pid=%d: %s; another one is started",
	    (int)w->mould_pid, strerror(err));
	kill(w->mould_pid, SIGKILL);
	mould_drop(w);
	errno = err;
}

pid_t
mould_cast(struct warden *w, const struct child_spec *spec)
{
	pid_t pid = -1;

	if (w->mould_fd >= 0 && w->mould_set != w->set)
		mould_drop(w);
	for (int tries = 0; tries < 2 && pid < 0; tries++) {
		pid = cast(w, spec);
		if (pid < 0 && w->mould_fd >= 0)
			lose(w);
	}
	return pid;
}
