/*
 * warden/run.c: start in order, watch, replace, stop.
 *
 * Workers come in sets: one set for each configuration and each gate.  A
 * reload or a new gate starts a new set; the old one ends by itself when its
 * sessions have ended.  So there is one mechanism for all three.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "ipc/walls.h"
#include "storage/hash_store.h"
#include "warden/warden.h"

#define PAUSE_LEAST_MS 100
#define PAUSE_MOST_MS 5000
#define STEADY_MS 60000		/* a child that lived so long is healthy */
#define KILL_AFTER_MS 5000	/* beyond stop.timeout */

static void
drop_listeners(struct warden *w)
{
	while (w->listeners > 0)
		close(w->listener[--w->listeners]);
}

void
run_end_if_alone(struct warden *w)
{
	if (w->stopping && w->gate == NULL && w->workers == NULL &&
	    w->keepers == NULL && w->systems == NULL && w->resolver == NULL &&
	    w->sweeper == NULL && notify_is_done(w))
		w->loop.stop = true;
}

static void
stop(struct warden *w, int status)
{
	struct ipc_msg m = { .type = IPC_STOP };

	if (w->status < status)
		w->status = status;
	if (w->stopping)
		return;
	w->stopping = true;
	mould_drop(w);
	drop_listeners(w);	/* or clients would wait for nobody */
	if (w->gate != NULL)
		ipc_send(&w->gate->channel, &m, -1);
	for (struct child *c = w->workers; c != NULL; c = c->next)
		ipc_send(&c->channel, &m, -1);
	keeper_stop(w);
	resolve_stop(w);
	sweep_stop(w);
	loop_timer_stop(&w->loop, &w->restart);
	loop_timer_set(&w->loop, &w->deadline,
	    (uint64_t)w->conf.stop_timeout_s * 1000 + KILL_AFTER_MS);
	run_end_if_alone(w);
}

static void
kill_all(struct warden *w)
{
	if (w->gate != NULL)
		kill(w->gate->pid, SIGKILL);
	for (struct child *c = w->workers; c != NULL; c = c->next)
		kill(c->pid, SIGKILL);
	for (struct child *c = w->keepers; c != NULL; c = c->next)
		kill(c->pid, SIGKILL);
	for (struct child *c = w->systems; c != NULL; c = c->next)
		kill(c->pid, SIGKILL);
}

static void
deadline_passed(struct loop_timer *t)
{
	kill_all(LOOP_OWNER(t, struct warden, deadline));
}

static void
child_release(struct loop_grave *g)
{
	free(LOOP_OWNER(g, struct child, grave));
}

void
run_child_free(struct child *c)
{
	struct warden *w = c->warden;

	loop_unwatch(&w->loop, &c->watch);
	ipc_free(&c->channel);
	if (c->gate_end >= 0)
		close(c->gate_end);
	if (c->signs >= 0)
		close(c->signs);
	signer_drop(c->signer);
	if (c->keeper_end >= 0)
		close(c->keeper_end);
	loop_bury(&w->loop, &c->grave, child_release);
}

