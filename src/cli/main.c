/*
 * cli/main.c: `portcullis`, one program for everything but the server.  Its
 * subcommands are one table; each is a folder of its own.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <string.h>

#include "audit/main.h"
#include "explain/explain.h"
#include "index/main.h"
#include "passwd/main.h"
#include "report/main.h"
#include "watch/main.h"

#define EXIT_USAGE 2

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
} commands[] = {
	{ "audit", audit_main, "can this FTP server be bounced or robbed?" },
	{ "explain", explain_main, "say what PORT, EPRT, 227, ... mean" },
	{ "index", index_main, "list a tree with its SHA-256, or check it" },
	{ "passwd", passwd_main, "keep the file of accounts and passwords" },
	{ "report", report_main, "say what the event files tell" },
	{ "watch", watch_main, "read captures: who bounced which server?" },
};

static void
print_usage(FILE *out)
{
	fputs("usage: portcullis COMMAND [ARGUMENT...]\n"
	      "       portcullis --help | --version\n\n", out);
	for (size_t i = 0; i < COUNT(commands); i++)
		fprintf(out, "  %-9s %s\n", commands[i].name,
		    commands[i].summary);
	fputs("\nportcullis COMMAND --help says more.\n", out);
}

static int
finish(void)
{
	return fflush(stdout) == 0 ? 0 : 1;
}

int
main(int argc, char **argv)
{
	if (argc < 2) {
		print_usage(stderr);
		return EXIT_USAGE;
	}
	for (size_t i = 0; i < COUNT(commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);

	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		print_usage(stdout);
		return finish();
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("portcullis " PORTCULLIS_VERSION);
		return finish();
	}
	fprintf(stderr, "portcullis: no such command: %s\n", argv[1]);
	print_usage(stderr);
	return EXIT_USAGE;
}
