/*
 * accounts/entry.c: one line of the account file; see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "accounts/entry.h"

#include <stdio.h>

#include "accounts/when.h"
#include "base/text.h"

static const struct {
	char letter;
	uint32_t right;
} rights[ACCOUNTS_RIGHT_COUNT] = {
#define X(letter, name, meaning) { letter, ACCOUNTS_##name },
	ACCOUNTS_RIGHTS(X)
#undef X
};

/* Methods whose hashes are taken; older ones are no protection any more. */
static const char *const methods[] = {
	"$y$", "$gy$", "$2b$", "$2y$", "$2a$", "$6$", "$5$",
};

static bool
begins(struct sv v, const char *with)
{
	size_t n = strlen(with);

	return v.len >= n && memcmp(v.ptr, with, n) == 0;
}

/* "text: found", with what was found made fit to be shown. */
static bool
wrong(char why[ACCOUNTS_WHY_MAX], const char *text, struct sv found)
{
	char shown[64];
	size_t n = text_show(found, shown, sizeof(shown) - 1);

	shown[n] = '\0';
	snprintf(why, ACCOUNTS_WHY_MAX, found.len > 0 ? "%s: \"%s\"" : "%s",
	    text, shown);
	return false;
}

/* The bytes up to the separator, or all; it is taken off as well. */
static struct sv
take_until(struct sv *v, char separator, bool *found)
{
	const char *end = v->len == 0 ? NULL :
	    memchr(v->ptr, separator, v->len);
	struct sv part = *v;

	*found = end != NULL;
	if (end != NULL)
		part.len = (size_t)(end - v->ptr);
	*v = sv_drop(*v, part.len + (end != NULL ? 1 : 0));
	return part;
}

bool
accounts_name_is_good(struct sv name)
{
	if (name.len == 0 || name.len > ACCOUNTS_NAME_MAX ||
	    name.ptr[0] == '#' || sv_eq_nocase(name, SV("anonymous")) ||
	    sv_eq_nocase(name, SV("ftp")))
		return false;
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.ptr[i];

		if (c <= ' ' || c == 0x7f || c == ':')
			return false;
	}
	return true;
}

static bool
is_locked(struct sv hash)
{
	return hash.len == 0 || hash.ptr[0] == '!' || hash.ptr[0] == '*';
}

bool
accounts_is_open(const struct accounts_entry *e)
{
	return !is_locked(e->hash);
}

static bool
is_printable(struct sv v)
{
	for (size_t i = 0; i < v.len; i++)
		if (v.ptr[i] <= ' ' || v.ptr[i] > '~')
			return false;
	return true;
}

static bool
check_hash(struct sv hash, char why[ACCOUNTS_WHY_MAX])
{
	if (hash.len > ACCOUNTS_HASH_MAX)
		return wrong(why, "the hash is too long", (struct sv) { 0 });
	if (is_locked(hash))
		return true;
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (begins(hash, methods[i]) && is_printable(hash) &&
		    accounts_hash_cost(hash).len > 0)
			return true;
	/* Not shown: somebody may have put a password there. */
	return wrong(why, "no hash that is taken ($y$, $2b$, $6$, ...; "
	    "\"*\" for none)", (struct sv) { 0 });
}

struct sv
accounts_hash_cost(struct sv hash)
{
	struct sv rest = hash, part;
	bool more = false, sha;

	if (is_locked(hash) || hash.ptr[0] != '$')
		return (struct sv) { 0 };
	rest = sv_drop(rest, 1);
	part = take_until(&rest, '$', &more);
	sha = sv_eq(part, SV("6")) || sv_eq(part, SV("5"));
	/* The methods of SHA say their rounds only where they are not usual. */
	if (more && (!sha || begins(rest, "rounds=")))
		(void)take_until(&rest, '$', &more);
	if (!more)
		return (struct sv) { 0 };
	return (struct sv) { hash.ptr, hash.len - rest.len };
}

static bool
check_root(struct sv root, char why[ACCOUNTS_WHY_MAX])
{
	struct sv rest = root, part;
	bool more = true;

	if (root.len == 0 || root.len > ACCOUNTS_ROOT_MAX)
		return wrong(why, "expected a directory beneath accounts.root, "
		    "or \".\"", root);
	if (root.ptr[0] == '/')
		return wrong(why, "the directory is beneath accounts.root: "
		    "no \"/\" at its front", root);
	while (more && !sv_eq(root, SV("."))) {
		part = take_until(&rest, '/', &more);
		if (part.len == 0 || sv_eq(part, SV(".")) ||
		    sv_eq(part, SV("..")))
			return wrong(why, "a directory without \"..\", \".\" "
			    "and \"//\"", root);
	}
	return true;
}

