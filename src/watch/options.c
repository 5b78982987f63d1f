/*
 * watch/options.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "watch/options.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "watch/lore.h"

#define EXIT_FINE 0
#define EXIT_USAGE 2
#define MEMORY_MIB 64
#define MEMORY_MOST_MIB 1048576
#define BUFFER_MIB 16
#define BUFFER_MOST_MIB 2047

static const char usage[] =
	"usage: portcullis watch -r FILE [FILE...] [option...]\n"
	"       portcullis watch -i INTERFACE [option...]\n"
	"       portcullis watch --explain ID\n"
	"\n"
	"Says which client asked which FTP server to reach whom, and whether it\n"
	"worked.\n"
	"\n"
	"input\n"
	"  -r, --read FILE         a capture: pcap, pcapng, also in gzip; - is standard\n"
	"                          input; several are one stream of time\n"
	"  -i, --interface NAME    live, until SIGINT or SIGTERM\n"
	"  -f, --filter EXPRESSION of pcap-filter(7), live\n"
	"      --buffer MIB        of the kernel, live (16)\n"
	"      --user NAME         to become, live, when started by root\n"
	"                          (portcullis-watch, else nobody)\n"
	"      --no-sandbox        for kernels without seccomp\n"
	"      --group NETWORK     its addresses are one organisation's (repeatable)\n"
	"      --memory MIB        for all tables together (64)\n"
	"output\n"
	"  -o, --output FILE       events as JSON lines (EVE) to FILE\n"
	"      --json              to standard output, in place of the summary\n"
	"      --zeek-log FILE     commands, as Zeek's ftp.log\n"
	"      --metrics FILE      counters, for Prometheus' textfile collector\n"
	"      --syslog            a line for each finding, to syslog(3)\n"
	"      --syslog-file FILE  the same lines, to FILE\n"
	"      --fail-on LEVEL     exit with 1 when a finding reaches info, low, medium,\n"
	"                          high or critical\n"
	"      --all               show long lists whole\n"
	"      --color WHEN        always, never, auto\n"
	"      --explain ID        what a variant (third_party) or a row (BO14) is\n"
	"  -h, --help\n";

static int
complain(const char *option, const char *value, const char *wanted)
{
	fprintf(stderr, "portcullis watch: --%s: %s: expected %s\n", option,
	    value, wanted);
	return EXIT_USAGE;
}

static int
take_level(struct options *o, const char *text)
{
	for (int i = 0; i < LEVEL_COUNT; i++)
		if (strcmp(text, bounce_level_name((enum bounce_level)i)) ==
		    0) {
			o->fail_on = i;
			return -1;
		}
	return complain("fail-on", text,
	    "info, low, medium, high or critical");
}

static int
take_group(struct options *o, const char *text)
{
	if (o->groups == OPTIONS_GROUPS)
		return complain("group", text, "at most 64 of them");
	if (!addr_parse_net(sv_of(text), &o->group[o->groups]))
		return complain("group", text, "a network, as 192.0.2.0/24");
	o->groups++;
	return -1;
}

static int
take_memory(struct options *o, const char *text)
{
	uint64_t mib;

	if (!sv_number(sv_of(text), MEMORY_MOST_MIB, &mib) || mib < 1)
		return complain("memory", text, "1 to 1048576 (MiB)");
	o->memory_mib = (size_t)mib;
	return -1;
}

static int
take_buffer(struct options *o, const char *text)
{
	uint64_t mib;

	if (!sv_number(sv_of(text), BUFFER_MOST_MIB, &mib) || mib < 1)
		return complain("buffer", text, "1 to 2047 (MiB)");
	o->buffer_mib = (unsigned)mib;
	return -1;
}

static int
take_colour(struct options *o, const char *text)
{
	if (strcmp(text, "always") == 0)
		o->colour = true;
	else if (strcmp(text, "never") == 0)
		o->colour = false;
	else if (strcmp(text, "auto") != 0)
		return complain("color", text, "always, never or auto");
	return -1;
}

enum {
	OPT_JSON = 256, OPT_FAIL_ON, OPT_GROUP, OPT_MEMORY, OPT_COLOUR,
	OPT_ZEEK, OPT_METRICS, OPT_SYSLOG, OPT_SYSLOG_FILE, OPT_EXPLAIN,
	OPT_BUFFER, OPT_USER, OPT_NO_SANDBOX, OPT_ALL,
};

static const struct option options[] = {
	{ "read", required_argument, NULL, 'r' },
	{ "interface", required_argument, NULL, 'i' },
	{ "filter", required_argument, NULL, 'f' },
	{ "buffer", required_argument, NULL, OPT_BUFFER },
	{ "user", required_argument, NULL, OPT_USER },
	{ "no-sandbox", no_argument, NULL, OPT_NO_SANDBOX },
	{ "group", required_argument, NULL, OPT_GROUP },
	{ "memory", required_argument, NULL, OPT_MEMORY },
	{ "output", required_argument, NULL, 'o' },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "zeek-log", required_argument, NULL, OPT_ZEEK },
	{ "metrics", required_argument, NULL, OPT_METRICS },
	{ "syslog", no_argument, NULL, OPT_SYSLOG },
	{ "syslog-file", required_argument, NULL, OPT_SYSLOG_FILE },
	{ "fail-on", required_argument, NULL, OPT_FAIL_ON },
	{ "all", no_argument, NULL, OPT_ALL },
	{ "color", required_argument, NULL, OPT_COLOUR },
	{ "explain", required_argument, NULL, OPT_EXPLAIN },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* Those that take a name and no more; NULL: another one. */
