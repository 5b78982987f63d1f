/*
 * watch/outputs.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "watch/outputs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "watch/metrics.h"
#include "watch/zeek.h"

#define LINE_ROOM 512

struct outputs {
	struct outputs_wanted wanted;
	FILE *eve, *syslog_file;
	struct zeek *zeek;
	int metrics_fd;
	char host[128];		/* asked for before it cannot be any more */
	bool failed;		/* and said already */
};

static void
complain(struct outputs *o, const char *name)
{
	if (!o->failed)
		fprintf(stderr, "portcullis watch: %s: %s\n", name,
		    strerror(errno));
	o->failed = true;
}

/* openlog(3) does not say when nobody listens, and then all is lost. */
static void
open_syslog(struct outputs *o)
{
	if (access(_PATH_LOG, W_OK) != 0)
		complain(o, "syslog: " _PATH_LOG);
	openlog("portcullis-watch", LOG_NDELAY, LOG_AUTHPRIV);
}

/*
 * Live, a restart leaves what was written before; and with O_APPEND, who
 * rotates the file by copying and truncating it finds no hole in it.
 */
static FILE *
open_file(struct outputs *o, const char *name)
{
	FILE *f = fopen(name, o->wanted.live ? "ae" : "we");

	if (f == NULL)
		complain(o, name);
	return f;
}

static void
open_zeek(struct outputs *o)
{
	FILE *out = open_file(o, o->wanted.zeek);

	if (out == NULL)
		return;
	if ((o->zeek = zeek_new(out)) == NULL) {
		fclose(out);
		complain(o, o->wanted.zeek);
	}
}

static void
open_metrics(struct outputs *o)
{
	o->metrics_fd = open(o->wanted.metrics,
	    O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (o->metrics_fd < 0)
		complain(o, o->wanted.metrics);
}

struct outputs *
outputs_open(const struct outputs_wanted *wanted)
{
	struct outputs *o = calloc(1, sizeof(*o));

	if (o == NULL) {
		perror("portcullis watch");
		return NULL;
	}
	o->wanted = *wanted;
	o->metrics_fd = -1;
	if (gethostname(o->host, sizeof(o->host) - 1) != 0)
		snprintf(o->host, sizeof(o->host), "localhost");
	if (wanted->json)
		o->eve = stdout;
	else if (wanted->eve != NULL)
		o->eve = open_file(o, wanted->eve);
	if (wanted->zeek != NULL)
		open_zeek(o);
	if (wanted->metrics != NULL)
		open_metrics(o);
	if (wanted->syslog_file != NULL)
		o->syslog_file = open_file(o, wanted->syslog_file);
	if (wanted->syslog)
		open_syslog(o);
	if (!o->failed)
		return o;
	outputs_close(o);
	return NULL;
}

static void
line_hook(void *arg, const struct watch *w, const struct control *c,
    enum ftp_verb verb, struct sv argument)
{
	zeek_line(((struct outputs *)arg)->zeek, w, c, verb, argument);
}

static void
answered_hook(void *arg, const struct watch *w, const struct control *c,
    enum ftp_verb verb, int code, struct sv text)
{
	zeek_answered(((struct outputs *)arg)->zeek, w, c, verb, code, text);
}

static void
ended_hook(void *arg, const struct control *c)
{
	zeek_ended(((struct outputs *)arg)->zeek, c);
}

void
outputs_hook(struct outputs *o, struct watch_report *report)
{
	if (o->zeek == NULL)
		return;
	report->line = line_hook;
	report->answered = answered_hook;
	report->ended = ended_hook;
	report->line_arg = o;
}

/* key=value, for tools that count lines: nothing of the network's is in it. */
static void
format_line(const struct finding *f, char line[LINE_ROOM])
{
	char client[ADDR_TEXT_MAX], server[ADDR_TEXT_MAX],
	    asked[ADDR_TEXT_MAX] = "-";

	if (f->asked.family != ADDR_NONE)
		addr_format(&f->asked, asked);
	snprintf(line, LINE_ROOM, "finding=%016" PRIx64 " variant=%s stage=%s "
	    "level=%s client=%s server=%s asked=%s attempts=%u",
	    f->id, bounce_kind_name(f->kind), bounce_stage_name(f->stage),
	    bounce_level_name(f->level), addr_format_ip(&f->client, client),
	    addr_format(&f->server, server), asked, (unsigned)f->attempts);
}

static void
write_syslog_file(const struct outputs *o, const char *line, int64_t at_ns)
{
	time_t seconds = (time_t)(at_ns / WATCH_S);
	char date[32];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S+00:00", &tm);
	fprintf(o->syslog_file, "%s %s portcullis-watch: %s\n", date,
	    o->host, line);
}

static const char *
eve_name(const struct outputs *o)
{
	return o->eve == stdout ? "standard output" : o->wanted.eve;
}

/* Live, the end is far: a full disk is told when it is full. */
static void
flush(struct outputs *o, FILE *f, const char *name)
{
	if (o->wanted.live && fflush(f) != 0)
		complain(o, name);
}

void
outputs_finding(struct outputs *o, const struct watch *w,
    const struct finding *f)
{
	char line[LINE_ROOM];

	if (o->eve != NULL) {
		eve_finding(o->eve, w, f);
		flush(o, o->eve, eve_name(o));
	}
	if (o->syslog_file == NULL && !o->wanted.syslog)
		return;
	format_line(f, line);
	if (o->wanted.syslog)
		syslog(f->level >= LEVEL_HIGH ? LOG_WARNING : LOG_NOTICE,
		    "%s", line);
	if (o->syslog_file == NULL)
		return;
	write_syslog_file(o, line, f->last_ns);
	flush(o, o->syslog_file, o->wanted.syslog_file);
}

void
outputs_stats(struct outputs *o, const struct watch *w,
    const struct eve_count *more, size_t n)
{
	struct metrics_more packets = { more, n };

	if (o->eve != NULL) {
		eve_stats(o->eve, w, more, n);
		flush(o, o->eve, eve_name(o));
	}
	if (o->zeek != NULL && !zeek_flush(o->zeek))
		complain(o, o->wanted.zeek);
	if (o->metrics_fd >= 0 && !metrics_write(o->metrics_fd, w, &packets))
		complain(o, o->wanted.metrics);
}

static void
close_file(struct outputs *o, FILE *f, const char *name)
{
	bool good = !ferror(f);

	if (fclose(f) != 0 || !good)
		complain(o, name);
}

bool
outputs_close(struct outputs *o)
{
	bool good;

	if (o == NULL)
		return true;
	if (o->eve == stdout && (fflush(stdout) != 0 || ferror(stdout)))
		complain(o, eve_name(o));
	else if (o->eve != NULL && o->eve != stdout)
		close_file(o, o->eve, eve_name(o));
	if (o->zeek != NULL && !zeek_close(o->zeek))
		complain(o, o->wanted.zeek);
	if (o->syslog_file != NULL)
		close_file(o, o->syslog_file, o->wanted.syslog_file);
	if (o->metrics_fd >= 0 && close(o->metrics_fd) != 0)
		complain(o, o->wanted.metrics);
	if (o->wanted.syslog)
		closelog();
	good = !o->failed;
	free(o);
	return good;
}
