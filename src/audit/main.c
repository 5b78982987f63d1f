/*
 * audit/main.c: the auditor, from its targets to what it says of them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "audit/main.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/compare.h"
#include "audit/jobs.h"
#include "audit/nagios.h"
#include "audit/place.h"
#include "audit/report.h"
#include "audit/sarif.h"
#include "audit/table.h"

#define WIDTH_MOST 120	/* longer lines are not read with ease */

struct session {
	struct options options;
	struct compare *old;	/* NULL: nothing to compare with */
	FILE *output;		/* --output; NULL: none */
	char *beside;		/* its name, until all is written; or NULL */
	json_t **kept;		/* for the forms that want all at once */
	size_t kept_count;
	size_t told, vulnerable, inconclusive;
	bool failed;
};

static void
complain(struct session *s, const char *name)
{
	fprintf(stderr, "portcullis audit: %s: %s\n", name, strerror(errno));
	s->failed = true;
}

static void
write_line(struct session *s, FILE *out, const char *name,
    const json_t *report)
{
	if (json_dumpf(report, out, JSON_COMPACT | JSON_ENSURE_ASCII) != 0 ||
	    putc('\n', out) == EOF || fflush(out) != 0)
		complain(s, name);
}

/* 0: no terminal, or one that does not tell. */
static unsigned
terminal_width(void)
{
	struct winsize size = { 0 };

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
		return 0;
	return size.ws_col < WIDTH_MOST ? size.ws_col : WIDTH_MOST;
}

/* A report has come; those of earlier targets have been told before. */
static void
told(void *arg, json_t *report)
{
	struct session *s = arg;
	const struct options *o = &s->options;
	const struct table_style style = { .colour = o->colour,
		.verbose = o->verbose, .width = terminal_width() };

	if (report_verdict(report) == VERDICT_vulnerable)
		s->vulnerable++;
	else if (report_verdict(report) != VERDICT_safe)
		s->inconclusive++;
	if (s->old != NULL && !compare_add(s->old, report)) {
		fputs("portcullis audit: out of memory\n", stderr);
		s->failed = true;
	}
	if (s->output != NULL)
		write_line(s, s->output, o->output, report);
	if (o->form == FORM_TABLE && s->told++ > 0)
		putchar('\n');
	if (o->form == FORM_TABLE)
		table_print(stdout, report, &style);
	if (o->form == FORM_JSON)
		write_line(s, stdout, "standard output", report);
	form_forget_dialogue(report);
	if (o->form == FORM_TABLE || o->form == FORM_JSON)
		json_decref(report);
	else
		s->kept[s->kept_count++] = report;
	if (fflush(stdout) != 0 || ferror(stdout))
		complain(s, "standard output");
}

static int
status_of(const struct session *s)
{
	if (s->vulnerable > 0 || s->failed)
		return AUDIT_EXIT_VULNERABLE;
	return s->inconclusive > 0 ? AUDIT_EXIT_INCONCLUSIVE :
	    AUDIT_EXIT_SAFE;
}

/* SARIF and Nagios speak of all targets at once; the table sums them up. */
static void
tell_all(struct session *s)
{
	json_t *log;

	if (s->options.form == FORM_TABLE && s->told > 1)
		printf("\n%zu targets: %zu vulnerable, %zu inconclusive, %zu "
		    "safe\n", s->told, s->vulnerable, s->inconclusive,
		    s->told - s->vulnerable - s->inconclusive);
	if (s->options.form == FORM_NAGIOS)
		nagios_print(stdout, s->kept, s->kept_count, status_of(s));
	if (s->options.form == FORM_SARIF) {
		log = sarif_log(s->kept, s->kept_count);
		if (log == NULL || json_dumpf(log, stdout, JSON_INDENT(2) |
		    JSON_ENSURE_ASCII) != 0)
			complain(s, "standard output");
		putchar('\n');
		json_decref(log);
	}
	if (fflush(stdout) != 0)
		complain(s, "standard output");
}

/* What is audited every night has a first night. */
static bool
is_first(const struct options *o)
{
	return errno == ENOENT && o->output != NULL &&
	    strcmp(o->compare, o->output) == 0;
}

