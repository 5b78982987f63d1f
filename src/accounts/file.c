/*
 * accounts/file.c: the account file as a whole; see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "accounts/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

struct reading {
	const struct accounts_listener *listener;
	unsigned problems;
	size_t cap;
};

static void
tell(struct reading *r, unsigned line, const char *why)
{
	if (r->problems++ < ACCOUNTS_PROBLEMS_MAX)
		r->listener->problem(r->listener->arg, line, why);
	else if (r->problems == ACCOUNTS_PROBLEMS_MAX + 1)
		r->listener->problem(r->listener->arg, line,
		    "and more, which are not told");
}

static bool
grow(struct accounts *a, struct reading *r)
{
	size_t cap = r->cap == 0 ? 64 : r->cap * 2;
	struct accounts_entry *at = reallocarray(a->at, cap, sizeof(*at));

	if (at == NULL)
		return false;
	a->at = at;
	r->cap = cap;
	return true;
}

/* False: to read on makes no sense. */
static bool
take_line(struct accounts *a, struct reading *r, struct sv line,
    unsigned number)
{
	char why[ACCOUNTS_WHY_MAX];

	if (line.len == 0 || line.ptr[0] == '#')
		return true;
	if (a->count == ACCOUNTS_MAX) {
		tell(r, number, "more than 65536 accounts");
		return false;
	}
	if (a->count == r->cap && !grow(a, r)) {
		tell(r, 0, "out of memory");
		return false;
	}
	if (!accounts_parse_line(line, &a->at[a->count], why))
		tell(r, number, why);
	else
		a->at[a->count++].line = number;
	return true;
}

static int
compare_names(struct sv a, struct sv b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int order = memcmp(a.ptr, b.ptr, n);

	if (order == 0)
		order = a.len < b.len ? -1 : a.len > b.len;
	return order;
}

/* Of the same name, the one that came first goes first. */
static int
compare_entries(const void *left, const void *right)
{
	const struct accounts_entry *a = left, *b = right;
	int order = compare_names(a->name, b->name);

	return order != 0 ? order : a->line < b->line ? -1 : 1;
}

static void
sort(struct accounts *a, struct reading *r)
{
	char why[80];

	if (a->count == 0)
		return;
	qsort(a->at, a->count, sizeof(*a->at), compare_entries);
	for (size_t i = 1; i < a->count; i++) {
		if (!sv_eq(a->at[i - 1].name, a->at[i].name))
			continue;
		snprintf(why, sizeof(why), "the name is that of line %u",
		    a->at[i - 1].line);
		tell(r, a->at[i].line, why);
	}
}

/* Reads a->text, which a owns. */
static bool
parse(struct accounts *a, const struct accounts_listener *l)
{
	struct reading r = { .listener = l };
	struct sv rest = { a->text, a->len }, line;
	unsigned number = 0;

	while (text_take_line(&rest, &line) &&
	       take_line(a, &r, line, ++number))
		;
	sort(a, &r);
	if (r.problems > 0)
		accounts_free(a);
	return r.problems == 0;
}

static bool
refuse(const struct accounts_listener *l, const char *why)
{
	l->problem(l->arg, 0, why);
	return false;
}

bool
accounts_parse(struct sv text, struct accounts *out,
    const struct accounts_listener *l)
{
	*out = (struct accounts) { 0 };
	if (text.len > ACCOUNTS_FILE_MAX)
		return refuse(l, "the file is longer than 32 MiB");
	if ((out->text = malloc(text.len + 1)) == NULL)
		return refuse(l, "out of memory");
	if (text.len > 0)
		memcpy(out->text, text.ptr, text.len);
	out->len = text.len;
	return parse(out, l);
}

/* Up to size bytes, which fstat(2) promised; fewer when the file shrank. */
static ssize_t
read_all(int fd, char *to, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = pread(fd, to + done, size - done, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

bool
accounts_read(int fd, struct accounts *out, const struct accounts_listener *l)
{
	struct stat st;
	ssize_t n;

	*out = (struct accounts) { 0 };
	if (fstat(fd, &st) != 0)
		return refuse(l, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return refuse(l, "not a regular file");
	if (st.st_size > (off_t)ACCOUNTS_FILE_MAX)
		return refuse(l, "the file is longer than 32 MiB");
	if ((out->text = malloc((size_t)st.st_size + 1)) == NULL)
		return refuse(l, "out of memory");
	if ((n = read_all(fd, out->text, (size_t)st.st_size)) < 0) {
		refuse(l, strerror(errno));
		accounts_free(out);
		return false;
	}
	out->len = (size_t)n;
	return parse(out, l);
}

void
accounts_free(struct accounts *a)
{
	if (a->text != NULL)
		explicit_bzero(a->text, a->len);
	free(a->text);
	free(a->at);
	*a = (struct accounts) { 0 };
}

const struct accounts_entry *
accounts_find(const struct accounts *a, struct sv name)
{
	size_t low = 0, high = a->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare_names(name, a->at[middle].name);

		if (order == 0)
			return &a->at[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static int
compare_costs(const void *left, const void *right)
{
	const struct sv *a = left, *b = right;

	return compare_names(accounts_hash_cost(*a), accounts_hash_cost(*b));
}

static struct sv
most_common(const struct sv *hashes, size_t n)
{
	struct sv best = { 0 };
	size_t most = 0, run = 0;

	for (size_t i = 0; i < n; i++) {
		run = i > 0 && compare_costs(&hashes[i - 1], &hashes[i]) == 0 ?
		    run + 1 : 1;
		if (run > most) {
			most = run;
			best = hashes[i];
		}
	}
	return best;
}

struct sv
accounts_usual_hash(const struct accounts *a)
{
	struct sv *hashes = calloc(a->count + 1, sizeof(*hashes)), best;
	size_t n = 0;

	if (hashes == NULL)
		return (struct sv) { 0 };
	for (size_t i = 0; i < a->count; i++)
		if (accounts_is_open(&a->at[i]))
			hashes[n++] = a->at[i].hash;
	qsort(hashes, n, sizeof(*hashes), compare_costs);
	best = most_common(hashes, n);
	free(hashes);
	return best;
}