bool
run_channel_pair(int ends[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0;
}

static void
fd_close(int fd)
{
	if (fd >= 0)
		close(fd);
}

/* Forks and execs; the child's process number, or -1 after a line. */
static pid_t
start_process(struct warden *w, struct child_spec *spec,
    const struct conf *conf)
{
	pid_t pid = -1;

	spec->fd[INHERIT_CONF] = conf_to_fd(conf);
	spec->fd[INHERIT_EVENTS] = spec->is_mute ? -1 : w->events.write_fd;
	spec->fd[INHERIT_BOARD] = w->board_fd;
	if (spec->fd[INHERIT_CONF] >= 0)
		pid = spec->of_mould ? mould_cast(w, spec) :
		    child_start(spec);
	if (pid < 0)
		log_line("cannot start %s: %s", spec->program,
		    strerror(errno));
	fd_close(spec->fd[INHERIT_CONF]);
	return pid;
}

/* Starts a process and watches the channel to it; NULL after a line. */
struct child *
run_child_new(struct warden *w, struct child_spec *spec,
    const struct conf *conf,
    void (*says)(struct loop_watch *watch, uint32_t events))
{
	struct child *c = calloc(1, sizeof(*c));
	int ends[2] = { -1, -1 };

	if (c == NULL || !run_channel_pair(ends)) {
		log_line("cannot start %s: %s", spec->program,
		    strerror(errno));
		free(c);
		return NULL;
	}
	spec->fd[INHERIT_WARDEN] = ends[1];
	*c = (struct child) { .warden = w, .gate_end = -1, .keeper_end = -1,
		.signs = -1,
		.watch = { .fd = ends[0], .ready = says } };
	c->pid = start_process(w, spec, conf);
	close(ends[1]);
	if (c->pid < 0) {
		close(ends[0]);
		free(c);
		return NULL;
	}
	ipc_init(&c->channel, ends[0]);
	if (!loop_watch(&w->loop, &c->watch, EPOLLIN))
		log_fatal(1, "cannot watch a process: %s", strerror(errno));
	return c;
}

bool
run_child_hear(struct child *c, uint32_t events, struct ipc_msg m[IPC_BATCH],
    size_t *n, int fds[IPC_BATCH], size_t *nfds)
{
	enum ipc_status status;

	if ((events & ~(uint32_t)EPOLLOUT) == 0)
		return false;	/* what waits goes out in the flush */
	status = ipc_receive(&c->channel, m, n, fds, nfds);
	if (status == IPC_GOOD)
		return true;
	for (size_t i = 0; fds != NULL && i < *nfds; i++)
		close(fds[i]);
	if (status == IPC_BAD)
		kill(c->pid, SIGKILL);
	if (status != IPC_AGAIN)
		loop_unwatch(&c->warden->loop, &c->watch);
	return false;
}

uint64_t
run_next_pause(uint64_t *pause_ms)
{
	uint64_t ms = *pause_ms < PAUSE_LEAST_MS ? PAUSE_LEAST_MS : *pause_ms;

	*pause_ms = ms * 2 < PAUSE_MOST_MS ? ms * 2 : PAUSE_MOST_MS;
	return ms;
}

/* What is missing is started again, but never in a tight circle. */
static void
restart_later(struct warden *w)
{
	if (w->restart.slot != 0)
		return;
	if (w->loop.now_ms - w->last_start_ms > STEADY_MS)
		w->backoff_ms = 0;
	loop_timer_set(&w->loop, &w->restart, run_next_pause(&w->backoff_ms));
}

/*
 * A worker of the present set could not be started or has died.  At the
 * start that is the end, with this status.
 */
static void
worker_missing(struct warden *w, int status)
{
	if (!w->was_ready) {
		stop(w, status);
	} else if (w->reloading) {
		reload_give_up(w);
	} else {
		w->wanted++;
		restart_later(w);
	}
}

static uint32_t
standing_workers(const struct conf *conf)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	if (conf->worker_count > 0)
		return conf->worker_count;
	return processors > 0 ? (uint32_t)processors : 1;
}

static uint32_t
count_workers(const struct warden *w, bool only_waiting)
{
	uint32_t n = 0;

	for (struct child *c = w->workers; c != NULL; c = c->next)
		if (!c->solo && c->set == w->set &&
		    (!only_waiting || !c->ready))
			n++;
	return n;
}

void
run_attach(struct warden *w)
{
	for (struct child *c = w->workers; c != NULL; c = c->next) {
		struct ipc_msg m = { .worker = c->number,
			.type = c->solo ? IPC_ATTACH_SOLO : IPC_ATTACH };

		if (c->set != w->set || !c->ready || c->gate_end < 0)
			continue;
		ipc_send(&w->gate->channel, &m, c->gate_end);
		c->gate_end = -1;
	}
}

/* Every worker of the set is ready now. */
static void
set_ready(struct warden *w, uint32_t walls)
{
	if (w->reloading && !keeper_reload(w))
		return;
	if (w->reloading) {
		reload_commit(w);
	} else {
		run_attach(w);
		if (!w->was_ready) {
			w->was_ready = true;
			say_walls(walls);
			archives_say_reach(&w->conf);
			say_ready(w);
			sweep_begin(w);
		}
	}
	solo_fill_soon(w);
	if (w->reload_again)
		reload_ask(w);
}

