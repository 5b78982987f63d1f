/*
 * warden/keeper.c: the process that judges passwords, where there are
 * accounts.
 *
 * It opens no file: the account file and accounts.root come as descriptors,
 * and the file again with each reload.  A reload that changes more than what
 * is in the file starts another keeper, and ends the old one when the new one
 * is ready.  So there is always one that has read a file without mistakes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "ipc/keeper.h"
#include "warden/warden.h"

static bool
is_wanted(const struct conf *c)
{
	return c->accounts_file[0] != '\0';
}

static int
open_file(const struct conf *c)
{
	int fd = open(c->accounts_file, O_RDONLY | O_NONBLOCK | O_NOCTTY |
	    O_CLOEXEC);

	if (fd < 0)
		log_line("accounts.file: cannot open %s: %s",
		    c->accounts_file, strerror(errno));
	return fd;
}

static int
open_top(const struct conf *c)
{
	int fd = open(c->accounts_root, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		log_line("accounts.root: cannot open %s: %s",
		    c->accounts_root, strerror(errno));
	return fd;
}

static int
open_quota(const struct conf *c)
{
	int fd = -1;

	if (c->accounts_quota[0] == '\0')
		return -1;
	fd = open(c->accounts_quota, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		log_line("accounts.quota: cannot open %s: %s",
		    c->accounts_quota, strerror(errno));
	return fd;
}

static void keeper_says(struct loop_watch *watch, uint32_t events);

/* NULL: it said why. */
static struct child *
start(struct warden *w, const struct conf *c, const struct account *account)
{
	struct child_spec spec = { .program = "portcullis-keeper",
		.account = account, .fds = INHERIT_KEEPER_END,
		.is_mute = true };
	int file = open_file(c), top = open_top(c), quota = open_quota(c);
	struct child *k = NULL;

	spec.fd[INHERIT_ACCOUNTS] = file;
	spec.fd[INHERIT_ACCOUNTS_ROOT] = top;
	spec.fd[INHERIT_ACCOUNTS_QUOTA] = quota;
	if (file >= 0 && top >= 0 &&
	    (quota >= 0 || c->accounts_quota[0] == '\0'))
		k = run_child_new(w, &spec, c, keeper_says);
	if (file >= 0)
		close(file);
	if (top >= 0)
		close(top);
	if (quota >= 0)
		close(quota);
	if (k == NULL)
		return NULL;
	k->next = w->keepers;
	w->keepers = k;
	return k;
}

void
keeper_attach(struct warden *w)
{
	for (struct child *c = w->workers; c != NULL && w->keeper != NULL;
	     c = c->next) {
		struct ipc_msg m = { .type = IPC_ATTACH, .worker = c->number };

		if (c->keeper_end < 0)
			continue;
		ipc_send(&w->keeper->channel, &m, c->keeper_end);
		c->keeper_end = -1;
	}
}

void
keeper_meets_gate(struct warden *w)
{
	struct ipc_msg attach = { .type = IPC_ATTACH, .worker = KEEPER_GATE };
	struct ipc_msg keeper = { .type = IPC_KEEPER };
	int ends[2];

	if (w->keeper == NULL || w->gate == NULL)
		return;
	if (!run_channel_pair(ends)) {
		/* Nobody is admitted then; the next gate or keeper may be. */
		log_line("no channel from the gate to the keeper: %s",
		    strerror(errno));
		return;
	}
	ipc_send(&w->keeper->channel, &attach, ends[0]);
	ipc_send(&w->gate->channel, &keeper, ends[1]);
}

/* This one is asked from now on. */
static void
appoint(struct warden *w, struct child *k)
{
	w->keeper = k;
	keeper_attach(w);
	keeper_meets_gate(w);
	system_begin(w);
}

int
keeper_begin(struct warden *w)
{
	struct child *k;

	if (!is_wanted(&w->conf))
		return 0;
	if ((k = start(w, &w->conf, &w->keeper_account)) == NULL)
		return 1;
	appoint(w, k);
	return 0;
}

