/*
 * index/options.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "index/options.h"

#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#include "index/say.h"

#define EXIT_FINE 0
#define EXIT_FAILED 1
#define EXIT_USAGE 2

#define JOBS_MOST 64
#define JOBS_BY_ITSELF 4	/* a disk gains nothing from more */
#define MEMORY_MIB 1024
#define MEMORY_MOST_MIB (1024 * 1024)

static const char usage[] =
	"usage: portcullis index [option...] DIRECTORY\n"
	"\n"
	"Prints a line for each file of a tree: SHA-256, size, time of change, path.\n"
	"\n"
	"  -o, --output FILE       write it there, in one step; FILE.gz is compressed\n"
	"  -p, --previous INDEX    take the SHA-256 from it where size and time agree\n"
	"  -c, --check INDEX       say what differs from it: missing, changed, new\n"
	"  -n, --no-hash           look at no contents\n"
	"  -e, --exclude PATTERN   leave out names that fit; with a \"/\", whole paths\n"
	"                          (repeatable)\n"
	"  -x, --one-file-system   leave out what is mounted inside\n"
	"  -j, --jobs N            files that are read at once (processors, at most 4)\n"
	"      --memory MIB        for the names of directories (1024)\n"
	"  -q, --quiet             no progress\n"
	"  -h, --help\n"
	"\n"
	"Exit status: 0 fine, 1 it differs or something could not be read, 2 wrong\n"
	"usage or nothing was made.\n";

enum { OPT_MEMORY = 256 };

static const struct option long_options[] = {
	{ "check", required_argument, NULL, 'c' },
	{ "exclude", required_argument, NULL, 'e' },
	{ "help", no_argument, NULL, 'h' },
	{ "jobs", required_argument, NULL, 'j' },
	{ "memory", required_argument, NULL, OPT_MEMORY },
	{ "no-hash", no_argument, NULL, 'n' },
	{ "one-file-system", no_argument, NULL, 'x' },
	{ "output", required_argument, NULL, 'o' },
	{ "previous", required_argument, NULL, 'p' },
	{ "quiet", no_argument, NULL, 'q' },
	{ NULL, 0, NULL, 0 },
};

static bool
take_number(const char *option, const char *text, uint64_t most, uint64_t *out)
{
	if (sv_number(sv_of(text), most, out) && *out > 0)
		return true;
	index_say("--%s: %s: expected 1 to %llu", option, text,
	    (unsigned long long)most);
	return false;
}

static bool
take_exclude(struct index_options *o, const char *text)
{
	if (text[0] == '\0' || o->exclude_count == INDEX_EXCLUDES) {
		index_say("--exclude: %s: expected 1 to %d patterns",
		    text, INDEX_EXCLUDES);
		return false;
	}
	o->excludes[o->exclude_count++] = sv_of(text);
	return true;
}

/* False: wrong usage. */
static bool
take_option(struct index_options *o, int option)
{
	uint64_t n;

	switch (option) {
	case 'c':
		o->check = optarg;
		return true;
	case 'e':
		return take_exclude(o, optarg);
	case 'j':
		if (!take_number("jobs", optarg, JOBS_MOST, &n))
			return false;
		o->jobs = (unsigned)n;
		return true;
	case OPT_MEMORY:
		if (!take_number("memory", optarg, MEMORY_MOST_MIB, &n))
			return false;
		o->memory = (size_t)n << 20;
		return true;
	case 'n':
		o->no_hash = true;
		return true;
	case 'x':
		o->one_file_system = true;
		return true;
	case 'o':
		o->output = optarg;
		return true;
	case 'p':
		o->previous = optarg;
		return true;
	case 'q':
		o->quiet = true;
		return true;
	default:
		fputs("portcullis index --help says more.\n", stderr);
		return false;
	}
}

/* What does not go together is refused: half of it would be ignored. */
static bool
is_sound(const struct index_options *o)
{
	if (o->check != NULL && (o->output != NULL || o->previous != NULL))
		index_say("--check goes with neither --output nor --previous");
	else if (o->no_hash && o->previous != NULL)
		index_say("--previous gives hashes, --no-hash wants none");
	else
		return true;
	return false;
}

bool
index_options_take(struct index_options *o, int argc, char **argv, int *status)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	int option;

	*o = (struct index_options) {
		.jobs = processors < 1 ? 1 : processors > JOBS_BY_ITSELF ?
		    JOBS_BY_ITSELF : (unsigned)processors,
		.memory = (size_t)MEMORY_MIB << 20,
	};
	*status = EXIT_USAGE;
	optind = 1;
	while ((option = getopt_long(argc, argv, "c:e:hj:no:p:qx",
	    long_options, NULL)) != -1) {
		if (option == 'h') {
			*status = fputs(usage, stdout) < 0 ||
			    fflush(stdout) != 0 ? EXIT_FAILED : EXIT_FINE;
			return false;
		}
		if (!take_option(o, option))
			return false;
	}
	if (argc - optind != 1) {
		fputs(usage, stderr);
		return false;
	}
	o->directory = argv[optind];
	if (o->output != NULL && strcmp(o->output, "-") == 0)
		o->output = NULL;
	return is_sound(o);
}
