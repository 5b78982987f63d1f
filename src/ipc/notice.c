/*
 * ipc/notice.c: see the header.
 *
 * A name that is not UTF-8 has to come through whole: who is told of a file
 * opens it by that name.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ipc/notice.h"

#include <stdio.h>
#include <time.h>

struct line {
	char *at;
	size_t len;
};

static void
put(struct line *l, struct sv text)
{
	if (text.len > 0)
		memcpy(l->at + l->len, text.ptr, text.len);
	l->len += text.len;
}

static void
put_unit(struct line *l, unsigned unit)
{
	l->len += (size_t)snprintf(l->at + l->len, 7, "\\u%04x", unit & 0xffff);
}

static bool
is_tail(struct sv v, size_t i)
{
	return i < v.len && ((unsigned char)v.ptr[i] & 0xc0) == 0x80;
}

/*
 * The character of more than one byte at the front of v, and its bytes; 0: it
 * is none, or one that has a shorter form.
 */
static size_t
take_character(struct sv v, unsigned *out)
{
	static const unsigned least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char first = (unsigned char)v.ptr[0];
	size_t n = first >= 0xf0 && first < 0xf8 ? 4 : first >= 0xe0 &&
	    first < 0xf0 ? 3 : first >= 0xc0 && first < 0xe0 ? 2 : 0;
	unsigned c = n == 0 ? 0 : first & (0x7fu >> n);

	for (size_t i = 1; i < n; i++) {
		if (!is_tail(v, i))
			return 0;
		c = c << 6 | ((unsigned char)v.ptr[i] & 0x3f);
	}
	if (n == 0 || c < least[n] || c > 0x10ffff ||
	    (c >= 0xd800 && c < 0xe000))
		return 0;
	*out = c;
	return n;
}

/* Never more than six characters for each byte. */
static void
put_bytes(struct line *l, struct sv v)
{
	unsigned c = 0;

	while (v.len > 0) {
		unsigned char byte = (unsigned char)v.ptr[0];
		size_t n = byte < 0x80 ? 0 : take_character(v, &c);

		if (byte < 0x20 || byte == 0x7f || byte == '"' || byte == '\\')
			put_unit(l, byte);
		else if (byte < 0x80)
			put(l, (struct sv) { v.ptr, 1 });
		else if (n == 0)
			put_unit(l, 0xdc00u + byte);
		else if (c < 0x10000)
			put_unit(l, c);
		if (n == 4) {
			put_unit(l, 0xd7c0u + (c >> 10));
			put_unit(l, 0xdc00u + (c & 0x3ff));
		}
		v = sv_drop(v, n > 0 ? n : 1);
	}
}

static void
put_text(struct line *l, struct sv key, struct sv value)
{
	put(l, SV(",\""));
	put(l, key);
	put(l, SV("\":\""));
	put_bytes(l, value);
	put(l, SV("\""));
}

static void
put_number(struct line *l, const char *key, uint64_t value)
{
	l->len += (size_t)snprintf(l->at + l->len, 48, ",\"%s\":%llu", key,
	    (unsigned long long)value);
}

static void
put_sha256(struct line *l, const struct notice *n)
{
	char hex[2 * NOTICE_SHA256 + 1];

	for (size_t i = 0; i < NOTICE_SHA256; i++)
		snprintf(hex + 2 * i, 3, "%02x", n->sha256[i]);
	put_text(l, SV("sha256"), sv_of(hex));
}

static struct sv
cut(struct sv text, size_t most)
{
	return (struct sv) { text.ptr, text.len < most ? text.len : most };
}

static size_t
add(char *out, size_t at, struct sv text)
{
	if (text.len > 0)
		memcpy(out + at, text.ptr, text.len);
	return at + text.len;
}

size_t
notice_pack(struct notice *n, struct sv user, struct sv path, struct sv file,
    char *out)
{
	size_t len = sizeof(*n);

	user = cut(user, NOTICE_USER_MAX);
	path = cut(path, PATH_MAX);
	file = cut(file, NAME_MAX);
	n->version = NOTICE_VERSION;
	n->user_len = (uint16_t)user.len;
	n->path_len = (uint16_t)path.len;
	n->file_len = (uint16_t)file.len;
	memcpy(out, n, sizeof(*n));
	len = add(out, len, user);
	len = add(out, len, path);
	return add(out, len, file);
}

static bool
is_sound(const struct notice *n, size_t len)
{
	if (n->version != NOTICE_VERSION || n->user_len > NOTICE_USER_MAX ||
	    n->path_len > PATH_MAX || n->file_len > NAME_MAX ||
	    n->mode > 07777 || n->at < 0 || n->at > 253402300799)
		return false;
	for (size_t i = 0; i < NOTICE_VERB_MAX; i++)
		if (n->verb[i] < 'A' || n->verb[i] > 'Z')
			return false;
	return len == sizeof(*n) + n->user_len + n->path_len + n->file_len;
}

static void
put_head(struct line *l, const struct notice *n)
{
	time_t at = (time_t)n->at;
	struct tm tm;

	gmtime_r(&at, &tm);
	l->len = strftime(l->at, 64, "{\"time\":\"%Y-%m-%dT%H:%M:%SZ\"", &tm);
	put_number(l, "flow_id", n->flow);
	put_text(l, SV("command"), (struct sv) { n->verb, NOTICE_VERB_MAX });
	put_number(l, "size", n->size);
	l->len += (size_t)snprintf(l->at + l->len, 24, ",\"mode\":\"%04o\"",
	    (unsigned)n->mode);
	if (n->has_sha256 != 0)
		put_sha256(l, n);
}

size_t
notice_line(const char *packet, size_t len, char out[NOTICE_LINE_MAX])
{
	struct line l = { .at = out };
	const char *text = packet + sizeof(struct notice);
	struct notice n;

	if (len < sizeof(n))
		return 0;
	memcpy(&n, packet, sizeof(n));
	if (!is_sound(&n, len))
		return 0;
	put_head(&l, &n);
	if (n.user_len > 0)
		put_text(&l, SV("user"), (struct sv) { text, n.user_len });
	put_text(&l, SV("path"), (struct sv) { text + n.user_len,
		n.path_len });
	put_text(&l, SV("file"), (struct sv) { text + n.user_len + n.path_len,
		n.file_len });
	put(&l, SV("}\n"));
	return l.len;
}
