/*
 * proto/sums.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "proto/sums.h"

#define HEX_LEN (2 * SUMS_BYTES)

void
sums_init(struct sums *s, struct sv name, bool bare)
{
	*s = (struct sums) { .name = name, .bare = bare };
}

/* The value of a hexadecimal digit; 16: it is none. */
static unsigned
digit_value(char c)
{
	c = sv_upper(c);
	if (sv_digit(c))
		return (unsigned)(c - '0');
	return c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10 : 16;
}

/* Takes 64 digits off the front. */
static bool
take_digest(struct sv *line, uint8_t out[SUMS_BYTES])
{
	if (line->len < HEX_LEN)
		return false;
	for (size_t i = 0; i < SUMS_BYTES; i++) {
		unsigned high = digit_value(line->ptr[2 * i]);
		unsigned low = digit_value(line->ptr[2 * i + 1]);

		if (high > 15 || low > 15)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	*line = sv_drop(*line, HEX_LEN);
	return true;
}

static bool
take_text(struct sv *line, struct sv text)
{
	if (line->len < text.len || memcmp(line->ptr, text.ptr, text.len) != 0)
		return false;
	*line = sv_drop(*line, text.len);
	return true;
}

/* "NAME) = <digits>": the name ends at the last ") = " of the line. */
static bool
take_bsd(struct sv line, struct sv *name, uint8_t digest[SUMS_BYTES])
{
	static const size_t tail = sizeof(") = ") - 1 + HEX_LEN;
	struct sv rest;

	if (line.len <= tail)
		return false;
	rest = sv_drop(line, line.len - tail);
	*name = (struct sv) { line.ptr, line.len - tail };
	return take_text(&rest, SV(") = ")) && take_digest(&rest, digest);
}

/* "<digits>  NAME", and nothing but the digits where that is enough. */
static bool
take_gnu(const struct sums *s, struct sv line, struct sv *name,
    uint8_t digest[SUMS_BYTES])
{
	if (!take_digest(&line, digest))
		return false;
	if (line.len == 0) {
		*name = s->name;
		return s->bare;
	}
	if (!take_text(&line, SV("  ")) && !take_text(&line, SV(" *")))
		return false;
	*name = line;
	return true;
}

/* The byte that an escape stands for; '\0': there is no such escape. */
static char
unescaped(char c)
{
	switch (c) {
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case '\\':
		return '\\';
	default:
		return '\0';
	}
}

/* Whether a name as it was written is `name`; "./" before it says nothing. */
static bool
is_name(struct sv written, bool escaped, struct sv name)
{
	(void)take_text(&written, SV("./"));
	if (!escaped)
		return sv_eq(written, name);
	for (; written.len > 0 && name.len > 0; name = sv_drop(name, 1)) {
		char c = written.ptr[0];

		written = sv_drop(written, 1);
		if (c == '\\') {
			if (written.len == 0)
				return false;
			c = unescaped(written.ptr[0]);
			written = sv_drop(written, 1);
		}
		if (c == '\0' || c != name.ptr[0])
			return false;
	}
	return written.len == 0 && name.len == 0;
}

static void
read_line(struct sums *s, struct sv line)
{
	uint8_t digest[SUMS_BYTES];
	struct sv name;
	bool escaped;

	if (line.len > 0 && line.ptr[line.len - 1] == '\r')
		line.len--;
	escaped = sv_take(&line, '\\');
	if (take_text(&line, SV("SHA256 ("))) {
		if (!take_bsd(line, &name, digest))
			return;
	} else if (!take_gnu(s, line, &name, digest)) {
		return;
	}
	if (!is_name(name, escaped && name.ptr != s->name.ptr, s->name))
		return;
	s->contradicts |= s->found &&
	    memcmp(s->digest, digest, SUMS_BYTES) != 0;
	s->found = true;
	memcpy(s->digest, digest, SUMS_BYTES);
}

static void
end_line(struct sums *s)
{
	if (!s->overlong)
		read_line(s, (struct sv) { s->line, s->len });
	s->overlong = false;
	s->len = 0;
}

void
sums_feed(struct sums *s, struct sv bytes)
{
	while (bytes.len > 0) {
		const char *lf = memchr(bytes.ptr, '\n', bytes.len);
		size_t n = lf == NULL ? bytes.len : (size_t)(lf - bytes.ptr);

		if (s->overlong || n > sizeof(s->line) - s->len) {
			s->overlong = true;
		} else {
			memcpy(s->line + s->len, bytes.ptr, n);
			s->len += n;
		}
		bytes = sv_drop(bytes, n);
		if (lf != NULL) {
			end_line(s);
			bytes = sv_drop(bytes, 1);
		}
	}
}

bool
sums_end(struct sums *s, uint8_t digest[SUMS_BYTES])
{
	end_line(s);
	if (!s->found || s->contradicts)
		return false;
	memcpy(digest, s->digest, SUMS_BYTES);
	return true;
}
