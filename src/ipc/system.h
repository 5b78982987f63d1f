/*
 * ipc/system.h: what the keeper asks portcullis-pam, and what it is told: one
 * packet each, of fixed size, over a SOCK_SEQPACKET pair of their own.
 *
 * At most SYSTEM_JOBS_MAX questions (keeper.jobs of them) are open; answers
 * come in any order, and bear their question's number.  One that is malformed
 * ends the channel.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdint.h>

#include "base/addr.h"
#include "ipc/keeper.h"

#define SYSTEM_VERSION 1
#define SYSTEM_JOBS_MAX 64	/* the most that keeper.jobs can be */

/*
 * user_len 0: PAM is asked about somebody who does not exist, with a password
 * that is none, so that it takes as long.  The answer is NO, or BROKEN.
 */
struct system_question {
	uint8_t version;
	uint8_t reserved;
	uint16_t user_len, password_len;
	uint16_t reserved2;
	uint32_t seq;
	struct addr peer;		/* as the gate told the keeper */
	char user[KEEPER_USER_MAX];	/* no NUL is needed behind them */
	char password[KEEPER_PASSWORD_MAX + 1];
};

_Static_assert(sizeof(struct system_question) == 608, "one size");

enum system_verdict {
	SYSTEM_NONE = 0,
	SYSTEM_YES,	/* rule: which of accounts.pam_rule is his */
	SYSTEM_NO,	/* whatever the reason is */
	SYSTEM_BROKEN,	/* no answer: a module hung, died or lacks a thing */
	SYSTEM_VERDICT_COUNT
};

struct system_answer {
	uint8_t version;
	uint8_t verdict;	/* enum system_verdict */
	uint8_t rule;		/* with YES; from 0 */
	uint8_t reserved;
	uint32_t seq;
};

_Static_assert(sizeof(struct system_answer) == 8, "one size");
