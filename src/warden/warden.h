/*
 * warden/warden.h: the process that starts, watches and replaces the others.
 *
 * Root at the start, so that it can give each its user; it has no network,
 * and parses nothing but its own configuration.  It holds copies of the
 * control listeners (and never accepts on them), so that a new gate goes on
 * where the old one ended.
 *
 * main.c options; run.c supervision; reload.c a new configuration; board.c
 * what all processes are told; solo.c workers for one session, mould.c what
 * they are made of; keeper.c the process that judges passwords; system.c the
 * one that asks PAM; signer.c the one with private keys; notify.c who is told
 * of uploads; sweep.c what they leave behind; resolve.c addresses of names;
 * child.c fork, users, exec; archives.c directories to serve; zone.c the time
 * zone; logpipe.c events and xferlog to their files; say.c what it tells
 * people and systemd.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <assert.h>
#include <sys/types.h>

#include "base/loop.h"
#include "conf/conf.h"
#include "ipc/board.h"
#include "ipc/channel.h"
#include "ipc/inherit.h"

/* logpipe.c: a pipe that children write to, copied into a file. */

struct logpipe {
	struct loop *loop;
	struct loop_watch watch;	/* the end that is read */
	struct loop_timer again;	/* the file's reader was not ready */
	const char *key;		/* "events" */
	int write_fd;			/* the children's; -1: not wanted */
	int file_fd;			/* -1: not wanted any more */
	bool can_block;			/* "-", a FIFO, a device */
	bool failing;			/* said so already */
	uint64_t lost;			/* lines since then */
	bool skip;			/* the rest of a line that failed */
	bool in_line;			/* the last byte read ended none */
	bool torn;			/* the last byte written ended none */
};

void logpipe_init(struct logpipe *p, struct loop *l, const char *key);

/*
 * Opens the file, again if it was open: path "" is none, "-" standard
 * output.  False: it said why, and what was open serves on.
 */
MUST_USE bool logpipe_open(struct logpipe *p, const char *path);

/* What the children have written, as far as the file takes it now. */
void logpipe_drain(struct logpipe *p);
/* The same when they have ended, with some patience for who reads. */
void logpipe_finish(struct logpipe *p);

/* child.c */

struct account {
	bool change;	/* we are root */
	uid_t uid;
	gid_t gid;
};

/* A name or a number; false: it said why.  Root itself is refused. */
bool account_find(const char *key, const char *name, struct account *out);

/* The gate has listeners behind INHERIT_END, a worker has directories. */
#define CHILD_FDS (INHERIT_SITES + CONF_SITES_MAX)
static_assert(CHILD_FDS >= INHERIT_END + CONF_LISTEN_MAX, "listeners");

struct child_spec {
	const char *program;	/* "portcullis-gate" */
	const char *file;	/* which is that; NULL: its name */
	const struct account *account;
	bool is_root;		/* uid 0 where we are, with few powers */
	bool may_bind_low;	/* has CAP_NET_BIND_SERVICE */
	bool may_chroot;	/* starts with CAP_SYS_CHROOT */
	int fd[CHILD_FDS];	/* what becomes descriptor i; -1: /dev/null */
	int fds;		/* one more than the last */
	bool is_mute;		/* writes no events */
	char arg[16];		/* argv[1] */
	bool of_mould;		/* forked from it: see mould_cast */
};

/* The process's number, or -1 with errno set. */
MUST_USE pid_t child_start(const struct child_spec *spec);

/*
 * A program that is none of ours, as that user, with stdin and nothing else;
 * no argument, and PATH alone.  The process's number, or -1 with errno set.
 */
MUST_USE pid_t child_start_other(const char *path, const struct account *a,
    int stdin_fd);

/* archives.c */

/*
 * Opens what a worker with this configuration is to serve, and the lowest
 * directory that holds it all; false: it said why, and nothing is open.
 */
MUST_USE bool archives_open(const struct conf *c, struct child_spec *spec);
void archives_close(struct child_spec *spec);

