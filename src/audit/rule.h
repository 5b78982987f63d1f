/*
 * audit/rule.h: the ground rule, in one place: the auditor names only addresses
 * that it owns.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "audit/link.h"

/*
 * Whether raw may be sent: each address that any known reading of it names
 * (proto/lenient.h) is ours, or is l->reply_only.  False: the transcript says
 * which one is not.
 */
MUST_USE bool rule_allows(struct link *l, struct sv raw);
