/*
 * worker/main.c: start, the walls, the turn's flush.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "ipc/inherit.h"
#include "worker/box.h"
#include "worker/checksum.h"
#include "worker/hash.h"
#include "worker/mould.h"
#include "worker/sandbox.h"
#include "worker/secure.h"
#include "worker/sweep.h"

#define STATS_MS 60000

static void
write_stats(struct worker *w)
{
	struct event e;

	/* One for each session would be more of them than of anything else. */
	if (!event_wanted(&w->events) || w->solo)
		return;
	event_begin(&e, "stats", NULL);
	event_open(&e, "stats");
	event_text(&e, "process", SV("worker"));
	event_number(&e, "sessions", w->sessions);
#define X(name) event_number(&e, #name, w->counters.name);
	WORKER_COUNTERS(X)
#undef X
	event_number(&e, "events_dropped", w->events.dropped);
	event_number(&e, "xferlog_dropped", w->xferlog.dropped);
	event_close(&e);
	event_end(&e, &w->events);
}

static void
stats_due(struct loop_timer *t)
{
	struct worker *w = LOOP_OWNER(t, struct worker, stats_timer);

	write_stats(w);
	loop_timer_set(&w->loop, t, STATS_MS);
}

/* The end of a turn.  The gate first: nobody waits for it but for a reply. */
static void
flush(void *arg)
{
	struct worker *w = arg;
	struct sess *s;

	while (link_flush(w) && (s = w->dirty) != NULL) {
		w->dirty = s->next_dirty;
		s->dirty = false;
		control_flush(s);
		/* Going on with held input may have spoken to the gate. */
	}
	event_sink_flush(&w->events);
	event_sink_flush(&w->xferlog);
}

