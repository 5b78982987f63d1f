/*
 * guard/event.c: JSON lines and xferlog; see the header.
 *
 * Our own emitter, since it is on the hot path of every transfer and its
 * one hard part is the escaping of bytes that are not UTF-8.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "guard/event.h"

#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* EVE's generator and signature numbers; one signature for each kind. */
#define ALERT_GID 1
#define ALERT_SID_BASE 9590000

void
event_sink_init(struct event_sink *s, int fd)
{
	struct stat stat;

	/* No pipe: /dev/null stands where nobody wants them (inherit.h). */
	s->fd = fstat(fd, &stat) == 0 && S_ISFIFO(stat.st_mode) ? fd : -1;
	s->len = 0;
	s->dropped = 0;
	s->waiting = 0;
}

void
event_sink_flush(struct event_sink *s)
{
	if (s->fd < 0 || s->len == 0)
		return;
	/* At most PIPE_BUF bytes: all or nothing (pipe(7)). */
	if (write(s->fd, s->buf, s->len) < 0)
		s->dropped += s->waiting;
	s->len = 0;
	s->waiting = 0;
}

static void
sink_line(struct event_sink *s, const char *line, size_t len)
{
	if (s->len + len > sizeof(s->buf))
		event_sink_flush(s);
	memcpy(s->buf + s->len, line, len);
	s->len += len;
	s->waiting++;
}

static void
put(struct event *e, const char *bytes, size_t n)
{
	if (e->full || e->len + n > sizeof(e->buf)) {
		e->full = true;
		return;
	}
	memcpy(e->buf + e->len, bytes, n);
	e->len += n;
}

static void
put_key(struct event *e, const char *key)
{
	if (e->comma)
		put(e, ",", 1);
	put(e, "\"", 1);
	put(e, key, strlen(key));
	put(e, "\":", 2);
	e->comma = true;
}

/* How many bytes of well-formed UTF-8 stand at the front of v; 0: none. */
static size_t
utf8_length(struct sv v)
{
	const unsigned char *p = (const void *)v.ptr;
	uint32_t code;
	size_t n;

	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		n = 2;
	else if ((p[0] & 0xf0) == 0xe0)
		n = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		n = 4;
	else
		return 0;
	if (v.len < n)
		return 0;
	code = p[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3fu);
	}
	/* Overlong forms, surrogates, beyond Unicode, C1 controls. */
	if ((n == 3 && code < 0x800) || (code >= 0xd800 && code <= 0xdfff) ||
	    (n == 4 && (code < 0x10000 || code > 0x10ffff)) ||
	    (code >= 0x80 && code < 0xa0))
		return 0;
	return n;
}

/* Writes one character (or odd byte) of v escaped; returns bytes read. */
static size_t
escape_one(struct sv v, char out[8], size_t *out_len)
{
	static const char hex[] = "0123456789abcdef";
	unsigned char c = (unsigned char)v.ptr[0];
	size_t n = utf8_length(v);

	if (n == 0) {
		memcpy(out, "\\\\x", 3);
		out[3] = hex[c >> 4];
		out[4] = hex[c & 15];
		*out_len = 5;
		return 1;
	}
	if (c < 0x20 || c == 0x7f) {
		memcpy(out, "\\u00", 4);
		out[4] = hex[c >> 4];
		out[5] = hex[c & 15];
		*out_len = 6;
		return 1;
	}
	if (c == '"' || c == '\\') {
		out[0] = '\\';
		out[1] = (char)c;
		*out_len = 2;
		return 1;
	}
	memcpy(out, v.ptr, n);
	*out_len = n;
	return n;
}

/* In quotes; returns what did not fit. */
static struct sv
put_escaped(struct event *e, struct sv value)
{
	char one[8];
	size_t written = 0, len;

	put(e, "\"", 1);
	while (value.len > 0 && written < EVENT_TEXT_MAX) {
		value = sv_drop(value, escape_one(value, one, &len));
		put(e, one, len);
		written += len;
	}
	put(e, "\"", 1);
	return value;
}