static void
worker_ready(struct warden *w, struct child *c, uint32_t walls)
{
	/* One solo may be in time for a set that a reload has put aside. */
	if ((c->set != w->set && !c->solo) || w->stopping)
		return;
	/* It can see that it is not root, but not that nobody else is it. */
	if (!w->worker_account.change)
		walls &= ~(1U << WALL_own_user);
	if (!say_if_walls_lack(w->reloading && !c->solo ? &w->fresh : &w->conf,
	    walls)) {
		if (!w->was_ready)
			stop(w, 2);
		else
			kill(c->pid, SIGKILL); /* the rest when it has ended */
		return;
	}
	c->ready = true;
	if (c->solo)
		solo_ready(w);
	else if (count_workers(w, true) == 0)
		set_ready(w, walls);
	else if (!w->reloading)
		run_attach(w);
}

static void
worker_says(struct loop_watch *watch, uint32_t events)
{
	struct child *c = LOOP_OWNER(watch, struct child, watch);
	struct ipc_msg m[IPC_BATCH];
	size_t n;

	if (!run_child_hear(c, events, m, &n, NULL, NULL))
		return;
	for (size_t i = 0; i < n; i++)
		if (m[i].type == IPC_READY && !c->ready)
			worker_ready(c->warden, c, m[i].walls);
}

bool
run_open_store(const struct conf *c, const struct conf *of, int old, int *fd)
{
	char why[HASH_STORE_WHY];

	*fd = old;
	if (old >= 0 && c->hash != CONF_HASH_OFF &&
	    c->hash_entries == of->hash_entries &&
	    strcmp(c->hash_store, of->hash_store) == 0)
		return true;
	*fd = -1;
	if (c->hash == CONF_HASH_OFF)
		return true;
	*fd = hash_store_make(c->hash_store, c->hash_entries, why);
	if (*fd < 0)
		log_line("hash.store: \"%s\" %s", c->hash_store, why);
	return *fd >= 0;
}

void
run_drop_store(int unwanted, int kept)
{
	if (unwanted != kept)
		fd_close(unwanted);
}

/* Ends of the channels that a solo worker has besides; -1: none. */
struct solo_ends {
	int signs;	/* the signer's */
	int keeper;	/* the keeper's */
};

/*
 * The same program with TLS in it, which costs memory: what needs none is
 * without.  Started between reloads alone (solo_fill).
 */
static bool
add_tls(struct warden *w, struct child_spec *spec, struct solo_ends *ends)
{
	if (w->signer == NULL)
		return true;
	spec->file = "portcullis-solo";
	spec->fd[INHERIT_TEXTS] = signer_texts(w->signer);
	if (signer_channel(w->signer, &ends->signs,
	    &spec->fd[INHERIT_SIGNER]))
		return true;
	log_line("cannot start a worker: %s", strerror(errno));
	return false;
}

/* Its channel to the keeper, and the directory that the walls shall know. */
static bool
add_accounts(const struct conf *conf, struct child_spec *spec,
    struct solo_ends *ends)
{
	int pair[2];

