/*
 * warden/warden.h: the process that starts, watches and replaces the others.
 *
 * Root at the start, so that it can give each its user; it has no network,
 * and parses nothing but its own configuration.  It holds copies of the
 * control listeners (and never accepts on them), so that a new gate goes on
 * where the old one ended.
 *
 * main.c options; run.c supervision; child.c fork, users, exec; logpipe.c
 * events and xferlog to their files.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <sys/types.h>

#include "base/loop.h"
#include "conf/conf.h"
#include "ipc/channel.h"
#include "ipc/inherit.h"

/* logpipe.c: a pipe that children write to, copied into a file. */

struct logpipe {
	struct loop_watch watch;	/* the end that is read */
	int write_fd;			/* the children's; -1: not wanted */
	int file_fd;
	bool failing;			/* said so already */
	char path[PATH_MAX];
};

/* path "" is none, "-" standard output.  False: it said why. */
bool logpipe_open(struct logpipe *p, const char *path);
bool logpipe_watch(struct logpipe *p, struct loop *l);
/* Opens the file again, after someone has moved it away. */
void logpipe_reopen(struct logpipe *p);
/* Everything that the children still wrote; they have ended. */
void logpipe_drain(struct logpipe *p);

/* child.c */

struct account {
	bool change;	/* we are root */
	uid_t uid;
	gid_t gid;
};

/* A name or a number; false: it said why.  Root itself is refused. */
bool account_find(const char *key, const char *name, struct account *out);

#define CHILD_FDS (INHERIT_END + CONF_LISTEN_MAX)

struct child_spec {
	const char *program;	/* "portcullis-gate" */
	const struct account *account;
	bool may_bind_low;	/* keeps CAP_NET_BIND_SERVICE */
	int fd[CHILD_FDS];	/* what becomes descriptor i; -1: /dev/null */
	int fds;		/* one more than the last */
	char arg[16];		/* argv[1] */
};

/* The process's number, or -1 with errno set. */
pid_t child_start(const struct child_spec *spec);

/* run.c */

struct child {
	struct child *next;
	struct warden *warden;
	struct ipc_channel channel;
	struct loop_watch watch;
	struct loop_grave grave;
	pid_t pid;
	uint32_t number;
	uint32_t set;		/* workers of one configuration and gate */
	int gate_end;		/* a worker's channel, for the gate; or -1 */
	bool ready;
};

struct warden {
	struct loop loop;
	struct conf conf;
	bool (*read_conf)(struct warden *w, struct conf *out);
	int argc;
	char **argv;
	struct account gate_account, worker_account;
	struct logpipe events, xferlog;
	struct loop_watch signals;
	struct loop_timer restart, deadline;
	struct child *gate, *workers;
	int listener[CONF_LISTEN_MAX];
	int listeners;
	uint32_t next_number, set;
	uint32_t wanted;	/* workers to be started when restart fires */
	uint64_t backoff_ms, last_start_ms;
	struct conf fresh;	/* of the reload under way */
	bool reloading, was_ready, stopping;
	int status;
};

/* Runs until it is told to stop, or cannot start; the exit status. */
int warden_run(struct warden *w);