void
event_text(struct event *e, const char *key, struct sv value)
{
	put_key(e, key);
	value = put_escaped(e, value);
	if (value.len > 0) {
		char cut[64];

		snprintf(cut, sizeof(cut), "%s_cut", key);
		event_flag(e, cut, true);
	}
}

void
event_number(struct event *e, const char *key, uint64_t value)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%llu", (unsigned long long)value);

	put_key(e, key);
	put(e, text, (size_t)n);
}

void
event_flag(struct event *e, const char *key, bool value)
{
	put_key(e, key);
	put(e, value ? "true" : "false", value ? 4 : 5);
}

void
event_address(struct event *e, const char *ip_key, const char *port_key,
    const struct addr *a)
{
	char ip[ADDR_TEXT_MAX];

	if (a->family == ADDR_NONE)
		return;
	event_text(e, ip_key, sv_of(addr_format_ip(a, ip)));
	event_number(e, port_key, a->port);
}

void
event_code(struct event *e, const char *key, int code)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "[\"%03d\"]", code % 1000);

	put_key(e, key);
	put(e, text, (size_t)n);
}

void
event_open(struct event *e, const char *key)
{
	put_key(e, key);
	put(e, "{", 1);
	e->comma = false;
}

void
event_close(struct event *e)
{
	put(e, "}", 1);
	e->comma = true;
}

void
event_list(struct event *e, const char *key)
{
	put_key(e, key);
	put(e, "[", 1);
	e->comma = false;
}

void
event_list_end(struct event *e)
{
	put(e, "]", 1);
	e->comma = true;
}

void
event_item(struct event *e, struct sv value)
{
	if (e->comma)
		put(e, ",", 1);
	put_escaped(e, value);
	e->comma = true;
}

void
event_item_open(struct event *e)
{
	put(e, e->comma ? ",{" : "{", e->comma ? 2 : 1);
	e->comma = false;
}

/* "2026-11-24T12:00:00.000000+0000"; always UTC. */
static void
put_timestamp(struct event *e, int64_t at_ns)
{
	time_t seconds = (time_t)(at_ns / 1000000000);
	char text[48], fraction[16];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(fraction, sizeof(fraction), ".%06u+0000",
	    (unsigned)(at_ns / 1000 % 1000000));
	put_key(e, "timestamp");
	put(e, "\"", 1);
	put(e, text, strlen(text));
	put(e, fraction, strlen(fraction));
	put(e, "\"", 1);
}

void
event_begin_at(struct event *e, int64_t at_ns, const char *type,
    const struct event_session *who)
{
	e->len = 0;
	e->comma = false;
	e->full = false;
	put(e, "{", 1);
	put_timestamp(e, at_ns < 0 ? 0 : at_ns);
	event_text(e, "event_type", sv_of(type));
	if (who == NULL)
		return;
	event_number(e, "flow_id", who->flow);
	event_address(e, "src_ip", "src_port", &who->client);
	event_address(e, "dest_ip", "dest_port", &who->server);
	event_text(e, "proto", SV("TCP"));
	if (who->site != NULL)
		event_text(e, "site", sv_of(who->site));
}

void
event_begin(struct event *e, const char *type, const struct event_session *who)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	event_begin_at(e, (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec, type,
	    who);
}

struct sv
event_line(struct event *e)
{
	put(e, "}\n", 2);
	return (struct sv) { e->buf, e->full ? 0 : e->len };
}

void
event_end(struct event *e, struct event_sink *s)
{
	struct sv line = event_line(e);

	if (s->fd < 0)
		return;
	if (line.len == 0)
		s->dropped++;
	else
		sink_line(s, line.ptr, line.len);
}

void
event_session(struct event_sink *s, const struct event_session *who,
    const char *action, const char *reason)
{
	struct event e;

	if (!event_wanted(s))
		return;
	event_begin(&e, "ftp", who);
	event_open(&e, "ftp");
	event_text(&e, "action", sv_of(action));
	event_text(&e, "reason", sv_of(reason));
	event_close(&e);
	event_end(&e, s);
}

void
event_alert(struct event_sink *s, const struct event_session *who,
    enum bounce_kind kind, const struct addr *asked, const char *action,
    struct sv command)
{
	struct event e;

