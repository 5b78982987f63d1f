/*
 * warden/reload.c: a new configuration without a stop.
 *
 * A new set of workers is started beside the old one.  When every one of
 * them is ready the gate gets the configuration and the set in one go; until
 * then any failure leaves all as it was.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "warden/warden.h"

/* Both files, even where nothing else can be reloaded: logs are rotated. */
static bool
open_logs(struct warden *w, const struct conf *c)
{
	bool events = logpipe_open(&w->events, c->events);
	bool xferlog = logpipe_open(&w->xferlog, c->xferlog);

	return events && xferlog;
}

/* What a process that runs on cannot learn any more. */
static void
say_what_stays(const struct warden *w)
{
	if (strcmp(w->conf.gate_user, w->fresh.gate_user) != 0)
		log_line("gate.user: changes when the server is restarted");
	if (w->conf.events[0] == '\0' && w->fresh.events[0] != '\0')
		log_line("events: the gate's own are missing until the server "
		    "is restarted");
}

static bool
prepare_tls(struct warden *w)
{
	say_who_encrypts(&w->fresh);
	if (signer_open(w, &w->fresh, &w->fresh_account, true,
	    &w->fresh_signer))
		return true;
	run_drop_store(w->fresh_store_fd, w->store_fd);
	return false;
}

static bool
find_keeper(struct warden *w)
{
	return w->fresh.accounts_file[0] == '\0' ||
	    account_find("keeper.user", w->fresh.keeper_user,
	    &w->fresh_keeper_account);
}

static bool
prepare(struct warden *w)
{
	return w->read_conf(w, &w->fresh) &&
	    account_find("worker.user", w->fresh.worker_user,
	    &w->fresh_account) && find_keeper(w) &&
	    notify_find(&w->fresh, &w->fresh_notify_account) &&
	    open_logs(w, &w->fresh) &&
	    run_open_store(&w->fresh, &w->conf, w->store_fd,
	    &w->fresh_store_fd) && prepare_tls(w);
}

static void
begin(struct warden *w)
{
	if (!prepare(w)) {
		log_line("reload failed; the old configuration stays in "
		    "force");
		(void)open_logs(w, &w->conf);
		return;
	}
	say_what_stays(w);
	say_state("RELOADING=1");
	w->reloading = true;
	w->old_set = w->set;
	/* What the old set lacks the new one makes up for. */
	w->wanted = 0;
	loop_timer_stop(&w->loop, &w->restart);
	run_start_set(w, &w->fresh);
}

void
reload_logs(struct warden *w)
{
	(void)open_logs(w, w->reloading ? &w->fresh : &w->conf);
}

void
reload_ask(struct warden *w)
{
	w->reload_again = w->reloading || w->gate == NULL || !w->gate->ready ||
	    !w->was_ready;
	if (w->reload_again)
		reload_logs(w);
	else
		begin(w);
}

/* Our copies would hold ports that the gate may want to bind otherwise. */
static void
drop_old_listeners(struct warden *w)
{
	const struct conf *c = &w->fresh;
	int kept = 0;

	for (int i = 0; i < w->listeners; i++) {
		struct addr at = run_listener_address(w->listener[i]);

		if (addr_is_in(c->listen.at, c->listen.count, &at) ||
		    addr_is_in(c->tls_listen.at, c->tls_listen.count, &at))
			w->listener[kept++] = w->listener[i];
		else
			close(w->listener[i]);
	}
	w->listeners = kept;
}

void
reload_commit(struct warden *w)
{
	struct ipc_msg m = { .type = IPC_RELOAD };
	int fd = conf_to_fd(&w->fresh);

	if (fd < 0) {
		log_line("cannot hand on the configuration: %s",
		    strerror(errno));
		reload_give_up(w);
		return;
	}
	drop_old_listeners(w);
	w->reloading = false;
	w->needed = false;
	w->need_is_stale = true;
	w->conf = w->fresh;
	w->worker_account = w->fresh_account;
	w->notify_account = w->fresh_notify_account;
	run_drop_store(w->store_fd, w->fresh_store_fd);
	w->store_fd = w->fresh_store_fd;
	signer_drop(w->signer);	/* sessions may still ask it */
	w->signer = w->fresh_signer;
	board_follow(w);
	ipc_send(&w->gate->channel, &m, fd);
	keeper_commit(w);
	solo_forget(w);
	mould_drop(w);
	run_attach(w);
	resolve_begin(w);
	archives_say_reach(&w->conf);
	log_line("reloaded");
	say_state("READY=1");
}

void
reload_go_on(struct warden *w)
{
	reload_commit(w);
	solo_fill_soon(w);
	if (w->reload_again)
		reload_ask(w);
}

void
reload_give_up(struct warden *w)
{
	log_line("reload failed; the old configuration stays in force");
	w->reloading = false;
	keeper_give_up(w);
	for (struct child *c = w->workers; c != NULL; c = c->next)
		if (c->set == w->set)
			kill(c->pid, SIGKILL);
	w->set = w->old_set;
	run_drop_store(w->fresh_store_fd, w->store_fd);
	signer_drop(w->fresh_signer);
	(void)open_logs(w, &w->conf);
	run_fill_set(w);
	solo_ready(w);
	solo_fill(w);
	say_state("READY=1");
}
