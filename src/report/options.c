/*
 * report/options.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "report/options.h"

#include <getopt.h>
#include <stdio.h>

#include "base/sv.h"
#include "report/tally.h"

#define EXIT_FINE 0
#define EXIT_USAGE 2
#define GO_ON (-1)

#define DEPTH 2
#define TOP_TEXT 10
#define TOP_JSON 1000
#define TOP_MOST 1000000

static const char usage[] =
	"usage: portcullis report [option...] FILE [FILE...]\n"
	"\n"
	"Says what the event files of portcullisd tell: bytes, files, clients and\n"
	"networks, active against passive mode, what was refused, what failed, who\n"
	"is slow.  Files may be compressed by gzip, and come in any order; - is\n"
	"standard input.\n"
	"\n"
	"      --from DATE         from that day on (2026-11-24, UTC)\n"
	"      --to DATE           up to that day, itself included\n"
	"      --depth N           a dataset is N components of a path (1 to 2)\n"
	"      --networks FILE     lines NAME NETWORK...: networks that have names;\n"
	"                          all others are /24 and /48\n"
	"      --top N             rows of a table (10; with --json 1000), 0 for all\n"
	"      --json              one JSON object\n"
	"  -h, --help\n"
	"\n"
	"Exit status: 0 fine, 1 an input or output failed, 2 wrong usage.\n";

enum { OPT_FROM = 256, OPT_TO, OPT_DEPTH, OPT_NETWORKS, OPT_TOP, OPT_JSON };

static const struct option options[] = {
	{ "from", required_argument, NULL, OPT_FROM },
	{ "to", required_argument, NULL, OPT_TO },
	{ "depth", required_argument, NULL, OPT_DEPTH },
	{ "networks", required_argument, NULL, OPT_NETWORKS },
	{ "top", required_argument, NULL, OPT_TOP },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static int
take_day(const char *option, const char *text, uint32_t *out)
{
	if (strlen(text) == strlen("2026-11-24") &&
	    report_day_parse(sv_of(text), out))
		return GO_ON;
	fprintf(stderr, "portcullis report: --%s: %s: expected a day, "
	    "2026-11-24\n", option, text);
	return EXIT_USAGE;
}

static int
take_number(const char *option, const char *text, unsigned least,
    unsigned most, unsigned *out)
{
	uint64_t n;

	if (!sv_number(sv_of(text), most, &n) || n < least) {
		fprintf(stderr, "portcullis report: --%s: %s: expected %u to "
		    "%u\n", option, text, least, most);
		return EXIT_USAGE;
	}
	*out = (unsigned)n;
	return GO_ON;
}

static int
take(struct report_options *o, int option)
{
	switch (option) {
	case OPT_FROM:
		return take_day("from", optarg, &o->from);
	case OPT_TO:
		return take_day("to", optarg, &o->to);
	case OPT_DEPTH:
		return take_number("depth", optarg, 1, REPORT_DEPTH_MOST,
		    &o->depth);
	case OPT_NETWORKS:
		o->networks = optarg;
		return GO_ON;
	case OPT_TOP:
		return take_number("top", optarg, 0, TOP_MOST, &o->top);
	case OPT_JSON:
		o->json = true;
		return GO_ON;
	case 'h':
		fputs(usage, stdout);
		return EXIT_FINE;
	default:
		fputs("try: portcullis report --help\n", stderr);
		return EXIT_USAGE;
	}
}

static int
check(struct report_options *o)
{
	if (o->file_count == 0) {
		fputs("portcullis report: no file (- is standard input)\n"
		    "try: portcullis report --help\n", stderr);
		return EXIT_USAGE;
	}
	if (o->from != 0 && o->to != 0 && o->from > o->to) {
		fputs("portcullis report: --from is after --to\n", stderr);
		return EXIT_USAGE;
	}
	if (o->top == UINT32_MAX)
		o->top = o->json ? TOP_JSON : TOP_TEXT;
	return GO_ON;
}

int
report_options_take(struct report_options *o, int argc, char **argv)
{
	static char program[] = "portcullis report";
	int option, status;

	*o = (struct report_options) { .depth = DEPTH, .top = UINT32_MAX };
	argv[0] = program;	/* how getopt_long begins what it says */
	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1)
		if ((status = take(o, option)) != GO_ON)
			return status;
	o->files = argv + optind;
	o->file_count = (size_t)(argc - optind);
	return check(o);
}
