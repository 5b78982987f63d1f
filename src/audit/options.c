/*
 * audit/options.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "audit/options.h"

#include <getopt.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define GO_ON (-1)

#define RATE 20
#define RATE_MOST 1000
#define TIMEOUT_S 10
#define TIMEOUT_MOST_S 300
#define PATIENCE_MOST_S 3600
#define MAX_TIME_S 900
#define MAX_TIME_MOST_S 86400
#define CONTACT_MAX 128

static const char usage[] =
	"usage: portcullis audit [option...] TARGET [TARGET...]\n"
	"       TARGET is [ftp[s]://][user[:password]@]HOST[:PORT]; - reads more of\n"
	"       them from standard input\n"
	"\n"
	"Asks an FTP server whether it can be turned against others, or robbed, and\n"
	"harms nobody: it names only addresses that it owns.\n"
	"\n"
	"how\n"
	"      --listen-address IP another address of this host, to be the third party\n"
	"                          (repeatable; found by itself where there is one)\n"
	"      --contact TEXT      who asks, as an address: stands in the server's log\n"
	"      --only LIST         tests (T9) or lines (theft) alone, with commas\n"
	"      --directory PATH    where to look for files and long listings\n"
	"      --log FILE          the server's log, to look whether it tells\n"
	"      --syslog SOCKET     likewise: be the server's syslog, there (/dev/log)\n"
	"      --write             also try to store a file, and remove it\n"
	"      --balancer IP       the address that a balancer shows to the server\n"
	"      --patience SECONDS  to wait for an unused passive port to close\n"
	"      --rate N            commands a second at most (20)\n"
	"      --timeout SECONDS   for a reply (10)\n"
	"      --max-time SECONDS  for one target; what was not asked by then is\n"
	"                          inconclusive (900)\n"
	"      --jobs N            targets at once (1)\n"
	"  -4, -6                  over IPv4, over IPv6 alone\n"
	"what is said\n"
	"      --json              a report for each target, as a line of JSON\n"
	"      --sarif             one SARIF log, for dashboards\n"
	"      --nagios            one line, for Nagios and Icinga\n"
	"  -o, --output FILE       the reports as --json, to FILE too\n"
	"      --compare OLD       what has changed since that report\n"
	"      --fail-on LEVEL     of a line that makes it \"vulnerable\": info, low\n"
	"                          (default), medium, high or critical\n"
	"  -v, --verbose           every command and reply\n"
	"      --color WHEN        always, never, auto\n"
	"  -q, --quiet             no progress\n"
	"  -h, --help\n"
	"\n"
	"Exit status: 0 safe, 1 vulnerable, 2 wrong usage, 3 inconclusive.\n";

static int
complain(const char *option, const char *value, const char *wanted)
{
	fprintf(stderr, "portcullis audit: --%s: %s: expected %s\n", option,
	    value, wanted);
	return AUDIT_EXIT_USAGE;
}

static int
take_number(const char *option, const char *text, unsigned least,
    unsigned most, unsigned *out)
{
	uint64_t n;

	if (!sv_number(sv_of(text), most, &n) || n < least) {
		fprintf(stderr, "portcullis audit: --%s: %s: expected %u to "
		    "%u\n", option, text, least, most);
		return AUDIT_EXIT_USAGE;
	}
	*out = (unsigned)n;
	return GO_ON;
}

static int
take_level(struct options *o, const char *text)
{
	for (int i = 0; i < LEVEL_COUNT; i++)
		if (strcmp(text, bounce_level_name((enum bounce_level)i)) ==
		    0) {
			o->fail_on = (enum bounce_level)i;
			return GO_ON;
		}
	return complain("fail-on", text,
	    "info, low, medium, high or critical");
}

static int
take_listen(struct options *o, const char *text)
{
	if (o->listens == OPTIONS_LISTEN)
		return complain("listen-address", text, "at most 8 of them");
	if (!addr_parse_ip(sv_of(text), &o->listen[o->listens]))
		return complain("listen-address", text, "an IP address");
	o->listens++;
	return GO_ON;
}

/* What goes into a command line: one line it must stay. */
static int
take_contact(struct options *o, const char *text)
{
	size_t n = strlen(text);

	if (n == 0 || n > CONTACT_MAX)
		return complain("contact", text, "1 to 128 bytes");
	for (size_t i = 0; i < n; i++)
		if (text[i] < ' ' || text[i] > '~')
			return complain("contact", text, "printable ASCII");
	o->contact = text;
	return GO_ON;
}

