/*
 * audit/jobs.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "audit/jobs.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit/ask.h"

#define AHEAD 4		/* reports kept, for each job, until their turn */
#define NOT_SHOWN SIZE_MAX

struct job {
	size_t target;		/* of the options */
	pid_t pid;
	int fd;			/* -1: free */
	char *bytes;
	size_t len;
	bool overlong;
};

struct jobs {
	const struct options *options;
	struct job *all;	/* options->jobs of them */
	json_t **reports;	/* one a target, until it was told */
	size_t begun, kept, told;
	size_t shown;		/* as kept, on the terminal; NOT_SHOWN */
};

/*
 * A resolver or a disk may keep a process longer than anything that it waits
 * for by itself.
 */
#define GRACE_S 60

/* With who is to read its report, an audit ends: nobody would know of it. */
static void
end_with(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
		_exit(1);
}

static _Noreturn void
no_memory(void)
{
	perror("portcullis audit");
	exit(1);
}

static _Noreturn void
child(const struct options *o, const struct target *t, int fd)
{
	json_t *report;
	bool written;

	signal(SIGALRM, SIG_DFL);
	alarm(o->max_time_s + o->patience_s + GRACE_S);
	report = audit_run(o, t);
	written = json_dumpfd(report, fd, JSON_COMPACT |
	    JSON_ENSURE_ASCII) == 0;
	json_decref(report);
	_exit(written ? 0 : 1);
}

static bool
begin(struct jobs *j, struct job *job)
{
	pid_t parent = getpid();
	int ends[2], failed;

	if (pipe(ends) != 0)
		return false;
	*job = (struct job) { .target = j->begun, .fd = ends[0] };
	job->pid = fork();
	failed = errno;
	if (job->pid == 0) {
		end_with(parent);
		close(ends[0]);
		child(j->options, &j->options->targets[job->target],
		    ends[1]);
	}
	close(ends[1]);
	if (job->pid > 0)
		return true;
	close(ends[0]);
	job->fd = -1;
	errno = failed;
	return false;
}

/* Of one target at a time its own process tells more. */
static void
show_progress(struct jobs *j)
{
	if (!j->options->progress || j->options->jobs == 1 ||
	    j->shown == j->kept)
		return;
	j->shown = j->kept;
	fprintf(stderr, "\r\033[K%zu of %zu targets audited", j->kept,
	    j->options->target_count);
}

static void
hide_progress(struct jobs *j)
{
	if (j->shown != NOT_SHOWN)
		fputs("\r\033[K", stderr);
	j->shown = NOT_SHOWN;
}

static void
keep_report(struct jobs *j, size_t target, json_t *report, const char *why)
{
	j->reports[target] = report != NULL ? report :
	    audit_failed(&j->options->targets[target], why);
	if (j->reports[target] == NULL)
		no_memory();	/* or its turn would never come */
	j->kept++;
}

static void
end(struct jobs *j, struct job *job)
{
	json_t *report = NULL;
	int status;

	close(job->fd);
	job->fd = -1;
	while (waitpid(job->pid, &status, 0) < 0 && errno == EINTR)
		continue;
	if (!job->overlong && job->len > 0)
		report = json_loadb(job->bytes, job->len, 0, NULL);
	keep_report(j, job->target, report, job->overlong ?
	    "the report is longer than 16 MiB" :
	    WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ?
	    "it came to no end (--max-time), and was ended" :
	    "the process that audited it has failed");
	free(job->bytes);
	job->bytes = NULL;
}

/* False at the end of what the child writes. */
static bool
read_some(struct job *job)
{
	static char sink[65536];
	ssize_t n = read(job->fd, sink, sizeof(sink));
	char *grown;

	if (n <= 0)
		return n < 0 && errno == EINTR;
	if (job->len + (size_t)n > JOBS_REPORT_MAX)
		job->overlong = true;
	grown = job->overlong ? NULL :
	    realloc(job->bytes, job->len + (size_t)n);
	if (grown == NULL) {
		job->overlong = true;	/* what comes is let go */
		return true;
	}
	job->bytes = grown;
	memcpy(job->bytes + job->len, sink, (size_t)n);
	job->len += (size_t)n;
	return true;
}

static void
wait_for_some(struct jobs *j)
{
	struct pollfd p[OPTIONS_JOBS];
	unsigned n = j->options->jobs;

	for (unsigned i = 0; i < n; i++)
		p[i] = (struct pollfd) { .fd = j->all[i].fd,
			.events = POLLIN };
	if (poll(p, n, -1) > 0)
		for (unsigned i = 0; i < n; i++)
			if (p[i].revents != 0 && !read_some(&j->all[i]))
				end(j, &j->all[i]);
}

static void
fill(struct jobs *j)
{
	const struct options *o = j->options;

	for (unsigned i = 0; i < o->jobs && j->begun < o->target_count; i++) {
		if (j->all[i].fd >= 0)
			continue;
		/* Reports wait for those before them: one slow server. */
		if (j->begun >= j->told + AHEAD * o->jobs)
			return;
		if (!begin(j, &j->all[i]))
			keep_report(j, j->begun, NULL, strerror(errno));
		j->begun++;
	}
}

void
jobs_run(const struct options *o, void (*told)(void *arg, json_t *report),
    void *arg)
{
	struct jobs j = { .options = o, .shown = NOT_SHOWN,
		.all = calloc(o->jobs, sizeof(*j.all)),
		.reports = calloc(o->target_count, sizeof(*j.reports)) };

	if (j.all == NULL || j.reports == NULL)
		no_memory();
	for (unsigned i = 0; i < o->jobs; i++)
		j.all[i].fd = -1;
	while (j.told < o->target_count) {
		fill(&j);
		show_progress(&j);
		if (j.reports[j.told] == NULL) {
			wait_for_some(&j);
			continue;
		}
		hide_progress(&j);
		told(arg, j.reports[j.told++]);
	}
	free(j.all);
	free(j.reports);
}
