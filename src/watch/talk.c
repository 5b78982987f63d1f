/*
 * watch/talk.c: what is kept of a control connection while a command is on
 * its way, or its answer.  Most connections are silent most of the time, and
 * then have none of it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "watch/watch.h"

#include <string.h>

struct talk *
talk_begin(struct watch *w, struct control *c)
{
	if (c->talk != NULL)
		return c->talk;
	if ((c->talk = blocks_get(&w->talks)) == NULL) {
		w->counters.no_room++;
		return NULL;
	}
	memset(c->talk, 0, offsetof(struct talk, pending));
	return c->talk;
}

void
talk_rest(struct watch *w, struct control *c)
{
	const struct talk *t = c->talk;

	if (t != NULL && t->pending_count == 0 && t->history_len == 0 &&
	    !t->doubt.set)
		talk_end(w, c);
}

void
talk_end(struct watch *w, struct control *c)
{
	blocks_put(&w->talks, c->talk);
	c->talk = NULL;
}
