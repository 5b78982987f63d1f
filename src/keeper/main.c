/*
 * keeper/main.c: portcullis-keeper, which reads the account file and judges
 * passwords, and has no network: start.
 *
 * Started by the warden as keeper.user, with all descriptors that it will
 * need (ipc/inherit.h).  The account file comes open, here and at a reload:
 * so it may be root's own, and this process opens no file but quotas.
 * The argument "skip" lets tests move the clock on (SKIP).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "ipc/inherit.h"
#include "ipc/walls.h"
#include "keeper/keeper.h"
#include "keeper/sandbox.h"

uint64_t
keeper_now(const struct keeper *k)
{
	return k->loop.now_ms + k->skipped_ms;
}

static void
check_walls(const struct keeper *k, unsigned walls)
{
	for (unsigned wall = 0; wall < WALL_COUNT; wall++)
		if (wall_is_required((enum wall)wall) &&
		    (walls & 1u << wall) == 0 &&
		    k->conf.sandbox == SANDBOX_REQUIRE)
			log_fatal(2, "sandbox = require, and there is no: %s",
			    wall_meaning((enum wall)wall));
}

/* Without it, what was counted before a crash counts on. */
static uint64_t
boot_number(void)
{
	char text[64];
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));

	if (fd >= 0)
		close(fd);
	return n <= 0 ? 0 : sv_hash((struct sv) { text, (size_t)n });
}

static void
read_file(struct keeper *k)
{
	if (!orders_load(k, INHERIT_ACCOUNTS))
		log_fatal(2, "there are mistakes in %s",
		    k->conf.accounts_file);
}

/* For `portcullisd --check`: as at a start, and no more. */
static _Noreturn void
check_file(struct keeper *k)
{
	read_file(k);
	_exit(doubt_quota(k) ? 0 : 2);
}

static void
prepare(struct keeper *k)
{
	k->boot = boot_number();
	read_file(k);
	close(INHERIT_ACCOUNTS);
	(void)doubt_quota(k);
	if (!loop_init(&k->loop) || (k->penalty = penalty_new()) == NULL ||
	    (k->pool = pool_new(&k->loop, k->conf.keeper_jobs)) == NULL)
		log_fatal(1, "cannot start err=%d", errno);
	judge_start(k);
	system_start(k);
	orders_start(k);
}

static void
say_ready(struct keeper *k, unsigned walls)
{
	struct ipc_msg m = { .type = IPC_READY, .walls = walls };

	ipc_send(&k->warden, &m, -1);
	if (ipc_flush(&k->warden) != IPC_GOOD)
		log_fatal(1, "the warden is gone");
}

int
main(int argc, char **argv)
{
	static struct keeper k;
	unsigned walls;

	log_open("keeper");
	signal(SIGPIPE, SIG_IGN);
	tzset();
	/* A heap for each thread would keep more copies of more things. */
	mallopt(M_ARENA_MAX, 1);
	if (!conf_from_fd(&k.conf, INHERIT_CONF))
		log_fatal(2, "is started by portcullisd alone");
	close(INHERIT_CONF);
	if (argc > 1 && strcmp(argv[1], "check") == 0)
		check_file(&k);
	k.may_skip = argc > 1 && strcmp(argv[1], "skip") == 0;
	prepare(&k);
	walls = sandbox_enter(k.conf.accounts_quota[0] != '\0' ?
	    INHERIT_ACCOUNTS_QUOTA : -1);
	check_walls(&k, walls);
	say_ready(&k, walls);
	loop_run(&k.loop);
	_exit(0);	/* a hash that runs is not waited for */
}
