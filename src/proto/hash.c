/*
 * proto/hash.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "proto/hash.h"

#include "proto/value.h"

static const struct {
	const char *name;
	size_t bytes;
} algorithms[HASH_COUNT] = {
#define X(id, name, bytes) [HASH_##id] = { name, bytes },
	HASH_ALGORITHMS(X)
#undef X
};

const char *
hash_name(enum hash_algorithm a)
{
	return algorithms[a].name;
}

size_t
hash_bytes(enum hash_algorithm a)
{
	return algorithms[a].bytes;
}

bool
hash_find(struct sv name, enum hash_algorithm *out)
{
	for (unsigned a = 0; a < HASH_COUNT; a++) {
		if (!sv_eq_nocase(name, sv_of(algorithms[a].name)))
			continue;
		*out = (enum hash_algorithm)a;
		return true;
	}
	return false;
}

/* Every name, a star and semicolons: 39 bytes of 64. */
void
hash_feat(enum hash_algorithm chosen, char out[HASH_FEAT_MAX])
{
	size_t n = 0;

	for (unsigned a = 0; a < HASH_COUNT; a++) {
		struct sv name = sv_of(algorithms[a].name);

		if (a > 0)
			out[n++] = ';';
		memcpy(out + n, name.ptr, name.len);
		n += name.len;
		if (a == chosen)
			out[n++] = '*';
	}
	out[n] = '\0';
}

void
hash_hex(const uint8_t *digest, size_t n, bool upper, char out[HASH_HEX_MAX])
{
	const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[digest[i] >> 4];
		out[2 * i + 1] = digits[digest[i] & 15];
	}
	out[2 * n] = '\0';
}

/* Takes " 123" off the end; false when there is no such word. */
static bool
take_last_number(struct sv *text, struct sv *digits)
{
	size_t n = 0;

	while (n < text->len && sv_digit(text->ptr[text->len - 1 - n]))
		n++;
	if (n == 0 || n == text->len || text->ptr[text->len - 1 - n] != ' ')
		return false;
	*digits = (struct sv) { text->ptr + text->len - n, n };
	text->len -= n;
	while (text->len > 0 && text->ptr[text->len - 1] == ' ')
		text->len--;
	return true;
}

static enum ftp_err
take_range(struct sv *text, struct hash_argument *out)
{
	struct sv first, end, rest = *text;

	if (!take_last_number(&rest, &end) ||
	    !take_last_number(&rest, &first))
		return FTP_OK;
	if (value_parse_offset(first, &out->first) != FTP_OK ||
	    value_parse_offset(end, &out->end) != FTP_OK ||
	    out->end <= out->first)
		return FTP_RANGE;
	out->ranged = true;
	*text = rest;
	return FTP_OK;
}

static bool
take_quotes(struct sv *text)
{
	if (text->len < 3 || text->ptr[0] != '"' ||
	    text->ptr[text->len - 1] != '"')
		return false;
	*text = (struct sv) { text->ptr + 1, text->len - 2 };
	return true;
}

enum ftp_err
hash_argument_parse(struct sv arg, bool with_range, struct hash_argument *out)
{
	struct hash_argument read = { .name = arg };
	enum ftp_err err = FTP_OK;

	if (with_range)
		err = take_range(&read.name, &read);
	if (err != FTP_OK)
		return err;
	if (!take_quotes(&read.name) && !read.ranged)
		return FTP_SYNTAX;
	if (read.name.len == 0)
		return FTP_SYNTAX;
	*out = read;
	return FTP_OK;
}
