/*
 * worker/reply.c: replies (RFC 959 §4.2), gathered until the turn's end.
 *
 * No line begins with bytes of the client's, and none holds a CR or LF but
 * its end: what a firewall reads as a reply is a reply.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdarg.h>
#include <stdlib.h>

#include "proto/value.h"
#include "worker/worker.h"

#define OUT_LEAST 512

static bool
out_room(struct sess *s, size_t n)
{
	size_t cap = s->out_cap == 0 ? OUT_LEAST : s->out_cap;
	char *grown;

	while (cap < s->out_len + n)
		cap *= 2;
	if (cap == s->out_cap)
		return true;
	if (cap > REPLY_MAX || (grown = realloc(s->out, cap)) == NULL)
		return false;
	s->out = grown;
	s->out_cap = cap;
	return true;
}

void
reply_raw(struct sess *s, struct sv bytes)
{
	if (s->dead)
		return;
	if (!out_room(s, bytes.len)) {
		/* Who lets so much pile up does not read: nothing is owed. */
		s->out_len = 0;
		s->closing = true;
	} else {
		memcpy(s->out + s->out_len, bytes.ptr, bytes.len);
		s->out_len += bytes.len;
	}
	if (s->dirty)
		return;
	s->dirty = true;
	s->next_dirty = s->w->dirty;
	s->w->dirty = s;
}

/* Names may hold a 255, which Telnet wants twice (RFC 854). */
static void
reply_name(struct sess *s, struct sv name)
{
	const char *iac;

	while ((iac = memchr(name.ptr, 0xff, name.len)) != NULL) {
		size_t n = (size_t)(iac - name.ptr) + 1;

		reply_raw(s, (struct sv) { name.ptr, n });
		reply_raw(s, (struct sv) { iac, 1 });
		name = sv_drop(name, n);
	}
	reply_raw(s, name);
}

static void
tell(struct sess *s, int code, const char *text)
{
	if (s->noted != NULL || s->noted_aside != NULL)
		note_answered(s, code, sv_of(text));
}

static void
reply_head(struct sess *s, int code, char mark)
{
	char head[4] = { (char)('0' + code / 100 % 10),
		(char)('0' + code / 10 % 10), (char)('0' + code % 10), mark };

	reply_raw(s, (struct sv) { head, sizeof(head) });
}

void
reply(struct sess *s, int code, const char *text)
{
	reply_head(s, code, ' ');
	reply_raw(s, sv_of(text));
	reply_raw(s, SV("\r\n"));
	tell(s, code, text);
}

void
reply_format(struct sess *s, int code, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	reply(s, code, text);
}

void
reply_named(struct sess *s, int code, struct sv name, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	reply_head(s, code, ' ');
	reply_raw(s, sv_of(text));
	reply_name(s, name);
	reply_raw(s, SV("\r\n"));
}

void
reply_begin(struct sess *s, int code, const char *text)
{
	reply_head(s, code, '-');
	reply_raw(s, sv_of(text));
	reply_raw(s, SV("\r\n"));
}

void
reply_line(struct sess *s, struct sv text)
{
	reply_raw(s, SV(" "));
	reply_name(s, text);
	reply_raw(s, SV("\r\n"));
}

void
reply_quoted(struct sess *s, int code, struct sv path, const char *text)
{
	char quoted[VALUE_QUOTED_MAX(PATH_MAX + 1)];
	size_t n = value_quote(path, quoted, sizeof(quoted));

	reply_head(s, code, ' ');
	reply_name(s, (struct sv) { quoted, n });
	reply_raw(s, SV(" "));
	reply_raw(s, sv_of(text));
	reply_raw(s, SV("\r\n"));
	tell(s, code, text);
}