	if (conf->accounts_file[0] == '\0')
		return true;
	spec->fd[INHERIT_ACCOUNTS_TOP] = open(conf->accounts_root,
	    O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (spec->fd[INHERIT_ACCOUNTS_TOP] < 0) {
		log_line("cannot open accounts.root: %s", strerror(errno));
		return false;
	}
	if (!run_channel_pair(pair)) {
		log_line("cannot start a worker: %s", strerror(errno));
		return false;
	}
	spec->fd[INHERIT_KEEPER] = pair[0];
	ends->keeper = pair[1];
	return true;
}

static bool
prepare_solo(struct warden *w, const struct conf *conf,
    struct child_spec *spec, struct solo_ends *ends)
{
	spec->of_mould = true;
	return add_tls(w, spec, ends) && add_accounts(conf, spec, ends);
}

/* One that all share stores nothing but in a drop box. */
static bool
add_notices(struct warden *w, const struct conf *conf,
    struct child_spec *spec, bool solo)
{
	if ((!solo && conf->anonymous_upload[0] == '\0') ||
	    notify_open(w, conf, &spec->fd[INHERIT_NOTICES]))
		return true;
	log_line("cannot start a worker: %s", strerror(errno));
	return false;
}

static void
enlist(struct warden *w, struct child *c, bool solo)
{
	c->number = w->next_number++;
	c->set = w->set;
	c->solo = solo;
	if (c->signs >= 0)
		c->signer = signer_hold(w->signer);
	c->next = w->workers;
	w->workers = c;
	w->last_start_ms = w->loop.now_ms;
	keeper_attach(w);
}

int
run_worker_start(struct warden *w, const struct conf *conf, bool solo)
{
	struct child_spec spec = { .program = "portcullis-worker",
		.account = w->reloading ? &w->fresh_account :
		    &w->worker_account,
		.may_chroot = true };
	struct child *c = NULL;
	struct solo_ends more = { -1, -1 };
	int ends[2] = { -1, -1 }, status = 1;

	if (!archives_open(conf, &spec))
		return 2;
	spec.fd[INHERIT_TEXTS] = spec.fd[INHERIT_SIGNER] = -1;
	if (solo && !prepare_solo(w, conf, &spec, &more))
		goto done;
	if (!run_channel_pair(ends)) {
		log_line("cannot start a worker: %s", strerror(errno));
		goto done;
	}
	if (!add_notices(w, conf, &spec, solo))
		goto done;
	spec.fd[INHERIT_XFERLOG] = w->xferlog.write_fd;
	spec.fd[INHERIT_GATE] = ends[0];
	spec.fd[INHERIT_STORE] = w->reloading ? w->fresh_store_fd :
	    w->store_fd;
	if ((c = run_child_new(w, &spec, conf, worker_says)) == NULL)
		goto done;
	c->gate_end = ends[1];
	c->keeper_end = more.keeper;
	c->signs = more.signs;
	ends[1] = more.keeper = more.signs = -1;
	enlist(w, c, solo);
	status = 0;
 done:
	fd_close(ends[0]);
	fd_close(ends[1]);
	fd_close(more.signs);
	fd_close(more.keeper);
	fd_close(spec.fd[INHERIT_SIGNER]);
	archives_close(&spec);
	return status;
}

static void
start_workers(struct warden *w, const struct conf *conf, uint32_t n)
{
	uint32_t set = w->set;
	int status;

	/* A failure may end the reload, and with it this set. */
	for (; n > 0 && !w->stopping && w->set == set; n--)
		if ((status = run_worker_start(w, conf, false)) != 0)
			worker_missing(w, status);
}

void
run_start_set(struct warden *w, const struct conf *conf)
{
	w->set = ++w->last_set;
	w->needed = false;
	start_workers(w, conf, standing_workers(conf));
}

void
run_fill_set(struct warden *w)
{
	uint32_t standing = standing_workers(&w->conf);
	uint32_t n = count_workers(w, false);

	if (n >= standing || w->stopping)
		return;
	w->wanted = standing - n;
	restart_later(w);
}

struct addr
run_listener_address(int fd)
{
	struct sockaddr_storage ss = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof(ss);

	(void)!getsockname(fd, (struct sockaddr *)&ss, &len);
	return addr_of_sockaddr(&ss);
}

/* The gate listens; these are copies that outlive it. */
static void
take_listener(struct warden *w, int fd, uint32_t total, bool first)
{
	if (first)
		drop_listeners(w);
	w->need_is_stale = false;
	if (fd < 0 || w->listeners == CONF_LISTEN_MAX) {
		fd_close(fd);
		return;
	}
	w->listener[w->listeners++] = fd;
	if ((uint32_t)w->listeners == total && !w->gate->ready) {
		w->gate->ready = true;
		run_start_set(w, &w->conf);
	}
}

/*
 * One that cannot be had now is started when another has gone.  What the
 * gate asks for when a reload takes its workers away, before it answers with
 * its listeners, is on its way already.
 */
static void
another_worker(struct warden *w)
{
	uint32_t most = (w->conf.sessions_max + w->conf.worker_sessions - 1) /
	    w->conf.worker_sessions + standing_workers(&w->conf);

	w->needed = w->reloading ||
	    count_workers(w, false) + w->wanted >= most;
	if (!w->needed)
		start_workers(w, &w->conf, 1);
}

static void
expel(struct warden *w, uint32_t number)
{
	for (struct child *c = w->workers; c != NULL; c = c->next)
		if (c->number == number)
			kill(c->pid, SIGKILL);
}

static void
gate_says(struct loop_watch *watch, uint32_t events)
{
	struct child *c = LOOP_OWNER(watch, struct child, watch);
	struct warden *w = c->warden;
	struct ipc_msg m[IPC_BATCH];
	int fds[IPC_BATCH];
	size_t n, nfds, next = 0;
	bool first = true;

	if (!run_child_hear(c, events, m, &n, fds, &nfds))
		return;
	for (size_t i = 0; i < n && !w->stopping; i++) {
		if (m[i].type == IPC_LISTENERS) {
			take_listener(w, next < nfds ? fds[next++] : -1,
			    m[i].port.port, first);
			first = false;
		} else if (m[i].type == IPC_NEED && !w->need_is_stale) {
			another_worker(w);
		} else if (m[i].type == IPC_TAKEN) {
			solo_taken(w, m[i].worker);
		} else if (m[i].type == IPC_EXPEL) {
			expel(w, m[i].worker);
		}
	}
	while (next < nfds)
		close(fds[next++]);
}

void
run_gate_start(struct warden *w)
{
	struct child_spec spec = { .program = "portcullis-gate",
		.account = &w->gate_account, .may_bind_low = true,
		.fds = INHERIT_END + w->listeners };

	spec.fd[INHERIT_XFERLOG] = -1;
	spec.fd[INHERIT_ARCHIVE] = -1;
	spec.fd[INHERIT_GATE] = -1;
	spec.fd[INHERIT_STORE] = -1;
	spec.fd[INHERIT_TEXTS] = -1;
	spec.fd[INHERIT_SIGNER] = -1;
	for (int i = 0; i < w->listeners; i++)
		spec.fd[INHERIT_END + i] = w->listener[i];
	snprintf(spec.arg, sizeof(spec.arg), "%d", w->listeners);
	w->last_start_ms = w->loop.now_ms;
	w->gate = run_child_new(w, &spec, &w->conf, gate_says);
	if (w->gate != NULL)
		keeper_meets_gate(w);
	if (w->gate == NULL && !w->was_ready)
		stop(w, 1);
	else if (w->gate == NULL)
		restart_later(w);
}

static void
restart_due(struct loop_timer *t)
{
	struct warden *w = LOOP_OWNER(t, struct warden, restart);
	uint32_t n = w->wanted;

	w->wanted = 0;
	if (w->gate == NULL)
		run_gate_start(w);	/* its workers come when it listens */
	else if (w->gate->ready)
		start_workers(w, &w->conf, n);
}

/* Status 2 is the child's word that the configuration cannot work. */
static int
start_status(int status)
{
	return WIFEXITED(status) && WEXITSTATUS(status) == 2 ? 2 : 1;
}

/*
 * The workers it knew see the channel close and end when they can; one that
 * it was never told of has to be shown that nobody will come.
 */
static void
orphan_workers(struct warden *w)
{
	for (struct child *c = w->workers; c != NULL; c = c->next) {
		fd_close(c->gate_end);
		c->gate_end = -1;
	}
	w->set = ++w->last_set;
}

static void
gate_ended(struct warden *w, struct child *c, int status)
{
	say_how_it_ended("gate", c->pid, status);
	w->gate = NULL;
	run_child_free(c);
	if (w->stopping)
		return;
	if (!w->was_ready) {
		stop(w, start_status(status));
		return;
	}
	if (w->reloading) {
		run_drop_store(w->fresh_store_fd, w->store_fd);
		signer_drop(w->fresh_signer);
	}
	w->reload_again |= w->reloading;
	w->reloading = false;
	keeper_give_up(w);
	w->need_is_stale = false;
	w->wanted = 0;
	orphan_workers(w);
	restart_later(w);
}

static void
worker_ended(struct warden *w, struct child *c, int status)
{
	struct child **link = &w->workers;
	bool finished = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	bool current = c->set == w->set, was_ready = c->ready;

	while (*link != c)
		link = &(*link)->next;
	*link = c->next;
	say_how_it_ended("worker", c->pid, status);
	run_child_free(c);
	if (w->store_fd >= 0)
		hash_store_mend(w->store_fd, w->conf.hash_entries);
	if (c->solo) {	/* it is freed behind this turn */
		solo_ended(w, c, finished);
		return;
	}
	if (w->stopping || !current)
		return;
	if (!finished || !was_ready)
		worker_missing(w, start_status(status));
	else if (w->needed)
		another_worker(w);
}

static void
reap(struct warden *w)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct child *c = w->workers, *keeper = keeper_find(w, pid);
		struct child *system = system_find(w, pid);

