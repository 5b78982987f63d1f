/*
 * keeper/keeper.h: the process that judges passwords.  One loop, and a few
 * threads for the hashes.
 *
 * A request goes: asked -> waiting (for who has failed lately) -> queued (for
 * keeper.jobs) -> hashing -> (asking PAM ->) held -> answered.  A refusal is
 * held until a whole second after its wait, so that its time says nothing
 * about the work: not whether the name exists, nor what kind of hash it has,
 * nor how many others ask.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "accounts/file.h"
#include "accounts/penalty.h"
#include "accounts/secret.h"
#include "accounts/system.h"
#include "base/loop.h"
#include "base/pool.h"
#include "conf/conf.h"
#include "ipc/channel.h"
#include "ipc/keeper.h"
#include "ipc/system.h"

/* Refusals come at whole multiples of it. */
#define KEEPER_SLOT_MS 1000

enum client_state {
	CLIENT_IDLE,
	CLIENT_WAITING,		/* until due_ms, then it is judged */
	CLIENT_QUEUED,		/* until a thread is free */
	CLIENT_HASHING,		/* on a thread */
	CLIENT_ASKING,		/* portcullis-pam has the question */
	CLIENT_HELD,		/* until due_ms, then it is told */
	CLIENT_LOGGED_IN,	/* asks no more; its account is in use */
};

struct keeper;

/* One worker's channel. */
struct client {
	struct client *next, **link;	/* in keeper's list */
	struct client *next_queued;
	struct keeper *keeper;
	struct loop_watch watch;
	struct loop_timer timer;
	struct loop_grave grave;
	struct pool_job job;
	uint32_t number;		/* the warden's, for its worker */
	enum client_state state;
	bool gone;			/* freed when its hash is done */
	bool has_peer;
	struct addr peer;
	unsigned tries;			/* refused */
	unsigned shown;			/* certificates without a password */
	struct keeper_request request;	/* the password: wiped when used */
	struct penalty_try try;
	uint64_t begun_ms, due_ms;
	enum keeper_verdict verdict;	/* while it is held */
	/* What the thread works on, and what it found. */
	char hash[ACCOUNTS_HASH_MAX + 1];
	bool is_real;			/* the hash is the account's own */
	bool matches;
	unsigned rule;			/* of accounts.pam_rule, from 1 */
};

/* A question to portcullis-pam. */
struct system_slot {
	struct keeper *keeper;
	struct client *client;	/* NULL: it has gone */
	struct penalty_try try;	/* its, also when it has gone */
	struct loop_timer timer;
	uint32_t seq;
	bool busy;
};

struct keeper {
	struct conf conf;
	struct loop loop;
	struct pool *pool;
	struct penalty *penalty;
	struct accounts accounts;
	char usual[ACCOUNTS_HASH_MAX + 1];	/* worked at for no account */
	struct ipc_channel warden, gate;
	struct loop_watch warden_watch, gate_watch;
	struct client *clients;
	size_t client_count;
	struct client *queue, **queue_end;
	unsigned hashing;		/* or asking */
	struct loop_watch system;	/* its channel; fd -1: none now */
	struct system_slot slot[SYSTEM_JOBS_MAX];
	uint32_t system_seq;
	uint64_t boot;
	uint64_t skipped_ms;	/* by tests */
	bool may_skip;
};

/* ---- main.c */

/* The loop's clock, and what tests have added to it. */
uint64_t keeper_now(const struct keeper *k);

/* ---- orders.c: the warden and the gate */

void orders_start(struct keeper *k);

/* Reads what the gate has said until now. */
void orders_hear_gate(struct keeper *k);

/* The account file; false, and the old one stays: it said why. */
bool orders_load(struct keeper *k, int fd);

/* ---- doubt.c: before anybody tries */

/* A line for each account that this configuration lets nobody use. */
void doubt_accounts(const struct keeper *k);

/* Before the walls.  False: it said why no quota can be counted. */
bool doubt_quota(const struct keeper *k);

/* ---- client.c: channels to workers */

void client_add(struct keeper *k, uint32_t number, int fd);
struct client *client_find(struct keeper *k, uint32_t number);

/*
 * Closes it.  While a thread has its job, it only leaves the list; who gets
 * the job back calls again.
 */
void client_end(struct client *c);

/* Its request is at an end, now.  quota_fd: of its page; or -1. */
void client_answer(struct client *c, enum keeper_verdict verdict,
    const struct accounts_entry *account, int root_fd, int quota_fd);

/* After a change of the clock. */
void client_check_all(struct keeper *k);

/* due_ms has a new value: judge_due is called then. */
void client_wait(struct client *c, enum client_state state, uint64_t due_ms);

/* ---- judge.c: what becomes of a request */

void judge_start(struct keeper *k);

/* It leaves while it is queued. */
void judge_forget(struct client *c);

void judge_begin(struct client *c);
void judge_due(struct client *c);

/* What PAM has found; c: who asked, or NULL if it has gone.  rule: from 0. */
void judge_told(struct keeper *k, struct client *c,
    enum system_verdict verdict, unsigned rule);

/* ---- system.c: accounts of the system, where accounts.pam is set */

void system_start(struct keeper *k);

/* portcullis-pam is at the other end; of an earlier one nobody waits more. */
void system_take(struct keeper *k, int fd);

/*
 * Asks: about its name and password, or, when it is not `named`, about
 * nobody.  judge_told is called later.  False: there is nobody to be asked.
 */
MUST_USE bool system_ask(struct client *c, bool named);

/* It does not wait for an answer any more. */
void system_forget(const struct client *c);

/* The account that its name has by a rule, from 0; false: it said why. */
MUST_USE bool system_account(const struct client *c, unsigned rule,
    struct accounts_made *out);
