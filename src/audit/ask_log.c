/*
 * audit/ask_log.c: T20: what the server's administrator can read of an attempt:
 * in a log file, or in what it tells syslog.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include "audit/dial.h"

#define TEXT_MAX (4u << 20)	/* bytes of the log that are looked at */
#define WAIT_MS 3000		/* for it to be written */

/* Where it is told: a file that grows, or a socket that we are syslog on. */
struct log {
	FILE *file;		/* NULL: none */
	long from;		/* where it ended before */
	int fd;			/* -1: none */
	char *text;		/* TEXT_MAX: what was told since */
	size_t len;
};

static bool
open_file(struct log *g, const char *name)
{
	g->file = fopen(name, "re");
	if (g->file == NULL || fseek(g->file, 0, SEEK_END) != 0)
		return false;
	g->from = ftell(g->file);
	return g->from >= 0;
}

/* Nobody else's socket is taken: bind fails where a name is. */
static bool
open_syslog(struct log *g, const char *name)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	if (strlen(name) >= sizeof(at.sun_path)) {
		errno = ENAMETOOLONG;
		return false;
	}
	memcpy(at.sun_path, name, strlen(name));
	g->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (g->fd < 0)
		return false;
	if (bind(g->fd, (struct sockaddr *)&at, sizeof(at)) == 0)
		return true;
	close(g->fd);
	g->fd = -1;
	return false;
}

static void
close_log(struct log *g, const char *syslog)
{
	if (g->file != NULL)
		fclose(g->file);
	if (g->fd >= 0) {
		close(g->fd);
		unlink(syslog);
	}
	free(g->text);
}

/* What was told since the beginning; NULs become blanks. */
static void
read_more(struct log *g)
{
	size_t begun = g->len, room = TEXT_MAX - 1 - g->len;
	ssize_t n;

	if (g->file != NULL && fseek(g->file, g->from + (long)g->len,
	    SEEK_SET) == 0) {
		g->len += fread(g->text + g->len, 1, room, g->file);
		clearerr(g->file);
	}
	while (g->fd >= 0 && room > 0 && (n = recv(g->fd, g->text + g->len,
	    room, 0)) > 0) {
		g->len += (size_t)n;
		room -= (size_t)n;
	}
	for (size_t i = begun; i < g->len; i++)
		if (g->text[i] == '\0')
			g->text[i] = ' ';
	g->text[g->len] = '\0';
}

/* As the log may write it: with dots, or as PORT's argument. */
static bool
tells(const struct log *g, const struct addr *a)
{
	char ip[ADDR_TEXT_MAX];

	addr_format_ip(a, ip);
	if (strstr(g->text, ip) != NULL)
		return true;
	for (char *p = ip; *p != '\0'; p++)
		if (*p == '.')
			*p = ',';
	return a->family == ADDR_V4 && strstr(g->text, ip) != NULL;
}

/* The attempt of bounce, once more. */
static bool
attempt(struct ask *q)
{
	char line[DIAL_LINE_MAX];
	struct link *l = link_login(q);
	struct dial d;

	if (l == NULL)
		return false;
	if (dial_open(&d, q, &q->audit->place.other)) {
		dial_name(&d, l, dial_any(l, &d.at[0].at, line));
		dial_close(&d);
	}
	link_close(l);
	return !q->answered;
}

static void
look_for(struct ask *q, struct log *g)
{
	const struct place *p = &q->audit->place;
	uint64_t deadline = sock_now_ms() + WAIT_MS;
	bool client, asked;

	for (;;) {
		read_more(g);
		client = tells(g, &p->here);
		asked = tells(g, &p->other);
		if ((client && asked) || sock_now_ms() >= deadline)
			break;
		sock_sleep_until(sock_now_ms() + 100);
	}
	if (client && asked)
		ask_answer(q, VERDICT_safe, "the log tells the client and the "
		    "address that was asked for");
	else
		ask_answer(q, VERDICT_vulnerable, "the log tells %s", client ?
		    "the client, and not the address that was asked for" :
		    asked ? "the address that was asked for, and not the "
		    "client" : g->len > 0 ? "neither the client nor the "
		    "address that was asked for" : "nothing of it");
}

void
ask_log_trace(struct ask *q)
{
	const struct options *o = q->audit->options;
	struct log g = { .fd = -1 };

	if (o->log == NULL && o->syslog == NULL) {
		ask_answer(q, VERDICT_not_asked, "neither --log nor --syslog "
		    "was given");
		return;
	}
	if (!dial_needs(q, &q->audit->place.other))
		return;
	g.text = calloc(1, TEXT_MAX);
	if (g.text == NULL)
		ask_answer(q, VERDICT_inconclusive, "no memory for the log");
	else if (o->log != NULL && !open_file(&g, o->log))
		ask_answer(q, VERDICT_inconclusive, "--log %s: %s", o->log,
		    strerror(errno));
	else if (o->syslog != NULL && !open_syslog(&g, o->syslog))
		ask_answer(q, VERDICT_inconclusive, "--syslog %s: %s",
		    o->syslog, strerror(errno));
	else if (attempt(q))
		look_for(q, &g);
	close_log(&g, o->syslog);
}