/* Says so where accounts.root is beneath what a worker has as its "/". */
void archives_say_reach(const struct conf *c);

/* zone.c */

#define ZONE_RULE_MAX 64

/* The time zone's rule, as TZ has it; "UTC0" where none is known. */
void zone_rule(char out[ZONE_RULE_MAX]);

/* run.c */

struct signer;
struct notify;

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
	struct signer *signer;	/* whom it may ask; or NULL */
	int signs;		/* the signer's end of their channel; or -1 */
	int keeper_end;		/* a solo worker's, for the keeper; or -1 */
	bool ready;
	bool solo;		/* a worker for one session */
	bool taken;		/* and has had it */
};

struct warden {
	struct loop loop;
	struct conf conf;
	bool (*read_conf)(struct warden *w, struct conf *out);
	int argc;
	char **argv;
	struct account gate_account, worker_account, keeper_account;
	struct logpipe events, xferlog;
	struct loop_watch signals;
	struct loop_timer restart, deadline, look, solo_again;
	struct child *gate, *workers;
	struct child *keepers;	/* also those that are to end */
	struct child *keeper;	/* who is asked; NULL: none is, or now */
	struct child *fresh_keeper; /* of a reload */
	bool keeper_asked;	/* to take a file that a reload waits for */
	struct loop_timer keeper_again;
	uint64_t keeper_pause_ms;
	struct child *systems;	/* also those that are to end */
	struct child *system;	/* whom the keeper asks; NULL: nobody now */
	struct loop_timer system_again;
	uint64_t system_pause_ms, system_start_ms;
	struct child *resolver;		/* while one runs */
	struct loop_timer resolve;	/* when the next is to */
	uint64_t resolve_pause_ms;
	uint32_t unresolved;	/* set of places; said so already */
	uint32_t answers;	/* of the resolver that runs, or ran last */
	struct board *board;	/* as the others see it */
	struct board_content told; /* what stands on it */
	int board_fd;
	int listener[CONF_LISTEN_MAX];
	int listeners;
	uint32_t next_number;
	uint32_t set;		/* whose workers serve, or are to */
	uint32_t last_set;	/* the highest number given to a set */
	uint32_t wanted;	/* workers to be started when restart fires */
	uint64_t backoff_ms, last_start_ms;
	uint64_t solo_pause_ms;
	pid_t mould_pid;
	int mould_fd;		/* -1: there is none */
	uint32_t mould_set;	/* whose workers it makes */
	bool needed;		/* the gate asked for one that it did not get */
	bool need_is_stale;	/* the gate has not read of the reload yet */
	bool reloading;
	bool reload_again;	/* asked for while it was not possible */
	struct conf fresh;	/* of the reload under way, as are these */
	struct account fresh_account, fresh_keeper_account;
	uint32_t old_set;
	int store_fd, fresh_store_fd; /* known digests; -1: none */
	struct signer *signers;		/* all that run */
	struct signer *signer, *fresh_signer; /* NULL: there is no TLS */
	struct child *sweeper;		/* while one runs */
	struct loop_timer sweep;
	struct notify *notify;		/* upload.notify; or NULL */
	struct account notify_account, fresh_notify_account;
	bool was_ready, stopping;
	int status;
};

/* Whom the children are to be; false: it said what is wrong. */
MUST_USE bool warden_find_accounts(struct warden *w);

/* Runs until it is told to stop, or cannot start; the exit status. */
MUST_USE int warden_run(struct warden *w);

/*
 * The store of digests that c wants, or -1 where it wants none.  `old` is the
 * present one, of the configuration `of`, and is returned when it is the
 * same.  False: it said why.
 */
MUST_USE bool run_open_store(const struct conf *c, const struct conf *of,
    int old, int *fd);
/* Of two stores, which may be the same, one is not wanted any more. */
void run_drop_store(int unwanted, int kept);

/* Starts a process and watches the channel to it; NULL after a line. */
struct child *run_child_new(struct warden *w, struct child_spec *spec,
    const struct conf *conf,
    void (*says)(struct loop_watch *watch, uint32_t events));
