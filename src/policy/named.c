/*
 * policy/named.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "policy/named.h"

static enum hostport_form
form_of(enum ftp_verb verb)
{
	switch ((int)verb) {
	case V_EPRT:
		return HOSTPORT_EPRT;
	case V_LPRT:
		return HOSTPORT_LPRT;
	default:
		return HOSTPORT_PORT;
	}
}

bool
named_is_asked(enum ftp_verb verb)
{
	return verb == V_PORT || verb == V_EPRT || verb == V_LPRT;
}

static enum bounce_kind
judge_one(const struct bounce_question *who, const struct addr *asked)
{
	struct bounce_question q = *who;

	q.asked = *asked;
	return bounce_judge(&q);
}

/* The reading that a server would rather act on than on the others. */
static bool
is_likelier(enum bounce_kind than, enum bounce_kind kind)
{
	if (than == KIND_none || than == KIND_malformed)
		return kind != KIND_none && kind != KIND_malformed;
	return than == KIND_invalid_target && kind != KIND_none;
}

static void
judge_readings(struct named *m, const struct bounce_question *who)
{
	enum bounce_kind best = KIND_none;

	for (size_t i = 0; i < m->n; i++) {
		enum bounce_kind kind = judge_one(who, &m->reading[i]);

		if (!is_likelier(best, kind))
			continue;
		best = kind;
		m->kind = KIND_evasion;
		m->asked = m->reading[i];
	}
}

struct named
named_judge(enum ftp_verb verb, struct sv arg, bool strict,
    const struct bounce_question *who)
{
	struct named m = { .kind = KIND_malformed };
	struct addr first;

	m.n = lenient_addresses(form_of(verb), arg, m.reading);
	if (m.n > 0)
		m.asked = m.reading[0];
	m.strict = strict && hostport_parse_form(form_of(verb), arg, &first,
	    NULL) == FTP_OK;
	if (m.strict)
		m.kind = judge_one(who, &m.asked);
	else
		judge_readings(&m, who);
	return m;
}
