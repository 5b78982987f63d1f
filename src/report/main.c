/*
 * report/main.c: from files to a report.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "report/main.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report/lines.h"
#include "report/options.h"
#include "report/print.h"

#define EXIT_FINE 0
#define EXIT_FAILED 1
#define EXIT_USAGE 2

struct run {
	struct report_options options;
	struct report report;
	struct report_input input;
	bool failed;
};

static void
complain(struct run *run, const char *name, uint64_t line, const char *why)
{
	fprintf(stderr, "portcullis report: %s", name);
	if (line > 0)
		fprintf(stderr, ", after line %" PRIu64, line);
	fprintf(stderr, ": %s\n", why);
	run->failed = true;
}

static void
count_bad(struct run *run, const char *name, uint64_t line, const char *why)
{
	if (run->input.bad++ > 0)
		return;
	run->input.bad_file = name;
	run->input.bad_line = line;
	run->input.bad_why = why;
}

/*
 * unfinished: the last line of a log that is live.  It counts when it is
 * whole but for its LF.
 */
static void
take_line(struct run *run, struct sv text, bool unfinished, const char *name,
    uint64_t line)
{
	struct report_event e;
	const char *wrong;

	if (report_event_parse(text, &e, &wrong)) {
		report_take(&run->report, &e);
		report_event_free(&e);
	} else if (unfinished) {
		run->input.unfinished++;
	} else {
		count_bad(run, name, line, wrong);
	}
}

static void
read_lines(struct run *run, struct report_lines *l, const char *name)
{
	enum report_lines_result result;
	uint64_t line = 0;
	struct sv text;

	while ((result = report_lines_next(l, &text)) != REPORT_LINES_END) {
		if (result == REPORT_LINES_FAILED) {
			complain(run, name, line, report_lines_error(l));
			break;
		}
		line++;
		if (result == REPORT_LINE_TOO_LONG)
			count_bad(run, name, line, "longer than 65536 bytes");
		else
			take_line(run, text, result == REPORT_LINE_UNFINISHED,
			    name, line);
	}
	run->input.lines += line;
}

static void
read_file(struct run *run, const char *name)
{
	struct report_lines *l = report_lines_open(name);

	if (l == NULL) {
		complain(run, name, 0, strerror(errno));
		return;
	}
	run->input.files++;
	read_lines(run, l, strcmp(name, "-") == 0 ? "standard input" : name);
	report_lines_free(l);
}

/*
 * A file that is named twice (by two patterns, or by a link) would be counted
 * twice, and nobody would see it in the sums.
 */
static const char *
same_as(const struct report_options *o, size_t file)
{
	struct stat here, there;

	if (strcmp(o->files[file], "-") == 0 ?
	    fstat(STDIN_FILENO, &here) != 0 :
	    stat(o->files[file], &here) != 0)
		return NULL;
	if (!S_ISREG(here.st_mode))
		return NULL;
	for (size_t i = 0; i < file; i++)
		if (stat(o->files[i], &there) == 0 &&
		    here.st_dev == there.st_dev && here.st_ino == there.st_ino)
			return o->files[i];
	return NULL;
}

static void
read_files(struct run *run)
{
	const struct report_options *o = &run->options;

	for (size_t i = 0; i < o->file_count; i++) {
		const char *twin = same_as(o, i);

		if (twin != NULL)
			fprintf(stderr, "portcullis report: %s is %s, and is "
			    "read once\n", o->files[i], twin);
		else
			read_file(run, o->files[i]);
	}
	/* Some lines may be bad; when all are, it was the wrong file. */
	if (run->input.bad > 0 && run->input.bad + run->input.unfinished ==
	    run->input.lines) {
		fprintf(stderr, "portcullis report: no line is an event; "
		    "%s:%" PRIu64 ": %s\n", run->input.bad_file,
		    run->input.bad_line, run->input.bad_why);
		run->failed = true;
	}
}

static bool
read_networks(struct run *run)
{
	const char *name = run->options.networks;
	FILE *in = fopen(name, "re");
	bool fine;

	if (in == NULL) {
		fprintf(stderr, "portcullis report: --networks %s: %s\n",
		    name, strerror(errno));
		return false;
	}
	fine = report_networks_read(&run->report.networks, in, name);
	fclose(in);
	return fine;
}

static void
print(struct run *run)
{
	unsigned top = run->options.top;
	bool fine = true;

	if (run->options.json)
		fine = report_print_json(stdout, &run->report, &run->input,
		    top);
	else
		report_print_text(stdout, &run->report, &run->input, top);
	if (!fine || fflush(stdout) != 0 || ferror(stdout))
		complain(run, "standard output", 0, "cannot write the report");
}

int
report_main(int argc, char **argv)
{
	static struct run run;
	int status = report_options_take(&run.options, argc, argv);

	if (status >= 0)
		return status;
	report_init(&run.report);
	run.report.depth = run.options.depth;
	run.report.from = run.options.from;
	run.report.to = run.options.to;
	if (run.options.networks != NULL && !read_networks(&run)) {
		report_free(&run.report);
		return EXIT_USAGE;
	}
	read_files(&run);
	print(&run);
	report_free(&run.report);
	return run.failed ? EXIT_FAILED : EXIT_FINE;
}
