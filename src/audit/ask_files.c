/*
 * audit/ask_files.c: listings that are cut, files that anybody may write.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>

#include "audit/data.h"

#define CLEAN_MS 20000
#define LEFT_MAX 160		/* what is said of a file left behind */
#define MANY 1000		/* names from which on a listing may be cut */
#define PART_COMMANDS 3		/* that the listing of a part takes at most */
#define NAME_BYTES (OPTIONS_DIRECTORY_MAX + 32)
#define COMMAND_BYTES (NAME_BYTES + 8)	/* a verb, a blank, a name */
#define LEFT_BYTES 64

/* ---- listings */

/* Lines of a listing: the LFs; a last line without one counts, too. */
struct count {
	uint64_t lines;
	bool open;
};

static void
count_lines(void *arg, struct sv piece)
{
	struct count *c = arg;

	for (size_t i = 0; i < piece.len; i++)
		c->lines += piece.ptr[i] == '\n';
	c->open = piece.len > 0 && piece.ptr[piece.len - 1] != '\n';
}

/* The number of names; -1 when there was no listing with a 226. */
static int64_t
list(struct link *l, struct reply *r, const char *pattern)
{
	const char *directory = l->ask->audit->options->directory;
	struct count c = { 0 };
	char command[COMMAND_BYTES];

	snprintf(command, sizeof(command), "NLST%s%s%s%s", directory !=
	    NULL || pattern[0] != '\0' ? " " : "", directory != NULL ?
	    directory : "", directory != NULL && pattern[0] != '\0' ? "/" :
	    "", pattern);
	if (data_fetch(l, r, command, count_lines, &c) < 0 ||
	    r->code / 100 != 2)
		return -1;
	return (int64_t)(c.lines + c.open);
}

static bool
says_cut(const struct reply *r)
{
	return strcasestr(r->text, "truncated") != NULL;
}

/*
 * The parts of a whole are no more than it: names by their last byte.  They
 * need not be complete, since each name is in one of them at most.
 */
static int64_t
sum_of_parts(struct link *l, int64_t whole)
{
	static const char last[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	char pattern[] = "*?";
	int64_t sum = 0;
	struct reply r;

	for (size_t i = 0; i < sizeof(last) - 1 && sum <= whole &&
	    l->ask->commands + PART_COMMANDS < ASK_COMMANDS && !l->over;
	    i++) {
		int64_t n;

		pattern[1] = last[i];
		n = list(l, &r, pattern);
		if (n > 0)
			sum += n;
	}
	return sum;
}

void
ask_listing_cut(struct ask *q)
{
	struct link *l = link_login(q);
	int64_t whole, sum;
	struct reply r;

	if (l == NULL)
		return;
	link_command(l, &r, "TYPE A");
	whole = list(l, &r, "");
	if (whole < 0)
		ask_answer(q, VERDICT_inconclusive, "no listing: %s", r.text);
	else if (says_cut(&r))
		ask_answer(q, VERDICT_vulnerable, "%lld names, and: %s",
		    (long long)whole, r.text);
	else if (whole < MANY)
		ask_answer(q, VERDICT_safe, "%lld names: too few to be cut; "
		    "--directory names a longer one", (long long)whole);
	if (!q->answered) {
		sum = sum_of_parts(l, whole);
		if (sum == 0)
			ask_answer(q, VERDICT_safe, "%lld names with %d; it "
			    "lists no patterns, to count them once more",
			    (long long)whole, r.code);
		ask_answer(q, sum > whole ? VERDICT_vulnerable : VERDICT_safe,
		    "%lld names with %d, %lld when asked for in parts",
		    (long long)whole, r.code, (long long)sum);
	}
	link_close(l);
}

/* ---- writing */

static const char content[] =
	"Stored by portcullis audit --write, to see whether it can be, and to "
	"be\nremoved at once.  If you find it, remove it.\n";

static void
make_name(const struct audit *a, char name[NAME_BYTES])
{
	const char *directory = a->options->directory;

	snprintf(name, NAME_BYTES, "%s%sportcullis-audit-%08x",
	    directory != NULL ? directory : "", directory != NULL ? "/" : "",
	    ask_made_up());
}

/*
 * What is left behind must be known.  An upload whose end was never told may
 * have made a file, too; the session may have ended with it, and 64 commands
 * be sent: then it is removed in another one; --max-time or not.
 */
static void
clean_up(struct ask *q, struct link *l, const char *name, bool stored,
    char left[LEFT_MAX])
{
	uint64_t enough_ms = sock_now_ms() + CLEAN_MS;
	struct link *again = NULL;
	struct reply r = { 0 };

	if (q->audit->deadline_ms < enough_ms)
		q->audit->deadline_ms = enough_ms;
	left[0] = '\0';
	if (link_command(l, &r, "DELE %s", name) == 0 &&
	    (again = link_login(q)) != NULL)
		link_command(again, &r, "DELE %s", name);
	/* "There is no such file" is as good, where none was stored. */
	if (r.code / 100 != 2 && (stored || r.code / 100 != 5)) {
		snprintf(left, LEFT_MAX, "; %.100s could NOT be removed again",
		    name);
		ask_event(q, "%s may be on the server: %s", name, r.text);
	}
	link_close(again);
}

static bool
may_write(struct ask *q)
{
	if (q->audit->options->write)
		return true;
	ask_answer(q, VERDICT_not_asked, "--write was not given");
	return false;
}

void
ask_write(struct ask *q)
{
	char name[NAME_BYTES], command[COMMAND_BYTES], left[LEFT_MAX] = "";
	bool begun, stored;
	struct link *l;
	struct reply r;

	if (!may_write(q) || (l = link_login(q)) == NULL)
		return;
	make_name(q->audit, name);
	snprintf(command, sizeof(command), "STOR %s", name);
	stored = data_store(l, &r, command, SV("portcullis audit\n"), &begun);
	if (begun)
		clean_up(q, l, name, stored, left);
	q->answered = false;	/* no second login is no answer */
	if (stored)
		ask_answer(q, VERDICT_vulnerable, "STOR: %.150s%s", r.text,
		    left);
	ask_answer(q, reply_refuses(&r) && left[0] == '\0' ? VERDICT_safe :
	    VERDICT_inconclusive, "STOR: %.150s%s", r.text, left);
	link_close(l);
}

/* Only a file of our own is written over. */
void
ask_overwrite(struct ask *q)
{
	char name[NAME_BYTES], command[COMMAND_BYTES], left[LEFT_MAX] = "";
	bool begun, again, stored, over = false;
	struct reply first, second = { 0 };
	struct link *l;

	if (!may_write(q) || (l = link_login(q)) == NULL)
		return;
	make_name(q->audit, name);
	snprintf(command, sizeof(command), "STOR %s", name);
	stored = data_store(l, &first, command, (struct sv) { content,
	    sizeof(content) - 1 }, &begun);
	if (stored)
		over = data_store(l, &second, command, SV("over\n"), &again);
	if (begun)
		clean_up(q, l, name, stored, left);
	q->answered = false;	/* no second login is no answer */
	if (stored)
		ask_answer(q, over ? VERDICT_vulnerable : VERDICT_safe,
		    "STOR of a name that is there: %.150s%s", second.text,
		    left);
	ask_answer(q, reply_refuses(&first) && left[0] == '\0' ?
	    VERDICT_safe : VERDICT_inconclusive, "STOR: %.150s%s",
	    first.text, left);
	link_close(l);
}