		while (c != NULL && c->pid != pid)
			c = c->next;
		if (w->gate != NULL && w->gate->pid == pid)
			gate_ended(w, w->gate, status);
		else if (w->resolver != NULL && w->resolver->pid == pid)
			resolve_ended(w, status);
		else if (c != NULL)
			worker_ended(w, c, status);
		else if (system != NULL)
			system_ended(w, system, status);
		else if (keeper == NULL)
			(void)(notify_ended(w, pid, status) ||
			    sweep_ended(w, pid, status) ||
			    signer_ended(w, pid, status) ||
			    mould_ended(w, pid));
		else if (keeper_ended(w, keeper, status) && !w->was_ready)
			stop(w, start_status(status));
	}
	run_end_if_alone(w);
}

static void
signal_came(struct loop_watch *watch, uint32_t events)
{
	struct warden *w = LOOP_OWNER(watch, struct warden, signals);
	struct signalfd_siginfo info;

	(void)events;
	while (read(watch->fd, &info, sizeof(info)) == sizeof(info)) {
		switch (info.ssi_signo) {
		case SIGCHLD:
			reap(w);
			break;
		case SIGHUP:
			if (!w->stopping)
				reload_ask(w);
			break;
		case SIGUSR1:
			reload_logs(w);
			break;
		case SIGTERM:
		case SIGINT:
			if (w->stopping)
				kill_all(w);
			say_state("STOPPING=1");
			stop(w, 0);
			break;
		default:
			break;
		}
	}
}

