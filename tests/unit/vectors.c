/*
 * tests/unit/vectors.c: reads tests/vectors; see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "vectors.h"

#include <stdio.h>
#include <stdlib.h>

#include "unit.h"

static char
hex_digit(char c)
{
	if (sv_digit(c))
		return (char)(c - '0');
	assert_in_range(c, 'a', 'f');
	return (char)(c - 'a' + 10);
}

/* One escape, behind its backslash; returns the place behind it. */
static const char *
take_escape(const char *p, char *out)
{
	switch (*p) {
	case 'r':
		*out = '\r';
		return p + 1;
	case 'n':
		*out = '\n';
		return p + 1;
	case 't':
		*out = '\t';
		return p + 1;
	case '\\':
		*out = '\\';
		return p + 1;
	case 'x':
		*out = (char)(hex_digit(p[1]) << 4 | hex_digit(p[2]));
		return p + 3;
	default:
		fail_msg("unknown escape \\%c", *p);
		return p;
	}
}

/* In place, since escapes only shrink. */
static struct sv
unescape(char *text)
{
	const char *from = text;
	char *to = text;

	if (strcmp(text, "\"\"") == 0)
		*text = '\0';
	while (*from != '\0') {
		if (*from == '\\')
			from = take_escape(from + 1, to++);
		else
			*to++ = *from++;
	}
	*to = '\0';
	return (struct sv) { text, (size_t)(to - text) };
}

static size_t
split(struct vector *v, char *row)
{
	size_t n = 0;
	char *column;

	while ((column = strsep(&row, "\t")) != NULL) {
		assert_in_range(n, 0, VECTOR_COLUMNS_MAX - 1);
		v->column[n++] = unescape(column);
	}
	return n;
}

void
vectors_each(const char *file, size_t columns,
    void (*check)(const struct vector *v))
{
	struct vector v = { .file = file };
	char path[4096];
	char *row = NULL;
	size_t size = 0, rows = 0;
	ssize_t len;
	FILE *in;

	snprintf(path, sizeof(path), "%s/%s", TESTS_VECTORS_DIR, file);
	if ((in = fopen(path, "r")) == NULL)
		fail_msg("cannot open %s", path);
	while ((len = getline(&row, &size, in)) > 0) {
		v.line++;
		if (row[0] == '#')
			continue;
		row[len - 1] = '\0';
		if (split(&v, row) != columns)
			fail_msg("%s:%u: not %zu columns", file, v.line,
			    columns);
		check(&v);
		rows++;
	}
	free(row);
	fclose(in);
	assert_true(rows > 0);
}

void
vector_same(const struct vector *v, const char *what, struct sv got,
    struct sv wanted)
{
	if (!sv_eq(got, wanted))
		fail_msg("%s:%u: %s: got %.*s, wanted %.*s", v->file, v->line,
		    what, (int)got.len, got.ptr, (int)wanted.len, wanted.ptr);
}

struct sv
vector_addr(const struct addr *a, char buf[VECTOR_ADDR_MAX])
{
	char text[ADDR_TEXT_MAX];

	if (a->family == ADDR_NONE)
		snprintf(buf, VECTOR_ADDR_MAX, ":%u", a->port);
	else if (a->zoned)
		snprintf(buf, VECTOR_ADDR_MAX, "[%s%%]:%u",
		    addr_format_ip(a, text), a->port);
	else
		snprintf(buf, VECTOR_ADDR_MAX, "%s", addr_format(a, text));
	return sv_of(buf);
}
