/*
 * gate/main.c: start, the warden's wishes, the end.
 *
 * The warden starts this program as its own user, with CAP_NET_BIND_SERVICE
 * and nothing else; it gives up the file system and new privileges at once.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/landlock.h"
#include "base/log.h"
#include "gate/gate.h"
#include "ipc/inherit.h"

#define STATS_MS 60000

static void
confine(void)
{
	struct rlimit no_core = { 0, 0 };

	setrlimit(RLIMIT_CORE, &no_core);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		log_fatal(1, "cannot confine itself err=%d", errno);
	/* Older kernels have no Landlock; the workers' report says so. */
	(void)landlock_forbid_files();
}

/* Sends the warden a copy of each listener, to outlive this process. */
static void
announce_listeners(struct gate *g)
{
	for (size_t i = 0; i < g->listeners; i++) {
		struct ipc_msg m = { .type = IPC_LISTENERS };
		int copy = fcntl(g->listener[i]->watch.fd, F_DUPFD_CLOEXEC, 0);

		if (copy < 0)
			log_fatal(1, "cannot copy a listener err=%d", errno);
		m.port.port = (uint32_t)g->listeners;
		ipc_send(&g->warden, &m, copy);
	}
	if (ipc_flush(&g->warden) != IPC_GOOD)
		log_fatal(1, "the warden is gone");
}

/* Asked before the files are gone: sysconf(3) reads one. */
static uint32_t
standing_workers(const struct conf *conf)
{
	static uint32_t processors;
	long online = processors == 0 ? sysconf(_SC_NPROCESSORS_ONLN) : 0;

	if (online > 0)
		processors = (uint32_t)online;
	if (conf->worker_count > 0)
		return conf->worker_count;
	return processors > 0 ? processors : 1;
}

static void
listen_or_exit(struct gate *g)
{
	char text[ADDR_TEXT_MAX];
	struct addr failed;

	if (gate_listen(g, &failed))
		return;
	log_fatal(2, "cannot listen at %s: %s", addr_format(&failed, text),
	    strerror(errno));
}

static void
reload(struct gate *g, int fd)
{
	char text[ADDR_TEXT_MAX];
	struct conf fresh;
	struct addr failed;

	if (!conf_from_fd(&fresh, fd)) {
		log_line("cannot read the new configuration");
		return;
	}
	/* sessions.max sizes the table of clients, once. */
	g->conf = fresh;
	gate_limits_start(g);
	g->standing = standing_workers(&g->conf);
	for (struct gate_worker *w = g->workers; w != NULL; w = w->next)
		gate_worker_retire(w);
	if (!conf_moves(&g->conf))
		gate_moves_refuse(g, "This server has no users any more.");
	if (!gate_listen(g, &failed))
		log_line("cannot listen at %s: %s",
		    addr_format(&failed, text), strerror(errno));
	gate_pause_or_resume(g);
	announce_listeners(g);
}

static void
warden_says(struct gate *g, const struct ipc_msg *m, int *fd)
{
	switch ((int)m->type) {
	case IPC_ATTACH_SOLO:
		if (*fd < 0)
			return;
		gate_worker_new(g, *fd, m->worker, true);
		*fd = -1;
		gate_moves_go_on(g);
		return;
	case IPC_ATTACH:
		if (*fd < 0)
			return;
		gate_worker_new(g, *fd, m->worker, false);
		*fd = -1;
		g->asked = false;
		gate_pause_or_resume(g);
		return;
	case IPC_KEEPER:
		ipc_free(&g->keeper);
		ipc_init(&g->keeper, *fd);
		*fd = -1;
		return;
	case IPC_RELOAD:
		reload(g, *fd);
		return;
	case IPC_STOP:
		g->stopping = true;
		gate_listeners_close(g);
		gate_moves_refuse(g, "The server is stopping, come back "
		    "later.");
		if (g->workers == NULL)
			g->loop.stop = true;
		return;
	default:
		log_line("the warden said %s here",
		    ipc_type_name((enum ipc_type)m->type));
	}
}

static void
warden_ready(struct loop_watch *w, uint32_t events)
{
	struct gate *g = LOOP_OWNER(w, struct gate, warden_watch);
	struct ipc_msg m[IPC_BATCH];
	int fds[IPC_BATCH];
	size_t n, nfds, next = 0;

	(void)events;
	switch (ipc_receive(&g->warden, m, &n, fds, &nfds)) {
	case IPC_GOOD:
		break;
	case IPC_AGAIN:
		return;
	case IPC_GONE:
	case IPC_BAD:
	default:
		g->loop.stop = true; /* nobody is there to serve for */
		return;
	}
	for (size_t i = 0; i < n; i++) {
		bool carries = m[i].type == IPC_ATTACH ||
		    m[i].type == IPC_ATTACH_SOLO ||
		    m[i].type == IPC_KEEPER ||
		    m[i].type == IPC_RELOAD;
		int fd = carries && next < nfds ? fds[next++] : -1;

		warden_says(g, &m[i], &fd);
		if (fd >= 0)
			close(fd);
	}
	while (next < nfds)
		close(fds[next++]);
}

