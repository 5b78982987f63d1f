/*
 * conf/conf_key.c: the rows of the table, finding one by its name or nearly
 * its name, and the one line that every problem becomes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "conf/conf_key.h"

#include <assert.h>
#include <stdarg.h>
#include <stddef.h>

#define ROW(name, type, field, unit, least, most, value, meaning) \
	[CONF_KEY_##field] = { name, &conf_type_##type, \
	    offsetof(struct conf, field), unit, least, most, value, meaning },

const struct conf_key conf_keys[CONF_KEY_COUNT] = { CONF_KEYS(ROW) };

#undef ROW

/* Longer names are not compared, so that the rows below fit the stack. */
#define NAME_MAX_COMPARED 63

/* A suggestion further away than this would be a guess. */
#define DISTANCE_MAX 3

/* Bytes of a value that are shown before it is cut. */
#define QUOTE_SHOWN 72

const struct conf_key *
conf_key_find(struct sv name)
{
	for (size_t i = 0; i < CONF_KEY_COUNT; i++)
		if (sv_eq(name, sv_of(conf_keys[i].name)))
			return &conf_keys[i];
	return NULL;
}

static size_t
least_of(size_t a, size_t b)
{
	return a < b ? a : b;
}

/*
 * How many letters must be put in, left out or changed (Levenshtein), the
 * case of letters aside.  One row of the usual table is enough: `corner` is
 * what stood diagonally above before it was written over.
 */
static size_t
distance(struct sv a, struct sv b)
{
	size_t row[NAME_MAX_COMPARED + 1];

	for (size_t j = 0; j <= b.len; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		size_t corner = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			bool same = sv_upper(a.ptr[i - 1]) ==
			    sv_upper(b.ptr[j - 1]);
			size_t changed = corner + (same ? 0 : 1);

			corner = row[j];
			row[j] = least_of(changed,
			    least_of(row[j], row[j - 1]) + 1);
		}
	}
	return row[b.len];
}

const struct conf_key *
conf_key_nearest(struct sv name)
{
	const struct conf_key *nearest = NULL;
	size_t best = DISTANCE_MAX + 1;

	if (name.len > NAME_MAX_COMPARED)
		return NULL;
	for (size_t i = 0; i < CONF_KEY_COUNT; i++) {
		size_t d = distance(name, sv_of(conf_keys[i].name));

		if (d < best) {
			best = d;
			nearest = &conf_keys[i];
		}
	}
	return nearest;
}

void
conf_problem_start(const struct conf_where *w, const char *key)
{
	fputs("portcullisd: ", w->err);
	if (w->source != NULL && w->line > 0)
		fprintf(w->err, "%s:%u: ", w->source, w->line);
	else if (w->source != NULL)
		fprintf(w->err, "%s: ", w->source);
	if (key != NULL)
		fprintf(w->err, "%s: ", key);
}

void
conf_problem(const struct conf_where *w, const char *key, const char *format,
    ...)
{
	va_list args;

	conf_problem_start(w, key);
	va_start(args, format);
	vfprintf(w->err, format, args);
	va_end(args);
	fputc('\n', w->err);
}

const char *
conf_quote(struct sv text, char buf[CONF_QUOTE_MAX])
{
	static const char hex[] = "0123456789abcdef";
	size_t shown = least_of(text.len, QUOTE_SHOWN), n = 0;

	static_assert(CONF_QUOTE_MAX >= QUOTE_SHOWN * 4 + sizeof("\"\"..."),
	    "each byte may become four");
	buf[n++] = '"';
	for (size_t i = 0; i < shown; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (c >= ' ' && c < 0x7f) {
			buf[n++] = (char)c;
			continue;
		}
		buf[n++] = '\\';
		buf[n++] = 'x';
		buf[n++] = hex[c >> 4];
		buf[n++] = hex[c & 15];
	}
	buf[n++] = '"';
	if (shown < text.len) {
		memcpy(buf + n, "...", 3);
		n += 3;
	}
	buf[n] = '\0';
	return buf;
}
