/*
 * warden/board.c: what the warden tells everybody while it runs: a downtime.
 *
 * Looked for by stat(2) once a second.  inotify was rejected: the directory
 * may not exist yet, may be a link or a mount, and a file on a network file
 * system changes without a word.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "warden/warden.h"

#define LOOK_MS 1000
#define FILE_MAX 1024	/* bytes that are read of it */

/* A text in the making; what does not fit is left out, lines whole. */
struct page {
	char text[BOARD_TEXT_MAX];
	size_t len, most;
};

/* "HEAD" and CRLF behind it; false: there was no room. */
static bool
put_line(struct page *p, const char *head, struct sv line)
{
	char shown[TEXT_SHOWN_MAX(FILE_MAX)];
	size_t n = text_show(line, shown, sizeof(shown)), h = strlen(head);

	if (h + n + 2 > p->most - p->len)
		return false;
	memcpy(p->text + p->len, head, h);
	memcpy(p->text + p->len + h, shown, n);
	memcpy(p->text + p->len + h + n, "\r\n", 2);
	p->len += h + n + 2;
	return true;
}

static void
put_lines(struct page *p, struct sv text)
{
	struct sv line;

	while (text_take_line(&text, &line))
		if (!put_line(p, " ", line))
			return;
}

/* The number of exactly n digits at the front; -1: there is none. */
static int
take_digits(struct sv *v, size_t n)
{
	struct sv digits = { v->ptr, n };
	uint64_t value;

	if (v->len < n || !sv_number(digits, 9999, &value))
		return -1;
	*v = sv_drop(*v, n);
	return (int)value;
}

/*
 * Reads the whole line as "at YYYY-MM-DD HH:MM", in UTC.  False, and out
 * untouched, for any other: that is text.
 */
static bool
parse_at(struct sv line, time_t *out)
{
	struct tm tm = { 0 }, same;
	bool good;
	time_t t;

	if (line.len < 3 || memcmp(line.ptr, "at ", 3) != 0)
		return false;
	line = sv_drop(line, 3);
	tm.tm_year = take_digits(&line, 4) - 1900;
	good = sv_take(&line, '-');
	tm.tm_mon = take_digits(&line, 2) - 1;
	good = good && sv_take(&line, '-');
	tm.tm_mday = take_digits(&line, 2);
	good = good && sv_take(&line, ' ');
	tm.tm_hour = take_digits(&line, 2);
	good = good && sv_take(&line, ':');
	tm.tm_min = take_digits(&line, 2);
	if (!good || line.len > 0 || tm.tm_year < 70)
		return false;
	same = tm;
	t = timegm(&same);
	/* The 30th of February would have become a day in March. */
	if (same.tm_year != tm.tm_year || same.tm_mon != tm.tm_mon ||
	    same.tm_mday != tm.tm_mday || same.tm_hour != tm.tm_hour ||
	    same.tm_min != tm.tm_min)
		return false;
	*out = t;
	return true;
}

static void
announce(struct page *p, time_t at, struct sv text)
{
	char line[80];
	struct tm tm;

	gmtime_r(&at, &tm);
	strftime(line, sizeof(line), "Downtime from %Y-%m-%d %H:%M UTC:",
	    &tm);
	(void)put_line(p, " ", sv_of(line));
	put_lines(p, text);
}

/* The whole 421; its last line has its room before the text has any. */
static void
refuse(struct page *p, const char *contact, struct sv text)
{
	char last[CONF_TEXT_MAX + 64];

	snprintf(last, sizeof(last), "Down for a while, try again later.%s%s",
	    contact[0] != '\0' ? " Contact: " : "", contact);
	if (text.len > 0) {
		p->most -= strlen("421 \r\n") + strlen(last);
		(void)put_line(p, "421-", SV("This server is down:"));
		put_lines(p, text);
		p->most = sizeof(p->text);
	}
	(void)put_line(p, "421 ", sv_of(last));
}

/*
 * What the file holds; false: there is none.  One that cannot be read is
 * empty: it exists, and that is what counts.
 */
static bool
read_file(const char *path, char out[FILE_MAX], size_t *len)
{
	struct stat st;
	ssize_t n = 0;
	int fd;

	*len = 0;
	if (path[0] == '\0' || stat(path, &st) != 0)
		return false;
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return errno != ENOENT;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		n = read(fd, out, FILE_MAX);
	close(fd);
	*len = n > 0 ? (size_t)n : 0;
	return true;
}

static uint32_t
downtime_page(const struct conf *c, struct page *p)
{
	char room[FILE_MAX];
	struct sv text = { room, 0 }, behind, first;
	time_t at = 0;

	if (!read_file(c->downtime, room, &text.len))
		return BOARD_UP;
	behind = text;
	if (text_take_line(&behind, &first) && parse_at(first, &at))
		text = behind;
	if (time(NULL) < at) {
		announce(p, at, text);
		return BOARD_ANNOUNCED;
	}
	refuse(p, c->contact, text);
	return BOARD_DOWN;
}

/* A change of the text alone is for clients. */
static void
say_change(uint32_t from, uint32_t to)
{
	if (from == to)
		return;
	if (to == BOARD_DOWN)
		log_line("downtime: begins, new logins are refused");
	else if (from == BOARD_DOWN)
		log_line("downtime: ends");
	if (to == BOARD_ANNOUNCED)
		log_line("downtime: announced");
	else if (from == BOARD_ANNOUNCED && to == BOARD_UP)
		log_line("downtime: not announced any more");
}

static void
look(struct warden *w)
{
	struct page p = { .most = sizeof(p.text) };
	struct board_content *t = &w->told;
	uint32_t downtime = downtime_page(&w->conf, &p);

	if (downtime == t->downtime && p.len == t->text_len &&
	    memcmp(p.text, t->text, p.len) == 0)
		return;
	say_change(t->downtime, downtime);
	t->downtime = downtime;
	t->text_len = (uint32_t)p.len;
	memset(t->text, 0, sizeof(t->text));
	memcpy(t->text, p.text, p.len);
	board_write(w->board, t);
}

static void
look_due(struct loop_timer *t)
{
	board_follow(LOOP_OWNER(t, struct warden, look));
}

void
board_follow(struct warden *w)
{
	w->look.fire = look_due;
	look(w);
	if (w->conf.downtime[0] != '\0')
		loop_timer_set(&w->loop, &w->look, LOOK_MS);
	else
		loop_timer_stop(&w->loop, &w->look);
}

bool
board_start(struct warden *w)
{
	if (!board_new(&w->board, &w->board_fd))
		return false;
	board_follow(w);
	return true;
}