/* Forgets a process that has ended. */
void run_child_free(struct child *c);
/*
 * What one has said, when its watch is ready.  False: nothing.  Who talks
 * nonsense is killed, and who is gone not watched any more.
 *
 * fds  room for IPC_BATCH descriptors, *nfds of them the caller's; or NULL
 */
MUST_USE bool run_child_hear(struct child *c, uint32_t events,
    struct ipc_msg m[IPC_BATCH], size_t *n, int fds[IPC_BATCH],
    size_t *nfds);
/*
 * How long to wait before something is started again, which the next time is
 * twice as long: from 100 ms (*pause_ms is 0) to 5 s.
 */
uint64_t run_next_pause(uint64_t *pause_ms);

/* Starts the gate, and all else when it listens. */
void run_gate_start(struct warden *w);
/* Everything has ended that a stop waits for: so does the loop. */
void run_end_if_alone(struct warden *w);
/* A pair of channel ends, close-on-exec. */
MUST_USE bool run_channel_pair(int ends[2]);
/* A worker of the present set; else the status to end with, if it starts. */
MUST_USE int run_worker_start(struct warden *w, const struct conf *conf,
    bool solo);
/* Starts a new set of workers with this configuration. */
void run_start_set(struct warden *w, const struct conf *conf);
/* Gives the gate every ready worker of the set that it does not know yet. */
void run_attach(struct warden *w);
/* Starts, after a while, what the present set lacks. */
void run_fill_set(struct warden *w);

/* Where it really listens: port 0 has become another. */
struct addr run_listener_address(int fd);

/* board.c */

/* Makes the board, with what is to be told now; false with errno set. */
MUST_USE bool board_start(struct warden *w);
/* Looks for what is to be told, as the configuration says, from now on. */
void board_follow(struct warden *w);

/* solo.c */

/* Starts what is wanted of workers that wait for a session of their own. */
void solo_fill(struct warden *w);
/* The same in the next turn, when what is to be sent in this one has been. */
void solo_fill_soon(struct warden *w);
/* One more is ready. */
void solo_ready(struct warden *w);
/* Ends those of earlier sets that the gate was never told of. */
void solo_forget(struct warden *w);
/* The gate has given that one its session. */
void solo_taken(struct warden *w, uint32_t number);
/* One has ended and is out of the list; finished: as it should. */
void solo_ended(struct warden *w, const struct child *c, bool finished);

/* mould.c */

/*
 * As child_start, by a fork of the one process that has been started for the
 * present set of workers; starts that one if there is none.  What differs from
 * worker to worker is named in ipc/mould.h.
 */
MUST_USE pid_t mould_cast(struct warden *w, const struct child_spec *spec);
/* It is not needed, or not as it is; what it has made stays. */
void mould_drop(struct warden *w);
/* It was the mould that ended, and was needed. */
bool mould_ended(struct warden *w, pid_t pid);

/* signer.c */

/*
 * What c's TLS needs: its keys in a signer, its certificates as texts, both
 * found good by a process that runs as worker.  *out is NULL where there is
 * no TLS; it has one user, the caller.  runs: the loop follows it.
 * False: it said why.
 */
MUST_USE bool signer_open(struct warden *w, const struct conf *c,
    const struct account *worker, bool runs, struct signer **out);
/* One user less, or more; NULL is fine.  Without users it ends. */
void signer_drop(struct signer *s);
struct signer *signer_hold(struct signer *s);
/* The certificates, for INHERIT_TEXTS; borrowed. */
int signer_texts(const struct signer *s);
/*
 * A new channel to it: theirs is for who asks, mine the signer's end, to be
 * kept as long as that one lives.  False without descriptors.
 */
MUST_USE bool signer_channel(struct signer *s, int *mine, int *theirs);
/* Gives it an end of a channel, as its own copy. */
void signer_attach(struct signer *s, int end);
/* It was a signer that ended: there will be another. */
bool signer_ended(struct warden *w, pid_t pid, int status);
void signers_flush(struct warden *w);