/* A path that was cut would be another directory, to be written into. */
static int
take_directory(struct options *o, const char *text)
{
	if (text[0] == '\0' || strlen(text) >= OPTIONS_DIRECTORY_MAX)
		return complain("directory", text, "1 to 300 bytes");
	if (strpbrk(text, "\r\n") != NULL)
		return complain("directory", text, "one line");
	o->directory = text;
	return GO_ON;
}

/* A name of the list switches on the lines of that test or id. */
static bool
switch_on(struct options *o, struct sv name)
{
	bool known = false;

	for (int i = 0; i < ASK_COUNT; i++)
		if (sv_eq_nocase(name, sv_of(audit_questions[i].id)) ||
		    sv_eq_nocase(name, sv_of(audit_questions[i].test)))
			o->asked[i] = known = true;
	return known;
}

static int
take_only(struct options *o, const char *text)
{
	struct sv rest = sv_of(text);

	if (rest.len == 0)
		return complain("only", text, "tests or questions");
	memset(o->asked, 0, sizeof(o->asked));
	do {	/* "" is no name: who asks nothing learns nothing */
		const char *comma = memchr(rest.ptr, ',', rest.len);
		struct sv name = rest;

		if (comma != NULL)
			name.len = (size_t)(comma - rest.ptr);
		rest = sv_drop(rest, name.len + 1);
		if (!switch_on(o, name)) {
			fprintf(stderr, "portcullis audit: --only: %.*s: no "
			    "test or question of that name\n", (int)name.len,
			    name.ptr);
			return AUDIT_EXIT_USAGE;
		}
	} while (rest.len > 0);
	return GO_ON;
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
	return GO_ON;
}

enum {
	OPT_JSON = 256, OPT_SARIF, OPT_NAGIOS, OPT_COMPARE, OPT_LISTEN,
	OPT_CONTACT, OPT_ONLY, OPT_DIRECTORY, OPT_LOG, OPT_SYSLOG,
	OPT_WRITE,
	OPT_BALANCER, OPT_PATIENCE, OPT_RATE, OPT_TIMEOUT, OPT_JOBS,
	OPT_FAIL_ON, OPT_COLOUR, OPT_MAX_TIME,
};

static const struct option options[] = {
	{ "json", no_argument, NULL, OPT_JSON },
	{ "sarif", no_argument, NULL, OPT_SARIF },
	{ "nagios", no_argument, NULL, OPT_NAGIOS },
	{ "compare", required_argument, NULL, OPT_COMPARE },
	{ "output", required_argument, NULL, 'o' },
	{ "listen-address", required_argument, NULL, OPT_LISTEN },
	{ "contact", required_argument, NULL, OPT_CONTACT },
	{ "only", required_argument, NULL, OPT_ONLY },
	{ "directory", required_argument, NULL, OPT_DIRECTORY },
	{ "log", required_argument, NULL, OPT_LOG },
	{ "syslog", required_argument, NULL, OPT_SYSLOG },
	{ "write", no_argument, NULL, OPT_WRITE },
	{ "balancer", required_argument, NULL, OPT_BALANCER },
	{ "patience", required_argument, NULL, OPT_PATIENCE },
	{ "rate", required_argument, NULL, OPT_RATE },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "max-time", required_argument, NULL, OPT_MAX_TIME },
	{ "jobs", required_argument, NULL, OPT_JOBS },
	{ "fail-on", required_argument, NULL, OPT_FAIL_ON },
	{ "verbose", no_argument, NULL, 'v' },
	{ "color", required_argument, NULL, OPT_COLOUR },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* Those that take a text and no more; NULL: another one. */