static void
write_stats(struct gate *g)
{
	struct event e;

	if (!event_wanted(&g->events))
		return;
	event_begin(&e, "stats", NULL);
	event_open(&e, "stats");
	event_text(&e, "process", SV("gate"));
	event_number(&e, "sessions", g->group[0].sessions);
#define X(name) event_number(&e, #name, g->counters.name);
	GATE_COUNTERS(X)
#undef X
	event_number(&e, "events_dropped", g->events.dropped);
	event_close(&e);
	event_end(&e, &g->events);
}

static void
stats_due(struct loop_timer *t)
{
	struct gate *g = LOOP_OWNER(t, struct gate, stats_timer);

	gate_peers_sweep(g);
	write_stats(g);
	loop_timer_set(&g->loop, t, STATS_MS);
}

/* What to watch a worker's channel for. */
static uint32_t
wanted(const struct gate_worker *w, enum ipc_status status)
{
	uint32_t events = status == IPC_AGAIN ? EPOLLOUT : 0;

	if (ipc_room(&w->channel) >= IPC_QUEUE / 2)
		events |= EPOLLIN;
	return events;
}

/* The end of a turn: everything that was gathered goes out. */
static void
flush(void *arg)
{
	struct gate *g = arg;
	struct gate_worker *next;

	for (struct gate_worker *w = g->workers; w != NULL; w = next) {
		enum ipc_status status = ipc_flush(&w->channel);

		next = w->next;
		if (status == IPC_GONE)
			gate_worker_free(w);
		else if (ipc_room(&w->channel) == 0)
			gate_worker_expel(w, "it does not read its messages");
		else
			loop_rewatch(&g->loop, &w->watch, wanted(w, status));
	}
	(void)ipc_flush(&g->warden);
	if (ipc_flush(&g->keeper) == IPC_GONE)
		ipc_free(&g->keeper);
	event_sink_flush(&g->events);
}

static void
start(struct gate *g, int inherited)
{
	g->next_flow = gate_random() >> 14; /* below 2^51, as EVE's are */
	g->spare_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
	gate_peers_init(g);
	TAILQ_INIT(&g->ahead);
	TAILQ_INIT(&g->waiting);
	gate_limits_start(g);
	g->paused = true; /* until there is a worker */
	for (int i = 0; i < inherited; i++)
		gate_listener_adopt(g, INHERIT_END + i);
	listen_or_exit(g);
	g->loop.flush = flush;
	g->loop.flush_arg = g;
	ipc_init(&g->warden, INHERIT_WARDEN);
	ipc_init(&g->keeper, -1);
	g->warden_watch = (struct loop_watch) { .fd = INHERIT_WARDEN,
		.ready = warden_ready };
	if (!loop_watch(&g->loop, &g->warden_watch, EPOLLIN))
		log_fatal(1, "cannot watch the warden err=%d", errno);
	g->stats_timer.fire = stats_due;
	loop_timer_set(&g->loop, &g->stats_timer, STATS_MS);
	announce_listeners(g);
}

int
main(int argc, char **argv)
{
	static struct gate g;
	uint64_t inherited = 0;

	log_open("gate");
	signal(SIGPIPE, SIG_IGN);
	tzset();
	if (argc > 1 &&
	    !sv_number(sv_of(argv[1]), CONF_LISTEN_MAX, &inherited))
		log_fatal(2, "is started by portcullisd alone");
	if (!conf_from_fd(&g.conf, INHERIT_CONF))
		log_fatal(2, "is started by portcullisd alone");
	close(INHERIT_CONF);
	if (!board_view_init(&g.board, INHERIT_BOARD))
		log_fatal(1, "cannot see the board err=%d", errno);
	close(INHERIT_BOARD);
	g.standing = standing_workers(&g.conf);
	confine();
	event_sink_init(&g.events, INHERIT_EVENTS);
	if (!loop_init(&g.loop))
		log_fatal(1, "no event loop err=%d", errno);
	start(&g, (int)inherited);
	loop_run(&g.loop);
	write_stats(&g);
	event_sink_flush(&g.events);
	return 0;
}
