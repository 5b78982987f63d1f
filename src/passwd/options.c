/*
 * passwd/options.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "passwd/options.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>

#include "accounts/entry.h"
#include "accounts/secret.h"

#define EXIT_FAILED 1
#define EXIT_USAGE 2

#define DEFAULT_FILE "/etc/portcullis/accounts"

static const char usage[] =
	"usage: portcullis passwd [option...] add|change|delete|lock|unlock NAME\n"
	"       portcullis passwd [option...] list\n"
	"       portcullis passwd [option...] check [NAME]\n"
	"\n"
	"Keeps the file of accounts; the server reads it again at SIGHUP.\n"
	"\n"
	"  -f, --file FILE      the file (" DEFAULT_FILE ")\n"
	"  -d, --root DIR       its directory beneath accounts.root (its name)\n"
	"  -r, --rights SET     letters, or - for none (lr):\n"
	"                         l list, r read, w write, o overwrite, d delete,\n"
	"                         n rename, m make directories\n"
	"  -o, --options LIST   key=value,... (see the manual page)\n"
	"      --stdin          the password is a line of standard input\n"
	"      --hashed         a hash is; another program made it\n"
	"      --generate       make a password, and print it\n"
	"      --no-password    none is right until one is set\n"
	"      --cost N         how much work a password is, 1 to 11 (5)\n"
	"  -h, --help\n"
	"\n"
	"Exit status: 0 fine, 1 it failed, or the password is wrong, 2 wrong usage.\n";

enum {
	OPT_STDIN = 256, OPT_HASHED, OPT_GENERATE, OPT_NO_PASSWORD, OPT_COST,
};

static const struct option long_options[] = {
	{ "cost", required_argument, NULL, OPT_COST },
	{ "file", required_argument, NULL, 'f' },
	{ "generate", no_argument, NULL, OPT_GENERATE },
	{ "hashed", no_argument, NULL, OPT_HASHED },
	{ "help", no_argument, NULL, 'h' },
	{ "no-password", no_argument, NULL, OPT_NO_PASSWORD },
	{ "options", required_argument, NULL, 'o' },
	{ "rights", required_argument, NULL, 'r' },
	{ "root", required_argument, NULL, 'd' },
	{ "stdin", no_argument, NULL, OPT_STDIN },
	{ NULL, 0, NULL, 0 },
};

static const struct {
	const char *name;
	enum passwd_verb verb;
	int least, most;	/* names behind it */
	bool sets;		/* takes a password to set, root, rights, ... */
} verbs[] = {
	{ "add", PASSWD_ADD, 1, 1, true },
	{ "change", PASSWD_CHANGE, 1, 1, true },
	{ "delete", PASSWD_DELETE, 1, 1, false },
	{ "lock", PASSWD_LOCK, 1, 1, false },
	{ "unlock", PASSWD_UNLOCK, 1, 1, false },
	{ "list", PASSWD_LIST, 0, 0, false },
	{ "check", PASSWD_CHECK, 0, 1, false },
};

void
passwd_say(const char *format, ...)
{
	va_list args;

	fputs("portcullis passwd: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

static bool
take_source(struct passwd_options *o, enum passwd_source source)
{
	if (o->source != PASSWD_UNSAID && o->source != source) {
		passwd_say("only one of --stdin, --hashed, --generate and "
		    "--no-password");
		return false;
	}
	o->source = source;
	return true;
}

static bool
take_cost(struct passwd_options *o, const char *text)
{
	uint64_t n;

	if (!sv_number(sv_of(text), SECRET_COST_MOST, &n) ||
	    n < SECRET_COST_LEAST) {
		passwd_say("--cost: %s: expected %d to %d", text,
		    SECRET_COST_LEAST, SECRET_COST_MOST);
		return false;
	}
	o->cost = (unsigned)n;
	return true;
}

/* False: wrong usage. */
static bool
take_option(struct passwd_options *o, int option)
{
	switch (option) {
	case 'f':
		o->file = optarg;
		return true;
	case 'd':
		o->root = optarg;
		return true;
	case 'r':
		o->rights = optarg;
		return true;
	case 'o':
		o->options = optarg;
		return true;
	case OPT_STDIN:
		return take_source(o, PASSWD_STDIN);
	case OPT_HASHED:
		return take_source(o, PASSWD_HASHED);
	case OPT_GENERATE:
		return take_source(o, PASSWD_GENERATE);
	case OPT_NO_PASSWORD:
		return take_source(o, PASSWD_NONE);
	case OPT_COST:
		return take_cost(o, optarg);
	default:
		fputs("portcullis passwd --help says more.\n", stderr);
		return false;
	}
}

/* What does not go together is refused: half of it would be ignored. */
static bool
is_sound(const struct passwd_options *o, bool sets)
{
	bool reads = o->verb == PASSWD_CHECK && o->name != NULL &&
	    o->source == PASSWD_STDIN;

	if (!sets && (o->root != NULL || o->rights != NULL ||
	    o->options != NULL || (o->source != PASSWD_UNSAID && !reads))) {
		passwd_say("--root, --rights, --options and passwords go with "
		    "add and change");
		return false;
	}
	if (o->name == NULL || accounts_name_is_good(sv_of(o->name)))
		return true;
	passwd_say("no name for an account: 1 to 64 bytes without blanks and "
	    "colons, not anonymous, not ftp");
	return false;
}

static bool
take_verb(struct passwd_options *o, int argc, char **argv)
{
	for (size_t i = 0; argc > 0 && i < sizeof(verbs) / sizeof(verbs[0]);
	     i++) {
		if (strcmp(argv[0], verbs[i].name) != 0)
			continue;
		if (argc - 1 < verbs[i].least || argc - 1 > verbs[i].most)
			break;
		o->verb = verbs[i].verb;
		o->name = argc > 1 ? argv[1] : NULL;
		return is_sound(o, verbs[i].sets);
	}
	fputs(usage, stderr);
	return false;
}

bool
passwd_options_take(struct passwd_options *o, int argc, char **argv,
    int *status)
{
	int option;

	*o = (struct passwd_options) { .file = DEFAULT_FILE,
		.cost = SECRET_COST_USUAL };
	*status = EXIT_USAGE;
	optind = 1;
	while ((option = getopt_long(argc, argv, "d:f:ho:r:", long_options,
	    NULL)) != -1) {
		if (option == 'h') {
			*status = fputs(usage, stdout) < 0 ||
			    fflush(stdout) != 0 ? EXIT_FAILED : 0;
			return false;
		}
		if (!take_option(o, option))
			return false;
	}
	return take_verb(o, argc - optind, argv + optind);
}
