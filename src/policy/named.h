/*
 * policy/named.h: what the argument of PORT, EPRT or LPRT names, and what to
 * think of it, for who acts on it and for who only watches: both say the same
 * of the same bytes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "policy/bounce.h"
#include "proto/command.h"
#include "proto/lenient.h"

struct named {
	struct addr reading[LENIENT_READINGS];
	size_t n;
	bool strict;		/* reading[0] is what the grammar says */
	enum bounce_kind kind;
	struct addr asked;	/* the reading that kind is about; or none */
};

/*
 * verb    V_PORT, V_EPRT or V_LPRT
 * strict  the command stood in its line as it should
 * who     asked is not looked at
 *
 * kind is bounce_judge's when the grammar takes the argument as it stands.
 * Else it is KIND_evasion when a careless server may connect somewhere else
 * than to the client, and KIND_malformed when none would.
 */
struct named named_judge(enum ftp_verb verb, struct sv arg, bool strict,
    const struct bounce_question *who);

/* The verb is one of the three. */
bool named_is_asked(enum ftp_verb verb);
