/*
 * guard/event.h: what happened, as JSON lines with the field names of EVE,
 * and as xferlog lines.
 *
 * A process writes into a pipe whose reader (the warden) copies it to the
 * file, so that no loop ever waits for a disk.  A pipe that is full loses
 * lines, whole ones, and counts them.
 *
 * Text from the network is escaped here: every byte below 0x20 and 0x7f as
 * \u00XX, every byte that is not UTF-8 as the four characters \xNN.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/addr.h"
#include "base/sv.h"
#include "policy/kinds.h"

/* A line is never longer: what a pipe takes whole (PIPE_BUF). */
#define EVENT_MAX 4096

/* A text is cut to so many bytes of output, and marked. */
#define EVENT_TEXT_MAX 1536

struct event_sink {
	int fd;			/* -1: nobody wants them */
	size_t len;
	uint64_t dropped;	/* lines lost because the reader was slow */
	uint64_t waiting;	/* lines in buf */
	char buf[EVENT_MAX];
};

struct event {
	size_t len;
	bool comma;		/* the next field needs one */
	bool full;		/* did not fit; is not written */
	char buf[EVENT_MAX];
};

/* Whose event it is: the client of the control connection and our end. */
struct event_session {
	struct addr client;
	struct addr server;
	uint64_t flow;
	const char *site;	/* chosen by HOST; NULL: none was */
};

/* fd is a pipe; anything else takes no lines, and costs nothing. */
void event_sink_init(struct event_sink *s, int fd);
void event_sink_flush(struct event_sink *s);

static inline bool
event_wanted(const struct event_sink *s)
{
	return s->fd >= 0;
}

/* Opens a line with the fields that every event has. */
void event_begin(struct event *e, const char *type,
    const struct event_session *who);
/* The same for what happened then, in nanoseconds since 1970. */
void event_begin_at(struct event *e, int64_t at_ns, const char *type,
    const struct event_session *who);

void event_text(struct event *e, const char *key, struct sv value);
void event_number(struct event *e, const char *key, uint64_t value);
void event_flag(struct event *e, const char *key, bool value);
void event_address(struct event *e, const char *ip_key, const char *port_key,
    const struct addr *a);
void event_open(struct event *e, const char *key);
/* A list: event_list, event_item..., event_list_end. */
void event_list(struct event *e, const char *key);
void event_list_end(struct event *e);
/* In a list: a text, or an object of the caller's (then event_close). */
void event_item(struct event *e, struct sv value);
void event_item_open(struct event *e);
void event_close(struct event *e);

/* A reply code, as EVE has it: a list of strings. */
void event_code(struct event *e, const char *key, int code);

/*
 * Ends the line, and gives it, LF included; empty when it was too long.
 * Valid as long as e is.
 */
struct sv event_line(struct event *e);
/* Ends the line and hands it on. */
void event_end(struct event *e, struct event_sink *s);

/* Of a session, by who has no more to say of it; reason is of our words. */
void event_session(struct event_sink *s, const struct event_session *who,
    const char *action, const char *reason);

/*
 * An abuse alert, whole: alert{} and ftp_bounce{}.
 *
 * asked    the address that was named, or the stranger's; ADDR_NONE if none
 * command  the line's verb and argument; empty for none
 */
void event_alert(struct event_sink *s, const struct event_session *who,
    enum bounce_kind kind, const struct addr *asked, const char *action,
    struct sv command);

/*
 * One line of xferlog, as wu-ftpd defined it and statistics tools read it.
 */
struct event_transfer {
	struct sv verb;
	struct sv path;
	struct sv user;		/* what an anonymous user gave as password */
	bool named;		/* it is an account instead */
	bool incoming;		/* from the client */
	uint64_t bytes;
	uint64_t duration_ms;
	uint64_t offset;
	bool active;
	bool tls;
	bool resumed;		/* of TLS: the control connection's session */
	bool ascii;
	bool complete;
	const char *result;	/* "complete", "aborted", ... */
	int code;
};

void event_transfer(struct event_sink *s, const struct event_session *who,
    const struct event_transfer *t);
void event_xferlog(struct event_sink *s, const struct event_session *who,
    const struct event_transfer *t);
