/*
 * audit/rule.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "audit/rule.h"

#include "audit/lines.h"

struct look {
	struct link *l;
	bool allowed;
};

/* Nobody can be connected to at port 0. */
static bool
may_name(const struct link *l, const struct addr *a)
{
	return a->port == 0 || place_owns(&l->ask->audit->place, a) ||
	    (l->reply_only.family != ADDR_NONE &&
	    addr_same_ip(&l->reply_only, a));
}

static void
look_at(void *arg, struct sv line, const struct named *named)
{
	struct look *look = arg;
	char ip[ADDR_TEXT_MAX];

	(void)line;
	for (size_t i = 0; i < named->n && look->allowed; i++) {
		if (may_name(look->l, &named->reading[i]))
			continue;
		ask_event(look->l->ask, "not sent: a server may read %s in "
		    "it, which is not ours",
		    addr_format_ip(&named->reading[i], ip));
		look->allowed = false;
	}
}

bool
rule_allows(struct link *l, struct sv raw)
{
	struct look look = { l, true };

	lines_named(l, raw, look_at, &look);
	return look.allowed;
}