	if (!event_wanted(s))
		return;
	event_begin(&e, "alert", who);
	event_open(&e, "alert");
	event_text(&e, "action", sv_of(action));
	event_number(&e, "gid", ALERT_GID);
	event_number(&e, "signature_id", ALERT_SID_BASE + (uint64_t)kind);
	event_number(&e, "rev", 1);
	event_text(&e, "signature", sv_of(bounce_kind_signature(kind)));
	event_text(&e, "category", SV("Attempted Information Leak"));
	event_number(&e, "severity", (uint64_t)bounce_kind_severity(kind));
	event_close(&e);
	event_open(&e, "ftp_bounce");
	event_text(&e, "variant", sv_of(bounce_kind_name(kind)));
	event_text(&e, "stage", SV("attempt"));
	event_address(&e, "asked_ip", "asked_port", asked);
	if (command.len > 0)
		event_text(&e, "command_data", command);
	event_close(&e);
	event_end(&e, s);
}

void
event_transfer(struct event_sink *s, const struct event_session *who,
    const struct event_transfer *t)
{
	struct event e;

	if (!event_wanted(s))
		return;
	event_begin(&e, "ftp_data", who);
	event_open(&e, "ftp_data");
	event_text(&e, "command", t->verb);
	event_text(&e, "filename", t->path);
	if (t->named)
		event_text(&e, "user", t->user);
	event_number(&e, "bytes", t->bytes);
	event_number(&e, "duration_ms", t->duration_ms);
	event_number(&e, "offset", t->offset);
	event_text(&e, "mode", t->active ? SV("active") : SV("passive"));
	event_flag(&e, "tls", t->tls);
	if (t->tls)
		event_flag(&e, "tls_resumed", t->resumed);
	event_text(&e, "result", sv_of(t->result));
	event_code(&e, "completion_code", t->code);
	event_close(&e);
	event_end(&e, s);
}

/* xferlog's fields are separated by blanks: odd bytes become "_". */
static size_t
put_field(char *out, size_t room, struct sv text)
{
	size_t n = 0;

	while (text.len > 0) {
		size_t good = utf8_length(text);
		unsigned char c = (unsigned char)text.ptr[0];

		if (n + (good > 0 ? good : 1) > room)
			break;
		if (good == 0 || c <= ' ' || c == 0x7f)
			out[n++] = '_';
		else
			memcpy(out + n, text.ptr, good);
		n += good > 0 && c > ' ' && c != 0x7f ? good : 0;
		text = sv_drop(text, good > 0 ? good : 1);
	}
	return n;
}

void
event_xferlog(struct event_sink *s, const struct event_session *who,
    const struct event_transfer *t)
{
	char line[EVENT_MAX], ip[ADDR_TEXT_MAX];
	time_t now = time(NULL);
	struct tm tm;
	size_t n;

	uint64_t seconds = (t->duration_ms + 500) / 1000;

	if (!event_wanted(s))
		return;
	localtime_r(&now, &tm);
	n = strftime(line, sizeof(line), "%a %b %e %H:%M:%S %Y", &tm);
	n += (size_t)snprintf(line + n, sizeof(line) - n, " %llu %s %llu ",
	    (unsigned long long)(seconds > 0 ? seconds : 1),
	    addr_format_ip(&who->client, ip), (unsigned long long)t->bytes);
	/* As in a URL: no virtual path begins with two slashes. */
	if (who->site != NULL)
		n += (size_t)snprintf(line + n, sizeof(line) - n, "//%.255s",
		    who->site);
	n += put_field(line + n, EVENT_MAX / 2, t->path);
	n += (size_t)snprintf(line + n, sizeof(line) - n, " %c _ %c %c ",
	    t->ascii ? 'a' : 'b', t->incoming ? 'i' : 'o',
	    t->named ? 'r' : 'a');
	n += put_field(line + n, 256, t->user.len > 0 ? t->user : SV("?"));
	n += (size_t)snprintf(line + n, sizeof(line) - n, " ftp 0 * %c\n",
	    t->complete ? 'c' : 'i');
	sink_line(s, line, n);
}