static bool
take_rights(struct sv text, uint32_t *out, char why[ACCOUNTS_WHY_MAX])
{
	uint32_t set = 0;

	for (size_t i = 0; i < text.len && !sv_eq(text, SV("-")); i++) {
		uint32_t right = 0;

		for (size_t j = 0; j < ACCOUNTS_RIGHT_COUNT; j++)
			if (rights[j].letter == text.ptr[i])
				right = rights[j].right;
		if (right == 0 || (set & right) != 0)
			return wrong(why, "rights are letters of lrwodnm, "
			    "each once, or -", text);
		set |= right;
	}
	if (text.len == 0)
		return wrong(why, "no rights are written -", text);
	*out = set;
	return true;
}

const char *
accounts_rights_text(uint32_t set, char out[ACCOUNTS_RIGHT_COUNT + 1])
{
	size_t n = 0;

	for (size_t i = 0; i < ACCOUNTS_RIGHT_COUNT; i++)
		if ((set & rights[i].right) != 0)
			out[n++] = rights[i].letter;
	if (n == 0)
		out[n++] = '-';
	out[n] = '\0';
	return out;
}

/* ---- options: each reads the whole of its value */

/* Units are powers of 1000, as conf's rates are. */
static bool
read_bytes(struct sv v, uint64_t *out)
{
	static const struct {
		char letter;
		uint64_t factor;
	} units[] = { { 'K', 1000 }, { 'M', 1000000 }, { 'G', 1000000000 },
		{ 'T', 1000000000000 } };
	uint64_t factor = 1, n;

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (v.len > 0 && sv_upper(v.ptr[v.len - 1]) ==
		    units[i].letter)
			factor = units[i].factor;
	if (factor > 1)
		v.len--;
	if (!sv_number(v, (uint64_t)INT64_MAX / factor, &n) || n == 0)
		return false;
	*out = n * factor;
	return true;
}

static bool
read_count(struct sv v, uint64_t *out)
{
	return sv_number(v, INT64_MAX, out) && *out > 0;
}

static bool
read_number(struct sv v, uint32_t *out)
{
	uint64_t n;

	if (!sv_number(v, 1000000, &n) || n == 0)
		return false;
	*out = (uint32_t)n;
	return true;
}

static bool
read_networks(struct sv v, struct sv *out)
{
	struct addr_net net;
	bool more = true;

	*out = v;
	for (size_t i = 0; more; i++)
		if (i == ACCOUNTS_NETWORKS_MAX ||
		    !addr_parse_net(take_until(&v, '+', &more), &net))
			return false;
	return true;
}

static bool
read_hours(struct sv v, struct sv *out)
{
	struct when_span span;
	bool more = true;

	*out = v;
	for (size_t i = 0; more; i++)
		if (i == ACCOUNTS_SPANS_MAX ||
		    !when_parse(take_until(&v, '+', &more), &span))
			return false;
	return true;
}

