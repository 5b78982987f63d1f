/*
 * warden/main.c: portcullisd's command line.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/log.h"
#include "tls/ktls.h"
#include "warden/warden.h"

#define DEFAULT_FILE "/etc/portcullis/portcullis.conf"

enum option_id {
	OPTION_CONFIG = 'c',
	OPTION_ARCHIVE = 256,
	OPTION_LISTEN,
	OPTION_PASSIVE_PORTS,
	OPTION_EVENTS,
	OPTION_XFERLOG,
	OPTION_CHECK,
	OPTION_PRINT_CONFIG,
	OPTION_VERSION,
	OPTION_HELP,
};

static const struct option long_options[] = {
	{ "config", required_argument, NULL, OPTION_CONFIG },
	{ "archive", required_argument, NULL, OPTION_ARCHIVE },
	{ "listen", required_argument, NULL, OPTION_LISTEN },
	{ "passive-ports", required_argument, NULL, OPTION_PASSIVE_PORTS },
	{ "events", required_argument, NULL, OPTION_EVENTS },
	{ "xferlog", required_argument, NULL, OPTION_XFERLOG },
	{ "check", no_argument, NULL, OPTION_CHECK },
	{ "print-config", no_argument, NULL, OPTION_PRINT_CONFIG },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ NULL, 0, NULL, 0 },
};

static const char usage_text[] =
    "usage: portcullisd [-c FILE] [--archive DIR] [--listen ADDRESS:PORT]...\n"
    "           [--passive-ports LOW-HIGH] [--events FILE|-] [--xferlog FILE]\n"
    "           [--check] [--print-config] [--version] [--help]\n"
    "\n"
    "  -c FILE, --config FILE    read FILE instead of " DEFAULT_FILE "\n"
    "  --archive DIR             serve DIR\n"
    "  --listen ADDRESS:PORT     accept control connections there; may be\n"
    "                            given again; an IPv6 address in brackets\n"
    "  --passive-ports LOW-HIGH  ports for passive data connections\n"
    "  --events FILE             write events as JSON lines; - is standard\n"
    "                            output\n"
    "  --xferlog FILE            write one line for each transfer\n"
    "  --check                   say what is wrong with the configuration\n"
    "  --print-config            print every key with value and meaning\n";

/* Begins what getopt_long says, however the program was called. */
static char program_name[] = "portcullisd";

/* What the command line asked for, apart from the configuration. */
struct wishes {
	const char *file;
	bool file_named;
	bool check;
	bool print;
};

/* Sets the key that an option stands for; false when it is no such option. */
static bool
set_key(struct conf *c, int option, bool *listen_given, int *problems)
{
	static const struct {
		int option;
		const char *key, *name;
	} keys[] = {
		{ OPTION_ARCHIVE, "archive", "--archive" },
		{ OPTION_LISTEN, "listen", "--listen" },
		{ OPTION_PASSIVE_PORTS, "passive.ports", "--passive-ports" },
		{ OPTION_EVENTS, "events", "--events" },
		{ OPTION_XFERLOG, "xferlog", "--xferlog" },
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (keys[i].option != option)
			continue;
		*problems += conf_set(c, keys[i].key, optarg, keys[i].name,
		    option == OPTION_LISTEN && *listen_given, stderr);
		*listen_given |= option == OPTION_LISTEN;
		return true;
	}
	return false;
}

/* What needs no configuration; exits when it was asked for. */
static void
read_wishes(int argc, char **argv, struct wishes *wishes)
{
	int option;

	*wishes = (struct wishes) { .file = DEFAULT_FILE };
	optind = 1;
	while ((option = getopt_long(argc, argv, "c:", long_options, NULL)) !=
	    -1) {
		switch (option) {
		case OPTION_CONFIG:
			wishes->file = optarg;
			wishes->file_named = true;
			break;
		case OPTION_CHECK:
			wishes->check = true;
			break;
		case OPTION_PRINT_CONFIG:
			wishes->print = true;
			break;
		case OPTION_VERSION:
			puts("portcullisd " PORTCULLIS_VERSION);
			printf("TLS: %s\n", tls_has_ktls() == TLS_KTLS_HERE ?
			    "files are encrypted by the kernel (kTLS)" :
			    tls_ktls_text(tls_has_ktls()));
			exit(0);
		case OPTION_HELP:
			fputs(usage_text, stdout);
			exit(0);
		case '?':
			exit(2);
		default:
			break;
		}
	}
	if (optind < argc)
		log_fatal(2, "\"%s\" is no option; --help lists them",
		    argv[optind]);
}

/* The file, and the command line on top of it. */
static int
read_conf(struct conf *c, int argc, char **argv, const struct wishes *wishes)
{
	bool listen_given = false;
	int option, problems;

	conf_init(c);
	problems = conf_read_file(c, wishes->file, !wishes->file_named, stderr);
	optind = 1;
	while ((option = getopt_long(argc, argv, "c:", long_options, NULL)) !=
	    -1)
		(void)set_key(c, option, &listen_given, &problems);
	return problems;
}

/* The reload: the same command line over the file as it is now. */
static bool
read_again(struct warden *w, struct conf *out)
{
	struct wishes wishes;

	read_wishes(w->argc, w->argv, &wishes);
	return read_conf(out, w->argc, w->argv, &wishes) == 0 &&
	    conf_load(out, stderr) == 0 && conf_check(out, stderr) == 0 &&
	    system_check(out);
}

static void
raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int
main(int argc, char **argv)
{
	static struct warden w;
	struct wishes wishes;
	int problems;

	log_open("");
	if (argc > 0)
		argv[0] = program_name;
	read_wishes(argc, argv, &wishes);
	problems = read_conf(&w.conf, argc, argv, &wishes);
	if (wishes.print) {
		conf_print(&w.conf, stdout);
		return problems == 0 ? 0 : 2;
	}
	problems += conf_load(&w.conf, stderr);
	problems += conf_check(&w.conf, stderr);
	problems += !system_check(&w.conf);
	problems += !warden_find_accounts(&w);
	if (problems > 0)
		return 2;
	if (wishes.check) {
		if (!signer_open(&w, &w.conf, &w.worker_account, false,
		    &w.signer) || !keeper_check(&w.conf, &w.keeper_account))
			return 2;
		printf("portcullisd: %s: fine\n", wishes.file);
		return 0;
	}
	umask(027);
	raise_descriptor_limit();
	w.argc = argc;
	w.argv = argv;
	w.read_conf = read_again;
	return warden_run(&w);
}
