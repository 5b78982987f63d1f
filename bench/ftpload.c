/*
 * bench/ftpload.c: measures any FTP server with anonymous sessions.
 * SPDX-License-Identifier: Apache-2.0
 *
 * With -d (driven) it says "ready" when every session is logged in, begins
 * on a line of standard input, prints its result when the last transfer is
 * checked, and hangs up on the next line: so that a driver can read the
 * server's CPU time between the steps and leave logins out of it.
 */
#include "load.h"

#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SESSIONS_MAX = 100000 };

static const char usage_text[] =
"usage: ftpload [options] big|small|session|idle|list\n"
"  -h ADDRESS   the server (127.0.0.1)    -p PORT    its port (21)\n"
"  -n SESSIONS  in parallel (1)           -a         active mode (EPRT)\n"
"  -t SECONDS   how long (2), or          -c COUNT   how many transfers\n"
"  -f PATH      file, or directory        -s BYTES   size the file must have\n"
"  -e ENTRIES   files the listing must have\n"
"  -m           list with MLSD instead of LIST\n"
"  -w COUNT     transfers per session before the measurement\n"
"  -d           wait for a line of input before and after the measurement\n"
"idle holds its sessions until a line, the end of input or a signal.\n";

static void
on_signal(int sig)
{
	(void)sig;		/* being interrupted is the message */
}

static _Noreturn void
usage(void)
{
	fputs(usage_text, stderr);
	exit(2);
}

static uint64_t
number(const char *text, uint64_t most)
{
	char *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || *text == '-' ||
	    value > most)
		usage();
	return value;
}

static double
seconds(const char *text)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end != '\0' || !(value > 0 && value < 1e6))
		usage();
	return value;
}

static enum scenario
scenario(const char *name)
{
	if (strcmp(name, "big") == 0 || strcmp(name, "small") == 0)
		return SC_RETR;
	if (strcmp(name, "session") == 0)
		return SC_SESSION;
	if (strcmp(name, "idle") == 0)
		return SC_IDLE;
	if (strcmp(name, "list") == 0)
		return SC_LIST;
	usage();
}

static void
set_option(struct settings *set, int option, const char *arg)
{
	switch (option) {
	case 'h':
		if (inet_pton(AF_INET, arg, &set->server.sin_addr) != 1)
			usage();
		break;
	case 'p':
		set->server.sin_port = htons((uint16_t)number(arg, UINT16_MAX));
		break;
	case 'n':
		set->sessions = (unsigned)number(arg, SESSIONS_MAX);
		break;
	case 't':
		set->seconds = seconds(arg);
		break;
	case 'c':
		set->count = number(arg, UINT32_MAX);
		break;
	case 'f':
		set->path = arg;
		break;
	case 's':
		set->size = (int64_t)number(arg, INT64_MAX);
		break;
	case 'e':
		set->lines = (int64_t)number(arg, INT64_MAX);
		break;
	case 'w':
		set->warmup = (unsigned)number(arg, UINT16_MAX);
		break;
	case 'a':
		set->active = true;
		break;
	case 'm':
		set->mlsd = true;
		break;
	case 'd':
		set->driven = true;
		break;
	default:
		usage();
	}
}

static void
read_options(struct settings *set, int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "h:p:n:t:c:f:s:e:w:adm")) != -1)
		set_option(set, option, optarg);
	if (optind + 1 != argc || set->sessions == 0)
		usage();
	set->label = argv[optind];
	set->scenario = scenario(set->label);
	if (set->path == NULL)
		set->path = set->scenario == SC_LIST ? "/" : set->label;
}

/* A line or the end of input; a signal cuts the wait short. */
static void
wait_line(void)
{
	char c;

	while (read(STDIN_FILENO, &c, 1) == 1 && c != '\n')
		continue;
}

static double
cpu_s(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
	    (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
}

static bool
prepare(struct load *l)
{
	struct sigaction act = { .sa_handler = on_signal };
	struct rlimit files;

	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	l->sess = calloc(l->set.sessions, sizeof(*l->sess));
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->sess == NULL || l->epoll < 0)
		return false;
	for (unsigned i = 0; i < l->set.sessions; i++)
		session_init(&l->sess[i], l);
	return true;
}

static void
say_ready(void)
{
	puts("ready");
	fflush(stdout);
}

static void
measure(struct load *l)
{
	uint64_t begun = clock_ns();
	double login_s, cpu;
	bool fine = load_login(l);

	if (!fine && l->errors == 0)
		load_error(l, "interrupted", "");
	login_s = (double)(clock_ns() - begun) / 1e9;
	cpu = cpu_s();
	if (l->set.driven || l->set.scenario == SC_IDLE) {
		say_ready();
		wait_line();
	}
	if (l->set.scenario == SC_IDLE)
		load_noop(l);
	else
		load_run(l);
	report_print(l, cpu_s() - cpu, login_s);
	if (l->set.driven)
		wait_line();
	load_quit(l);
}

int
main(int argc, char **argv)
{
	struct load l = {
		.set = {
			.server = {
				.sin_family = AF_INET,
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				.sin_port = htons(21),
			},
			.sessions = 1, .seconds = 2, .size = -1, .lines = -1,
		},
	};

	read_options(&l.set, argc, argv);
	if (!prepare(&l)) {
		perror("ftpload");
		return 1;
	}
	measure(&l);
	free(l.total.ms);
	free(l.first.ms);
	free(l.sess);
	return l.errors != 0;
}