static int
hex_digit(char c)
{
	if (sv_digit(c))
		return c - '0';
	c = sv_upper(c);
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/*
 * A SHA-256 fingerprint, with a colon after each byte but the last or with
 * none: openssl prints the one, sha256sum the other.
 */
static bool
read_fingerprint(struct sv v, uint8_t out[32])
{
	size_t step = v.len == 95 ? 3 : 2;

	if (v.len != 95 && v.len != 64)
		return false;
	for (size_t i = 0; i < 32; i++) {
		const char *at = v.ptr + i * step;
		int high = hex_digit(at[0]), low = hex_digit(at[1]);

		if (high < 0 || low < 0 || (step == 3 && i > 0 &&
		    at[-1] != ':'))
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static bool
read_certificates(struct sv v, struct sv *out)
{
	uint8_t sha256[32];
	bool more = true;

	*out = v;
	for (size_t i = 0; more; i++) {
		struct sv one = take_until(&v, '+', &more);

		if (i == ACCOUNTS_CERTIFICATES_MAX ||
		    (!sv_eq(one, SV("cn")) && !read_fingerprint(one, sha256)))
			return false;
	}
	return true;
}

/* One of two words. */
static bool
read_word(struct sv v, struct sv no, struct sv yes, bool *out)
{
	*out = sv_eq(v, yes);
	return *out || sv_eq(v, no);
}

static bool
read_tls(struct sv v, enum accounts_tls *out)
{
	static const char *const words[] = {
		[ACCOUNTS_TLS_REQUIRED] = "required",
		[ACCOUNTS_TLS_LOGIN] = "login",
		[ACCOUNTS_TLS_OPTIONAL] = "optional",
	};

	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (sv_eq(v, sv_of(words[i]))) {
			*out = (enum accounts_tls)i;
			return true;
		}
	return false;
}

static bool
read_uploads(struct sv v, bool *out)
{
	return read_word(v, SV("visible"), SV("dropbox"), out);
}

enum option_place {
#define X(key, reader, field, meaning) OPTION_##field,
	ACCOUNTS_OPTIONS(X)
#undef X
	OPTION_COUNT
};

static bool
take_option(struct sv text, struct accounts_entry *e, unsigned *seen,
    char why[ACCOUNTS_WHY_MAX])
{
	struct sv value = text, key;
	unsigned place = OPTION_COUNT;
	bool found, good = false;

	key = take_until(&value, '=', &found);
#define X(name, reader, field, meaning) \
	if (found && sv_eq(key, SV(name))) { \
		place = OPTION_##field; \
		good = read_##reader(value, &e->field); \
	}
	ACCOUNTS_OPTIONS(X)
#undef X
	if (place == OPTION_COUNT)
		return wrong(why, "no such option", text);
	if (!good)
		return wrong(why, "an option's value is not understood", text);
	if ((*seen & 1u << place) != 0)
		return wrong(why, "an option is given twice", text);
	*seen |= 1u << place;
	return true;
}

static bool
take_options(struct sv text, struct accounts_entry *e,
    char why[ACCOUNTS_WHY_MAX])
{
	unsigned seen = 0;
	bool more = text.len > 0;

	while (more)
		if (!take_option(take_until(&text, ',', &more), e, &seen, why))
			return false;
	return true;
}

/* What a terminal would obey has no place in the file, whatever the field. */
static bool
check_bytes(struct sv line, char why[ACCOUNTS_WHY_MAX])
{
	if (line.len > ACCOUNTS_LINE_MAX)
		return wrong(why, "the line is too long", (struct sv) { 0 });
	for (size_t i = 0; i < line.len; i++) {
		unsigned char c = (unsigned char)line.ptr[i];

		if (c < ' ' || c == 0x7f)
			return wrong(why, "a control character",
			    (struct sv) { 0 });
	}
	return true;
}

bool
accounts_parse_line(struct sv line, struct accounts_entry *out,
    char why[ACCOUNTS_WHY_MAX])
{
	struct accounts_entry e = { 0 };
	struct sv letters;
	bool colon[4];

	if (!check_bytes(line, why))
		return false;
	e.name = take_until(&line, ':', &colon[0]);
	e.hash = take_until(&line, ':', &colon[1]);
	e.root = take_until(&line, ':', &colon[2]);
	letters = take_until(&line, ':', &colon[3]);
	e.options = line;
	if (!colon[0] || !colon[1] || !colon[2])
		return wrong(why, "expected name:hash:root:rights:options",
		    (struct sv) { 0 });
	if (!accounts_name_is_good(e.name))
		return wrong(why, "no name for an account", e.name);
	if (!check_hash(e.hash, why) || !check_root(e.root, why) ||
	    !take_rights(letters, &e.rights, why) ||
	    !take_options(line, &e, why))
		return false;
	*out = e;
	return true;
}

/* ---- whence and when */

bool
accounts_network_allows(const struct accounts_entry *e,
    const struct addr *peer)
{
	struct sv list = e->networks;
	struct addr_net net;
	bool more = list.len > 0;

	if (!more)
		return true;
	while (more)
		if (addr_parse_net(take_until(&list, '+', &more), &net) &&
		    addr_in_net(peer, &net))
			return true;
	return false;
}

bool
accounts_hours_allow(const struct accounts_entry *e, unsigned weekday,
    unsigned minute)
{
	struct sv list = e->hours;
	struct when_span span;
	bool more = list.len > 0;

	if (!more)
		return true;
	while (more)
		if (when_parse(take_until(&list, '+', &more), &span) &&
		    when_holds(&span, weekday, minute))
			return true;
	return false;
}

/* ---- certificates */

enum accounts_match
accounts_match_certificate(const struct accounts_entry *e,
    const struct accounts_certificate *c)
{
	enum accounts_match best = ACCOUNTS_MATCH_NONE;
	struct sv list = e->certificates;
	uint8_t sha256[32];
	bool more = list.len > 0;

	while (more) {
		struct sv one = take_until(&list, '+', &more);

		if (read_fingerprint(one, sha256)) {
			if (memcmp(sha256, c->sha256, sizeof(sha256)) == 0)
				return ACCOUNTS_MATCH_FINGERPRINT;
		} else if (c->common_name.len > 0 &&
		    sv_eq(c->common_name, e->name)) {
			best = ACCOUNTS_MATCH_NAME;
		}
	}
	return best;
}

/* "!*" is one that was locked, and "*0" is nobody's but crypt(3)'s. */
bool
accounts_needs_no_password(const struct accounts_entry *e)
{
	return e->certificates.len > 0 && sv_eq(e->hash, SV("*"));
}