/* Its status tells; what is wrong it has said itself. */
bool
keeper_check(const struct conf *c, const struct account *account)
{
	struct child_spec spec = { .program = "portcullis-keeper",
		.account = account, .fds = INHERIT_KEEPER_END,
		.is_mute = true, .arg = "check" };
	int status = 0;
	pid_t pid = -1;

	if (!is_wanted(c))
		return true;
	for (int i = 0; i < spec.fds; i++)
		spec.fd[i] = -1;
	spec.fd[INHERIT_ACCOUNTS] = open_file(c);
	spec.fd[INHERIT_ACCOUNTS_QUOTA] = open_quota(c);
	spec.fd[INHERIT_CONF] = conf_to_fd(c);
	if (spec.fd[INHERIT_ACCOUNTS] >= 0 && spec.fd[INHERIT_CONF] >= 0 &&
	    (pid = child_start(&spec)) < 0)
		log_line("cannot check accounts.file: %s", strerror(errno));
	for (int i = 0; i < spec.fds; i++)
		if (spec.fd[i] >= 0)
			close(spec.fd[i]);
	while (pid >= 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return pid >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void try_later(struct warden *w);

static void
again(struct loop_timer *t)
{
	struct warden *w = LOOP_OWNER(t, struct warden, keeper_again);
	struct child *k;

	if (w->keeper != NULL || w->stopping || !is_wanted(&w->conf))
		return;
	if ((k = start(w, &w->conf, &w->keeper_account)) == NULL)
		try_later(w);
	else
		appoint(w, k);
}

static void
try_later(struct warden *w)
{
	w->keeper_again.fire = again;
	loop_timer_set(&w->loop, &w->keeper_again,
	    run_next_pause(&w->keeper_pause_ms));
}

/* ---- what it says */

static void
is_ready(struct warden *w, struct child *k)
{
	if (k->ready || w->stopping)
		return;
	k->ready = true;
	if (k == w->keeper)
		w->keeper_pause_ms = 0;
	if (k == w->fresh_keeper)
		reload_go_on(w);
	else if (w->gate == NULL && !w->was_ready)
		run_gate_start(w);
}

static void
has_read(struct warden *w, const struct child *k, bool taken)
{
	if (k != w->keeper || !w->keeper_asked)
		return;
	w->keeper_asked = false;
	if (taken)
		reload_go_on(w);
	else
		reload_give_up(w);
}

static void
keeper_says(struct loop_watch *watch, uint32_t events)
{
	struct child *k = LOOP_OWNER(watch, struct child, watch);
	struct ipc_msg m[IPC_BATCH];
	size_t n;

	if (!run_child_hear(k, events, m, &n, NULL, NULL))
		return;
	for (size_t i = 0; i < n; i++) {
		if (m[i].type == IPC_READY)
			is_ready(k->warden, k);
		else if (m[i].type == IPC_RELOAD)
			has_read(k->warden, k, m[i].worker == 1);
	}
}

/* ---- reload */

static bool
same_system(const struct conf *a, const struct conf *b)
{
	return strcmp(a->accounts_pam, b->accounts_pam) == 0 &&
	    strcmp(a->accounts_pam_user, b->accounts_pam_user) == 0 &&
	    a->accounts_pam_least_uid == b->accounts_pam_least_uid &&
	    a->accounts_pam_timeout_s == b->accounts_pam_timeout_s &&
	    memcmp(&a->accounts_pam_rules, &b->accounts_pam_rules,
	    sizeof(a->accounts_pam_rules)) == 0;
}

/* The file's contents alone may differ. */
static bool
can_go_on(const struct warden *w)
{
	const struct conf *a = &w->conf, *b = &w->fresh;

	return w->keeper != NULL && w->keeper->ready &&
	    strcmp(a->accounts_file, b->accounts_file) == 0 &&
	    strcmp(a->accounts_root, b->accounts_root) == 0 &&
	    strcmp(a->accounts_quota, b->accounts_quota) == 0 &&
	    strcmp(a->keeper_user, b->keeper_user) == 0 &&
	    a->accounts_certificate_only == b->accounts_certificate_only &&
	    a->keeper_jobs == b->keeper_jobs && a->sandbox == b->sandbox &&
	    a->sessions_max == b->sessions_max && same_system(a, b);
}

bool
keeper_reload(struct warden *w)
{
	struct ipc_msg m = { .type = IPC_RELOAD };
	int fd;

	if (!is_wanted(&w->fresh))
		return true;
	if (w->keeper_asked || w->fresh_keeper != NULL)
		return false;
	if (can_go_on(w)) {
		if ((fd = open_file(&w->fresh)) >= 0) {
			ipc_send(&w->keeper->channel, &m, fd);
			w->keeper_asked = true;
			return false;
		}
	} else {
		w->fresh_keeper = start(w, &w->fresh,
		    &w->fresh_keeper_account);
		if (w->fresh_keeper != NULL)
			return false;
	}
	reload_give_up(w);
	return false;
}

static void
tell_to_stop(struct child *k)
{
	struct ipc_msg m = { .type = IPC_STOP };

	ipc_send(&k->channel, &m, -1);
}

/* Sessions that it admitted go on; who is not logged in yet is told 421. */
void
keeper_commit(struct warden *w)
{
	w->keeper_account = w->fresh_keeper_account;
	if (w->keeper != NULL && (w->fresh_keeper != NULL ||
	    !is_wanted(&w->conf))) {
		tell_to_stop(w->keeper);
		w->keeper = NULL;
		system_stop(w);
	}
	if (w->fresh_keeper != NULL)
		appoint(w, w->fresh_keeper);
	w->fresh_keeper = NULL;
}

void
keeper_give_up(struct warden *w)
{
	w->keeper_asked = false;
	if (w->fresh_keeper != NULL)
		kill(w->fresh_keeper->pid, SIGKILL);
	w->fresh_keeper = NULL;
}

/* ---- the end */

void
keeper_stop(struct warden *w)
{
	for (struct child *k = w->keepers; k != NULL; k = k->next)
		tell_to_stop(k);
	loop_timer_stop(&w->loop, &w->keeper_again);
	system_stop(w);
}

struct child *
keeper_find(const struct warden *w, pid_t pid)
{
	struct child *k = w->keepers;

	while (k != NULL && k->pid != pid)
		k = k->next;
	return k;
}

bool
keeper_ended(struct warden *w, struct child *k, int status)
{
	struct child **link = &w->keepers;
	bool needed = k == w->keeper, fresh = k == w->fresh_keeper;

	while (*link != k)
		link = &(*link)->next;
	*link = k->next;
	say_how_it_ended("keeper", k->pid, status);
	run_child_free(k);
	if (needed)
		w->keeper = NULL;
	if (fresh)
		w->fresh_keeper = NULL;
	if (fresh || (needed && w->keeper_asked))
		reload_give_up(w);
	if (needed && w->was_ready && !w->stopping)
		try_later(w);
	return needed;
}
