/*
 * ipc/keeper.h: what a worker with one session asks the keeper, and what it
 * is told: one packet each, of fixed size, over a SOCK_SEQPACKET pair of
 * their own.
 *
 * A worker sends a request and waits; a second one before the answer, or one
 * after YES, ends the channel, and so does anything malformed.  It is judged
 * at most KEEPER_TRIES times.  It keeps the channel open for as long as its
 * session lasts: an account's `sessions` are counted by them.
 *
 * Whose certificate the client has, it says itself: it has made the handshake.
 * Before the password it asks once whether that is enough (KEEPER_CERTIFICATE_
 * ALONE); at most KEEPER_TRIES times, for as many names.
 *
 * Who its client is, the keeper knows from the gate, which tells it
 * (ipc/msg.h, PEER) before it gives the worker its session.
 *
 * Warden and gate speak to the keeper as to others, by ipc/channel.h:
 *
 *   ATTACH  warden: a worker's channel comes along, and its number; with
 *           KEEPER_GATE for a number it is that of a gate (a new one)
 *           (KEEPER_SYSTEM: that of portcullis-pam, ipc/system.h)
 *   RELOAD  warden: the account file comes along, open to be read; answered
 *           by RELOAD, worker = 1 when it was taken, 0 when the old one
 *           stays.  Lines about what is wrong in it are on standard error
 *   STOP    warden: exit
 *   READY   keeper: the file is read, the walls stand
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEEPER_VERSION 3
#define KEEPER_GATE UINT32_MAX
#define KEEPER_SYSTEM (UINT32_MAX - 1)
#define KEEPER_TRIES 5

#define KEEPER_USER_MAX 64
#define KEEPER_PASSWORD_MAX 511

/*
 * A longer name or password than there is room for is never right, and yet
 * worked at: the worker sends what fits and this for its length.
 */
#define KEEPER_TOO_LONG UINT16_MAX

enum keeper_request_flags {
	KEEPER_UNDER_TLS = 1 << 0,	/* the control connection is */
	KEEPER_HAS_CERTIFICATE = 1 << 1, /* the client has, and it is good */
	KEEPER_CERTIFICATE_ALONE = 1 << 2, /* and there is no password */
};

struct keeper_request {
	uint8_t version;
	uint8_t flags;
	uint16_t user_len, password_len;
	uint16_t common_name_len;	/* of the certificate; 0: none */
	uint32_t seq;			/* comes back in the answer */
	char user[KEEPER_USER_MAX];	/* no NUL is needed behind them */
	char password[KEEPER_PASSWORD_MAX + 1];
	uint8_t sha256[32];		/* of the certificate */
	char common_name[KEEPER_USER_MAX];
};

_Static_assert(sizeof(struct keeper_request) == 684, "one size");

/* What was received is a request; as sign_question_is_sound. */
bool keeper_request_is_sound(const struct keeper_request *r, size_t len);

enum keeper_verdict {
	KEEPER_NONE = 0,
	KEEPER_YES,	/* the account's root directory comes along, and behind
			   it, with has_quota, its page (storage/quota.h) */
	KEEPER_NO,	/* 530, whatever the reason is */
	KEEPER_LAST,	/* the same, and no more tries: 421 */
	KEEPER_SHUT,	/* not looked at: his network has to wait: 421 */
	KEEPER_BUSY,	/* right, but as many sessions as it may have: 421 */
	KEEPER_BROKEN,	/* right, but its directory is not there: 530 */
	KEEPER_PASSWORD,/* the certificate alone is not enough: 331 */
	KEEPER_VERDICT_COUNT
};

/* By what somebody is who he says. */
enum keeper_method {
	KEEPER_BY_PASSWORD,
	KEEPER_BY_CERTIFICATE,
	KEEPER_BY_BOTH,
};

/* What an account may, with YES; 0 is no limit. */
struct keeper_answer {
	uint8_t version;
	uint8_t verdict;	/* enum keeper_verdict */
	uint8_t drop_box;	/* 1: what it stores, it does not see again */
	uint8_t has_quota;
	uint32_t seq;
	uint32_t rights;	/* set of enum accounts_right */
	uint32_t tls;		/* enum accounts_tls */
	uint64_t quota_bytes, quota_files;
	uint64_t rate;		/* bytes a second, of the session */
	uint64_t boot;		/* another number after each boot: its page's */
	uint8_t method;		/* enum keeper_method */
	uint8_t reserved[7];
};

_Static_assert(sizeof(struct keeper_answer) == 56, "one size");
