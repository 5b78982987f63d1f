/*
 * tests/fuzz/fuzz_argument.c: what stands behind HASH, HOST, LIST and NLST.
 * Each reading stays inside of what was sent, and a pattern fits exactly what
 * a matcher says that tries every way.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "fuzz.h"

#include <assert.h>

#include "proto/glob.h"
#include "proto/hash.h"
#include "proto/host.h"
#include "proto/listing.h"

#define TRIED_MAX 48	/* bytes of pattern and of name for the slow one */

static void
is_inside(struct sv part, struct sv whole)
{
	assert(part.len <= whole.len);
	if (part.len > 0)
		assert(part.ptr >= whole.ptr &&
		    part.ptr + part.len <= whole.ptr + whole.len);
}

static void
hash_stays_inside(struct sv text)
{
	for (int ranged = 0; ranged <= 1; ranged++) {
		struct hash_argument a;

		if (hash_argument_parse(text, ranged != 0, &a) != FTP_OK)
			continue;
		is_inside(a.name, text);
		assert(a.name.len > 0 && a.name.len < text.len);
		assert(a.ranged <= (ranged != 0));
		if (a.ranged)
			assert(a.first < a.end && a.end <= INT64_MAX);
	}
}

/* It goes into events and is compared: nothing but letters, digits, -. */
static void
host_is_plain(struct sv text)
{
	struct host h;

	if (host_parse(text, &h) != FTP_OK)
		return;
	assert((h.name.len == 0) == (h.ip.family != ADDR_NONE));
	is_inside(h.name, text);
	for (size_t i = 0; i < h.name.len; i++) {
		char c = sv_upper(h.name.ptr[i]);

		assert((c >= 'A' && c <= 'Z') || sv_digit(c) || c == '-' ||
		    c == '.' || c == '_');
	}
}

static void
options_end(struct sv text)
{
	struct sv rest = text;

	(void)listing_take_options(&rest);
	is_inside(rest, text);
	if (rest.len > 0)
		assert(rest.ptr + rest.len == text.ptr + text.len);
}

/* The length of a class at the front of p; 0: it is a bracket. */
static size_t
class_at(struct sv p)
{
	size_t i = p.len > 1 && p.ptr[1] == '!' ? 3 : 2;

	for (; i < p.len; i++)
		if (p.ptr[i] == ']')
			return i + 1;
	return 0;
}

static bool
class_has(struct sv set, unsigned char c)
{
	bool inverted = set.ptr[1] == '!', found = false;

	for (size_t i = inverted ? 2 : 1; i + 1 < set.len; i++) {
		unsigned char low = (unsigned char)set.ptr[i], high = low;

		if (i + 3 < set.len && set.ptr[i + 1] == '-') {
			high = (unsigned char)set.ptr[i + 2];
			i += 2;
		}
		found = found || (low <= c && c <= high);
	}
	return found != inverted;
}

/* fits[j]: what was read of the pattern fits the first j bytes. */
static bool
try_every_way(struct sv p, struct sv name)
{
	bool fits[TRIED_MAX + 1] = { true };

	while (p.len > 0) {
		size_t n = p.ptr[0] == '[' ? class_at(p) : 0;
		bool next[TRIED_MAX + 1] = { false };

		for (size_t j = 0; j <= name.len; j++) {
			if (p.ptr[0] == '*') {
				next[j] = fits[j] || (j > 0 && next[j - 1]);
			} else if (j > 0 && fits[j - 1]) {
				char c = name.ptr[j - 1];

				next[j] = n > 0 ? class_has((struct sv) {
				    p.ptr, n }, (unsigned char)c) :
				    p.ptr[0] == '?' || p.ptr[0] == c;
			}
		}
		memcpy(fits, next, sizeof(fits));
		p = sv_drop(p, n > 0 ? n : 1);
	}
	return fits[name.len];
}

static struct sv
short_of(struct sv text)
{
	if (text.len > TRIED_MAX)
		text.len = TRIED_MAX;
	return text;
}

/* The first line is a pattern, what follows is a name. */
static void
pattern_fits_rightly(struct sv text)
{
	const char *lf = memchr(text.ptr, '\n', text.len);
	size_t n = lf == NULL ? text.len / 2 : (size_t)(lf - text.ptr);
	struct sv pattern = short_of((struct sv) { text.ptr, n });
	struct sv name = short_of(sv_drop(text, lf == NULL ? n : n + 1));

	assert(glob_fits(pattern, name) == try_every_way(pattern, name));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv text = { (const char *)data, size };

	if (size == 0)
		return 0;
	hash_stays_inside(text);
	host_is_plain(text);
	options_end(text);
	pattern_fits_rightly(text);
	return 0;
}