/* keeper.c */

/* Starts it if there are accounts; the status to end with, or 0. */
MUST_USE int keeper_begin(struct warden *w);
/* Whether the account file can be read, as a keeper would; else it said why. */
MUST_USE bool keeper_check(const struct conf *c,
    const struct account *account);
/* There is a gate, or another one. */
void keeper_meets_gate(struct warden *w);
/* Gives it the channels of solo workers that it does not know yet. */
void keeper_attach(struct warden *w);
/*
 * All else is ready for the new configuration: it gets the account file.
 * False: reload_go_on or reload_give_up is called when it has answered.
 */
MUST_USE bool keeper_reload(struct warden *w);
/* The reload is done, or came to nothing. */
void keeper_commit(struct warden *w);
void keeper_give_up(struct warden *w);
void keeper_stop(struct warden *w);
/* The keeper with this number, if it is one. */
struct child *keeper_find(const struct warden *w, pid_t pid);
/* It has ended.  True: it was the one that is needed. */
bool keeper_ended(struct warden *w, struct child *c, int status);

/* system.c */

/*
 * accounts.pam of c can work: its user is there, its rules are like lines of
 * the account file.  False: it said what is wrong.
 */
MUST_USE bool system_check(const struct conf *c);
/* There is a keeper, or another one, which gets a portcullis-pam if wanted. */
void system_begin(struct warden *w);
/* Whatever runs is not wanted any more. */
void system_stop(struct warden *w);
/* The portcullis-pam with this number, if it is one. */
struct child *system_find(const struct warden *w, pid_t pid);
/* It has ended. */
void system_ended(struct warden *w, struct child *c, int status);

/* notify.c: upload.notify */

/* Whom its program runs as; false: it said why. */
MUST_USE bool notify_find(const struct conf *c, struct account *out);
/*
 * The end of a new worker's notices, or -1 where nobody wants any.  False
 * without descriptors or memory.
 */
MUST_USE bool notify_open(struct warden *w, const struct conf *c,
    int *theirs);
/* It was its program that ended. */
bool notify_ended(struct warden *w, pid_t pid, int status);
/* All is told, or not to be told any more; asked at a stop. */
bool notify_is_done(struct warden *w);

/* resolve.c */

/* The names of passive.address are these from now on. */
void resolve_begin(struct warden *w);
/* Ends the process that resolves them, if one runs. */
void resolve_stop(struct warden *w);
void resolve_ended(struct warden *w, int status);

/* sweep.c */

/* What uploads left behind goes, now and once a day. */
void sweep_begin(struct warden *w);
void sweep_stop(struct warden *w);
/* It was the sweeper that ended. */
bool sweep_ended(struct warden *w, pid_t pid, int status);

/* reload.c */

/* SIGUSR1: the log files are opened again, and nothing else happens. */
void reload_logs(struct warden *w);
/* SIGHUP: log files, then the configuration, as soon as it can be. */
void reload_ask(struct warden *w);
/* Every worker of the new set is ready: the gate gets them. */
void reload_commit(struct warden *w);
/* The same, and what had to wait for the reload. */
void reload_go_on(struct warden *w);
/* The new set cannot work: the old one serves on. */
void reload_give_up(struct warden *w);

/* say.c */

/* Says which walls stand around the workers, and which are missing. */
void say_walls(uint32_t standing);
/* None is missing that `sandbox` wants; false: it said which are. */
MUST_USE bool say_if_walls_lack(const struct conf *c, uint32_t standing);
/* One line about a process that has ended otherwise than it should. */
void say_how_it_ended(const char *what, pid_t pid, int status);
/* Says who encrypts files; tls.kernel is off where the kernel cannot. */
void say_who_encrypts(struct conf *c);
/* On standard error, and to the service manager where there is one. */
void say_ready(const struct warden *w);
/* To the service manager alone. */
void say_state(const char *state);
