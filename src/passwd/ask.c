/*
 * passwd/ask.c: see the header.
 *
 * While a terminal is silent, signals wait: one that ended us then would
 * leave it so.  Ctrl-C and its sisters come as bytes, and are an end too.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "passwd/ask.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

#include "passwd/options.h"

#define CTRL_C '\003'
#define CTRL_BACKSLASH '\034'

struct terminal {
	int fd;
	struct termios before;
	sigset_t signals;
};

static bool
silence(struct terminal *t)
{
	struct termios silent;
	sigset_t all;

	t->fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (t->fd < 0 || tcgetattr(t->fd, &t->before) != 0) {
		passwd_say("there is no terminal to ask on; see --stdin and "
		    "--generate");
		if (t->fd >= 0)
			close(t->fd);
		return false;
	}
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &t->signals);
	silent = t->before;
	silent.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL | ISIG);
	/* Or they would wait for the end of a line. */
	silent.c_cc[VEOL] = CTRL_C;
	silent.c_cc[VEOL2] = CTRL_BACKSLASH;
	tcsetattr(t->fd, TCSAFLUSH, &silent);
	return true;
}

static void
restore(struct terminal *t)
{
	tcsetattr(t->fd, TCSAFLUSH, &t->before);
	sigprocmask(SIG_SETMASK, &t->signals, NULL);
	close(t->fd);
}

static void
show(const struct terminal *t, const char *text)
{
	if (write(t->fd, text, strlen(text)) < 0)
		return;	/* nowhere left to say it */
}

static bool
is_interrupt(char c)
{
	return c == CTRL_C || c == CTRL_BACKSLASH;
}

/* Keeps what fits; false when that was not all, or there was no line. */
static bool
read_line(int fd, char out[ASK_ROOM])
{
	bool good = true;
	size_t n = 0;
	ssize_t got;
	char c = '\0';

	while ((got = read(fd, &c, 1)) != 0 && c != '\n') {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 || is_interrupt(c)) {
			good = false;
			break;
		}
		if (c == '\0' || c == '\r' || n == ASK_ROOM - 1)
			good = false;
		else
			out[n++] = c;
	}
	out[n] = '\0';
	return good && n > 0;
}

static bool
ask_once(const struct terminal *t, const char *what, const char *name,
    char out[ASK_ROOM])
{
	char prompt[128];
	bool good;

	snprintf(prompt, sizeof(prompt), "%s for %s: ", what, name);
	show(t, prompt);
	good = read_line(t->fd, out);
	show(t, "\n");
	return good;
}

bool
ask_terminal(const char *name, bool is_new, char out[ASK_ROOM])
{
	char first[ASK_ROOM], again[ASK_ROOM];
	struct terminal t;
	bool good, same = true;

	if (!silence(&t))
		return false;
	good = ask_once(&t, is_new ? "New password" : "Password", name, first);
	if (good && is_new) {
		good = ask_once(&t, "Once more", name, again);
		same = !good || strcmp(first, again) == 0;
		explicit_bzero(again, sizeof(again));
	}
	restore(&t);
	if (good && same)
		memcpy(out, first, sizeof(first));
	else
		passwd_say(same ? "no password" : "they are not the same");
	explicit_bzero(first, sizeof(first));
	return good && same;
}

bool
ask_stdin(char out[ASK_ROOM])
{
	char more;

	/* Read byte by byte: no copy of it stays in a buffer of stdio. */
	if (read_line(STDIN_FILENO, out) && read(STDIN_FILENO, &more, 1) == 0)
		return true;
	explicit_bzero(out, ASK_ROOM);
	passwd_say("expected one line of at most %d bytes on standard input",
	    SECRET_PASSWORD_MAX);
	return false;
}
