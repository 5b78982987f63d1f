/*
 * audit/ask.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "audit/ask.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/random.h>

#include "audit/sock.h"

const char *
ask_printable(struct sv text, char *buf, size_t size)
{
	static const char hex[] = "0123456789abcdef";
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (n + 8 > size) {	/* "\xNN", "..." and NUL */
			memcpy(buf + n, "...", 3);
			n += 3;
			break;
		}
		if (c >= ' ' && c <= '~') {
			buf[n++] = (char)c;
			continue;
		}
		memcpy(buf + n, "\\x", 2);
		buf[n + 2] = hex[c >> 4];
		buf[n + 3] = hex[c & 15];
		n += 4;
	}
	buf[n] = '\0';
	return buf;
}

void
ask_answer(struct ask *q, enum verdict verdict, const char *format, ...)
{
	char text[ASK_EVIDENCE];
	va_list args;
	int n;

	if (q->answered)
		return;
	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n < 0)
		n = 0;
	if ((size_t)n >= sizeof(text))
		n = sizeof(text) - 1;
	ask_printable((struct sv) { text, (size_t)n }, q->evidence,
	    sizeof(q->evidence));
	q->verdict = verdict;
	q->answered = true;
}

unsigned
ask_made_up(void)
{
	unsigned n;

	if (getrandom(&n, sizeof(n), 0) != (ssize_t)sizeof(n))
		n = (unsigned)sock_now_ms();
	return n;
}

static json_t *
moment(const struct ask *q)
{
	return json_integer((json_int_t)(sock_now_ms() -
	    q->audit->started_ms));
}

void
ask_event(struct ask *q, const char *format, ...)
{
	char text[ASK_EVIDENCE], safe[ASK_EVIDENCE];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	ask_printable(sv_of(text), safe, sizeof(safe));
	json_array_append_new(q->exchange, json_pack("{s:o, s:s}", "at_ms",
	    moment(q), "event", safe));
}

void
audit_stop(struct audit *a, const char *format, ...)
{
	char text[ASK_EVIDENCE];
	va_list args;

	if (a->stopped[0] != '\0')
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	ask_printable(sv_of(text), a->stopped, sizeof(a->stopped));
}

bool
audit_is_late(struct audit *a)
{
	if (sock_now_ms() < a->deadline_ms)
		return false;
	audit_stop(a, "the time for this server is over (--max-time, %u s)",
	    a->options->max_time_s);
	return true;
}

bool
ask_may_send(struct ask *q)
{
	struct audit *a = q->audit;

	if (q->commands == ASK_COMMANDS || audit_is_late(a))
		return false;
	q->commands++;
	sock_sleep_until(a->may_send_ms);
	a->may_send_ms = sock_now_ms() + 1000 / a->options->rate;
	return true;
}
