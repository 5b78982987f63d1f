/*
 * explain/judge.h: the policy's verdict on a reading, in plain words.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "explain/reading.h"
#include "policy/kinds.h"

enum verdict_outcome {
	VERDICT_PERMITTED,
	VERDICT_REFUSED,
	VERDICT_DEPENDS, /* on a peer or a server that was not named */
};

struct verdict {
	enum verdict_outcome outcome;
	enum bounce_kind kind;
	int reply;	    /* the server's; 0 where it gives none */
	const char *reason; /* a sentence; a constant */
};

/*
 * The verdict on a text that is well-formed.
 *
 * peer    the client of the control connection, ADDR_NONE when not known
 * server  its server, likewise
 */
struct verdict judge(const struct reading *r, const struct addr *peer,
    const struct addr *server);

/* The server's answer to a text that is not; 0 to what is no command. */
int judge_malformed(const struct reading *r);