static bool
open_old(struct session *s)
{
	const char *name = s->options.compare;
	char error[COMPARE_ERROR_MAX];
	FILE *in = fopen(name, "re");

	if (in == NULL && is_first(&s->options))
		return true;
	if (in == NULL) {
		fprintf(stderr, "portcullis audit: --compare %s: %s\n", name,
		    strerror(errno));
		return false;
	}
	s->old = compare_read(in, name, error);
	fclose(in);
	if (s->old == NULL)
		fprintf(stderr, "portcullis audit: --compare: %s\n", error);
	return s->old != NULL;
}

/*
 * One that is of nobody else: in a directory of many, somebody may have put a
 * link to another's file where ours will be, or a pipe that nobody reads.
 */
static FILE *
open_new(const char *name)
{
	FILE *out = NULL;
	int fd;

	if (unlink(name) != 0 && errno != ENOENT)
		return NULL;
	fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	    0666);
	if (fd >= 0 && (out = fdopen(fd, "w")) == NULL)
		close(fd);
	return out;
}

/*
 * A plain file is written beside and renamed: an audit that is ended before
 * its end leaves the last one's reports to be compared with.  A pipe, a
 * device or a link is written to as it stands.
 */
static bool
open_output(struct session *s)
{
	const char *name = s->options.output;
	struct stat st;

	if ((lstat(name, &st) != 0 || S_ISREG(st.st_mode)) &&
	    asprintf(&s->beside, "%s.new", name) < 0)
		s->beside = NULL;	/* no memory: in place, then */
	s->output = s->beside != NULL ? open_new(s->beside) :
	    fopen(name, "we");
	if (s->output == NULL)
		fprintf(stderr, "portcullis audit: --output %s: %s\n",
		    s->beside != NULL ? s->beside : name, strerror(errno));
	return s->output != NULL;
}

/* All reports are written. */
static void
close_output(struct session *s)
{
	if (s->output == NULL)
		return;
	if (fclose(s->output) != 0)
		complain(s, s->options.output);
	s->output = NULL;
	if (s->beside != NULL && !s->failed &&
	    rename(s->beside, s->options.output) != 0)
		complain(s, s->options.output);
}

static bool
owns_addresses(const struct options *o)
{
	char text[ADDR_TEXT_MAX];
	struct listener l;

	for (size_t i = 0; i < o->listens; i++) {
		if (!listener_open(&l, &o->listen[i], 0)) {
			fprintf(stderr, "portcullis audit: --listen-address: "
			    "%s is no address of this host: %s\n",
			    addr_format_ip(&o->listen[i], text),
			    strerror(errno));
			return false;
		}
		listener_close(&l);
	}
	return true;
}

/* A log that is not there yet may come with the first session. */
static bool
can_read_log(const struct options *o)
{
	if (o->log == NULL || access(o->log, R_OK) == 0 || errno == ENOENT)
		return true;
	fprintf(stderr, "portcullis audit: --log %s: %s\n", o->log,
	    strerror(errno));
	return false;
}

/* What can be wrong is found before the first packet is sent. */
static bool
prepare(struct session *s)
{
	const struct options *o = &s->options;

	if (!owns_addresses(o) || !can_read_log(o))
		return false;
	if (o->compare != NULL && !open_old(s))
		return false;
	if (o->output != NULL && !open_output(s))
		return false;
	s->kept = calloc(o->target_count, sizeof(json_t *));
	if (s->kept == NULL)
		perror("portcullis audit");
	return s->kept != NULL;
}

static void
finish(struct session *s)
{
	for (size_t i = 0; i < s->kept_count; i++)
		json_decref(s->kept[i]);
	free(s->kept);
	compare_free(s->old);
	if (s->output != NULL)
		fclose(s->output);
	free(s->beside);
	audit_options_free(&s->options);
}

/*
 * Every process of ours holds the passwords of all targets.  One byte, and not
 * none: where cores go to a program, Linux heeds this limit alone.
 */
static void
forbid_cores(void)
{
	const struct rlimit one = { 1, 1 };

	setrlimit(RLIMIT_CORE, &one);
}

int
audit_main(int argc, char **argv)
{
	static struct session s;
	int status;

	forbid_cores();
	status = audit_options_take(&s.options, argc, argv);
	signal(SIGPIPE, SIG_IGN);
	if (status >= 0) {
		finish(&s);
		return status;
	}
	if (!prepare(&s)) {
		finish(&s);
		return AUDIT_EXIT_USAGE;
	}
	jobs_run(&s.options, told, &s);
	tell_all(&s);
	close_output(&s);
	status = status_of(&s);
	finish(&s);
	return s.failed ? AUDIT_EXIT_VULNERABLE : status;
}