/* Whether this user may read an archive is known here alone. */
static void
check_archive(int root_fd, const char *name)
{
	int fd = openat(root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		log_fatal(2, "cannot read the archive %s as user %u: %s", name,
		    (unsigned)geteuid(), strerror(errno));
	close(fd);
}

static void
check_archives(const struct worker *w)
{
	check_archive(INHERIT_ARCHIVE, w->conf.archive);
	for (uint32_t i = 0; i < w->conf.sites.count; i++)
		check_archive(INHERIT_SITES + (int)i,
		    w->conf.sites.at[i].root);
}

static struct storage *
open_storage(int root_fd)
{
	struct storage *st = storage_posix_new(root_fd);

	if (st == NULL)
		log_fatal(1, "cannot start err=%d", errno);
	return st;
}

static void
prepare_site(struct worker *w, uint32_t i)
{
	const char *names = w->conf.sites.at[i].names;
	size_t first = strcspn(names, ",");

	assert(first < sizeof(w->site_name[i]));
	memcpy(w->site_name[i], names, first);
	w->site_storage[i] = open_storage(INHERIT_SITES + (int)i);
}

static void
prepare(struct worker *w)
{
	event_sink_init(&w->events, INHERIT_EVENTS);
	event_sink_init(&w->xferlog, INHERIT_XFERLOG);
	w->slot = calloc(w->conf.worker_sessions, sizeof(*w->slot));
	if (w->slot == NULL || !loop_init(&w->loop) || !link_start(w))
		log_fatal(1, "cannot start err=%d", errno);
	w->pool = pool_new(&w->loop, w->conf.worker_threads);
	if (w->pool == NULL)
		log_fatal(1, "cannot start err=%d", errno);
	w->storage = open_storage(INHERIT_ARCHIVE);
	for (uint32_t i = 0; i < w->conf.sites.count; i++)
		prepare_site(w, i);
	if (!hash_start(w))
		log_fatal(1, "hash: no libcrypto, or no SHA-256 in it");
	box_start(w);
	if (!checksum_start(w))
		log_fatal(1, "upload.checksum: no libcrypto, or no SHA-256 in "
		    "it");
	w->loop.flush = flush;
	w->loop.flush_arg = w;
	w->stats_timer.fire = stats_due;
	loop_timer_set(&w->loop, &w->stats_timer, STATS_MS);
}

static void
say_ready(struct worker *w, unsigned walls)
{
	struct ipc_msg m = { .type = IPC_READY, .walls = walls };

	ipc_send(&w->warden, &m, -1);
	if (ipc_flush_plain(&w->warden) != IPC_GOOD)
		log_fatal(1, "the warden is gone");
}

/* The warden has looked whether the kernel has it. */
static bool
has_ktls(const struct worker *w)
{
	return secure != NULL && w->solo && w->conf.tls_kernel != 0;
}

/*
 * Those that were left free are for channels, and what the kernel encrypts
 * has none of them: data connections get higher ones.
 */
static void
use_up_low_numbers(void)
{
	struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
	long fd;

	do
		fd = syscall(SYS_openat2, INHERIT_ARCHIVE, ".", &how,
		    sizeof(how));
	while (fd >= 0 && fd < SANDBOX_KTLS_LEAST);
	if (fd >= 0)
		close((int)fd);
}

static unsigned
enter_sandbox(const struct worker *w)
{
	int archives[1 + CONF_SITES_MAX] = { INHERIT_ARCHIVE };
	int accounts = -1;
	size_t n = 1;
	unsigned walls;

	while (n <= w->conf.sites.count) {
		archives[n] = INHERIT_SITES + (int)n - 1;
		n++;
	}
	if (account_is_possible(w) || (w->sweeps && w->storage != NULL))
		accounts = INHERIT_ACCOUNTS_TOP;
	walls = sandbox_enter(INHERIT_TOP, archives, n, accounts, w->box_fd,
	    has_ktls(w));
	close(INHERIT_TOP);
	if (!w->sweeps)
		close(INHERIT_ACCOUNTS_TOP);
	if (has_ktls(w))
		use_up_low_numbers();
	return walls;
}

static bool
is_told(int argc, char **argv, const char *word)
{
	return argc > 1 && strcmp(argv[1], word) == 0;
}

/* For the warden: whether certificates and keys are good, and how long. */
static _Noreturn void
check(struct worker *w, bool keys)
{
	log_open("");
	ipc_init(&w->warden, INHERIT_WARDEN);
	if (secure != NULL) {
		secure->start(&w->conf, keys);
		secure->warn(&w->conf);
	}
	say_ready(w, 0);
	_exit(0);
}

/* No session, and no word from outside: it goes through, and ends. */
static _Noreturn void
run_sweep(struct worker *w)
{
	ipc_init(&w->warden, INHERIT_WARDEN);
	sweep_prepare(w);
	say_ready(w, enter_sandbox(w));
	sweep(w);
	_exit(0);
}

int
main(int argc, char **argv)
{
	static struct worker w;

	log_open("worker");
	signal(SIGPIPE, SIG_IGN);
	tzset();
	/* A heap for each disk thread would cost more than it saves. */
	mallopt(M_ARENA_MAX, 2);
	if (!conf_from_fd(&w.conf, INHERIT_CONF))
		log_fatal(2, "is started by portcullisd alone");
	close(INHERIT_CONF);
	if (is_told(argc, argv, "check") || is_told(argc, argv, "warn"))
		check(&w, is_told(argc, argv, "check"));
	if (is_told(argc, argv, "sweep"))
		run_sweep(&w);
	if (secure != NULL)
		secure->start(&w.conf, false);
	close(INHERIT_TEXTS);
	w.solo = is_told(argc, argv, "mould");
	if (w.solo) {
		mould_serve(argv[1]);
		w.conf.worker_sessions = 1;
		if (secure != NULL)
			secure->renew();
	}
	if (!board_view_init(&w.board, INHERIT_BOARD))
		log_fatal(1, "cannot see the board err=%d", errno);
	close(INHERIT_BOARD);
	check_archives(&w);
	/* The warden's is for logs; of an upload the mode is said. */
	if (account_is_possible(&w))
		umask(022);
	prepare(&w);
	say_ready(&w, enter_sandbox(&w));
	loop_run(&w.loop);
	write_stats(&w);
	event_sink_flush(&w.events);
	event_sink_flush(&w.xferlog);
	/* Threads may hang on a dead disk: they are not waited for. */
	_exit(0);
}
