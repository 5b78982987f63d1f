/*
 * warden/sweep.c: what uploads left behind goes in time, also where nobody
 * logs in any more.
 *
 * Only who is worker.user may remove it, and only beneath accounts.root and
 * in the drop box: so it is a worker, started at the start and once a day, as
 * narrow as any other, that reads nothing from outside and ends when it is
 * through.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "warden/warden.h"

#define DAY_MS 86400000

static void
says(struct loop_watch *watch, uint32_t events)
{
	struct child *c = LOOP_OWNER(watch, struct child, watch);

	(void)events;	/* READY, or its end: nothing that we wait for */
	loop_unwatch(&c->warden->loop, watch);
}

static bool
is_needed(const struct conf *c)
{
	return c->accounts_file[0] != '\0' || c->anonymous_upload[0] != '\0';
}

static void
start(struct warden *w)
{
	struct child_spec spec = { .program = "portcullis-worker",
		.account = &w->worker_account, .may_chroot = true,
		.is_mute = true, .arg = "sweep" };

	if (!archives_open(&w->conf, &spec))
		return;
	spec.fd[INHERIT_XFERLOG] = spec.fd[INHERIT_GATE] = -1;
	spec.fd[INHERIT_STORE] = spec.fd[INHERIT_TEXTS] = -1;
	spec.fd[INHERIT_SIGNER] = -1;
	if (w->conf.accounts_file[0] != '\0')
		spec.fd[INHERIT_ACCOUNTS_TOP] = open(w->conf.accounts_root,
		    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	w->sweeper = run_child_new(w, &spec, &w->conf, says);
	archives_close(&spec);
}

static void
due(struct loop_timer *t)
{
	sweep_begin(LOOP_OWNER(t, struct warden, sweep));
}

void
sweep_begin(struct warden *w)
{
	w->sweep.fire = due;
	loop_timer_set(&w->loop, &w->sweep, DAY_MS);
	if (w->sweeper == NULL && !w->stopping && is_needed(&w->conf))
		start(w);
}

void
sweep_stop(struct warden *w)
{
	loop_timer_stop(&w->loop, &w->sweep);
	if (w->sweeper != NULL)
		kill(w->sweeper->pid, SIGKILL);	/* at any moment */
}

bool
sweep_ended(struct warden *w, pid_t pid, int status)
{
	struct child *c = w->sweeper;

	if (c == NULL || c->pid != pid)
		return false;
	if (!w->stopping)
		say_how_it_ended("sweeper", pid, status);
	w->sweeper = NULL;
	run_child_free(c);
	return true;
}
