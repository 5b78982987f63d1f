/*
 * watch/main.c: options, and the loop over packets.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "watch/main.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "watch/decode.h"
#include "watch/eve.h"
#include "watch/source.h"
#include "watch/summary.h"
#include "watch/watch.h"

#define EXIT_FINE 0
#define EXIT_FAILED 1
#define EXIT_USAGE 2
#define MEMORY_MIB 64
#define MEMORY_MOST_MIB 1048576
#define GROUPS 64

static const char usage[] =
	"usage: portcullis watch -r FILE [FILE...] [option...]\n"
	"\n"
	"Says which client asked which FTP server to reach whom, and whether it\n"
	"worked.  FILE is a capture (pcap, pcapng, gzip), or - for standard input.\n"
	"\n"
	"  -r, --read FILE      read captures, as one stream of time\n"
	"  -o, --output FILE    write events as JSON lines (EVE) to FILE\n"
	"      --json           write them to standard output, and no summary\n"
	"      --fail-on LEVEL  exit with 1 when an alert reaches info, low, medium,\n"
	"                       high or critical\n"
	"      --group NETWORK  its addresses are one organisation's (repeatable)\n"
	"      --memory MIB     for all tables together (64)\n"
	"      --color WHEN     always, never, auto\n"
	"  -h, --help\n";

struct job {
	const char **files;
	size_t file_count;
	const char *output;
	bool json;
	bool colour;
	int fail_on;		/* enum bounce_level; -1: never */
	size_t memory_mib;
	struct addr_net group[GROUPS];
	size_t groups;

	FILE *eve;
	struct watch watch;
	struct decoder *decoder;
	struct source *source;
	int64_t first_ns;
	bool reached;		/* --fail-on */
};

static int
complain(const char *option, const char *value, const char *wanted)
{
	fprintf(stderr, "portcullis watch: --%s: %s: expected %s\n", option,
	    value, wanted);
	return EXIT_USAGE;
}

static int
level_of(const char *text)
{
	for (int i = 0; i < LEVEL_COUNT; i++)
		if (strcmp(text, bounce_level_name((enum bounce_level)i)) == 0)
			return i;
	return -1;
}

static int
take_group(struct job *job, const char *text)
{
	if (job->groups == GROUPS)
		return complain("group", text, "at most 64 of them");
	if (!addr_parse_net(sv_of(text), &job->group[job->groups]))
		return complain("group", text, "a network, as 192.0.2.0/24");
	job->groups++;
	return -1;
}

static int
take_memory(struct job *job, const char *text)
{
	uint64_t mib;

	if (!sv_number(sv_of(text), MEMORY_MOST_MIB, &mib) || mib < 1)
		return complain("memory", text, "1 to 1048576 (MiB)");
	job->memory_mib = (size_t)mib;
	return -1;
}

static int
take_colour(struct job *job, const char *text)
{
	if (strcmp(text, "always") == 0)
		job->colour = true;
	else if (strcmp(text, "never") == 0)
		job->colour = false;
	else if (strcmp(text, "auto") != 0)
		return complain("color", text, "always, never or auto");
	return -1;
}

enum { OPT_JSON = 256, OPT_FAIL_ON, OPT_GROUP, OPT_MEMORY, OPT_COLOUR };

/* One option; an exit status, or -1 to go on. */
static int
take_option(struct job *job, int option)
{
	switch (option) {
	case 'r':
		job->files[job->file_count++] = optarg;
		return -1;
	case 'o':
		job->output = optarg;
		return -1;
	case OPT_JSON:
		job->json = true;
		return -1;
	case OPT_FAIL_ON:
		job->fail_on = level_of(optarg);
		return job->fail_on >= 0 ? -1 : complain("fail-on", optarg,
		    "info, low, medium, high or critical");
	case OPT_GROUP:
		return take_group(job, optarg);
	case OPT_MEMORY:
		return take_memory(job, optarg);
	case OPT_COLOUR:
		return take_colour(job, optarg);
	case 'h':
		fputs(usage, stdout);
		return EXIT_FINE;
	default:
		fputs("try: portcullis watch --help\n", stderr);
		return EXIT_USAGE;
	}
}

