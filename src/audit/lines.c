/*
 * audit/lines.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "audit/lines.h"

#include "proto/telnet.h"

/* The same reading as the sensor's, and the same verdict. */
static bool
read_line(const struct link *l, struct sv line, struct named *out)
{
	char room[LENIENT_LINE_MAX];
	const struct bounce_question who = { .peer = l->here,
		.local = l->ask->audit->place.server };
	enum ftp_verb verb;
	struct sv arg;
	bool strict = command_parse(line, &verb, &arg) == FTP_OK;

	if (!strict && !named_is_asked(verb) &&
	    !lenient_command(line, room, &verb, &arg))
		return false;
	if (!named_is_asked(verb))
		return false;
	*out = named_judge(verb, arg, strict, &who);
	return true;
}

void
lines_named(const struct link *l, struct sv raw,
    void (*found)(void *arg, struct sv line, const struct named *named),
    void *arg)
{
	char buf[LENIENT_LINE_MAX];
	struct named named;
	struct telnet t;

	telnet_init(&t, buf, sizeof(buf));
	for (;;)
		switch (telnet_feed(&t, &raw)) {
		case TELNET_MORE:
			return;
		case TELNET_LINE:
			if (read_line(l, telnet_line(&t), &named))
				found(arg, telnet_line(&t), &named);
			break;
		case TELNET_OVERLONG:
		case TELNET_OPTION:
			break;
		}
}