static const char **
text_of(struct options *o, int option)
{
	switch (option) {
	case OPT_COMPARE:
		return &o->compare;
	case OPT_LOG:
		return &o->log;
	case OPT_SYSLOG:
		return &o->syslog;
	case 'o':
		return &o->output;
	default:
		return NULL;
	}
}

static int
take_form(struct options *o, enum form form)
{
	if (o->form != FORM_TABLE && o->form != form) {
		fputs("portcullis audit: one of --json, --sarif, --nagios\n",
		    stderr);
		return AUDIT_EXIT_USAGE;
	}
	o->form = form;
	return GO_ON;
}

static int
take_seconds(const char *option, const char *text, unsigned most,
    unsigned *out_ms)
{
	unsigned seconds;
	int status = take_number(option, text, 1, most, &seconds);

	if (status == GO_ON)
		*out_ms = seconds * 1000;
	return status;
}

/* An option with a value that is more than a text. */
static int
take_value(struct options *o, int option)
{
	switch (option) {
	case OPT_LISTEN:
		return take_listen(o, optarg);
	case OPT_CONTACT:
		return take_contact(o, optarg);
	case OPT_ONLY:
		return take_only(o, optarg);
	case OPT_DIRECTORY:
		return take_directory(o, optarg);
	case OPT_BALANCER:
		if (!addr_parse_ip(sv_of(optarg), &o->balancer))
			return complain("balancer", optarg, "an IP address");
		return GO_ON;
	case OPT_PATIENCE:
		return take_number("patience", optarg, 1, PATIENCE_MOST_S,
		    &o->patience_s);
	case OPT_RATE:
		return take_number("rate", optarg, 1, RATE_MOST, &o->rate);
	case OPT_TIMEOUT:
		return take_seconds("timeout", optarg, TIMEOUT_MOST_S,
		    &o->timeout_ms);
	case OPT_MAX_TIME:
		return take_number("max-time", optarg, 1, MAX_TIME_MOST_S,
		    &o->max_time_s);
	case OPT_JOBS:
		return take_number("jobs", optarg, 1, OPTIONS_JOBS, &o->jobs);
	case OPT_FAIL_ON:
		return take_level(o, optarg);
	case OPT_COLOUR:
		return take_colour(o, optarg);
	default:
		fputs("try: portcullis audit --help\n", stderr);
		return AUDIT_EXIT_USAGE;
	}
}

static int
take(struct options *o, int option)
{
	if (text_of(o, option) != NULL) {
		*text_of(o, option) = optarg;
		return GO_ON;
	}
	switch (option) {
	case OPT_JSON:
		return take_form(o, FORM_JSON);
	case OPT_SARIF:
		return take_form(o, FORM_SARIF);
	case OPT_NAGIOS:
		return take_form(o, FORM_NAGIOS);
	case OPT_WRITE:
		o->write = true;
		return GO_ON;
	case 'v':
		o->verbose = true;
		return GO_ON;
	case 'q':
		o->progress = false;
		return GO_ON;
	case '4':
		o->family = AF_INET;
		return GO_ON;
	case '6':
		o->family = AF_INET6;
		return GO_ON;
	case 'h':
		fputs(usage, stdout);
		return AUDIT_EXIT_SAFE;
	default:
		return take_value(o, option);
	}
}

/* A message may go far, by cron's mail: before the @ a password may stand. */
static void
complain_target(struct sv text, const char *wrong)
{
	const char *at = memrchr(text.ptr, '@', text.len);
	struct sv shown = at == NULL ? text :
	    sv_drop(text, (size_t)(at - text.ptr));

	fprintf(stderr, "portcullis audit: %s%.*s: %s\n", at != NULL ?
	    "..." : "", (int)shown.len, shown.ptr, wrong);
}