static void
watch_signals(struct warden *w)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	w->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	w->signals.ready = signal_came;
	if (w->signals.fd < 0 || !loop_watch(&w->loop, &w->signals, EPOLLIN))
		log_fatal(1, "cannot watch signals: %s", strerror(errno));
}

static void
flush_child(struct child *c)
{
	if (c->watch.ready == NULL)
		return;	/* it is gone; SIGCHLD says so in a moment */
	loop_rewatch(&c->warden->loop, &c->watch,
	    ipc_flush(&c->channel) == IPC_AGAIN ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

/* The end of a turn: what was gathered goes out. */
static void
flush(void *arg)
{
	struct warden *w = arg;

	/* First: it is to know a worker before the gate speaks of it. */
	for (struct child *c = w->keepers; c != NULL; c = c->next)
		flush_child(c);
	if (w->gate != NULL)
		flush_child(w->gate);
	for (struct child *c = w->workers; c != NULL; c = c->next)
		flush_child(c);
	signers_flush(w);
}

bool
warden_find_accounts(struct warden *w)
{
	bool gate = account_find("gate.user", w->conf.gate_user,
	    &w->gate_account);
	bool worker = account_find("worker.user", w->conf.worker_user,
	    &w->worker_account);
	bool keeper = w->conf.accounts_file[0] == '\0' ||
	    account_find("keeper.user", w->conf.keeper_user,
	    &w->keeper_account);

	return gate && worker && keeper &&
	    notify_find(&w->conf, &w->notify_account);
}

int
warden_run(struct warden *w)
{
	if (!loop_init(&w->loop))
		log_fatal(1, "no event loop: %s", strerror(errno));
	logpipe_init(&w->events, &w->loop, "events");
	logpipe_init(&w->xferlog, &w->loop, "xferlog");
	say_who_encrypts(&w->conf);
	if (!logpipe_open(&w->events, w->conf.events) ||
	    !logpipe_open(&w->xferlog, w->conf.xferlog) ||
	    !run_open_store(&w->conf, &w->conf, -1, &w->store_fd) ||
	    !signer_open(w, &w->conf, &w->worker_account, true, &w->signer))
		return 2;
	w->mould_fd = -1;
	/* What the mould makes is ours to wait for. */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
		log_fatal(1, "cannot be a subreaper: %s", strerror(errno));
	w->restart.fire = restart_due;
	w->deadline.fire = deadline_passed;
	w->loop.flush = flush;
	w->loop.flush_arg = w;
	if (!board_start(w))
		log_fatal(1, "no memory to share: %s", strerror(errno));
	watch_signals(w);
	if ((w->status = keeper_begin(w)) != 0)
		return w->status;
	if (w->keeper == NULL)
		run_gate_start(w);	/* else when that is ready */
	resolve_begin(w);
	loop_run(&w->loop);
	logpipe_finish(&w->events);
	logpipe_finish(&w->xferlog);
	return w->status;
}
