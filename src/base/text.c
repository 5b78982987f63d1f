/*
 * base/text.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/text.h"

bool
text_take_line(struct sv *text, struct sv *line)
{
	const char *end;

	if (text->len == 0)
		return false;
	end = memchr(text->ptr, '\n', text->len);
	*line = *text;
	if (end != NULL)
		line->len = (size_t)(end - text->ptr);
	*text = sv_drop(*text, line->len + 1);
	if (line->len > 0 && line->ptr[line->len - 1] == '\r')
		line->len--;
	return true;
}

static unsigned char
at(struct sv v, size_t i)
{
	return i < v.len ? (unsigned char)v.ptr[i] : 0;
}

/*
 * The length of the UTF-8 character at the front (RFC 3629 §4: no longer than
 * it need be, no surrogate, none beyond U+10FFFF); 0: there is none.
 */
static size_t
utf8_length(struct sv v)
{
	unsigned char c = at(v, 0), low = 0x80, high = 0xbf;
	size_t n;

	if (c < 0x80)
		return 1;
	if (c < 0xc2 || c > 0xf4)
		return 0;
	n = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	if (c == 0xe0)
		low = 0xa0;
	else if (c == 0xed)
		high = 0x9f;
	else if (c == 0xf0)
		low = 0x90;
	else if (c == 0xf4)
		high = 0x8f;
	if (at(v, 1) < low || at(v, 1) > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if (at(v, i) < 0x80 || at(v, i) > 0xbf)
			return 0;
	return n;
}

/* How many bytes at the front stay as they are; 0: the first one may not. */
static size_t
shown_length(struct sv v)
{
	unsigned char c = at(v, 0);
	size_t n = utf8_length(v);

	if (n == 1)
		return c == '\t' || (c >= ' ' && c != 0x7f) ? 1 : 0;
	if (n == 2 && c == 0xc2 && at(v, 1) < 0xa0)
		return 0;
	if (n > 0)
		return n;
	return c >= 0xa0 && c != 0xff ? 1 : 0;
}

size_t
text_show(struct sv line, char *out, size_t size)
{
	static const char hex[] = "0123456789abcdef";
	size_t n = 0;

	while (line.len > 0) {
		size_t stay = shown_length(line), take = stay > 0 ? stay : 1;
		unsigned char c = at(line, 0);

		if (size - n < (stay > 0 ? stay : 4))
			return n;
		if (stay > 0) {
			memcpy(out + n, line.ptr, stay);
			n += stay;
		} else {
			out[n++] = '\\';
			out[n++] = 'x';
			out[n++] = hex[c >> 4];
			out[n++] = hex[c & 15];
		}
		line = sv_drop(line, take);
	}
	return n;
}