/* where: of standard input, its line number; 0: on the command line. */
static int
add_target(struct options *o, struct sv text, unsigned where)
{
	struct target *grown;
	const char *wrong;

	if (o->target_count == OPTIONS_TARGETS) {
		fprintf(stderr, "portcullis audit: more than %d targets\n",
		    OPTIONS_TARGETS);
		return AUDIT_EXIT_USAGE;
	}
	grown = reallocarray(o->targets, o->target_count + 1,
	    sizeof(*grown));
	if (grown == NULL) {
		perror("portcullis audit");
		return AUDIT_EXIT_VULNERABLE;
	}
	o->targets = grown;
	wrong = target_parse(text, &o->targets[o->target_count]);
	if (wrong == NULL) {
		o->target_count++;
		return GO_ON;
	}
	if (where > 0)
		fprintf(stderr, "portcullis audit: standard input, line %u: "
		    "%s\n", where, wrong);
	else
		complain_target(text, wrong);
	return AUDIT_EXIT_USAGE;
}

/*
 * Everybody on this host can read a command line.  What is left of the
 * password there, once it is read, is asterisks: a moment later, but not as
 * long as the audit.
 */
static void
hide_password(char *target)
{
	char *end = strrchr(target, '@'), *begin = strstr(target, "://");

	begin = begin != NULL && begin < end ? begin + 3 : target;
	if (end == NULL || (begin = memchr(begin, ':', (size_t)(end -
	    begin))) == NULL)
		return;
	memset(begin + 1, '*', (size_t)(end - begin) - 1);
}

/* Blank lines and those that begin with # are left out. */
static int
read_targets(struct options *o)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t n;
	int status = GO_ON;

	for (unsigned at = 1; status == GO_ON &&
	    (n = getline(&line, &room, stdin)) > 0; at++) {
		struct sv text = { line, (size_t)n };

		while (text.len > 0 && (unsigned char)text.ptr[text.len - 1] <=
		    ' ')
			text.len--;
		while (text.len > 0 && (unsigned char)text.ptr[0] <= ' ')
			text = sv_drop(text, 1);
		if (text.len > 0 && text.ptr[0] != '#')
			status = add_target(o, text, at);
	}
	free(line);
	if (status == GO_ON && ferror(stdin)) {
		perror("portcullis audit: standard input");
		status = AUDIT_EXIT_VULNERABLE;
	}
	return status;
}

static int
check(const struct options *o)
{
	if (o->target_count > 0)
		return GO_ON;
	fputs("portcullis audit: no target: no host is audited that you did "
	    "not name\ntry: portcullis audit --help\n", stderr);
	return AUDIT_EXIT_USAGE;
}

static bool
likes_colour(void)
{
	const char *no = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) == 1 && (no == NULL || *no == '\0');
}

int
audit_options_take(struct options *o, int argc, char **argv)
{
	static char program[] = "portcullis audit";
	int option, status;

	*o = (struct options) { .jobs = 1, .rate = RATE, .fail_on = LEVEL_LOW,
		.timeout_ms = TIMEOUT_S * 1000, .family = AF_UNSPEC,
		.max_time_s = MAX_TIME_S,
		.colour = likes_colour(),
		.progress = isatty(STDERR_FILENO) == 1 };
	memset(o->asked, true, sizeof(o->asked));
	argv[0] = program;	/* how getopt_long begins what it says */
	while ((option = getopt_long(argc, argv, "o:vqh46", options,
	    NULL)) != -1)
		if ((status = take(o, option)) != GO_ON)
			return status;
	for (; optind < argc; optind++) {
		status = strcmp(argv[optind], "-") == 0 ? read_targets(o) :
		    add_target(o, sv_of(argv[optind]), 0);
		hide_password(argv[optind]);
		if (status != GO_ON)
			return status;
	}
	return check(o);
}

void
audit_options_free(struct options *o)
{
	/* Passwords stood in it. */
	if (o->targets != NULL)
		explicit_bzero(o->targets, o->target_count *
		    sizeof(*o->targets));
	free(o->targets);
	o->targets = NULL;
	o->target_count = 0;
}
