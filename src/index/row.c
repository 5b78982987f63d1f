/*
 * index/row.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "index/row.h"

#include <assert.h>
#include <stdio.h>

#define COLUMNS 5

void
index_time_format(struct timespec t, char out[INDEX_TIME_ROOM])
{
	struct tm tm;

	if (gmtime_r(&t.tv_sec, &tm) == NULL) {
		snprintf(out, INDEX_TIME_ROOM, "@%lld.%09ldZ",
		    (long long)t.tv_sec, t.tv_nsec);
		return;
	}
	snprintf(out, INDEX_TIME_ROOM, "%04lld-%02d-%02dT%02d:%02d:%02d.%09ldZ",
	    (long long)tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
	    tm.tm_hour, tm.tm_min, tm.tm_sec, t.tv_nsec);
}

size_t
index_row_format(const struct index_row *row, char out[INDEX_LINE_ROOM])
{
	int n = 0;

	switch (row->kind) {
	case INDEX_FILE:
		n = snprintf(out, INDEX_LINE_ROOM, "%s\t%llu\t%s\t%s\n",
		    row->hash, (unsigned long long)row->size, row->mtime,
		    row->path);
		break;
	case INDEX_LINK:
		n = snprintf(out, INDEX_LINE_ROOM, "link\t%llu\t%s\t%s\t%s\n",
		    (unsigned long long)row->size, row->mtime, row->path,
		    row->target);
		break;
	case INDEX_LEFT:
		n = snprintf(out, INDEX_LINE_ROOM, "?\t-\t-\t%s\n", row->path);
		break;
	}
	assert(n > 0 && (size_t)n < INDEX_LINE_ROOM);
	return (size_t)n;
}

static bool
is_hash(const char *text)
{
	return strlen(text) == DIGEST_SHA256_HEX - 1 &&
	    strspn(text, "0123456789abcdef") == DIGEST_SHA256_HEX - 1;
}

/* That it is the text of some time; which one, nobody asks. */
static bool
is_time(const char *text)
{
	size_t n = strlen(text);

	return n >= sizeof("@0.000000000Z") - 1 && n < INDEX_TIME_ROOM &&
	    strspn(text, "@-0123456789T:.") == n - 1 && text[n - 1] == 'Z' &&
	    text[n - 11] == '.';
}

/*
 * Beneath the directory, and spelt as index_name_escape would.  A link's
 * target may lead anywhere: it is shown, and never followed.
 */
static bool
is_path(const char *text, bool is_target)
{
	char raw[INDEX_PATH_ROOM];
	size_t n = strlen(text);

	if (n == 0 || n >= INDEX_PATH_ROOM ||
	    !index_name_unescape((struct sv) { text, n }, raw, &n) ||
	    n >= PATH_MAX)
		return false;
	return is_target || raw[0] != '/';
}

static size_t
cut(char *line, char *column[COLUMNS])
{
	size_t n = 0;

	for (char *tab; n < COLUMNS - 1; line = tab + 1) {
		column[n++] = line;
		if ((tab = strchr(line, '\t')) == NULL)
			return n;
		*tab = '\0';
	}
	column[n++] = line;
	return n;
}

static const char *
parse_kind(const char *text, size_t columns, struct index_row *out)
{
	if (strcmp(text, "link") == 0)
		out->kind = INDEX_LINK;
	else if (strcmp(text, "?") == 0)
		out->kind = INDEX_LEFT;
	else if (is_hash(text) || strcmp(text, "-") == 0)
		out->kind = INDEX_FILE;
	else
		return "neither a SHA-256 nor \"-\", \"link\" or \"?\"";
	if (columns != (out->kind == INDEX_LINK ? 5 : 4))
		return "wrong number of columns";
	if (out->kind == INDEX_FILE)
		memcpy(out->hash, text, strlen(text) + 1);
	return NULL;
}

const char *
index_row_parse(char *line, struct index_row *out)
{
	char *column[COLUMNS];
	size_t n = cut(line, column);
	const char *wrong;

	*out = (struct index_row) { 0 };
	if ((wrong = parse_kind(column[0], n, out)) != NULL)
		return wrong;
	if (out->kind == INDEX_LEFT) {
		if (strcmp(column[1], "-") != 0 || strcmp(column[2], "-") != 0)
			return "a size or time beside \"?\"";
	} else if (!sv_number(sv_of(column[1]), INT64_MAX, &out->size)) {
		return "no size";
	} else if (!is_time(column[2])) {
		return "no time";
	} else {
		memcpy(out->mtime, column[2], strlen(column[2]) + 1);
	}
	out->path = column[3];
	if (!is_path(out->path, false))
		return "no path, or not escaped as an index has it";
	out->target = out->kind == INDEX_LINK ? column[4] : NULL;
	if (out->target != NULL && !is_path(out->target, true))
		return "no target, or not escaped as an index has it";
	return NULL;
}
