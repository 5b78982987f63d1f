/*
 * index/name.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "index/name.h"

#define C1_LAST 0x9f	/* U+0080 to U+009F are controls to a terminal */
#define SURROGATES 0xd800
#define AFTER_SURROGATES 0xe000
#define LAST_CODE_POINT 0x10ffff

/* How many bytes the lead byte of a sequence announces; 0: it is none. */
static size_t
announced(unsigned char lead)
{
	if (lead >= 0xc2 && lead <= 0xdf)
		return 2;
	if (lead >= 0xe0 && lead <= 0xef)
		return 3;
	if (lead >= 0xf0 && lead <= 0xf4)
		return 4;
	return 0;
}

/* The length of the UTF-8 sequence at the front; 0: none that is shown. */
static size_t
utf8_length(struct sv v)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = announced((unsigned char)v.ptr[0]);
	uint32_t code;

	if (n == 0 || n > v.len)
		return 0;
	code = (unsigned char)v.ptr[0] & (0xffu >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		unsigned char c = (unsigned char)v.ptr[i];

		if ((c & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (c & 0x3f);
	}
	if (code < least[n] || code <= C1_LAST || code > LAST_CODE_POINT ||
	    (code >= SURROGATES && code < AFTER_SURROGATES))
		return 0;
	return n;
}

static size_t
escape_byte(unsigned char c, char *out)
{
	static const char hex[] = "0123456789abcdef";

	out[0] = '\\';
	if (c == '\\' || c == '\n' || c == '\r') {
		out[1] = c == '\n' ? 'n' : c == '\r' ? 'r' : '\\';
		return 2;
	}
	out[1] = 'x';
	out[2] = hex[c >> 4];
	out[3] = hex[c & 15];
	return 4;
}

size_t
index_name_escape(struct sv raw, char *out)
{
	size_t n = 0;

	while (raw.len > 0) {
		unsigned char c = (unsigned char)raw.ptr[0];
		size_t length = c >= ' ' && c <= '~' && c != '\\' ? 1 :
		    utf8_length(raw);

		if (length == 0) {
			n += escape_byte(c, out + n);
			length = 1;
		} else {
			memcpy(out + n, raw.ptr, length);
			n += length;
		}
		raw = sv_drop(raw, length);
	}
	out[n] = '\0';
	return n;
}

static int
hex_value(char c)
{
	if (sv_digit(c))
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Takes one escape off the front, which is a backslash. */
static bool
take_escape(struct sv *text, char *out)
{
	char kind = text->len > 1 ? text->ptr[1] : '\0';
	int high, low;

	if (kind == '\\' || kind == 'n' || kind == 'r') {
		*out = kind == 'n' ? '\n' : kind == 'r' ? '\r' : '\\';
		*text = sv_drop(*text, 2);
		return true;
	}
	if (kind != 'x' || text->len < 4)
		return false;
	high = hex_value(text->ptr[2]);
	low = hex_value(text->ptr[3]);
	if (high < 0 || low < 0 || high + low == 0)
		return false;
	*out = (char)(high << 4 | low);
	*text = sv_drop(*text, 4);
	return true;
}

/*
 * Whether text is the one text of these bytes: a second spelling of a name
 * would be sorted elsewhere, and not be found.
 */
static bool
is_canonical(struct sv text, struct sv raw)
{
	char again[INDEX_NAME_ROOM(4)];

	while (raw.len > 0) {
		size_t whole = utf8_length(raw), n;

		if (whole == 0)
			whole = 1;
		n = index_name_escape((struct sv) { raw.ptr, whole }, again);
		if (n > text.len || memcmp(again, text.ptr, n) != 0)
			return false;
		text = sv_drop(text, n);
		raw = sv_drop(raw, whole);
	}
	return text.len == 0;
}

bool
index_name_unescape(struct sv text, char *out, size_t *n)
{
	struct sv rest = text;
	size_t used = 0;

	while (rest.len > 0) {
		if (rest.ptr[0] == '\\') {
			if (!take_escape(&rest, &out[used]))
				return false;
		} else {
			out[used] = rest.ptr[0];
			rest = sv_drop(rest, 1);
		}
		used++;
	}
	out[used] = '\0';
	*n = used;
	return memchr(out, '\0', used) == NULL &&
	    is_canonical(text, (struct sv) { out, used });
}