static int
take_options(struct job *job, int argc, char **argv)
{
	static const struct option options[] = {
		{ "read", required_argument, NULL, 'r' },
		{ "output", required_argument, NULL, 'o' },
		{ "json", no_argument, NULL, OPT_JSON },
		{ "fail-on", required_argument, NULL, OPT_FAIL_ON },
		{ "group", required_argument, NULL, OPT_GROUP },
		{ "memory", required_argument, NULL, OPT_MEMORY },
		{ "color", required_argument, NULL, OPT_COLOUR },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	static char program[] = "portcullis watch";
	int option, status;

	argv[0] = program;
	while ((option = getopt_long(argc, argv, "r:o:h", options, NULL)) !=
	    -1)
		if ((status = take_option(job, option)) >= 0)
			return status;
	while (optind < argc)
		job->files[job->file_count++] = argv[optind++];
	if (job->file_count > 0)
		return -1;
	fputs("portcullis watch: no capture: -r FILE\n", stderr);
	return EXIT_USAGE;
}

static void
finding_told(void *arg, const struct watch *w, const struct finding *f)
{
	struct job *job = arg;

	if (job->fail_on >= 0 && (int)f->level >= job->fail_on)
		job->reached = true;
	if (job->eve != NULL)
		eve_finding(job->eve, w, f);
}

static bool
open_output(struct job *job)
{
	if (job->json)
		job->eve = stdout;
	else if (job->output != NULL)
		job->eve = fopen(job->output, "we");
	else
		return true;
	if (job->eve == NULL)
		fprintf(stderr, "portcullis watch: %s: %s\n", job->output,
		    strerror(errno));
	return job->eve != NULL;
}

static bool
prepare(struct job *job)
{
	uint64_t seed[2];

	if (getrandom(seed, sizeof(seed), 0) != sizeof(seed))
		return false;
	job->source = source_open_files(job->files, job->file_count);
	job->decoder = decoder_new(seed[0]);
	if (job->source == NULL || job->decoder == NULL ||
	    !watch_init(&job->watch, job->memory_mib << 20, seed[1])) {
		fputs("portcullis watch: out of memory\n", stderr);
		return false;
	}
	job->watch.report.finding = finding_told;
	job->watch.report.arg = job;
	job->watch.groups = job->group;
	job->watch.group_count = job->groups;
	return true;
}

static void
packet(struct job *job, const struct packet *p)
{
	struct segment segment;

	if (job->first_ns == 0)
		job->first_ns = p->ts_ns;
	job->watch.counters.packets++;
	if (decode_packet(job->decoder, p, &segment) == DECODE_SEGMENT)
		watch_segment(&job->watch, &segment);
}

/* Until the end; a file that fails is told, and the others go on. */
static void
read_all(struct job *job)
{
	struct packet p;

	for (;;)
		switch (source_next(job->source, &p)) {
		case SOURCE_PACKET:
			packet(job, &p);
			break;
		case SOURCE_FAILED:
			fprintf(stderr, "portcullis watch: %s\n",
			    source_error(job->source));
			break;
		case SOURCE_IDLE:
		case SOURCE_END:
			return;
		}
}

/* Why there is no segment, one counter each. */
static size_t
coverage(const struct job *job, struct eve_count out[DECODE_COUNT],
    bool words)
{
	size_t n = 0;

	for (int i = 0; i < DECODE_COUNT; i++) {
		enum decode_result r = (enum decode_result)i;

		if (r == DECODE_SEGMENT || r == DECODE_NOT_TCP)
			continue;
		out[n++] = (struct eve_count) {
			words ? decode_words(r) : decode_name(r),
			job->decoder->count[i] };
	}
	return n;
}

static void
report(struct job *job)
{
	struct eve_count more[DECODE_COUNT];
	struct summary s = { .w = &job->watch, .colour = job->colour,
		.first_ns = job->first_ns, .more = more };

	watch_finish(&job->watch);
	if (job->eve != NULL)
		eve_stats(job->eve, &job->watch, more,
		    coverage(job, more, false));
	if (job->json)
		return;
	s.more_count = coverage(job, more, true);
	summary_print(stdout, &s);
}

static bool
close_output(struct job *job)
{
	if (job->eve != NULL && job->eve != stdout && fclose(job->eve) != 0) {
		fprintf(stderr, "portcullis watch: %s: %s\n", job->output,
		    strerror(errno));
		return false;
	}
	if (fflush(stdout) != 0) {
		perror("portcullis watch");
		return false;
	}
	return true;
}

static int
run(struct job *job)
{
	bool failed;

	if (!open_output(job) || !prepare(job))
		return EXIT_FAILED;
	read_all(job);
	report(job);
	failed = source_failures(job->source) > 0 || !close_output(job);
	return failed || job->reached ? EXIT_FAILED : EXIT_FINE;
}

int
watch_main(int argc, char **argv)
{
	struct job job = { .fail_on = -1, .memory_mib = MEMORY_MIB,
		.colour = isatty(STDOUT_FILENO) == 1 };
	int status;

	job.files = calloc((size_t)argc + 1, sizeof(*job.files));
	if (job.files == NULL) {
		perror("portcullis watch");
		return EXIT_FAILED;
	}
	status = take_options(&job, argc, argv);
	if (status < 0)
		status = run(&job);
	source_free(job.source);
	decoder_free(job.decoder);
	watch_free(&job.watch);
	free(job.files);
	return status;
}
