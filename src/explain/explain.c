/*
 * explain/explain.c: `portcullis explain`: options, and one text at a time.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "explain/explain.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "explain/judge.h"
#include "explain/print.h"
#include "explain/reading.h"

enum {
	EXIT_FINE = 0,
	EXIT_MALFORMED = 1,
	EXIT_USAGE = 2,
};

struct job {
	struct addr peer;
	struct addr server;
	bool json;
	bool malformed; /* some text was */
	size_t texts;
};

static const char usage[] =
    "usage: portcullis explain [--peer ADDRESS] [--server ADDRESS] [--json] "
    "[TEXT...]\n"
    "\n"
    "Says what data addresses mean and how the policy judges them. Without\n"
    "TEXT, lines are read from standard input.\n"
    "\n"
    "TEXT is PORT, EPRT or LPRT with its argument, a 227, 229 or 228 reply,\n"
    "either's numbers alone, or ADDRESS:PORT to be written as commands.\n"
    "\n"
    "  --peer ADDRESS    the client of the control connection\n"
    "  --server ADDRESS  the server of the control connection\n"
    "  --json            one JSON object for each text\n"
    "\n"
    "Exit status: 0 all texts are well-formed, 1 one is not, 2 wrong usage.\n"
    "\n"
    "  portcullis explain PORT 172,16,4,128,16,155\n"
    "  portcullis explain --peer 192.0.2.9 'EPRT |1|192.0.2.9|5120|'\n"
    "  portcullis explain 172.16.4.128:4251\n";

static void
explain_line(struct job *job, struct sv line)
{
	struct reading r = reading_of(line);
	struct verdict v;

	if (r.text.len == 0)
		return;
	if (job->texts++ > 0 && !job->json)
		putchar('\n');
	if (r.err != FTP_OK)
		job->malformed = true;
	else
		v = judge(&r, &job->peer, &job->server);

	(job->json ? print_json : print_text)(stdout, &r,
	    r.err == FTP_OK ? &v : NULL);
}

static void
explain_lines(struct job *job, struct sv text)
{
	while (text.len > 0) {
		const char *lf = memchr(text.ptr, '\n', text.len);
		struct sv line = text;

		if (lf != NULL)
			line.len = (size_t)(lf - text.ptr);
		explain_line(job, line);
		text = sv_drop(text, line.len + 1);
	}
}

/* A shell splits "PORT 1,2,..." into words; they are one text. */
static bool
explain_words(struct job *job, char *const *words, int count)
{
	char *text = NULL;
	size_t len;
	FILE *joined = open_memstream(&text, &len);

	if (joined == NULL)
		return false;
	for (int i = 0; i < count; i++)
		fprintf(joined, i > 0 ? " %s" : "%s", words[i]);
	if (fclose(joined) != 0) {
		free(text);
		return false;
	}
	explain_lines(job, (struct sv) { text, len });
	free(text);
	return true;
}

static bool
explain_input(struct job *job)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t len;

	while ((len = getline(&line, &size, stdin)) >= 0)
		explain_lines(job, (struct sv) { line, (size_t)len });
	free(line);
	return !ferror(stdin);
}

static bool
take_address(const char *option, const char *text, struct addr *out)
{
	if (addr_parse_ip(sv_of(text), out))
		return true;
	fprintf(stderr, "portcullis explain: --%s: not an address: %s\n",
	    option, text);
	return false;
}

/* Returns an exit status, or -1 to go on. */
static int
take_options(struct job *job, int argc, char **argv)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "json", no_argument, NULL, 'j' },
		{ "peer", required_argument, NULL, 'p' },
		{ "server", required_argument, NULL, 's' },
		{ NULL, 0, NULL, 0 },
	};
	static char program[] = "portcullis explain";
	int c;

	argv[0] = program;	/* how getopt_long begins what it says */
	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1)
		switch (c) {
		case 'h':
			fputs(usage, stdout);
			return EXIT_FINE;
		case 'j':
			job->json = true;
			break;
		case 'p':
			if (!take_address("peer", optarg, &job->peer))
				return EXIT_USAGE;
			break;
		case 's':
			if (!take_address("server", optarg, &job->server))
				return EXIT_USAGE;
			break;
		default:
			fputs("try: portcullis explain --help\n", stderr);
			return EXIT_USAGE;
		}
	return -1;
}

int
explain_main(int argc, char **argv)
{
	struct job job = { .json = false };
	int status = take_options(&job, argc, argv);
	bool done;

	if (status >= 0)
		return status;
	if (optind < argc)
		done = explain_words(&job, argv + optind, argc - optind);
	else
		done = explain_input(&job);
	if (!done || fflush(stdout) != 0) {
		perror("portcullis explain");
		return EXIT_MALFORMED;
	}
	return job.malformed ? EXIT_MALFORMED : EXIT_FINE;
}
