/*
 * worker/text.c: what an archive has to say: welcome, goodbye, contact, a
 * directory's message.
 *
 * Each line stands behind a blank and holds nothing but what can be shown: a
 * directory's message may come from an uploader, and a firewall that looks for
 * "227 " at the start of a line must not find his.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "worker/worker.h"

#define TOLD_MAX 64	/* messages that a session is known to have seen */

/*
 * Which those are: the latest, as hashes of paths.  Who finds two paths of
 * one hash misses a message of his own.
 */
struct told {
	unsigned count;
	uint64_t path[TOLD_MAX];
};

/* A text that goes on beyond TEXT_MAX, cut behind its last whole line. */
static struct sv
whole_lines(struct sv text)
{
	const char *end = memrchr(text.ptr, '\n', TEXT_MAX);

	text.len = end != NULL ? (size_t)(end - text.ptr) + 1 : TEXT_MAX;
	return text;
}

static void
reply_text(struct sess *s, struct sv text)
{
	char shown[TEXT_SHOWN_MAX(TEXT_MAX)];
	bool cut = text.len > TEXT_MAX;
	struct sv line;

	if (cut)
		text = whole_lines(text);
	for (unsigned n = 0; n < TEXT_LINES && text_take_line(&text, &line);
	     n++)
		reply_line(s, (struct sv) { shown,
		    text_show(line, shown, sizeof(shown)) });
	if (cut || text.len > 0)
		reply_line(s, SV("(The rest of this text is left out.)"));
}

static struct sv
text_of(const struct conf_file *f)
{
	return (struct sv) { f->bytes, f->len };
}

static const char *
contact_line(const struct sess *s, char line[CONF_TEXT_MAX + 16])
{
	snprintf(line, CONF_TEXT_MAX + 16, "Contact: %s",
	    s->w->conf.contact);
	return line;
}

void
text_welcome(struct sess *s, int code)
{
	const struct board_content *b = board_look(&s->w->board);
	const struct conf *c = &s->w->conf;
	bool announced = b->downtime == BOARD_ANNOUNCED;
	char line[CONF_TEXT_MAX + 16];

	if (c->welcome.len > 0 || announced || c->contact[0] != '\0')
		reply_begin(s, code, "Welcome.");
	reply_text(s, text_of(&c->welcome));
	if (announced)
		reply_raw(s, (struct sv) { b->text, b->text_len });
	if (c->contact[0] != '\0')
		reply_line(s, sv_of(contact_line(s, line)));
	reply(s, code, rights_write(s) ? "Logged in." :
	    "Logged in, read-only.");
}

void
text_goodbye(struct sess *s)
{
	const struct conf_file *f = &s->w->conf.goodbye;

	if (f->len > 0)
		reply_begin(s, 221, "Goodbye.");
	reply_text(s, text_of(f));
	reply(s, 221, "Goodbye.");
}

void
text_end(struct sess *s, int code, const char *text)
{
	char line[CONF_TEXT_MAX + 16];

	if (s->w->conf.contact[0] == '\0')
		reply(s, code, text);
	else
		reply_format(s, code, "%s %s", text, contact_line(s, line));
}

bool
text_refuses(struct sess *s)
{
	const struct board_content *b = board_look(&s->w->board);

	if (b->downtime != BOARD_DOWN)
		return false;
	reply_raw(s, (struct sv) { b->text, b->text_len });
	s->closing = true;
	sess_clock_restart(s);
	return true;
}

bool
text_is_due(const struct sess *s, struct sv dir)
{
	uint64_t h;

	if (s->w->conf.message[0] == '\0')
		return false;
	h = sv_hash(dir);
	for (unsigned i = 0; s->told != NULL && i < TOLD_MAX; i++)
		if (i < s->told->count && s->told->path[i] == h)
			return false;
	return true;
}

void
text_message(struct sess *s, struct sv dir, struct sv text)
{
	if (s->told == NULL &&
	    (s->told = calloc(1, sizeof(*s->told))) == NULL)
		return;	/* it cannot be said only once */
	s->told->path[s->told->count++ % TOLD_MAX] = sv_hash(dir);
	reply_begin(s, 250, "Directory changed.");
	reply_text(s, text);
}