static const char **
name_of(struct options *o, int option)
{
	switch (option) {
	case 'i':
		return &o->interface;
	case 'f':
		return &o->filter;
	case 'o':
		return &o->outputs.eve;
	case OPT_USER:
		return &o->user;
	case OPT_ZEEK:
		return &o->outputs.zeek;
	case OPT_METRICS:
		return &o->outputs.metrics;
	case OPT_SYSLOG_FILE:
		return &o->outputs.syslog_file;
	default:
		return NULL;
	}
}

static bool *
switch_of(struct options *o, int option)
{
	switch (option) {
	case OPT_JSON:
		return &o->outputs.json;
	case OPT_SYSLOG:
		return &o->outputs.syslog;
	case OPT_ALL:
		return &o->all;
	default:
		return NULL;
	}
}

/* One option; an exit status, or -1 to go on. */
static int
take(struct options *o, int option)
{
	if (name_of(o, option) != NULL) {
		*name_of(o, option) = optarg;
		return -1;
	}
	if (switch_of(o, option) != NULL) {
		*switch_of(o, option) = true;
		return -1;
	}
	switch (option) {
	case 'r':
		o->files[o->file_count++] = optarg;
		return -1;
	case OPT_NO_SANDBOX:
		o->sandbox = false;
		return -1;
	case OPT_FAIL_ON:
		return take_level(o, optarg);
	case OPT_GROUP:
		return take_group(o, optarg);
	case OPT_MEMORY:
		return take_memory(o, optarg);
	case OPT_BUFFER:
		return take_buffer(o, optarg);
	case OPT_COLOUR:
		return take_colour(o, optarg);
	case OPT_EXPLAIN:
		return lore_explain(stdout, stderr, optarg) ? EXIT_FINE :
		    EXIT_USAGE;
	case 'h':
		fputs(usage, stdout);
		return EXIT_FINE;
	default:
		fputs("try: portcullis watch --help\n", stderr);
		return EXIT_USAGE;
	}
}

static int
refuse(const char *why)
{
	fprintf(stderr, "portcullis watch: %s\n", why);
	return EXIT_USAGE;
}

static bool
is_same_file(const char *input, const char *output)
{
	struct stat in, out;
	int found;

	if (output == NULL || stat(output, &out) != 0 ||
	    !S_ISREG(out.st_mode))
		return false;
	found = strcmp(input, "-") == 0 ? fstat(STDIN_FILENO, &in) :
	    stat(input, &in);
	return found == 0 && in.st_dev == out.st_dev &&
	    in.st_ino == out.st_ino;
}

/* Outputs are opened first: the evidence would be gone before it is read. */
static const char *
overwritten(const struct options *o)
{
	const char *const outputs[] = { o->outputs.eve, o->outputs.zeek,
		o->outputs.metrics, o->outputs.syslog_file };

	for (size_t i = 0; i < o->file_count; i++)
		for (size_t k = 0; k < sizeof(outputs) / sizeof(outputs[0]);
		    k++)
			if (is_same_file(o->files[i], outputs[k]))
				return outputs[k];
	return NULL;
}

static int
check(const struct options *o)
{
	const char *name;

	if (o->interface == NULL && o->file_count == 0)
		return refuse("nothing to read: -r FILE or -i INTERFACE");
	if (o->interface != NULL && o->file_count > 0)
		return refuse("either files or an interface, not both");
	if (o->interface == NULL && (o->filter != NULL || o->user != NULL))
		return refuse("--filter and --user are for -i");
	if (o->outputs.json && o->outputs.eve != NULL)
		return refuse("either --json or --output, not both");
	if ((name = overwritten(o)) != NULL) {
		fprintf(stderr, "portcullis watch: %s: is to be read, and "
		    "would be overwritten\n", name);
		return EXIT_USAGE;
	}
	return -1;
}

static bool
likes_colour(void)
{
	const char *no = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) == 1 && (no == NULL || *no == '\0');
}

int
options_take(struct options *o, int argc, char **argv)
{
	static char program[] = "portcullis watch";
	int option, status;

	o->fail_on = -1;
	o->memory_mib = MEMORY_MIB;
	o->buffer_mib = BUFFER_MIB;
	o->sandbox = true;
	o->colour = likes_colour();
	argv[0] = program;	/* how getopt_long begins what it says */
	while ((option = getopt_long(argc, argv, "r:i:f:o:h", options,
	    NULL)) != -1)
		if ((status = take(o, option)) >= 0)
			return status;
	while (optind < argc)
		o->files[o->file_count++] = argv[optind++];
	o->outputs.live = o->interface != NULL;
	return check(o);
}
