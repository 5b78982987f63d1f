/*
 * warden/system.c: portcullis-pam, which asks PAM for the keeper, where
 * accounts.pam is set.
 *
 * It has one keeper in its life, and its end of a channel to that from the
 * start: a new keeper gets a new one.  The old one sees its keeper's end, or
 * that we do not hold its own channel any more, and ends with all that its
 * modules have started.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "accounts/system.h"
#include "base/log.h"
#include "ipc/keeper.h"
#include "warden/warden.h"

#define STEADY_MS 60000		/* one that lived so long is healthy */

static bool
is_wanted(const struct conf *c)
{
	return c->accounts_file[0] != '\0' && c->accounts_pam[0] != '\0';
}

/* ---- is it as it should be? */

/* libpam would take the service "other" for one that is not there. */
static bool
has_service(const char *name)
{
	static const char *const places[] = { "/etc/pam.d", "/usr/lib/pam.d" };
	char path[64 + CONF_NAME_MAX];

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", places[i], name);
		if (access(path, R_OK) == 0)
			return true;
	}
	log_line("accounts.pam: there is no %s/%s", places[0], name);
	return false;
}

/* By a name that all of them can be tried with. */
static bool
rules_are_good(const struct conf *c)
{
	struct accounts_made made;
	char why[ACCOUNTS_WHY_MAX];
	bool good = true;

	for (uint32_t i = 0; i < c->accounts_pam_rules.count; i++) {
		const struct conf_rule *r = &c->accounts_pam_rules.at[i];
		struct accounts_rule words = { sv_of(r->directory),
			sv_of(r->rights), sv_of(r->options) };

		if (accounts_make(&words, SV("user"), &made, why))
			continue;
		log_line("accounts.pam_rule: the one for %s: %s", r->group,
		    why);
		good = false;
	}
	return good;
}

/* Root may be meant, as for no other process: PAM's modules often want it. */
static bool
find_user(const struct conf *c, struct account *out)
{
	if (c->accounts_pam_user[0] == '\0') {
		*out = (struct account) { .change = geteuid() == 0 };
		return true;
	}
	return account_find("accounts.pam_user", c->accounts_pam_user, out);
}

bool
system_check(const struct conf *c)
{
	struct account account;
	const char *missing = NULL;

	if (c->accounts_pam[0] == '\0')
		return true;
	if (!PORTCULLIS_HAS_PAM)
		missing = "this portcullisd was built without PAM";
	else if (c->accounts_file[0] == '\0')
		missing = "there is no accounts.file; an empty one will do";
	else if (c->accounts_pam_rules.count == 0)
		missing = "there is no accounts.pam_rule, so nobody could "
		    "log in";
	if (missing != NULL) {
		log_line("accounts.pam: %s", missing);
		return false;
	}
	return has_service(c->accounts_pam) && rules_are_good(c) &&
	    find_user(c, &account);
}

/* ---- its process */

/* It says nothing: this is its end. */
static void
system_says(struct loop_watch *watch, uint32_t events)
{
	struct child *s = LOOP_OWNER(watch, struct child, watch);

	if ((events & ~(uint32_t)EPOLLOUT) != 0)
		loop_unwatch(&s->warden->loop, watch);
}

/* NULL: it said why.  The keeper's end of their channel is *keeper_end. */
static struct child *
start(struct warden *w, int *keeper_end)
{
	struct account account;
	struct child_spec spec = { .program = "portcullis-pam",
		.account = &account, .fds = INHERIT_SYSTEM_END,
		.is_mute = true };
	struct child *s = NULL;
	int ends[2];

	if (!find_user(&w->conf, &account))
		return NULL;
	if (!run_channel_pair(ends)) {
		log_line("cannot start portcullis-pam: %s", strerror(errno));
		return NULL;
	}
	spec.is_root = account.change && account.uid == 0;
	spec.fd[INHERIT_SYSTEM] = ends[1];
	s = run_child_new(w, &spec, &w->conf, system_says);
	close(ends[1]);
	if (s == NULL) {
		close(ends[0]);
		return NULL;
	}
	s->next = w->systems;
	w->systems = s;
	*keeper_end = ends[0];
	return s;
}

static void
again(struct loop_timer *t)
{
	struct warden *w = LOOP_OWNER(t, struct warden, system_again);

	if (w->system == NULL && !w->stopping)
		system_begin(w);
}

static void
try_later(struct warden *w)
{
	if (w->loop.now_ms - w->system_start_ms > STEADY_MS)
		w->system_pause_ms = 0;
	w->system_again.fire = again;
	loop_timer_set(&w->loop, &w->system_again,
	    run_next_pause(&w->system_pause_ms));
}

void
system_begin(struct warden *w)
{
	struct ipc_msg m = { .type = IPC_ATTACH, .worker = KEEPER_SYSTEM };
	int fd = -1;

	system_stop(w);
	w->system_start_ms = w->loop.now_ms;
	if (w->keeper == NULL || !is_wanted(&w->conf))
		return;
	if ((w->system = start(w, &fd)) == NULL)
		try_later(w);
	else
		ipc_send(&w->keeper->channel, &m, fd);
}

/* That its channel ends tells it. */
void
system_stop(struct warden *w)
{
	loop_timer_stop(&w->loop, &w->system_again);
	if (w->system == NULL)
		return;
	if (w->system->watch.ready != NULL)
		loop_unwatch(&w->loop, &w->system->watch);
	(void)shutdown(w->system->channel.fd, SHUT_RDWR);
	w->system = NULL;
}

struct child *
system_find(const struct warden *w, pid_t pid)
{
	struct child *s = w->systems;

	while (s != NULL && s->pid != pid)
		s = s->next;
	return s;
}

void
system_ended(struct warden *w, struct child *s, int status)
{
	struct child **link = &w->systems;
	bool needed = s == w->system;

	while (*link != s)
		link = &(*link)->next;
	*link = s->next;
	say_how_it_ended("pam", s->pid, status);
	run_child_free(s);
	if (!needed)
		return;
	w->system = NULL;
	/* With no keeper there will be another, which brings its own. */
	if (w->keeper != NULL && !w->stopping)
		try_later(w);
}
